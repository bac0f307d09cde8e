package efuse

import (
	"context"
	"errors"
	"testing"
)

func TestReadGlitch(t *testing.T) {
	w := fullyBurnt()
	chip := newFake(t).powerOn(w)
	glitch := glitchChip{chip, map[int]bool{3: true, 60: true}}
	got, err := Read(t.Context(), &glitch)
	if err != nil || got.Bytes() != w.Bytes() {
		t.Errorf("one garbled answer: %v", err)
	}
	glitch.at = nil // every answer garbled in another way
	if _, err := Read(t.Context(), &glitch); !errors.Is(err, ErrUnstable) {
		t.Errorf("error %v, want ErrUnstable", err)
	}
}

// TestReread: what reads as it was known is asked for once; what does not, for noise or
// because it was burnt, until two answers in a row agree.
func TestReread(t *testing.T) {
	known := fullyBurnt()
	registers := 7 + 3*8
	reread := func(now Words, garbled map[int]bool) (accesses int, err error) {
		chip := newFake(t).powerOn(now)
		got, err := Reread(t.Context(), &glitchChip{chip, garbled}, known)
		if err == nil && got.Bytes() != now.Bytes() {
			t.Errorf("answers %v garbled: reads as something else", garbled)
		}
		return chip.accesses, err
	}
	burnt := known
	burnt[3][7] ^= 1 << 5
	for name, c := range map[string]struct {
		now      Words
		garbled  map[int]bool
		accesses int
	}{
		"unchanged":                       {known, map[int]bool{}, registers},
		"one answer garbled":              {known, map[int]bool{3: true}, registers + 2},
		"one register burnt":              {burnt, map[int]bool{}, registers + 2},
		"burnt, and one answer garbled":   {burnt, map[int]bool{registers + 1: true}, registers + 3},
		"burnt, and the first is garbled": {burnt, map[int]bool{registers: true}, registers + 2},
	} {
		if n, err := reread(c.now, c.garbled); err != nil || n != c.accesses {
			t.Errorf("%s: %d reads, want %d: %v", name, n, c.accesses, err)
		}
	}
	if _, err := reread(known, nil); !errors.Is(err, ErrUnstable) {
		t.Errorf("every answer garbled: error %v, want ErrUnstable", err)
	}
}

// glitchChip garbles the answers named by number, or all.
type glitchChip struct {
	*fakeChip
	at map[int]bool
}

func (g *glitchChip) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	v, err := g.fakeChip.ReadReg(ctx, addr)
	if g.at == nil || g.at[g.accesses] {
		v ^= uint32(g.accesses)
	}
	return v, err
}
