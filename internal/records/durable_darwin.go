package records

import "golang.org/x/sys/unix"

// volatile says why a sync promises nothing where path, which is there, lies; "" where
// nothing speaks against it.
func volatile(path string) string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "" // whoever writes there is told
	}
	switch kind := unix.ByteSliceToString(st.Fstypename[:]); kind {
	case "nfs", "smbfs", "afpfs", "webdav":
		return "on a network share (" + kind + ")"
	case "tmpfs":
		return "in memory (tmpfs)"
	}
	return ""
}

// doubt knows of nothing to add.
func doubt(string) string { return "" }
