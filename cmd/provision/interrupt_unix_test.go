//go:build unix

package main

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSecondCtrlC interrupts a run inside a burn, with the unit's answers held back,
// so that it is still inside when it is interrupted again: then it says what it waits
// for, and ends when it has read the burn back.
func TestSecondCtrlC(t *testing.T) {
	notUnderRace(t)
	b := newKillBench(t, killKinds[0])
	gate := newGate(t, strings.TrimPrefix(b.port, "tcp://"))
	b.port = "tcp://" + gate.addr
	cmd := b.station()
	out, told := piped(t, cmd)
	mustDo(t, cmd.Start())
	killer := time.AfterFunc(killLimit, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()

	until(t, out, `"kind":"burn.intended","step":"burn BLOCK2"`)
	gate.shut()
	mustDo(t, cmd.Process.Signal(syscall.SIGINT))
	until(t, told, "a burn that has begun is read back first")
	mustDo(t, cmd.Process.Signal(syscall.SIGINT))
	until(t, told, "still waiting for the read-back of fuses that are being burnt (burn BLOCK2)")
	gate.open()
	until(t, out, `"kind":"burn.observed","step":"burn BLOCK2"`)
	until(t, out, `"kind":"run.finished"`)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("the run ended with %v, want exit 130", err)
	}
	if e := b.run(instant{}); e.verdict != "PASS" {
		t.Errorf("taken up again, the run ended as %+v", e)
	}
}

// piped are the two outputs of a program that is to be started.
func piped(t *testing.T, cmd *exec.Cmd) (out, told *bufio.Scanner) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	mustDo(t, err)
	stderr, err := cmd.StderrPipe()
	mustDo(t, err)
	return bufio.NewScanner(stdout), bufio.NewScanner(stderr)
}

// until reads lines up to the one that has text.
func until(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	var said []string
	for lines.Scan() {
		if said = append(said, lines.Text()); strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("%q was never said, but:\n%s", text, strings.Join(said, "\n"))
}

// gate stands between a station and a unit that is served on a port, and can hold
// back what the unit says.
type gate struct {
	addr string

	mu   sync.Mutex
	pass *sync.Cond
	held bool
}

func newGate(t *testing.T, unit string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	g := &gate{addr: l.Addr().String()}
	g.pass = sync.NewCond(&g.mu)
	t.Cleanup(func() { g.open(); _ = l.Close() })
	go func() {
		for {
			station, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", unit)
			if err != nil {
				_ = station.Close()
				return
			}
			go func() { _, _ = io.Copy(far, station); _ = far.Close() }()
			go func() { _, _ = io.Copy(gated{station, g}, far); _ = station.Close() }()
		}
	}()
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = false
	g.pass.Broadcast()
}

// gated is what a unit says, on its way through the gate.
type gated struct {
	io.Writer
	gate *gate
}

func (w gated) Write(b []byte) (int, error) {
	w.gate.mu.Lock()
	for w.gate.held {
		w.gate.pass.Wait()
	}
	w.gate.mu.Unlock()
	return w.Writer.Write(b)
}
