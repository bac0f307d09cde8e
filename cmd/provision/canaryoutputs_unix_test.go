//go:build unix

package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/fault"
	"provision/internal/keys"
	"provision/internal/label/virtual"
	"provision/internal/simulator"
)

// outputs is what the commands and the screen of a station said, by what said it.
type outputs map[string]string

// canaryBench is a station with units of which keys can be read: finished, cut between
// the burn of a key and its read protection, set aside there, and secured by somebody
// else. What is planted stands in every place of the records that a person can fill.
type canaryBench struct {
	t       *testing.T
	dir     string
	printer *virtual.Printer
	said    outputs
	planted string // a text for the reasons and names that people give
}

// canaryWords are the key of the foreign unit, in BLOCK1, and what is planted.
var canaryWords = [8]uint32{0xf0112233, 0x84556677, 0x8899aabb, 0xccddeeff, 0x81234567, 0x89abcdef, 0xfedcba98, 0x76543210}

func newCanaryBench(t *testing.T, planted string) *canaryBench {
	t.Helper()
	product, err := killProduct()
	mustDo(t, err)
	b := &canaryBench{t: t, dir: memoryDir(t), said: outputs{}, planted: planted}
	b.printer, err = virtual.Listen(t.Context())
	mustDo(t, err)
	owner, err := keys.CreateOwnerIdentity(filepath.Join(b.dir, "owner.txt"))
	mustDo(t, err)
	profile := killKind{escrow: true}.profile(product, owner.Recipient().String())
	profile = strings.Replace(profile, `"KILLED"`, fmt.Sprintf("%q", "LINE-1 "+planted), 1)
	profile += fmt.Sprintf("[label]\nprinter = %q\nprint = \"auto\"\n", b.printer.Addr())
	profile += "[link]\nslots = [ { number = 1, port = \"sim:pass\" }, { number = 2, port = \"sim:foreign\" }, { number = 3, port = \"sim:cut\" }, { number = 4, port = \"sim:aside\" } ]\n"
	mustDo(t, os.WriteFile(filepath.Join(b.dir, "line.toml"), []byte(profile), 0o644))
	return b
}

// says runs a command, which has to end with that exit code, and keeps what it says.
func (b *canaryBench) says(name string, exit int, args ...string) {
	b.t.Helper()
	cmd := program(b.dir, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != exit || len(out) == 0 {
		b.t.Fatalf("%s: %v, want exit code %d:\n%s", name, err, exit, out)
	}
	b.said[name] += string(out)
}

// twice runs a command for people and for scripts.
func (b *canaryBench) twice(name string, exit int, args ...string) {
	b.t.Helper()
	b.says(name, exit, args...)
	b.says(name+" --json", exit, append(args, "--json")...)
}

// makeUnits works on four units. In BLOCK3 of the foreign one lies what is planted, in
// words of a key.
func (b *canaryBench) makeUnits(block3 [8]uint32) {
	b.t.Helper()
	mustDo(b.t, os.MkdirAll(filepath.Join(b.dir, "sim"), 0o755))
	foreign := filepath.Join(b.dir, "sim", "foreign")
	mustDo(b.t, simulator.Create(foreign, simulator.DefaultConfig()))
	chip, err := simulator.Open(foreign)
	mustDo(b.t, err)
	mustDo(b.t, chip.Preburn(simulator.Fuses{1: canaryWords, 3: block3}))
	mustDo(b.t, chip.Close())

	run := func(unit string, more ...string) []string {
		return append([]string{"run", "--station", "line.toml", "--port", "sim:" + unit, "--operator", "ann " + b.planted}, more...)
	}
	b.says("run of a unit that passes", fault.ExitOK, run("pass")...)
	b.says("run of a unit that is complete --json", fault.ExitOK, run("pass", "--json")...)
	b.says("run that is cut", fault.ExitError, run("cut", "--sim-fault", "cut-burn:5:0x0")...)
	b.says("run that is cut --json", fault.ExitError, run("aside", "--sim-fault", "cut-burn:2:0x0", "--json")...)
	b.twice("run of a foreign unit", fault.ExitPark, run("foreign")...)
	b.twice("run --dry-run", fault.ExitOK, run("cut", "--dry-run")...)
	b.says("park", fault.ExitOK, "park", b.mac("aside"), "--db", "provision.db", "--person", "ann", "--reason", "because "+b.planted, "--json")
}

// fuses are those of a unit, keys and all.
func (b *canaryBench) fuses(unit string) simulator.Fuses {
	b.t.Helper()
	chip, err := simulator.Open(filepath.Join(b.dir, "sim", unit))
	mustDo(b.t, err)
	defer chip.Close()
	return chip.Fuses()
}

func (b *canaryBench) mac(unit string) string {
	b.t.Helper()
	f := b.fuses(unit)
	low, high := f[0][1], f[0][2]
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", high>>8&0xff, high&0xff, low>>24, low>>16&0xff, low>>8&0xff, low&0xff)
}

// ask asks everything that can be asked about the units.
func (b *canaryBench) ask() {
	b.t.Helper()
	for _, unit := range []string{"pass", "cut", "aside", "foreign"} {
		port := []string{"--port", "sim:" + unit}
		b.twice("lookup", fault.ExitOK, "lookup", b.mac(unit), "--db", "provision.db")
		b.twice("status", fault.ExitOK, append([]string{"status", "--station", "line.toml"}, port...)...)
		b.twice("efuse summary", fault.ExitOK, append([]string{"efuse", "summary"}, port...)...)
		b.twice("efuse dump", fault.ExitOK, append([]string{"efuse", "dump"}, port...)...)
		b.twice("sim show", fault.ExitOK, "sim", "show", unit)
	}
	b.twice("history", fault.ExitOK, "history", "--db", "provision.db")
	b.twice("unfinished", fault.ExitOK, "unfinished", "--db", "provision.db")
	b.twice("records verify", fault.ExitOK, "records", "verify", "--db", "provision.db")
	b.says("records backup", fault.ExitOK, "records", "backup", "copy.db", "--db", "provision.db")
	b.twice("station check", fault.ExitOK, "station", "check", "line.toml")
	b.twice("station selftest", fault.ExitOK, "station", "selftest", "line.toml")
	b.twice("keys status", fault.ExitOK, "keys", "status", "--station", "line.toml")
}

// files are those of the station, the backup among them; not the chips, and not the
// owner's own.
func (b *canaryBench) files() {
	b.t.Helper()
	for _, pattern := range []string{"*.db*", "station-identity.txt", ".state/*/*"} {
		names, err := filepath.Glob(filepath.Join(b.dir, pattern))
		mustDo(b.t, err)
		for _, name := range names {
			data, err := os.ReadFile(name)
			mustDo(b.t, err)
			b.said["file "+filepath.Base(name)] = string(data)
		}
	}
}

// screen works at the station's screen, told in sentences: every page of it, and what
// the printer was sent.
func (b *canaryBench) screen() {
	b.t.Helper()
	add := program(b.dir, "people", "add", "Eve", "--role", "engineer", "--badge", "E1", "--station", "line.toml")
	add.Stdin = strings.NewReader("2468\n")
	out, err := add.CombinedOutput()
	if err != nil {
		b.t.Fatalf("people add: %v\n%s", err, out)
	}
	var macs []string // the station has the chips open later
	for _, unit := range []string{"pass", "foreign", "cut", "aside"} {
		macs = append(macs, b.mac(unit))
	}
	s := b.openPlain()
	// A slot whose port the self-test has open at that moment says TRY AGAIN.
	for slot, word := range []string{1: "ALREADY DONE", "QUARANTINE", "PASS", "QUARANTINE"} {
		if slot > 0 {
			s.await(fmt.Sprintf("Slot %d: (%s|TRY AGAIN)", slot, word))
		}
	}
	s.send("BADGE-E1")
	s.await("PIN")
	s.send("2468")
	for slot := 1; slot <= 4; slot++ {
		s.page(fmt.Sprintf("details %d", slot), "Details")
	}
	for _, mac := range macs {
		s.page("/"+mac, "Record|Nothing is recorded")
	}
	s.page("history", "History")
	s.page("selftest", "Unfinished units")
	s.page("explain E205", "E205")
	b.said["screen"] = s.close()
	labels := b.printer.Labels()
	if len(labels) == 0 {
		b.t.Error("no label was printed")
	}
	b.said["labels"] = strings.Join(labels, "\n")
}

// plainStationTest is a station at work without a screen.
type plainStationTest struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	said chan string // a line each, closed at the end
	all  []string
	seen map[string]int // lines so far, by what was waited for
}

func (b *canaryBench) openPlain() *plainStationTest {
	b.t.Helper()
	s := &plainStationTest{t: b.t, said: make(chan string), seen: map[string]int{}}
	s.cmd = program(b.dir, "--station", "line.toml", "--yes", "--plain")
	var err error
	s.in, err = s.cmd.StdinPipe()
	mustDo(b.t, err)
	out, err := s.cmd.StdoutPipe()
	mustDo(b.t, err)
	s.cmd.Stderr = s.cmd.Stdout
	mustDo(b.t, s.cmd.Start())
	killer := time.AfterFunc(killLimit, func() { _ = s.cmd.Process.Kill() })
	b.t.Cleanup(func() { killer.Stop() })
	go func() {
		defer close(s.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.said <- lines.Text()
		}
	}()
	return s
}

func (s *plainStationTest) send(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		_, err := fmt.Fprintln(s.in, line)
		mustDo(s.t, err)
	}
}

// await reads until each pattern fits a line that nobody awaited yet.
func (s *plainStationTest) await(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		for s.count(text) <= s.seen[text] {
			line, more := <-s.said
			if !more {
				s.t.Fatalf("the station never says %q:\n%s", text, strings.Join(s.all, "\n"))
			}
			s.all = append(s.all, line)
		}
		s.seen[text] = s.count(text)
	}
}

func (s *plainStationTest) count(text string) (n int) {
	pattern := regexp.MustCompile(text)
	for _, line := range s.all {
		if pattern.MatchString(line) {
			n++
		}
	}
	return n
}

// page asks for a page, which begins with head.
func (s *plainStationTest) page(ask, head string) {
	s.t.Helper()
	s.seen[head] = s.count(head)
	s.send(ask)
	s.await(head)
}

// close ends the station and returns all that it said.
func (s *plainStationTest) close() string {
	s.t.Helper()
	mustDo(s.t, s.in.Close())
	for line := range s.said {
		s.all = append(s.all, line)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the station ends with %v", err)
	}
	return strings.Join(s.all, "\n")
}

// TestNoKeyInAnyOutput: no output of a command and no page of the screen has a piece of
// a key, of whatever unit, however it ended.
func TestNoKeyInAnyOutput(t *testing.T) {
	notUnderRace(t)
	b := newCanaryBench(t, "nothing")
	b.makeUnits([8]uint32{})
	b.ask()
	canaries := map[string]*canary{}
	for _, unit := range []string{"pass", "cut", "aside", "foreign"} {
		f := b.fuses(unit)
		if f[1] == [8]uint32{} && f[2] == [8]uint32{} {
			t.Errorf("%s has no key", unit)
		}
		canaries[unit] = newCanary(f)
	}
	b.screen()
	b.files()
	canaries["cut, finished at the screen"] = newCanary(b.fuses("cut"))
	for _, name := range slices.Sorted(maps.Keys(b.said)) {
		for unit, c := range canaries {
			if form := c.find([]byte(b.said[name])); form != "" {
				t.Errorf("%s: a key of the unit %q: %s", name, unit, form)
			}
		}
	}
	t.Logf("%d kinds of output searched for the keys of %d units", len(b.said), len(canaries))
}

// TestCanarySingsInEveryOutput: the same search finds what is planted in every kind of
// output: eight bytes of a key in the names and reasons that people give, and the words
// of a key in a block that is no secret.
func TestCanarySingsInEveryOutput(t *testing.T) {
	notUnderRace(t)
	fuses := simulator.Fuses{1: canaryWords}
	key := fuses.Bytes()[28:60]
	b := newCanaryBench(t, hex.EncodeToString(key[8:16]))
	b.makeUnits(canaryWords)
	b.ask()
	b.screen()
	b.files()
	c := newCanary(fuses)
	for _, name := range slices.Sorted(maps.Keys(b.said)) {
		isRun := strings.HasPrefix(name, "run") && !strings.HasSuffix(name, "--json")
		if holdsNoWord[name] || isRun { // a run for people names neither them nor the station
			continue
		}
		if c.find([]byte(b.said[name])) == "" {
			t.Errorf("what is planted is not found in %s:\n%s", name, b.said[name])
		}
	}
}

// holdsNoWord are outputs that have no place for anything that a person gives, nor for
// a block's words.
var holdsNoWord = map[string]bool{
	"labels": true, "records verify": true, "records verify --json": true, "records backup": true, "keys status": true, "keys status --json": true,
	"station check": true, "station check --json": true, "file station-identity.txt": true, "file last-database": true,
}
