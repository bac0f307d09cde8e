package records

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDurable asks of the system's own memory, by the names of files and folders that
// are not there yet as well.
func TestDurable(t *testing.T) {
	t.Parallel()
	const memory = "/dev/shm"
	var st unix.Statfs_t
	if unix.Statfs(memory, &st) != nil || uint32(st.Type) != unix.TMPFS_MAGIC {
		t.Skip("no tmpfs at " + memory)
	}
	for _, path := range []string{memory, memory + "/provision.db", memory + "/line/1/provision.db"} {
		wantErr(t, Durable(path), ErrNotDurable)
	}
	must(t, Durable("/proc/sys/kernel/../../no-such-folder/provision.db")) // procfs: not known to be volatile
	link := filepath.Join(t.TempDir(), "link")
	must(t, unix.Symlink(memory, link))
	wantErr(t, Durable(filepath.Join(link, "provision.db")), ErrNotDurable)
}

func TestFindMount(t *testing.T) {
	t.Parallel()
	const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 22 8:1 / /data rw,noatime shared:2 - ext4 /dev/sda1 rw,nobarrier
41 22 8:2 / /old rw - ext3 /dev/sda2 rw,barrier=0
50 22 0:44 / /box rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,volatile
51 22 0:45 / / rw,relatime master:3 - overlay overlayroot rw,lowerdir=/volatile,upperdir=/media/root\040rw/overlay,workdir=/w,uuid=on
52 22 0:46 / /host ro - fuse.sshfs station@host:/ rw,user_id=0
53 22 0:47 / /short rw
`
	for device, want := range map[string]struct{ kind, option string }{
		"254:0": {"ext4", "discard"}, "8:1": {"ext4", "nobarrier"}, "8:2": {"ext3", "barrier=0"}, "0:44": {"overlay", "volatile"},
		"0:45": {"overlay", "uuid=on"}, "0:46": {"fuse.sshfs", "ro"}, "0:47": {}, "9:9": {},
	} {
		got, found := findMount(strings.NewReader(mountinfo), device)
		if got.kind != want.kind || found != (want.kind != "") || found && !slices.Contains(got.options, want.option) {
			t.Errorf("the file system on %s is %+v, want %+v", device, got, want)
		}
	}
	overlay, _ := findMount(strings.NewReader(mountinfo), "0:45")
	if path, seen := overlay.upper(); path != "/media/root rw/overlay" || seen {
		t.Errorf("its upper layer is %q, seen: %v", path, seen)
	}
	if slices.ContainsFunc(overlay.options, func(o string) bool { return slices.Contains(volatileOptions, o) }) {
		t.Errorf("the name of a layer is taken for an option: %q", overlay.options)
	}
}

// TestOverlay mounts overlays over a disk and over memory, whose upper layer is in sight
// or not, as a station with a read-only system has them (Raspberry Pi's "Overlay File
// System", a live system), and a container.
func TestOverlay(t *testing.T) {
	if root := os.Getenv("RECORDS_TEST_PATH"); root != "" {
		overlays(t, root)
		return
	}
	cmd := child(t, os.Args[0], t.Name(), t.TempDir())
	// Mounts of its own, which are gone with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if _, ran := errors.AsType[*osexec.ExitError](err); err != nil && !ran {
		t.Skip("no mounts of our own: ", err)
	}
	if bytes.Contains(out, []byte("--- SKIP")) {
		t.Skipf("%s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func overlays(t *testing.T, root string) {
	memory := filepath.Join(root, "memory")
	must(t, os.Mkdir(memory, 0o755))
	if err := unix.Mount("tmpfs", memory, "tmpfs", 0, ""); err != nil {
		t.Skip("no mount of our own: ", err)
	}
	for _, c := range []struct {
		name    string
		upper   string
		hidden  bool
		durable bool
	}{
		{"over a disk", root, false, true},
		{"over a disk out of sight", root, true, true},
		{"over memory", memory, false, false},
		{"over memory out of sight", memory, true, false},
	} {
		under, at := filepath.Join(c.upper, c.name), filepath.Join(root, "at "+c.name)
		lower, upper, work := filepath.Join(root, "lower"), filepath.Join(under, "upper"), filepath.Join(under, "work")
		for _, dir := range []string{lower, upper, work, at} {
			must(t, os.MkdirAll(dir, 0o755))
		}
		if err := unix.Mount("overlay", at, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)); err != nil {
			t.Skip("no overlay of our own: ", err)
		}
		if c.hidden {
			must(t, os.Rename(under, under+" elsewhere"))
		}
		file := filepath.Join(at, "there.db")
		must(t, os.WriteFile(file, []byte("x"), 0o600))
		for _, path := range []string{at, file, filepath.Join(at, "line 1", "new.db")} {
			if err := Durable(path); (err == nil) != c.durable || err != nil && !errors.Is(err, ErrNotDurable) {
				t.Errorf("%s, %s: %v", c.name, path, err)
			}
			if doubt := Doubt(path); (doubt != "") != c.hidden {
				t.Errorf("%s, %s: doubt %q", c.name, path, doubt)
			}
		}
		if left, err := filepath.Glob(filepath.Join(at, ".*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind are %v (%v)", c.name, left, err)
		}
	}
}
