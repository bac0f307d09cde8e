package records

import (
	"path/filepath"
	"strings"
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

func TestVolatileOption(t *testing.T) {
	t.Parallel()
	const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 22 8:1 / /data rw,noatime shared:2 - ext4 /dev/sda1 rw,nobarrier
41 22 8:2 / /old rw - ext3 /dev/sda2 rw,barrier=0
50 22 0:44 / /box rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,volatile
51 22 0:45 / /box2 rw,relatime - overlay overlay rw,lowerdir=/volatile,upperdir=/u,workdir=/w
`
	for device, want := range map[string]string{
		"254:0": "", "8:1": "nobarrier", "8:2": "barrier=0", "0:44": "volatile", "0:45": "", "9:9": "",
	} {
		if got := volatileOption(strings.NewReader(mountinfo), device); got != want {
			t.Errorf("the file system on %s has %q, want %q", device, got, want)
		}
	}
}
