//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/demo"
	"provision/internal/flow"
	"provision/internal/records"
)

// floorSlots is how many units are open when the station is killed.
const floorSlots = 24

// listedWithin is how soon the next start has to tell of them.
const listedWithin = 5 * time.Second

// newFullFloor makes a folder with a profile of 24 slots, and a work order for them.
// In the profile stuck.toml the boot check waits for a line that no app prints, so
// that no unit is finished before the station is killed.
func newFullFloor(t *testing.T) (dir string) {
	t.Helper()
	product, err := killProduct()
	mustDo(t, err)
	dir = diskDir(t)
	var slots, order strings.Builder
	slots.WriteString("[link]\nslots = [")
	order.WriteString("serial,slot\n")
	for n := 1; n <= floorSlots; n++ {
		fmt.Fprintf(&slots, " { number = %d, port = \"sim:slot%d\" },", n, n)
		fmt.Fprintf(&order, "AB-%06d,%d\n", n, n)
	}
	slots.WriteString(" ]\n")
	profile := killKind{}.profile(product, "") + slots.String()
	stuck := strings.NewReplacer(demo.Says, "nobody says this", "seconds = 5", "seconds = 60").Replace(profile)
	for name, text := range map[string]string{"line.toml": profile, "stuck.toml": stuck, "order.csv": order.String()} {
		mustDo(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// diskDir is a new folder where a commit reaches a disk, as the records of a station
// must: how soon they are read again is measured there.
func diskDir(t *testing.T) string {
	t.Helper()
	for _, place := range []string{os.TempDir(), "/var/tmp", "."} {
		if records.Durable(filepath.Join(place, "provision.db")) != nil {
			continue
		}
		dir, err := os.MkdirTemp(place, "provision-floor-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { mustDo(t, os.RemoveAll(dir)) })
		dir, err = filepath.Abs(dir)
		mustDo(t, err)
		return dir
	}
	t.Log("no folder of this machine lies on a disk: what is measured is memory")
	return t.TempDir()
}

// program is provision at work in a folder.
func program(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("provision", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME="+filepath.Join(dir, ".state"), "USER=anna", "LANG=C.UTF-8", "LC_ALL=",
		"PROVISION_SIM_DIR="+filepath.Join(dir, "sim"), "PROVISION_STATION=", "PROVISION_DB=")
	return cmd
}

// TestKilledWithAFullFloor kills a station whose 24 slots are all in the middle of
// their burns. The next start tells at once of every one of the 24 and what to do with
// it; each is found under its number, and the same order finishes all of them.
func TestKilledWithAFullFloor(t *testing.T) {
	notUnderRace(t)
	dir := newFullFloor(t)
	killInTheMiddle(t, dir)

	open := mustBeOpen(t, dir)
	took := untilListed(t, dir, open)
	t.Logf("%d unfinished units and what to do with each are told %v after the start", len(open), took.Round(time.Millisecond))
	if took > listedWithin {
		t.Errorf("%d unfinished units are told of after %v, want %v", len(open), took, listedWithin)
	}
	for _, u := range open {
		out, err := program(dir, "lookup", u.Serial, "--station", "line.toml").CombinedOutput()
		if err != nil || !regexp.MustCompile(`(?s)OPEN.*run .*\(cut\)`).Match(out) {
			t.Errorf("lookup %s: %v\n%s", u.Serial, err, out)
		}
	}
	out, err := program(dir, "status", "--port", "sim:slot7", "--station", "line.toml").CombinedOutput()
	if err != nil || !regexp.MustCompile(`Next: .`).Match(out) {
		t.Errorf("status: %v\n%s", err, out)
	}
	finishAll(t, dir, open)
}

// killInTheMiddle works the order until every slot has begun to burn, and kills the
// station there.
func killInTheMiddle(t *testing.T, dir string) {
	t.Helper()
	cmd := program(dir, "batch", "--station", "stuck.toml", "--input", "order.csv", "--json")
	out, err := cmd.StdoutPipe()
	mustDo(t, err)
	mustDo(t, cmd.Start())
	burning := map[int]bool{}
	for lines := bufio.NewScanner(out); len(burning) < floorSlots && lines.Scan(); {
		var ev struct {
			Slot          int
			Kind, Verdict string
		}
		mustDo(t, json.Unmarshal(lines.Bytes(), &ev))
		switch ev.Kind {
		case "burn.intended":
			burning[ev.Slot] = true
		case "run.finished":
			t.Errorf("slot %d ended as %s before all slots were at work", ev.Slot, ev.Verdict)
		}
	}
	mustDo(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
}

// mustBeOpen are the units that are unfinished: as many as were being worked on.
func mustBeOpen(t *testing.T, dir string) []flow.Outlook {
	t.Helper()
	store, err := records.OpenReadOnly(t.Context(), filepath.Join(dir, "provision.db"))
	mustDo(t, err)
	open, err := flow.Unfinished(t.Context(), store)
	mustDo(t, err)
	mustDo(t, store.Close())
	if len(open) != floorSlots {
		t.Fatalf("%d units are open, %d were in the middle of their burns", len(open), floorSlots)
	}
	for _, u := range open {
		if u.Serial == "" || u.Next == "" {
			t.Fatalf("an unfinished unit without a number or without a next action: %+v", u)
		}
	}
	return open
}

// untilListed starts the station's screen, in sentences, and returns when it has told
// of every unit that is open and of the next action with it.
func untilListed(t *testing.T, dir string, open []flow.Outlook) time.Duration {
	t.Helper()
	cmd := program(dir, "--station", "line.toml", "--plain")
	in, err := cmd.StdinPipe() // a station whose input ends closes
	mustDo(t, err)
	out, err := cmd.StdoutPipe()
	mustDo(t, err)
	began := time.Now()
	mustDo(t, cmd.Start())
	killer := time.AfterFunc(killLimit, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	var said []string
	var took time.Duration
	left := slices.Clone(open)
	for lines := bufio.NewScanner(out); len(left) > 0 && lines.Scan(); {
		said = append(said, lines.Text())
		left = slices.DeleteFunc(left, func(u flow.Outlook) bool { return tellsOf(lines.Text(), u) })
		took = time.Since(began)
	}
	mustDo(t, in.Close())
	_, _ = io.Copy(io.Discard, out) // until it has closed
	if err := cmd.Wait(); len(left) > 0 {
		t.Fatalf("the station never tells of %d unfinished units, %+v (%v):\n%s", len(left), left[0], err, strings.Join(said, "\n"))
	}
	return took
}

// tellsOf reports whether a line names a unit and what to do with it.
func tellsOf(line string, u flow.Outlook) bool {
	return strings.Contains(line, u.Serial) && strings.Contains(line, u.Next)
}

// finishAll works the same order again, which tells of every unit first: each passes
// under the number it had.
func finishAll(t *testing.T, dir string, open []flow.Outlook) {
	t.Helper()
	out, err := program(dir, "batch", "--station", "line.toml", "--input", "order.csv", "--json").Output()
	if err != nil {
		t.Fatalf("batch: %v\n%s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	for i, u := range open { // before anything else, each on a line of its own
		if !strings.Contains(lines[i], `"kind":"unit.unfinished"`) || !tellsOf(lines[i], u) {
			t.Errorf("line %d of the batch does not tell of %s: %s", i+1, u.Serial, lines[i])
		}
	}
	store, err := records.OpenReadOnly(t.Context(), filepath.Join(dir, "provision.db"))
	mustDo(t, err)
	defer func() { mustDo(t, store.Close()) }()
	for _, was := range open {
		is, err := store.UnitByMAC(t.Context(), was.MAC)
		mustDo(t, err)
		if is.State != records.StateComplete || is.Serial != was.Serial {
			t.Errorf("%s was %s and is %s, %s", was.MAC, was.Serial, is.Serial, is.State)
		}
	}
	if _, err := store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if out, err := program(dir, "sim", "boot", "slot7").CombinedOutput(); err != nil || !strings.Contains(string(out), demo.Says) {
		t.Errorf("sim boot: %v\n%s", err, out)
	}
}
