package esptool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// TestWriteFlashWhile: the question comes before each piece but the first, and after each
// failure, and is told which of them it is. No is the end; no answer costs a try.
func TestWriteFlashWhile(t *testing.T) {
	errNo := errors.New("no")
	for _, c := range []struct {
		name   string
		hurt   int // the frame that is lost; 0: none
		answer []error
		asked  []bool // with again
		want   error
		begun  []uint32
	}{
		{"yes", 0, nil, []bool{false, false}, nil, []uint32{0x1F000, 0x20000, 0x30000}},
		{"no", 0, []error{nil, errNo}, []bool{false, false}, errNo, []uint32{0x1F000, 0x20000}},
		{"a lost block", 8, nil, []bool{false, true, false, false, false, false}, nil, []uint32{0x1F000, 0x20000, 0x20000, 0x24000, 0x28000, 0x2C000, 0x30000}},
		{"no after a lost block", 8, []error{nil, errNo}, []bool{false, true}, errNo, []uint32{0x1F000, 0x20000}},
		{"no answer, then yes", 0, []error{ErrNoReply}, []bool{false, true, false, false, false, false}, nil, nil},
		{"never an answer", 0, slices.Repeat([]error{ErrNoReply}, 9), []bool{false, true, true, true}, ErrNoReply, []uint32{0x1F000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeROM()
				d := attached(t, f, Config{})
				if c.hurt > 0 {
					f.toChip = dropOnce(c.hurt)
				}
				var asked []bool
				err := d.WriteFlashWhile(context.Background(), 0x1F000, testData(SectorSize+eraseUnit+5), nil, func(_ context.Context, again bool) error {
					asked = append(asked, again)
					if n := len(asked); n <= len(c.answer) && c.answer[n-1] != nil {
						return fmt.Errorf("asked: %w", c.answer[n-1])
					}
					return nil
				})
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
					t.Errorf("WriteFlashWhile = %v, want %v", err, c.want)
				}
				if !slices.Equal(asked, c.asked) || c.begun != nil && !slices.Equal(f.erased, c.begun) {
					t.Errorf("asked %v, begun %#x; want %v, %#x", asked, f.erased, c.asked, c.begun)
				}
			})
		})
	}
}
