package flow_test

import (
	"context"
	"errors"
	"math/big"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/simulator"
)

// unitEncrypts is the step in which the unit works alone, atCounter its burn of
// FLASH_CRYPT_CNT among those of a run over byUnit.
const (
	unitEncrypts = "let the unit encrypt itself"
	atCounter    = 10
)

// count is FLASH_CRYPT_CNT.
func (r *rig) count() uint32 { return r.chip.Fuses()[0][0] & cryptCnt >> 20 }

// TestUnitEncryptsItself: while the unit is at work it must not be touched, and what
// it printed and how far it was is told.
func TestUnitEncryptsItself(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		r.mustRun("PASS", "")
		var kinds []string
		for _, ev := range r.events {
			if ev.Step == unitEncrypts && (len(kinds) == 0 || kinds[len(kinds)-1] != ev.Kind) && ev.Kind != flow.StepProgress {
				kinds = append(kinds, ev.Kind)
			}
			if ev.Kind == flow.Warning {
				t.Errorf("warning: %s", ev.Text)
			}
		}
		want := []string{flow.StepStarted, flow.BurnIntended, flow.RegionVerified, flow.BootLine, flow.BootSeen, flow.BurnObserved, flow.StepPassed}
		if !slices.Equal(kinds, want) {
			t.Errorf("the step tells %q, want %q", kinds, want)
		}
	})
}

// TestIntentBeforeTheHeader (I2): a unit that has its bootloader's header encrypts itself
// whoever gives it power. What it will burn is on record before.
func TestIntentBeforeTheHeader(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{byUnit, byUnitOnly} {
		j := newJob(t, p)
		inBubble(t, func(t *testing.T) {
			r := newRig(t, p, j)
			w := r.watch()
			written := func() (n int) {
				for _, act := range w.acts {
					if act == "flash 0x1000" {
						n++
					}
				}
				return n
			}
			r.sink = func(ev flow.Event) {
				if ev.Kind != flow.BurnIntended || ev.Step != unitEncrypts {
					return
				}
				if n := written(); n != 1 {
					t.Errorf("the bootloader was written %d times before the intent, want once, without its header", n)
				}
				if r.chip.Boot(); r.count() != 0 {
					t.Error("the unit encrypts itself before it is on record that it will")
				}
			}
			r.mustRun("PASS", "")
			r.mustBeSecured(false)
		})
	}
}

// pulled is a port whose adapter was pulled: its lines fail.
type pulled struct{ esptool.Port }

func (pulled) SetLines(bool, bool) error { return errors.New("input/output error") }

// TestPulledAfterTheConversion: the adapter is pulled when the unit has encrypted itself
// and before the station has looked. That is no fault of the unit.
func TestPulledAfterTheConversion(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		f := &adapter{}
		r.port = func(p esptool.Port) esptool.Port { f.Port = p; return f }
		r.sink = func(ev flow.Event) {
			if ev.Kind == flow.BootSeen && ev.Step == unitEncrypts {
				f.Port = pulled{f.Port}
			}
		}
		r.mustRun("ERROR", "E107")
		r.sink = nil
		r.mustRun("PASS", "")
	})
}

// muddled is a line on which the first request for an MD5 in each step of its list
// arrives with another address, at which there is no flash.
type muddled struct {
	esptool.Port
	step  func() string
	steps map[string]bool // true: still to be muddled
}

func (m *muddled) Write(b []byte) (int, error) {
	const spiFlashMD5 = 0x13
	if step := m.step(); len(b) > 13 && b[2] == spiFlashMD5 && m.steps[step] {
		m.steps[step] = false
		b = append([]byte(nil), b...)
		b[12] = 0x7F // the highest byte of the address (Espressif "ESP32 Serial Protocol")
	}
	return m.Port.Write(b)
}

// TestMuddledQuestion: a request that was garbled on its way is refused in the words of a
// loader that can no longer read flash. It is asked again before that is believed.
func TestMuddledQuestion(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		line := &muddled{steps: map[string]bool{"compare app at 0x10000": true, "compare bootloader at 0x1000": true}}
		line.step = func() string { return r.events[len(r.events)-1].Step }
		r.port = func(p esptool.Port) esptool.Port { line.Port = p; return line }
		r.mustRun("PASS", "")
		for step, left := range line.steps {
			if left {
				t.Errorf("nothing was asked in %q", step)
			}
		}
		r.mustBeSecured(false)
	})
}

// adapter is a port that can be changed for another.
type adapter struct{ esptool.Port }

// TestPlainBootloaderBurnsNothing (I2): a unit with Secure Boot alone, whoever gives it
// power and at whatever moment, never burns a fuse by itself.
func TestPlainBootloaderBurnsNothing(t *testing.T) {
	t.Parallel()
	j := newJob(t, secureBootOnly)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, secureBootOnly, j)
		started := 0
		r.sink = func(ev flow.Event) {
			twin := simulator.New(smallChip())
			check(t, twin.SetFlashFrom(r.chip))
			check(t, twin.Preburn(r.chip.Fuses()))
			have := twin.Fuses()
			if v := twin.Boot(); v.Cause == simulator.CauseAppStarted {
				started++
			}
			if twin.Fuses() != have {
				t.Errorf("started after %s %s, it burns %08x over %08x", ev.Kind, ev.Step, twin.Fuses()[0], have[0])
			}
			check(t, twin.Close())
		}
		r.mustRun("PASS", "")
		if started == 0 {
			t.Error("no twin ever started: this test shows nothing")
		}
	})
}

// TestCutInUnitsCounter: the unit was cut while it burnt its counter, and left it even
// but not 0, with all its flash in ciphertext. It begins again from plain text.
func TestCutInUnitsCounter(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	for mask, left := range map[int64]uint32{0: 0, 3: 3, 0x7E: 0x7E, 1: 1, 7: 7} {
		inBubble(t, func(t *testing.T) {
			cut := simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: atCounter, Mask: big.NewInt(mask)}}}
			r := newRig(t, byUnit, j, simulator.WithFaults(cut))
			if res := r.run(); res.Verdict != string(fault.Error) {
				t.Fatalf("cut in the counter: %s %v", res.Verdict, res.Err)
			}
			if r.count() != left {
				t.Fatalf("FLASH_CRYPT_CNT is %#x, want %#x", r.count(), left)
			}
			r.chip.PowerCycle()
			w := r.watch()
			r.mustRun("PASS", "")
			wrote := slices.Contains(w.acts, "flash 0x10000")
			if even := left == 0 || left == 3 || left == 0x7E; wrote != even {
				t.Errorf("after %#x: the app was written again: %v", left, wrote)
			}
			r.mustBeSecured(true)
		})
	}
}

// TestWeakCounterByUnit: a bit of the counter that never takes leaves it even when all
// others are burnt, and the unit would read its ciphertext as plain. It never passes, and
// the station does not mean to burn more of a counter that is even.
func TestWeakCounterByUnit(t *testing.T) {
	t.Parallel()
	const atCounter = 6 // with encryption alone
	j := newJob(t, byUnitOnly)
	meant := 0
	for mask := range int64(8) {
		inBubble(t, func(t *testing.T) {
			r := newRig(t, byUnitOnly, j, simulator.WithFaults(simulator.Faults{
				CutBurn:  []simulator.CutBurn{{Burn: atCounter, Mask: big.NewInt(mask)}},
				WeakBits: []simulator.WeakBit{{Block: 0, Bit: 20, Programs: 1000}},
			}))
			for range 4 {
				if res := r.run(); res.Verdict == "PASS" {
					t.Errorf("mask %d: %s", mask, res.Verdict)
				}
				r.chip.Boot()
			}
			for _, b := range r.burns() {
				if b.Step != "burn FLASH_CRYPT_CNT" {
					continue
				}
				if meant++; bits.OnesCount32(b.Before[0]&cryptCnt)%2 == 0 {
					t.Errorf("mask %d: the station meant to burn the counter when it was %#x", mask, b.Before[0]&cryptCnt>>20)
				}
			}
		})
	}
	if meant == 0 {
		t.Error("the station never meant to burn the counter: this test shows nothing")
	}
}

// byUnitFrozen has the bootloader of an older release build, which burns one bit of the
// counter and its protection together.
var byUnitFrozen = byUnit.with("counter frozen by the unit", func(p *policy) {
	p.freezes = true
	p.word0 = p.word0&^cryptCnt | cryptCntOnce | wrDisCryptCnt
})

// TestUnitFreezesItsCounter: one bit that can never change is as final as seven. A unit
// that was cut and kept the protection alone can never encrypt itself.
func TestUnitFreezesItsCounter(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnitFrozen)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnitFrozen, j)
		r.mustRun("PASS", "")
		r.mustBeSecured(false)
	})
	inBubble(t, func(t *testing.T) {
		cut := simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: atCounter, Mask: big.NewInt(1)}}}
		r := newRig(t, byUnitFrozen, j, simulator.WithFaults(cut))
		if res := r.run(); res.Verdict != string(fault.Error) || r.chip.Fuses()[0][0]&(cryptCnt|wrDisCryptCnt) != wrDisCryptCnt {
			t.Fatalf("cut in the counter: %s %v, BLOCK0 %08x", res.Verdict, res.Err, r.chip.Fuses()[0])
		}
		r.chip.PowerCycle()
		r.mustRun("PARK", "E303")
	})
}

// TestUnitFreezesUnderDevelopment: a unit whose bootloader, against what it told,
// switched encryption on for ever does not pass for one that can be switched off.
func TestUnitFreezesUnderDevelopment(t *testing.T) {
	t.Parallel()
	p := byUnitDevelopment.with("all doors shut", func(p *policy) { p.lock = []string{"DISABLE_DL_ENCRYPT = true"} })
	j, liar := newJob(t, p), newJob(t, byUnitFrozen)
	j.Bootloader = liar.Bootloader
	for i, r := range j.Regions {
		if r.Name == "bootloader" {
			j.Regions[i].Data = liar.Regions[i].Data
		}
	}
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		if res := r.mustRun("PARK", "E703"); !strings.Contains(res.Err.Error(), "BLOCK0 word 0 gained 1 bits") {
			t.Errorf("the cause is %v", res.Err)
		}
	})
}

// TestCutBeforeTheCiphertextIsOnRecord: the unit has encrypted itself and shut its
// doors, and loses its power while the first look is taken at what it made. That is the
// line's fault, not a loader that can no longer read flash.
func TestCutBeforeTheCiphertextIsOnRecord(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	var at []uint64
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		r.sink = func(ev flow.Event) {
			if ev.Kind == flow.StepStarted && strings.HasPrefix(ev.Step, "compare") {
				at = append(at, r.chip.Counters().Wire+20)
			}
		}
		r.mustRun("PASS", "")
	})
	for _, wire := range at {
		inBubble(t, func(t *testing.T) {
			r := newRig(t, byUnit, j, simulator.WithFaults(simulator.Faults{CutWire: []uint64{wire}}))
			r.mustRun("ERROR", "E107")
			r.chip.PowerCycle()
			r.mustRun("PASS", "")
			r.mustBeSecured(true)
		})
	}
	if len(at) != 4 {
		t.Errorf("%d regions were compared", len(at))
	}
}

// deafPort keeps the unit from starting: it stays in its loader, and says nothing.
type deafPort struct {
	esptool.Port
	chip   *simulator.Chip
	armed  func() bool // whether the next start is lost
	says   string      // what is heard instead
	inject []byte
	rts    bool
}

func (p *deafPort) SetLines(dtr, rts bool) error {
	if p.rts && !rts && !dtr && p.armed() {
		p.inject = []byte(p.says)
		p.rts = rts
		return nil
	}
	p.rts = rts
	return p.Port.SetLines(dtr, rts)
}

func (p *deafPort) Read(b []byte) (int, error) {
	if n := copy(b, p.inject); n > 0 {
		p.inject = p.inject[n:]
		return n, nil
	}
	return p.Port.Read(b)
}

func (p *deafPort) SetBaud(baud int) error { return p.chip.SetBaud(baud) }

// deafen has the unit miss its start in the step in which it is to encrypt itself.
func (r *rig) deafen(says string) {
	missed := false
	r.port = func(p esptool.Port) esptool.Port {
		return &deafPort{Port: p, chip: r.chip, says: says, armed: func() bool {
			last := r.events[len(r.events)-1]
			if missed || last.Kind != flow.RegionVerified || last.Step != unitEncrypts {
				return false
			}
			missed = true
			return true
		}}
	}
}

// TestUnitSilent: a unit that does not encrypt itself ends the wait after its time,
// not before and not much later, and can be run again.
func TestUnitSilent(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		r.deafen("")
		began := time.Now()
		r.mustRun("FAIL", "E704")
		limit := 30*time.Second + 3*12*time.Second*time.Duration(j.Conversion.Most)/(1<<20)
		if took := time.Since(began); took < limit || took > limit+30*time.Second {
			t.Errorf("the run took %v, the unit has %v", took, limit)
		}
		if r.count() != 0 {
			t.Errorf("FLASH_CRYPT_CNT is %#x", r.count())
		}
		r.mustRun("PASS", "")
		r.mustBeSecured(false)
	})
}

// TestUnitLies: what the unit says decides nothing. One that claims to be encrypted and
// is not fails.
func TestUnitLies(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	for _, says := range []string{
		"I (249) boot: Resetting with flash encryption enabled...\r\n", "rst:0x1\r\nrst:0x3\r\n" + ready + "\r\n",
		"E (120) flash_encrypt: Invalid key state, check read&write protection for key and keypurpose(if exists)\r\n",
		"invalid header: 0xffffffff\r\n",
	} {
		inBubble(t, func(t *testing.T) {
			r := newRig(t, byUnit, j)
			r.deafen(says)
			res := r.mustRun("FAIL", "E704")
			if bad := says[0] == 'E' || says[0] == 'i'; bad && !strings.Contains(res.Err.Error(), strings.TrimSpace(says)) {
				t.Errorf("the cause does not say what the unit said: %v", res.Err)
			}
			r.mustRun("PASS", "")
		})
	}
}

// TestProfileDoesNotCutTheUnitOff: lines that the profile waits for or rejects may come
// from a bootloader at work, too. Neither ends the wait for it.
func TestProfileDoesNotCutTheUnitOff(t *testing.T) {
	t.Parallel()
	p := byUnit.with("hasty", func(p *policy) {
		p.withoutBootCheck = true
		p.lock = []string{"[boot_check]", "expect = \"compile time\"", "reject = [\"invalid magic byte\", \"Disable JTAG\"]"}
	})
	j := newJob(t, p)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j)
		r.mustRun("PASS", "")
		for _, ev := range r.events {
			if ev.Kind == flow.BootSeen && ev.Step == unitEncrypts && !strings.Contains(ev.Lines[len(ev.Lines)-1], "Resetting") {
				t.Errorf("the wait ended at %q", ev.Lines[len(ev.Lines)-1])
			}
		}
	})
}

// TestPlainChangesUnderUs: flash that changes between its proof and the start of the
// unit is noticed before the unit is started.
func TestPlainChangesUnderUs(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		w := r.watch()
		w.burning = func(words simulator.Fuses) {
			if words[0][6]&absDone0 != 0 {
				check(t, r.chip.SetFlash(0x10800, []byte{0}))
			}
		}
		r.mustRun("FAIL", "E403")
		if slices.Contains(w.acts, "start") || r.count() != 0 {
			t.Error("the unit was started")
		}
		w.burning = nil
		r.mustRun("PASS", "")
	})
}

// TestInterruptedWhileUnitEncrypts: Ctrl-C waits for the unit, and for what is then
// read and written down.
func TestInterruptedWhileUnitEncrypts(t *testing.T) {
	t.Parallel()
	j := newJob(t, byUnit)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, byUnit, j)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r.sink = func(ev flow.Event) {
			if ev.Kind == flow.BurnIntended && ev.Step == unitEncrypts {
				cancel()
			}
		}
		if res := r.runContext(ctx); res.Code != fault.Interrupted {
			t.Fatalf("run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
		}
		burns := r.burns()
		if last := burns[len(burns)-1]; r.count() != 0x7F || last.Step != unitEncrypts || !last.OK {
			t.Errorf("FLASH_CRYPT_CNT is %#x, the last burn %q, as intended: %v", r.count(), last.Step, last.OK)
		}
		r.mustRun("PASS", "")
	})
}

// TestWhoEncryptsIsPolicy: after the first burn, a unit is finished by whom it was
// begun for.
func TestWhoEncryptsIsPolicy(t *testing.T) {
	t.Parallel()
	jobs := map[bool]*job.Job{false: newJob(t, release), true: newJob(t, byUnit)}
	for _, c := range []struct {
		name        string
		first, then policy
		burn        int // at which the first run is cut; 0: while writing flash
		verdict     string
	}{
		{"to the unit, before a burn", release, byUnit, 0, "PASS"},
		{"to the station, before a burn", byUnit, release, 0, "PASS"},
		{"to the unit, after a burn", release, byUnit, 2, "ERROR"},
		{"to the station, after a burn", byUnit, release, 2, "ERROR"},
		{"to the station, after the unit's own", byUnit, release, atCounter, "ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				cut := simulator.Faults{CutProgram: []int{40}}
				if c.burn > 0 {
					cut = simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: c.burn}}}
				}
				r := newRig(t, c.first, jobs[c.first.byUnit], simulator.WithFaults(cut))
				r.run()
				r.chip.PowerCycle()
				r.policy, r.job = c.then, jobs[c.then.byUnit]
				res := r.run()
				if res.Verdict != c.verdict || res.Verdict == "ERROR" && (res.Code != fault.BegunOtherwise || !strings.Contains(res.Err.Error(), "encrypted_by_unit")) {
					t.Fatalf("run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
				}
				if res.Verdict == "PASS" {
					r.mustBeSecured(false)
				}
			})
		})
	}
}

// TestNoLinesNoUnit: a port that cannot start the unit is refused before the unit is
// written.
func TestNoLinesNoUnit(t *testing.T) {
	t.Parallel()
	p := byUnit.with("not started", func(p *policy) { p.withoutBootCheck = true })
	j := newJob(t, p)
	inBubble(t, func(t *testing.T) {
		r := newRig(t, p, j, simulator.WithDownloadMode())
		cfg := r.config()
		cfg.Reset = esptool.ResetNone
		res := flow.Run(t.Context(), cfg)
		if res.Code != fault.Unsupported || !strings.Contains(res.Err.Error(), "reset lines") {
			t.Fatalf("run ended as %s %s: %v", res.Verdict, res.Code, res.Err)
		}
		if n := r.chip.Counters(); n.Burns+n.Erases+n.Programs > 0 {
			t.Errorf("the unit was touched: %+v", n)
		}
	})
}
