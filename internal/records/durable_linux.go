package records

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

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
}

// volatileOptions are mount options by which a sync does not reach the drive: of ext4
// and XFS (ext4(5), xfs(5)), and of overlayfs (kernel.org, overlayfs.rst, "Volatile
// mount").
var volatileOptions = []string{"nobarrier", "barrier=0", "volatile"}

// volatile says why a sync promises nothing where path, which is there, lies; "" where
// nothing speaks against it.
func volatile(path string) string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "" // whoever writes there is told
	}
	if kind, bad := volatileKinds[uint32(st.Type)]; bad {
		return kind
	}
	var file unix.Stat_t
	if unix.Stat(path, &file) != nil {
		return ""
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "" // no /proc: nothing is known
	}
	defer mounts.Close()
	device := fmt.Sprintf("%d:%d", unix.Major(file.Dev), unix.Minor(file.Dev))
	if option := volatileOption(mounts, device); option != "" {
		return "on a file system mounted with " + option
	}
	return ""
}

// volatileOption finds, in the lines of mountinfo (proc(5)), an option by which the
// file system on a device does not sync; "" without one.
func volatileOption(mountinfo io.Reader, device string) string {
	for lines := bufio.NewScanner(mountinfo); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 7 || fields[2] != device {
			continue
		}
		for _, option := range strings.Split(fields[5]+","+fields[len(fields)-1], ",") {
			if slices.Contains(volatileOptions, option) {
				return option
			}
		}
	}
	return ""
}
