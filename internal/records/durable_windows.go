package records

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// volatile says why a sync promises nothing where path, which is there, lies; "" where
// nothing speaks against it.
func volatile(path string) string {
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(path) + `\`)
	if err != nil {
		return ""
	}
	switch windows.GetDriveType(root) {
	case windows.DRIVE_REMOTE:
		return "on a network share"
	case windows.DRIVE_RAMDISK:
		return "in memory (RAM disk)"
	}
	return ""
}

// doubt knows of nothing to add.
func doubt(string) string { return "" }
