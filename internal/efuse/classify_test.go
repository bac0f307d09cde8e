package efuse

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	key1 := testKey(t, 0x11).Reveal()
	both := ProvenFromJournal(true, true)
	word0 := func(bits uint32) func(*Words) { return func(w *Words) { w[0][0] |= bits } }
	full := func(w *Words) { *w = fullyBurnt() }
	for _, tc := range []struct {
		name   string
		change func(*Words)
		e      func(*Expectation)
		proven Proven
		want   Class
		says   string
		cause  error
	}{
		{name: "blank, unknown", e: unknown, want: Virgin},
		{name: "blank, known", want: Virgin},
		{name: "WR_DIS 3 to 6 from the factory", change: word0(0x78), e: unknown, want: Virgin},
		{name: "ROM BASIC off from the factory", change: func(w *Words) { w[0][6] |= 4 }, e: unknown, want: Virgin},
		{name: "custom MAC frozen", change: func(w *Words) { w[0][0] |= 1 << 9; w[3] = customMACWords([6]byte{2}) }, e: unknown, want: Virgin},
		{name: "no goal, blank", e: func(e *Expectation) { *e = Expectation{} }, want: Virgin},
		{name: "no goal, secured", change: full, e: func(e *Expectation) { *e = Expectation{} }, want: ForeignSecured},

		{name: "secured elsewhere", change: full, e: unknown, want: ForeignSecured, says: "BLOCK1 is hidden, BLOCK2 is hidden"},
		{name: "key elsewhere", change: func(w *Words) { w[1] = key1 }, e: unknown, want: ForeignSecured, says: "BLOCK1 holds bits"},
		{name: "V2 elsewhere", change: func(w *Words) { w[0][6] |= 1 << 5 }, e: unknown, want: ForeignSecured, says: "ABS_DONE_1 is set"},
		{name: "JTAG off elsewhere", change: func(w *Words) { w[0][6] |= 1 << 6 }, e: unknown, want: ForeignSecured, says: "JTAG_DISABLE is set"},
		{name: "protection elsewhere", change: word0(1 << 2), e: unknown, want: ForeignSecured, says: "WR_DIS is 0x4"},

		{name: "half a key", change: func(w *Words) { w[1] = key1; w[1][3] = 0 }, want: OursPartial, says: "next is BLOCK1 key"},
		{name: "key not compared", change: func(w *Words) { w[1] = key1 }, want: OursPartial, says: "next is BLOCK1 hide"},
		{name: "key hidden", change: word0(1 << 16), proven: ProvenFromJournal(true, false), want: OursPartial, says: "next is BLOCK1 protect"},
		{name: "one key done", change: word0(1<<16 | 1<<7), proven: ProvenFromJournal(true, false), want: OursPartial, says: "next is BLOCK2 key"},
		{name: "keys done", change: word0(0x30180), proven: both, want: OursPartial, says: "next is FLASH_CRYPT_CONFIG"},
		{name: "counter first, by firmware", change: func(w *Words) { w[0][0] |= 0x130180; w[0][5] |= 0xF << 28 }, proven: both, want: OursPartial, says: "next is ABS_DONE_0"},
		{name: "counter cut while even", change: func(w *Words) { full(w); w[0][0] &^= 0x07C00000 | 1<<27 }, proven: both, want: OursPartial, says: "next is FLASH_CRYPT_CNT"},
		{name: "second key not made yet", change: word0(1<<16 | 1<<7), proven: ProvenFromJournal(true, false), e: func(e *Expectation) { e.Goal.Block2 = KeyBlock{} }, want: OursPartial, says: "next is BLOCK2 key"},
		{name: "complete", change: full, proven: both, want: OursComplete},
		{name: "complete, keys destroyed", change: full, proven: both, e: func(e *Expectation) { e.Goal.Block1, e.Goal.Block2 = KeyBlock{}, KeyBlock{} }, want: OursComplete},
		{name: "complete, firmware froze more", change: func(w *Words) { full(w); w[0][0] |= 1<<2 | 1<<13 }, proven: both, want: OursComplete},

		{name: "hidden, not proven", change: word0(1 << 16), want: Contradictory, cause: ErrUnproven},
		{name: "another key", change: func(w *Words) { w[1] = key1; w[1][3] = ^w[1][3] }, want: Contradictory, cause: ErrForeign},
		{name: "key gone", change: func(w *Words) { w[1] = key1 }, e: func(e *Expectation) { e.Goal.Block1 = KeyBlock{} }, want: Contradictory, cause: ErrNoKey},
		{name: "proven, yet blank", proven: both, want: Contradictory, cause: ErrForeign},
		{name: "counter frozen while even", change: word0(0x30184), proven: both, want: Contradictory, cause: ErrWriteProtected},
		{name: "tweak frozen at 0", change: word0(0x30580), proven: both, want: Contradictory, cause: ErrWriteProtected},
		{name: "counter before the key", change: word0(1 << 20), want: Contradictory, cause: ErrOrder},
		{name: "V2 on one of ours", change: func(w *Words) { full(w); w[0][6] |= 1 << 5 }, proven: both, want: Contradictory, cause: ErrForeign},

		{name: "3/4", change: func(w *Words) { w[0][6] |= 1 }, want: UnsupportedChip, cause: ErrUnsupported},
		{name: "repeat", change: func(w *Words) { w[0][6] |= 2 }, e: unknown, want: UnsupportedChip, cause: ErrUnsupported},
		{name: "dead", change: func(w *Words) { w[0][3] |= 8 }, e: unknown, want: UnsupportedChip, cause: ErrUnsupported},
		{name: "no plan for it", e: func(e *Expectation) { unknown(e); e.Goal.Revision = Revision{1, 0} }, want: UnsupportedChip, cause: ErrForbidden},
		{name: "not a chip", change: func(w *Words) { w[0][7] = 1 }, want: UnsupportedChip, cause: ErrShape},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have := blankChip()
			e := Expectation{Known: true, Goal: releaseGoal(t), Proven: tc.proven}
			if tc.change != nil {
				tc.change(&have)
			}
			if tc.e != nil {
				tc.e(&e)
			}
			v := Classify(have, e)
			if v.Class != tc.want || !strings.Contains(v.Reason, tc.says) || !errors.Is(v.Cause, tc.cause) {
				t.Errorf("%v: %s (%v)\nwant %v, saying %q, because of %v", v.Class, v.Reason, v.Cause, tc.want, tc.says, tc.cause)
			}
			if v.Uncertain() != (tc.cause == ErrUnproven) {
				t.Errorf("uncertain: %v", v.Uncertain())
			}
		})
	}
}

// unknown makes a chip one that is not in our records.
func unknown(e *Expectation) { e.Known = false }

// FuzzClassify holds the classifier to being total, and its classes to what they say.
func FuzzClassify(f *testing.F) {
	for _, w := range []Words{{}, blankChip(), fullyBurnt()} {
		image := w.Bytes()
		for _, flags := range []uint16{0, 0x0F, 0xFFFF} {
			f.Add(image[:], flags)
		}
	}
	f.Add([]byte{1, 2, 3}, uint16(5))
	f.Fuzz(func(t *testing.T, image []byte, flags uint16) {
		var have Words
		for i := 0; i+4 <= len(image) && i < 128; i += 4 {
			have[i/4/8][i/4%8] = binary.LittleEndian.Uint32(image[i:])
		}
		if len(image) == ImageSize {
			have, _ = ParseWords(image)
		}
		e := expectation(t, flags)
		v := Classify(have, e)
		if v.Class.String() == "" || strings.HasPrefix(v.Class.String(), "class ") || !strings.HasSuffix(v.Reason, ".") {
			t.Fatalf("verdict %+v", v)
		}
		refusing := v.Class == Contradictory || v.Class == UnsupportedChip
		if refusing != (v.Cause != nil) || refusing && v.Remaining != nil {
			t.Errorf("%v: cause %v, %d burns remain", v.Class, v.Cause, len(v.Remaining))
		}
		ours := v.Class == OursPartial || v.Class == OursComplete || v.Class == Contradictory
		if ours && !e.Known || v.Class == ForeignSecured && e.Known {
			t.Errorf("known %v, yet %v", e.Known, v.Class)
		}
		if (v.Class == OursPartial) != (e.Known && len(v.Remaining) > 0 && len(securityMarks(have)) > 0) {
			t.Errorf("%v with %d burns left", v.Class, len(v.Remaining))
		}
		if v.Class == Virgin && (have.Hidden(1) || have[1] != [8]uint32{} || have[2] != [8]uint32{} || have.Field("ABS_DONE_0") != 0) {
			t.Error("virgin with a key or secure boot")
		}
		if v.Class == OursComplete {
			if left, err := Plan(have, e.Goal, e.Proven); err != nil || len(left) != 0 {
				t.Errorf("complete, but the plan is %v, %v", left, err)
			}
		}
	})
}

// expectation makes one of 16 bits.
func expectation(t *testing.T, flags uint16) Expectation {
	bit := func(n int) bool { return flags>>n&1 == 1 }
	goal := releaseGoal(t)
	goal.SecureBootV1, goal.FlashEncryption, goal.UARTDownloadDis = bit(1), bit(2), bit(3)
	if bit(4) {
		goal.Block1 = KeyBlock{}
	}
	if bit(5) {
		goal.Block2 = KeyBlock{}
	}
	if bit(6) {
		goal.CryptCount = CryptCountDevelopment
	}
	if bit(7) {
		goal.Locks, goal.Freeze = nil, nil
	}
	if bit(8) {
		goal = Goal{}
	}
	return Expectation{Known: bit(0), Goal: goal, Proven: ProvenFromJournal(bit(9), bit(10))}
}
