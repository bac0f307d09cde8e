//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"provision/internal/demo"
	"provision/internal/simulator"
)

// binary is the program, built once for all tests that need a process of their own.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "provision-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "provision")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// shop is a folder with a station in it, and virtual units that come and go: a unit
// sits in slot n while the folder sim/slot<n> is there.
type shop struct {
	t   *testing.T
	dir string
	bin string
	n   byte
}

const shopProfile = `
[station]
name = "LINE-1"
[job]
id = "J-7"
revision = "C"
[link]
slots = [ { number = 1, port = "sim:slot1" }, { number = 2, port = "sim:slot2" } ]
[unit]
flash_size = "4MB"
serial = { pattern = "^AB-[0-9]{6}$", source = "scan" }
[images]
bootloader = "product/bootloader.bin"
partition_table = "product/partition-table.bin"
app = "product/app-signed.bin"
[secure_boot]
version = 1
public_key = "product/app-public.pem"
[flash_encryption]
mode = "host"
policy = "release"
[boot_check]
expect = "demo app: ready"
[screen]
stop_after_slot = 2
`

func newShop(t *testing.T, profile string) *shop {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, dir: t.TempDir(), bin: bin}
	for _, err := range []error{
		os.Mkdir(filepath.Join(s.dir, "product"), 0o755), demo.Write(filepath.Join(s.dir, "product")),
		os.Mkdir(filepath.Join(s.dir, "sim"), 0o755),
		os.WriteFile(filepath.Join(s.dir, "station.toml"), []byte(profile), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// run runs a command of the program to its end.
func (s *shop) run(stdin string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.bin, args...)
	cmd.Dir, cmd.Stdin, cmd.Env = s.dir, strings.NewReader(stdin), s.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("provision %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *shop) env() []string {
	return append(os.Environ(), "HOME="+s.dir, "XDG_STATE_HOME="+s.dir, "USER=tester", "LANG=C.UTF-8", "LC_ALL=", "NO_COLOR=", "PROVISION_SIM_DIR=", "PROVISION_STATION=", "PROVISION_DB=")
}

// insert puts a unit into a slot, with that much flash and those fuses burnt before.
func (s *shop) insert(slot string, flash uint32, fuses simulator.Fuses) {
	s.t.Helper()
	cfg := simulator.DefaultConfig()
	s.n++
	cfg.MAC[5], cfg.FlashSize = s.n, flash
	away := filepath.Join(s.dir, "away-"+string('a'+rune(s.n)))
	if err := simulator.Create(away, cfg); err != nil {
		s.t.Fatal(err)
	}
	chip, err := simulator.Open(away)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(chip.Preburn(fuses), chip.Close()); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(away, s.slot(slot)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) slot(slot string) string { return filepath.Join(s.dir, "sim", "slot"+slot) }

// remove takes the unit out of a slot.
func (s *shop) remove(slot string) {
	s.t.Helper()
	s.n++
	if err := os.Rename(s.slot(slot), filepath.Join(s.dir, "gone-"+string('a'+rune(s.n)))); err != nil {
		s.t.Fatal(err)
	}
}

// realTerminal is a real terminal with the program in it.
type realTerminal struct {
	t      *testing.T
	socket string
	began  time.Time
}

// inTerminal says whether a test in a real terminal is to run. The program in it is
// a process of its own: the race detector has nothing to see.
func inTerminal(t *testing.T) {
	t.Helper()
	if testing.Short() || raceDetector {
		t.Skip("takes half a minute, and nothing new for the race detector")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("PROVISION_TERMINAL") != "" {
			t.Fatal("PROVISION_TERMINAL asks for a real terminal, and tmux is not installed")
		}
		t.Skip("needs tmux, which is not installed; PROVISION_TERMINAL=1 makes this a failure")
	}
	t.Parallel()
}

// open starts the program in a terminal of that size.
func (s *shop) open(width, height string, args ...string) *realTerminal {
	s.t.Helper()
	w := &realTerminal{t: s.t, socket: filepath.Join(s.t.TempDir(), "tmux")}
	s.t.Cleanup(func() { _ = w.tmux("kill-server").Run() })
	program := "echo $$ >" + shellQuote(w.socket+".pid") + "; exec " + shellQuote(s.bin)
	for _, a := range args {
		program += " " + shellQuote(a)
	}
	cmd := w.tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, "-c", s.dir,
		"sh", "-c", "sh -c "+shellQuote(program)+`; printf '\nended with %s\n' $?; sleep 600`)
	cmd.Env = s.env()
	w.began = time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("tmux: %v\n%s", err, out)
	}
	return w
}

func (w *realTerminal) tmux(args ...string) *exec.Cmd {
	return exec.Command("tmux", append([]string{"-S", w.socket}, args...)...)
}

// kill ends the program as nothing else does.
func (w *realTerminal) kill() {
	w.t.Helper()
	text, err := os.ReadFile(w.socket + ".pid")
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// text is what stands on the terminal.
func (w *realTerminal) text() string {
	out, _ := w.tmux("capture-pane", "-p").Output()
	return string(out)
}

// longEnough is how long a terminal may take to show what it must: a busy machine is
// given time, and one with nothing else to do needs a second or a unit's own twenty.
const longEnough = 3 * time.Minute

// shows waits until the terminal shows a text that fits the pattern, and returns how
// long that took.
func (w *realTerminal) shows(pattern string) time.Duration {
	w.t.Helper()
	re, from := regexp.MustCompile(pattern), time.Now()
	ctx, done := context.WithTimeout(w.t.Context(), longEnough)
	defer done()
	for ctx.Err() == nil {
		if re.MatchString(w.text()) {
			return time.Since(from)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	w.t.Fatalf("the terminal never showed %s; it shows\n%s", pattern, w.text())
	return 0
}

// press types keys by hand, one after the other.
func (w *realTerminal) press(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.send("send-keys", k)
		time.Sleep(250 * time.Millisecond) // nobody types faster; a scanner does
	}
}

// scan is a barcode scanner that plays keyboard: all at once, and Enter.
func (w *realTerminal) scan(code string) {
	w.t.Helper()
	w.send("send-keys", "-l", code, ";", "send-keys", "Enter")
}

func (w *realTerminal) send(args ...string) {
	w.t.Helper()
	if out, err := w.tmux(args...).CombinedOutput(); err != nil {
		w.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
}

// typed is a text as keys.
func typed(text string) []string { return strings.Split(text, "") }

// firstScreen is how soon a person is to see a usable screen (station-ux U, 12).
const firstScreen = 300 * time.Millisecond

// TestScreenSession is a morning at a station: start, arm, scan, insert, PASS, PARK,
// FAIL, a slot that stops and is unlocked, a look-up, and the end.
func TestScreenSession(t *testing.T) {
	inTerminal(t)
	s := newShop(t, shopProfile)
	s.run("2468\n", "people", "add", "Cleo", "--role", "lead", "--badge", "C1", "--station", "station.toml")
	w := s.open("100", "30")
	const flash = 4 << 20
	w.shows(`J-7`)
	took := time.Since(w.began)
	t.Logf("first usable screen after %v", took.Round(time.Millisecond))
	if took > firstScreen && os.Getenv("PROVISION_MEASURE") != "" { // a busy machine is no measure
		t.Errorf("the first usable screen is to be there within %v", firstScreen)
	}

	lead := func() {
		t.Helper()
		w.scan("BADGE-C1")
		w.shows(`PIN`)
		time.Sleep(300 * time.Millisecond) // hands are slower than a scanner
		w.press(append(typed("2468"), "Enter")...)
		w.shows(`lead Cleo [0-9]+ s`)
	}
	w.shows(`Unfinished units`)
	w.press("Escape") // the self-test has a warning: no unit is in any slot yet
	lead()
	w.press("a")
	w.shows(`for ever|For ever|FOR EVER|permanent|PERMANENT`)
	w.press("1")
	w.shows(`Put a unit in`)

	s.insert("1", flash, simulator.Fuses{})
	w.shows(`SCAN LABEL`)
	w.scan("AB-000001")
	w.shows(`AB-000001`)
	w.shows(`(?s)first time 1|first 1`)
	w.press("/")
	w.press(append(typed("AB-000001"), "Enter")...)
	w.shows(`(?s)AB-000001.*PASS`)
	w.press("Escape")

	s.insert("2", flash, simulator.Fuses{0: {0: 1 << 16}}) // BLOCK1 is hidden
	w.shows(`SCAN LABEL`)
	w.scan("AB-000002")
	w.shows(`E205`)
	s.remove("2")
	time.Sleep(2 * time.Second)
	s.insert("2", flash/2, simulator.Fuses{})
	w.shows(`SCAN LABEL`)
	w.scan("AB-000003")
	w.shows(`E204`)
	s.remove("2")
	w.shows(`CALL LEAD`)
	lead()
	w.press("u", "2", "Enter")
	w.shows(`1 `)
	w.press("1")
	w.shows(`Put a unit in`)

	w.press("q")
	w.shows(`ended with 0`)
	if out := s.run("", "lookup", "AB-000001"); !strings.Contains(out, "COMPLETE") {
		t.Errorf("the records say\n%s", out)
	}
}

// servedProfile is a station at a virtual chip in a process of its own, which goes on
// when the station dies.
const servedProfile = `
[station]
name = "LINE-2"
[link]
reset = "none"
slots = [ { number = 1, port = "PORT" } ]
[unit]
serial = { pattern = "^AB-[0-9]{6}$", source = "sequence", prefix = "AB-", next = "000001" }
[images]
bootloader = "product/bootloader.bin"
partition_table = "product/partition-table.bin"
app = "product/app-signed.bin"
[secure_boot]
version = 1
public_key = "product/app-public.pem"
[flash_encryption]
mode = "host"
policy = "release"
`

// serve starts a virtual chip, as slow as a real one, and returns its port.
func (s *shop) serve() string {
	s.t.Helper()
	s.run("", "sim", "create", "board")
	cmd := exec.Command(s.bin, "sim", "serve", "board", "--pace", "--json")
	cmd.Dir, cmd.Env = s.dir, s.env()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var said struct{ Address string }
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		s.t.Fatal(err)
	}
	return "tcp://" + said.Address
}

// TestScreenKilled kills the screen while fuses are being burnt. The next start says
// that a unit is open, and finishes it under its own number.
func TestScreenKilled(t *testing.T) {
	inTerminal(t)
	s := newShop(t, "")
	profile := strings.Replace(servedProfile, "PORT", s.serve(), 1)
	if err := os.WriteFile(filepath.Join(s.dir, "station.toml"), []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	w := s.open("80", "24", "--yes")
	w.shows(`Do not remove`)
	w.kill()
	w.shows(`ended with 137`)
	if out := s.run("", "lookup", "AB-000001", "--station", "station.toml"); !strings.Contains(out, "OPEN") || !strings.Contains(out, "(cut)") {
		t.Fatalf("after the kill the records say\n%s", out)
	}
	w = s.open("80", "24", "--yes")
	w.shows(`AB-000001`)
	w.shows(`Good: take the unit out`)
	// Quit in the middle of nothing: at once.
	w.press("q")
	w.shows(`ended with 0`)
	if out := s.run("", "lookup", "AB-000001", "--station", "station.toml"); !strings.Contains(out, "COMPLETE") {
		t.Errorf("the records say\n%s", out)
	}
	s.run("", "records", "verify", "--station", "station.toml")
}

// TestScreenQuitInTheMiddle: the first q asks, the second finishes the unit and
// closes; Ctrl-C twice does not wait, and leaves a unit that is finished next time.
func TestScreenQuitInTheMiddle(t *testing.T) {
	inTerminal(t)
	s := newShop(t, "")
	profile := strings.Replace(servedProfile, "PORT", s.serve(), 1)
	if err := os.WriteFile(filepath.Join(s.dir, "station.toml"), []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	w := s.open("80", "24", "--yes")
	w.shows(`[0-9] s left`)
	w.press("C-c")
	w.shows(`at work|at once`)
	w.press("C-c")
	w.shows(`ended with 0`)
	if out := s.run("", "lookup", "AB-000001", "--station", "station.toml"); !strings.Contains(out, "OPEN") {
		t.Fatalf("after the interruption the records say\n%s", out)
	}
	w = s.open("120", "40", "--yes")
	w.shows(`[0-9] s left`)
	w.press("q")
	w.shows(`at work|at once`)
	w.press("q")
	w.shows(`ended with 0`)
	if out := s.run("", "lookup", "AB-000001", "--station", "station.toml"); !strings.Contains(out, "COMPLETE") {
		t.Errorf("the records say\n%s", out)
	}
}
