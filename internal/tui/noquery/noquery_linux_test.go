package noquery_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	_ "provision/internal/tui" // links Bubble Tea
)

const child = "PROVISION_NOQUERY_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		_, set := os.LookupEnv("CI")
		fmt.Printf("loaded, CI set: %v\n", set)
		return
	}
	os.Exit(m.Run())
}

// TestLoadingAsksTheTerminalNothing runs this program on a terminal that never
// answers: it must be quick, print nothing of its own, and find its environment
// as it was given.
func TestLoadingAsksTheTerminalNothing(t *testing.T) {
	ours, theirs := openTerminal(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(withoutCI(os.Environ()), child+"=1", "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("loading took %v: the terminal was waited for", took)
	}
	buf := make([]byte, 4096)
	n, err := ours.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(buf[:n])); got != "loaded, CI set: false" {
		t.Errorf("terminal got %q", got)
	}
}

func withoutCI(env []string) (out []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, "CI=") {
			out = append(out, v)
		}
	}
	return out
}

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}
