package records

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// volatileKinds are file systems that keep nothing, or not here (statfs(2)).
var volatileKinds = map[uint32]string{
	unix.TMPFS_MAGIC:      "in memory (tmpfs)",
	unix.RAMFS_MAGIC:      "in memory (ramfs)",
	unix.NFS_SUPER_MAGIC:  "on a network share (NFS)",
	unix.SMB_SUPER_MAGIC:  "on a network share (SMB)",
	unix.CIFS_SUPER_MAGIC: "on a network share (CIFS)",
	unix.SMB2_SUPER_MAGIC: "on a network share (SMB)",
	unix.AFS_SUPER_MAGIC:  "on a network share (AFS)",
	unix.CODA_SUPER_MAGIC: "on a network share (Coda)",
	unix.V9FS_MAGIC:       "on a share of the machine that this one runs on (9p)", // Windows' own disks, to WSL
	0x786f4256:            "on a share of the machine that this one runs on (vboxsf)",
}

// volatileOptions are mount options by which a sync does not reach the drive: of ext4
// and XFS (ext4(5), xfs(5)), and of overlayfs (kernel.org, overlayfs.rst, "Volatile
// mount").
var volatileOptions = []string{"nobarrier", "barrier=0", "volatile"}

// volatile says why a sync promises nothing where path, which is there, lies; "" where
// nothing speaks against it.
func volatile(path string) string {
	m, known := mountOf(path)
	if why := unsynced(path, m); why != "" || !known || m.kind != "overlay" {
		return why
	}
	if keepsInMemory(folderOf(path)) {
		return "on an overlay that keeps what is written in memory"
	}
	if upper, seen := m.upper(); seen {
		under, _ := mountOf(upper)
		return unsynced(upper, under)
	}
	return ""
}

// doubt says what cannot be known of the place of path, which is there, and has to be
// known by somebody; "" where nothing is missing.
func doubt(path string) string {
	m, _ := mountOf(path)
	if m.kind != "overlay" {
		return ""
	}
	if upper, seen := m.upper(); !seen {
		return fmt.Sprintf("on an overlay whose upper layer (%s) cannot be seen from here: a container's is thrown away with the container", upper)
	}
	return ""
}

// unsynced is volatile for a path on the file system that m tells of, whatever lies under
// that.
func unsynced(path string, m mount) string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "" // whoever writes there is told
	}
	if kind, bad := volatileKinds[uint32(st.Type)]; bad {
		return kind
	}
	for _, option := range m.options {
		if slices.Contains(volatileOptions, option) {
			return "on a file system mounted with " + option
		}
	}
	if uint32(st.Type) == unix.FUSE_SUPER_MAGIC && m.kind != "" && m.kind != "fuseblk" { // that is on a disk of its own
		return "on a file system that another program or machine answers for (" + m.kind + ")"
	}
	return ""
}

// keepsInMemory reports whether what is written to a folder of an overlay gets no place
// on a disk. An overlay looks the same over memory and over a disk, and what lies under
// it may be out of sight. But it passes on the question where a file lies on its disk,
// which file systems in memory do not understand (FS_IOC_FIEMAP: kernel.org, fiemap.rst).
func keepsInMemory(dir string) bool {
	f, err := os.CreateTemp(dir, ".provision-*.tmp")
	if err != nil {
		return false // whoever writes there is told
	}
	defer func() {
		_ = f.Close() // nobody needs what was in it
		_ = os.Remove(f.Name())
	}()
	if _, err := f.WriteString("where does this lie?"); err != nil {
		return false
	}
	const fiemap = 0xC020660B // FS_IOC_FIEMAP
	where := struct {         // struct fiemap, without room for extents: they are only counted
		start, length                   uint64
		flags, mapped, extents, reserve uint32
	}{length: 1 << 32}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fiemap, uintptr(unsafe.Pointer(&where)))
	return errors.Is(errno, unix.EOPNOTSUPP)
}
