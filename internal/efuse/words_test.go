package efuse

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestBytesLayout(t *testing.T) {
	var w Words
	w[0][0], w[0][6], w[1][0], w[3][7] = 0x04030201, 0x1C1B1A19, 0x20, 0x7C7B7A79
	got := w.Bytes()
	for at, want := range map[int]byte{0: 1, 3: 4, 24: 0x19, 28: 0x20, 120: 0x79, 123: 0x7C} {
		if got[at] != want {
			t.Errorf("byte %d = %#x, want %#x", at, got[at], want)
		}
	}
	for _, n := range []int{0, 123, 125} {
		if _, err := ParseWords(make([]byte, n)); !errors.Is(err, ErrShape) {
			t.Errorf("ParseWords of %d bytes: %v, want ErrShape", n, err)
		}
	}
}

func FuzzParseWords(f *testing.F) {
	full := fullyBurnt().Bytes()
	f.Add(full[:])
	f.Add([]byte{})
	f.Add(make([]byte, ImageSize+1))
	f.Fuzz(func(t *testing.T, image []byte) {
		w, err := ParseWords(image)
		if err != nil {
			return
		}
		if got := w.Bytes(); string(got[:]) != string(image) {
			t.Errorf("round trip of %x gave %x", image, got)
		}
		w.MAC()
		if len(Summary(w)) != len(esp32) {
			t.Error("summary lost a field")
		}
	})
}

func TestWordsPrint(t *testing.T) {
	w := blankChip()
	w[2][0] = 1
	w[0][0] = 1 << 16
	want := "BLOCK0: [00010000 c4a1b2c3 "
	if got := fmt.Sprint(w); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "BLOCK1: [hidden] BLOCK2: [secret] BLOCK3: [zero]") {
		t.Errorf("printed %q", got)
	}
}
