//go:build unix

package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"provision/internal/esptool/porttest"
	"provision/internal/simulator"
)

// usage ends a script that uses one of our commands wrongly.
func usage(ts *testscript.TestScript, neg, ok bool, text string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.ParseInt(text, 0, 64)
	ts.Check(err)
	return int(n)
}

// exits N CMD ARGS... runs a command that must end with exit code N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "exits CODE COMMAND ARGS...")
	checkExit(ts, ts.Exec(args[1], args[2:]...), number(ts, args[0]))
}

func checkExit(ts *testscript.TestScript, err error, want int) {
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// says REGEXP... holds stderr to what a person has to be told: one sentence that
// matches every REGEXP, and at most one action below it.
func says(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "says REGEXP...")
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stderr"), "\n"), "\n")
	told, ok := strings.CutPrefix(lines[0], "provision: ")
	if !ok || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "  ") {
		ts.Fatalf("stderr is not one sentence and an action")
	}
	for _, pattern := range args {
		if !regexp.MustCompile(pattern).MatchString(told) {
			ts.Fatalf("%q does not match %q", told, pattern)
		}
	}
	if noise := noiseIn(told); noise != "" {
		ts.Fatalf("%q is noise: %s", told, noise)
	}
}

// inside matches what only programmers know how to read.
var inside = regexp.MustCompile(`%!|\bEOF\b|errno|goroutine|context canceled|deadline exceeded|i/o timeout|nil pointer|\(E[0-9]{3}|SQLITE`)

// noiseIn says what in a sentence is not for people: words of the program's inside,
// or the same thing twice.
func noiseIn(sentence string) string {
	if found := inside.FindString(sentence); found != "" {
		return "it says " + strconv.Quote(found)
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(sentence, ": ") {
		if len(part) > 3 && seen[part] {
			return "it says " + strconv.Quote(part) + " twice"
		}
		seen[part] = true
	}
	return ""
}

// noleak KEYFILE PATH... searches files and folders for a key: raw, in hex and in
// base64, in both byte orders. With ! in front the key must be found.
func noLeak(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) >= 2, "[!] noleak KEYFILE PATH...")
	key := []byte(ts.ReadFile(args[0]))
	var forms []string
	for range 2 {
		forms = append(forms, string(key), hex.EncodeToString(key), base64.RawStdEncoding.EncodeToString(key))
		slices.Reverse(key)
	}
	found := ""
	for path := range digests(ts, args[1:]) {
		text := ts.ReadFile(path)
		for _, form := range forms {
			if strings.Contains(text, form) || strings.Contains(text, strings.ToUpper(form)) {
				found = path
			}
		}
	}
	if (found != "") != neg {
		ts.Fatalf("the key of %s is in %q", args[0], found)
	}
}

// capture VAR REGEXP puts the first group of a match in stdout into VAR.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "capture VAR REGEXP")
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("stdout has nothing like %q", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// snapshots is the key of a script's snapshots: their files' digests by path.
type snapshots struct{}

// save NAME PATH... notes everything in files and folders.
func save(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "save NAME PATH...")
	ts.Value(snapshots{}).(map[string]map[string]string)[args[0]] = digests(ts, args[1:])
}

// same NAME PATH... checks that nothing in them is other than save saw it.
func same(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "same NAME PATH...")
	before, ok := ts.Value(snapshots{}).(map[string]map[string]string)[args[0]]
	if !ok {
		ts.Fatalf("nothing was saved as %s", args[0])
	}
	after := digests(ts, args[1:])
	for path := range before {
		if after[path] != before[path] {
			ts.Fatalf("%s was changed or removed", path)
		}
	}
	for path := range after {
		if before[path] == "" {
			ts.Fatalf("%s was made", path)
		}
	}
}

// digests returns the SHA-256 of all files in paths. A path that is not there has
// no files.
func digests(ts *testscript.TestScript, paths []string) map[string]string {
	out := map[string]string{}
	for _, root := range paths {
		err := filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			sum := sha256.Sum256(data)
			out[path] = hex.EncodeToString(sum[:])
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Fatalf("%v", err)
		}
	}
	return out
}

// edit FILE OLD NEW replaces the one OLD in FILE; \n in NEW is a new line.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "edit FILE OLD NEW")
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%q stands %d times in %s", args[1], n, args[0])
	}
	text = strings.Replace(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"), 1)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// corrupt FILE OFFSET flips the bits of one byte.
func corrupt(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "corrupt FILE OFFSET")
	data := []byte(ts.ReadFile(args[0]))
	data[number(ts, args[1])] ^= 0xFF
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// truncate FILE LENGTH cuts a file.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "truncate FILE LENGTH")
	ts.Check(os.Truncate(ts.MkAbs(args[0]), int64(number(ts, args[1]))))
}

// slice FILE OFFSET LIKE OUT writes a piece of FILE as long as the file LIKE to OUT.
func slice(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 4, "slice FILE OFFSET LIKE OUT")
	data, offset, n := ts.ReadFile(args[0]), number(ts, args[1]), len(ts.ReadFile(args[2]))
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(data[offset:offset+n]), 0o600))
}

// equal A B compares two binary files.
func equal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "equal A B")
	a, b := ts.ReadFile(args[0]), ts.ReadFile(args[1])
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			ts.Fatalf("%s and %s differ at %#x", args[0], args[1], i)
		}
	}
	if len(a) != len(b) {
		ts.Fatalf("%s has %d bytes, %s has %d", args[0], len(a), args[1], len(b))
	}
}

// silentport VAR makes a TCP port that takes everything and never answers; VAR is
// its name for --port.
func silentPort(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "silentport VAR")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed at the end of the script
			}
			go func() {
				_, _ = io.Copy(io.Discard, conn) // until the other side has had enough
				_ = conn.Close()
			}()
		}
	}()
	ts.Setenv(args[0], "tcp://"+l.Addr().String())
}

// rfc2217port NAME VAR [--espressif] has an RFC 2217 server offer a virtual chip; VAR
// is its name for --port.
func rfc2217Port(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3 && args[2] == "--espressif", "rfc2217port NAME VAR [--espressif]")
	chip, err := simulator.Open(ts.MkAbs(filepath.Join("sim", args[0])))
	ts.Check(err)
	ts.Defer(func() { _ = chip.Close() })
	server := &porttest.Server{Line: chip}
	if len(args) == 3 {
		server.Instead = porttest.EspressifResets(chip)
	}
	address, stop, err := server.Listen()
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv(args[1], "rfc2217://"+address)
}

// sql DATABASE STATEMENT changes records behind the program's back; with ! in
// front, the database must refuse.
func sqlExec(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) == 2, "[!] sql DATABASE STATEMENT")
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec(args[1])
	ts.Check(db.Close())
	if (err != nil) != neg {
		ts.Fatalf("%v", err)
	}
}

// ageidentity FILE VAR makes an age identity; VAR is its recipient.
func ageIdentity(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "ageidentity FILE VAR")
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(id.String()+"\n"), 0o600))
	ts.Setenv(args[1], id.Recipient().String())
}
