package records

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is what mountinfo (proc(5)) says of a file system.
type mount struct {
	kind    string   // "ext4", "overlay", "fuse.sshfs"
	options []string // of the mount, then of the file system
}

// mountOf finds the file system that path, which is there, lies on. Where layers lie on
// several, an overlay gives its files the number of a device that is nowhere: what
// counts is then the folder's.
func mountOf(path string) (mount, bool) {
	for _, name := range []string{path, folderOf(path)} {
		var st unix.Stat_t
		if unix.Stat(name, &st) != nil {
			continue
		}
		mounts, err := os.Open("/proc/self/mountinfo")
		if err != nil {
			return mount{}, false // no /proc: nothing is known
		}
		m, found := findMount(mounts, fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
		_ = mounts.Close() // it was only read
		if found {
			return m, true
		}
	}
	return mount{}, false
}

// folderOf is path, or the folder of the file that it is.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// findMount finds, in the lines of mountinfo, the file system on a device.
func findMount(mountinfo io.Reader, device string) (m mount, found bool) {
	for lines := bufio.NewScanner(mountinfo); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		dash := slices.Index(fields, "-")
		if dash < 6 || len(fields) < dash+4 || fields[2] != device {
			continue
		}
		m.kind, found = fields[dash+1], true
		m.options = append(m.options, strings.Split(fields[5]+","+fields[dash+3], ",")...)
	}
	return m, found
}

// upper is where an overlay keeps what is written, as its mount was told, and whether
// that can be seen from here.
func (m mount) upper() (path string, seen bool) {
	for _, option := range m.options {
		if text, ok := strings.CutPrefix(option, "upperdir="); ok {
			path = octal.ReplaceAllStringFunc(text, func(code string) string {
				n, _ := strconv.ParseUint(code[1:], 8, 8) // the pattern lets nothing else pass
				return string([]byte{byte(n)})
			})
		}
	}
	_, err := os.Stat(path)
	return path, err == nil && filepath.IsAbs(path)
}

// octal is how mountinfo writes a space, and what else would be taken for its own.
var octal = regexp.MustCompile(`\\[0-3][0-7][0-7]`)
