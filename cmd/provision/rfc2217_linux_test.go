package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"provision/internal/simulator"
)

// Servers from elsewhere, which have a virtual chip to offer. Each is opt-in.
const (
	envPyserial = "PROVISION_TEST_PYSERIAL" // command line of a Python with pyserial 3.5; with esptool 4.8.1 on PYTHONPATH
	envSer2net  = "PROVISION_TEST_SER2NET"  // command line of ser2net 4
)

// runOverRFC2217 takes the chip behind port through a whole run, sees that a second one
// changes nothing, and that what is in the chip starts.
func runOverRFC2217(t *testing.T, dir, port string, extra ...string) {
	t.Helper()
	args := append([]string{"run", "--station", "line.toml", "--port", port, "--serial", "AB-000001"}, extra...)
	start := time.Now()
	code, out, errs := provisionIn(t, dir, args...)
	if code != 0 || !strings.Contains(out, "PASS  AB-000001") {
		t.Fatalf("run: exit %d\n%s%s", code, out, errs)
	}
	t.Logf("PASS in %.1f s; stderr %q", time.Since(start).Seconds(), errs)
	if code, out, errs := provisionIn(t, dir, args...); code != 0 || !strings.Contains(out, "DONE  AB-000001") {
		t.Errorf("second run: exit %d\n%s%s", code, out, errs)
	}
}

// stationIn fills dir with the profile and the firmware of the scripts, edited.
func stationIn(t *testing.T, dir string, edit func(profile string) string) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, ".state"))
	files, err := product()
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) == "line.toml" {
			data = []byte(edit(string(data)))
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// accept listens for one connection and hands it over; it is closed with the test.
func accept(t *testing.T, with func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		defer conn.Close()
		with(conn)
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// control does to the chip what the lines of a peer's control connection say.
func control(chip *simulator.Chip) func(net.Conn) {
	return func(conn net.Conn) {
		for s := bufio.NewScanner(conn); s.Scan(); {
			var dtr, rts, baud int
			if n, _ := fmt.Sscanf(s.Text(), "lines %d %d", &dtr, &rts); n == 2 {
				_ = chip.SetLines(dtr != 0, rts != 0) // a chip that is closed ends the test
			}
			if n, _ := fmt.Sscanf(s.Text(), "baud %d", &baud); n == 1 {
				_ = chip.SetBaud(baud)
			}
			if _, err := fmt.Fprintln(conn, "ok"); err != nil {
				return
			}
		}
	}
}

// bridge carries bytes both ways until one side fails.
func bridge(chip, far io.ReadWriter) {
	go func() { _, _ = io.Copy(far, chip) }()
	_, _ = io.Copy(chip, far)
}

// background starts a program, whose output goes to the log when the test fails, and
// returns its first line of output.
func background(t *testing.T, firstLine bool, words []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(words[0], append(words[1:len(words):len(words)], args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it serves until then
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%v: %s", words, errs.String())
		}
	})
	if !firstLine {
		return ""
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v %v says nothing: %v\n%s", words, args, err, errs.String())
	}
	return strings.TrimSpace(line)
}

// TestPyserialServers has the servers of pyserial and of esptool in front of a virtual
// chip with reset lines and a speed.
func TestPyserialServers(t *testing.T) {
	python := peer(t, envPyserial, "the command line of a Python with pyserial 3.5, and esptool 4.8.1 on PYTHONPATH")
	script := absolute(filepath.Join("testdata", "rfc2217_peer.py"))
	for _, kind := range []string{"pyserial", "espressif"} {
		for _, reset := range []string{"classic", "tight"} {
			t.Run(kind+"/"+reset, func(t *testing.T) {
				chip := simulator.New(simulator.DefaultConfig())
				t.Cleanup(func() { _ = chip.Close() })
				data := accept(t, func(c net.Conn) { bridge(chip, c) })
				port := background(t, true, python, script, kind, data, accept(t, control(chip)))
				dir := t.TempDir()
				stationIn(t, dir, func(profile string) string { return profile })
				runOverRFC2217(t, dir, "rfc2217://127.0.0.1:"+port, "--reset", reset)
			})
		}
	}
}

// TestSer2net has ser2net offer a pty, which carries any speed and no reset lines: the
// chip behind it stays in download mode.
func TestSer2net(t *testing.T) {
	ser2net := peer(t, envSer2net, "the command line of ser2net 4")
	dir := t.TempDir()
	stationIn(t, dir, func(profile string) string {
		head, _, _ := strings.Cut(profile, "[boot_check]") // which needs reset lines
		return head + "[link]\nbaud = [115200]\n"          // a chip that is not reset keeps its speed
	})
	served, _ := serveSim(t, dir)
	chip, err := net.Dial("tcp", served)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chip.Close() })
	far, device := openPTY(t)
	near, err := os.OpenFile(device, os.O_RDWR|unix.O_NOCTTY, 0) // while nobody has it open, far cannot be read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	go bridge(chip, far)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil { // for ser2net to take
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(address)
	// With chardelay, ser2net waits for more before it sends an answer on: a run takes ten times as long.
	config := fmt.Sprintf("%%YAML 1.1\n---\nconnection: &unit\n    accepter: telnet(rfc2217),tcp,%s,%s\n    connector: serialdev,%s,115200n81,local\n    options:\n      chardelay: false\n", host, port, device)
	path := filepath.Join(dir, "ser2net.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, false, ser2net, "-n", "-d", "-c", path)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	runOverRFC2217(t, dir, "rfc2217://"+address, "--reset", "none")
}
