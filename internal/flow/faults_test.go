package flow_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"provision/internal/efuse"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/records"
	"provision/internal/simulator"
)

// TestLineIsBlamedFirst: requests and answers have no checksum, so what only the
// line can explain is no verdict on the unit, whatever step it happened in.
func TestLineIsBlamedFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		step fault.Code // what the step would call an error it does not know
		want fault.Code
	}{
		{&esptool.ROMError{Op: 0x03, Code: 0x07}, fault.WriteFailed, fault.Garbled}, // checksum of a block
		{&esptool.ROMError{Op: 0x13, Code: 0x09}, fault.WriteFailed, fault.Garbled}, // MD5 beyond the flash
		{&esptool.ROMError{Op: 0x03, Code: 0x06}, fault.WriteFailed, fault.WriteFailed},
		{&esptool.ROMError{Op: 0x03, Code: 0x08}, fault.WriteFailed, fault.WriteFailed},
		{esptool.ErrUnstable, fault.LinkLost, fault.Garbled},
		{efuse.ErrBusy, fault.ReadBack, fault.LinkLost},
		{efuse.ErrRegister, fault.ReadBack, fault.LinkLost},
		{efuse.ErrReadBack, fault.ReadBack, fault.ReadBack},
		{efuse.ErrUnstable, fault.ReadBack, fault.BadMAC},
		{esptool.ErrContent, fault.WriteFailed, fault.WriteFailed},
		{esptool.ErrFlashSize, fault.LinkLost, fault.FlashSize},
		{errors.Join(efuse.ErrReadBack, esptool.ErrNoReply), fault.ReadBack, fault.LinkLost},
		{fmt.Errorf("%w: %w", records.ErrBusy, context.DeadlineExceeded), fault.ReadBack, fault.Database},
		{errors.Join(esptool.ErrLinkLost, esptool.ErrOtherChip), fault.WriteFailed, fault.UnitChanged},
		{errors.Join(efuse.ErrOtherChip, esptool.ErrNoReply), fault.ReadBack, fault.UnitChanged},
	} {
		err := flow.AsFault(fmt.Errorf("burn: %w", c.err), c.step)
		if got := fault.CodeOf(err); got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
}

// TestParkedMeanwhile: a unit that another program parks during a run keeps the code
// it was parked with.
func TestParkedMeanwhile(t *testing.T) {
	t.Parallel()
	for parked, want := range map[string]fault.Code{"E206": fault.BadMAC, "": fault.Contradictory, "E999": fault.Contradictory} {
		err := flow.AsFault(fmt.Errorf("seal: %w", &records.ParkedError{Parking: records.Parking{Code: parked}}), fault.Database)
		if got := fault.CodeOf(err); got != want {
			t.Errorf("parked as %q is %s, want %s", parked, got, want)
		}
	}
}

// leaves are the packages whose errors a run may meet.
var leaves = []string{"esptool", "efuse", "keys", "records", "station", "secureboot", "flashcrypt"}

// noRow says why an exported error has no row in the table of codes.
var noRow = map[string]string{
	"records.ErrNotParked": "the answer recall hopes for",
	"records.ErrTooMany":   "of look-ups, which no run does",
	"records.ErrBurnt":     "a refusal with a text of its own (policy.go)",

	"records.ErrNotComplete": "of labels, which no run prints",
	"records.ErrBadgeUsed":   "of people, whom no run saves",

	"station.ErrUnreadable":  "profiles are loaded before a run",
	"station.ErrSyntax":      "profiles are loaded before a run",
	"station.ErrUnknownKey":  "profiles are loaded before a run",
	"station.ErrType":        "profiles are loaded before a run",
	"station.ErrMissing":     "profiles are loaded before a run",
	"station.ErrValue":       "profiles are loaded before a run",
	"station.ErrConflict":    "profiles are loaded before a run",
	"station.ErrUnsupported": "profiles are loaded before a run",
	"station.ErrSecret":      "profiles are loaded before a run",

	"secureboot.ErrPublicKey":     "signatures are checked before a run",
	"secureboot.ErrNoSignature":   "signatures are checked before a run",
	"secureboot.ErrBadSignature":  "signatures are checked before a run",
	"secureboot.ErrContentLength": "signatures are checked before a run",
	"secureboot.ErrImageDigest":   "signatures are checked before a run",
	"secureboot.ErrUntrustedKey":  "signatures are checked before a run",
	"secureboot.ErrSignedTwice":   "signatures are checked before a run",
	"secureboot.ErrBlockV2":       "signatures are checked before a run",
	"secureboot.ErrRSAKey":        "signatures are checked before a run",
	"secureboot.ErrDigest":        "a station makes digests and checks none",
	"secureboot.ErrAlreadySigned": "a station does not sign",
	"secureboot.ErrSigningKey":    "a station does not sign",
	"secureboot.ErrEncryptedPEM":  "a station does not sign",
}

// TestEveryErrorHasACode: an error that somebody adds to a leaf must not reach the
// technician as "internal", or as whatever the step is afraid of, unnoticed.
func TestEveryErrorHasACode(t *testing.T) {
	t.Parallel()
	rows := errorsInTable(t)
	exported := map[string]bool{}
	for _, pkg := range leaves {
		names := exportedErrors(t, pkg)
		if len(names) == 0 {
			t.Errorf("package %s exports no error", pkg)
		}
		for _, name := range names {
			exported[name] = true
			switch why := noRow[name]; {
			case rows[name] == 0 && why == "":
				t.Errorf("%s has no row in the table of codes", name)
			case rows[name] > 0 && why != "":
				t.Errorf("%s has a row, though %q", name, why)
			case rows[name] > 1:
				t.Errorf("%s has %d rows", name, rows[name])
			}
		}
	}
	for name := range noRow {
		if !exported[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// exportedErrors are the variables Err... of a leaf, as package.Name.
func exportedErrors(t *testing.T, pkg string) (names []string) {
	for _, file := range parse(t, filepath.Join("..", pkg)) {
		for _, decl := range file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
				for _, spec := range gen.Specs {
					for _, id := range spec.(*ast.ValueSpec).Names {
						if strings.HasPrefix(id.Name, "Err") {
							names = append(names, pkg+"."+id.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// errorsInTable counts how often each package.Name stands in the table of codes.
func errorsInTable(t *testing.T) map[string]int {
	rows := map[string]int{}
	for _, file := range parse(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != "codes" {
				return true
			}
			for _, row := range spec.Values[0].(*ast.CompositeLit).Elts {
				if sel, ok := row.(*ast.CompositeLit).Elts[0].(*ast.SelectorExpr); ok {
					rows[sel.X.(*ast.Ident).Name+"."+sel.Sel.Name]++
				}
			}
			return false
		})
	}
	if len(rows) == 0 {
		t.Fatal("no table of codes")
	}
	return rows
}

// parse reads the Go files of a folder, but for tests.
func parse(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	check(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		check(t, err)
		files = append(files, file)
	}
	if len(files) == 0 {
		t.Fatal(&fs.PathError{Op: "parse", Path: dir, Err: fs.ErrNotExist})
	}
	return files
}

// handSlot is a slot in which the unit is changed by hand while the port stays open.
type handSlot struct{ esptool.Port }

func (h *handSlot) SetBaud(baud int) error {
	return h.Port.(interface{ SetBaud(int) error }).SetBaud(baud)
}

// hold puts a unit into its loader, as a fixture does that holds its boot pin.
func hold(t *testing.T, chip *simulator.Chip) {
	t.Helper()
	for _, lines := range []struct{ dtr, rts bool }{{false, true}, {true, false}, {false, false}} {
		check(t, chip.SetLines(lines.dtr, lines.rts))
	}
}

// TestUnitChangedMidway takes the unit out in the middle of the work and puts a blank
// one in, which starts, or waits in its loader. Whatever is under way, the second
// is not written to, and neither is called bad or set aside. While a unit runs its
// firmware it cannot be asked who it is, so nothing is changed during the boot check.
func TestUnitChangedMidway(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	other := smallChip()
	other.MAC[5]++
	const last = 120 // events; the loop ends with the run
	for at := 1; at < last; at += 7 {
		held := at%2 == 1
		t.Run(fmt.Sprintf("event %d, held %v", at, held), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j)
				slot, second := &handSlot{}, simulator.New(other)
				if held {
					hold(t, second)
				}
				r.port = func(p esptool.Port) esptool.Port {
					slot.Port = p
					return slot
				}
				seen, begun, changed, passed := 0, false, false, false
				r.sink = func(ev flow.Event) {
					seen++
					begun = begun || ev.Kind == flow.UnitIdentified
					passed = passed || ev.Kind == flow.KeysDestroyed && !changed
					if seen >= at && begun && !changed && ev.Step != "boot check" {
						slot.Port, changed = lasting{second}, true
					}
				}
				res := r.run()
				lost := res.Code == fault.UnitChanged || !held && res.Code == fault.LinkLost
				if changed && !lost && !passed {
					t.Errorf("run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
				if c := second.Counters(); c.Burns+c.Erases+c.Programs > 0 {
					t.Errorf("the second unit was written to: %+v", c)
				}
			})
		})
	}
}

// swappedAt is a slot whose unit is changed right before the write with this number.
type swappedAt struct {
	handSlot
	second esptool.Port
	at, n  int
}

func (s *swappedAt) Write(p []byte) (int, error) {
	if s.n++; s.n == s.at {
		s.Port = s.second
	}
	return s.handSlot.Port.Write(p)
}

// TestUnitChangedWhileItIsClassified changes the unit between any two commands of the
// contact with a unit that was begun, and with one whose flash is write-protected. The
// words of two units, or a flash that was never attached, blame neither.
func TestUnitChangedWhileItIsClassified(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	protected := smallChip()
	protected.FlashStatus = 0x1C
	for _, c := range []struct {
		name  string
		first simulator.Config
		code  fault.Code // of the first unit, if it is not changed
		last  int        // write of the contact
	}{{"begun", smallChip(), fault.Interrupted, 260}, {"write-protected", protected, fault.FlashProtected, 210}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				changed := 0
				for _, at := range sample(numbers(c.last), 60) {
					r := newRigWith(t, release, j, c.first)
					if c.code == fault.Interrupted {
						r.stopAt(flow.BurnObserved, "burn BLOCK1") // and compared, not hidden yet
					}
					other := smallChip()
					other.MAC[5]++
					second := simulator.New(other)
					hold(t, second)
					slot := &swappedAt{second: lasting{second}, at: at}
					r.port = func(p esptool.Port) esptool.Port {
						slot.Port = p
						return slot
					}
					ctx, cancel := context.WithCancel(t.Context())
					r.sink = func(ev flow.Event) {
						if ev.Kind == flow.StepStarted && ev.Step != "connect" && ev.Step != "identify" {
							cancel() // the contact is over
						}
					}
					res := r.runContext(ctx)
					cancel()
					if slot.n < at && res.Code != c.code {
						t.Errorf("not changed, and the run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
					}
					if res.Code == fault.UnitChanged {
						changed++
					}
					if slot.n >= at && res.Verdict != string(fault.Error) && res.Code != c.code {
						t.Errorf("changed at write %d: %s %s: %v", at, res.Verdict, res.Code, res.Err)
					}
				}
				if changed == 0 {
					t.Error("no change was noticed")
				}
			})
		})
	}
}

// TestUnknownFlash: a flash chip that counts its size in a way of its own is a wrong
// part, not a broken line.
func TestUnknownFlash(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	cfg := smallChip()
	cfg.FlashID = 0x3525C2 // MX25U1635F
	inBubble(t, func(t *testing.T) {
		r := newRigWith(t, release, j, cfg)
		r.mustWriteNothing(func() { r.mustRun("FAIL", "E204") })
	})
}

// TestHungChipIsNoBadUnit lets the chip hang at points spread over the whole work,
// inside burns too: it is never called bad for that, and is finished after a reset. One
// that hangs while it starts has not started, whatever the reason.
func TestHungChipIsNoBadUnit(t *testing.T) {
	t.Parallel()
	j := newJob(t, release)
	var wire uint64
	inBubble(t, func(t *testing.T) {
		r := newRig(t, release, j)
		r.mustRun("PASS", "")
		wire = r.chip.Counters().Wire
	})
	const points = 8
	for i := range uint64(points) {
		at := wire * (2*i + 1) / (2 * points)
		t.Run(fmt.Sprintf("at byte %d of %d", at, wire), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t, release, j, simulator.WithFaults(simulator.Faults{Hang: []uint64{at}}))
				res := r.run()
				starting := res.Code == fault.BootTimeout
				if res.Verdict != "PASS" && res.Verdict != "ERROR" && !starting {
					t.Errorf("run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
				if res.Verdict != "PASS" {
					r.mustRun("PASS", "") // the contact of the next run resets it
				}
			})
		})
	}
}
