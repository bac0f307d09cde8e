package records

import "golang.org/x/sys/windows"

// syncDir does nothing: Windows has no such call, NTFS journals names itself.
func syncDir(string) error { return nil }

// freeBytes returns the space left, for this user, on the volume that holds path.
func freeBytes(path string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
