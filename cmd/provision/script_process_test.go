//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// processes is the key of a script's running programs, by the names it gave them.
type processes struct{}

// process is a program that a script started and watches.
type process struct {
	cmd  *exec.Cmd
	out  output
	err  output
	done chan error // Wait's answer, once
}

// processLimit bounds every wait for a started program.
const processLimit = 30 * time.Second

// output is what a program has printed up to now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and made anew with each write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(b)
}

// now is the text up to now, and what closes when there is more.
func (o *output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

func find(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

// environment are the variables of the script that matter to our program.
func environment(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{"XDG_STATE_HOME", "USER", "GORACE", "HOME", "TMPDIR", "PROVISION_DB", "PROVISION_SIM_DIR"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// start NAME CMD ARGS... starts a program and lets it run.
func start(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "start NAME COMMAND ARGS...")
	p := &process{cmd: exec.Command(args[1], args[2:]...), done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environment(ts)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	ts.Check(p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	ts.Defer(func() { _ = p.cmd.Process.Kill() })
	ts.Value(processes{}).(map[string]*process)[args[0]] = p
}

// await NAME REGEXP [VAR] waits until a program has printed a match on stdout, and
// puts its first group into VAR.
func await(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "await NAME REGEXP [VAR]")
	p, pattern := find(ts, args[0]), regexp.MustCompile(args[1])
	limit := time.NewTimer(processLimit)
	defer limit.Stop()
	for {
		text, more := p.out.now()
		if m := pattern.FindStringSubmatch(text); m != nil {
			if len(args) == 3 {
				ts.Setenv(args[2], m[1])
			}
			return
		}
		select {
		case <-more:
		case err := <-p.done:
			p.done <- err
			if text, _ = p.out.now(); !pattern.MatchString(text) {
				ts.Fatalf("%s ended without printing %q: %v\n%s", args[0], args[1], err, text)
			}
		case <-limit.C:
			ts.Fatalf("%s did not print %q within %v:\n%s", args[0], args[1], processLimit, text)
		}
	}
}

// signal NAME INT|HUP|KILL sends a signal.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "signal NAME INT|HUP|KILL")
	sig, ok := map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill, "HUP": syscall.SIGHUP}[args[1]]
	usage(ts, false, ok, "signal NAME INT|HUP|KILL")
	ts.Check(find(ts, args[0]).cmd.Process.Signal(sig))
}

// finish NAME CODE waits for the end of a program, which must have that exit code,
// or any with CODE "killed". Its output becomes stdout and stderr.
func finish(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "finish NAME CODE")
	p := find(ts, args[0])
	select {
	case err := <-p.done:
		out, _ := p.out.now()
		told, _ := p.err.now()
		fmt.Fprint(ts.Stdout(), out)
		fmt.Fprint(ts.Stderr(), told)
		if args[1] != "killed" {
			checkExit(ts, err, number(ts, args[1]))
		}
	case <-time.After(processLimit):
		ts.Fatalf("%s did not end within %v", args[0], processLimit)
	}
}

// nobody is a user who owns nothing: no permission stops root.
const nobody = 65534

// nobody N CMD ARGS... is exits for a user who may not do everything.
func nobodyExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "nobody CODE COMMAND ARGS...")
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environment(ts)
	if os.Getuid() == 0 {
		letPass(ts, program)
		letPass(ts, cmd.Dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	checkExit(ts, cmd.Run(), number(ts, args[0]))
}

// letPass opens the temporary folders above path to everybody who knows their names.
func letPass(ts *testscript.TestScript, path string) {
	temp := filepath.Clean(os.TempDir()) + string(filepath.Separator)
	for dir := filepath.Dir(path); strings.HasPrefix(dir, temp); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		ts.Check(err)
		ts.Check(os.Chmod(dir, info.Mode().Perm()|0o011))
	}
}
