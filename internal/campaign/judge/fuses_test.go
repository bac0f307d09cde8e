package judge

import (
	"encoding/hex"
	"testing"

	"provision/internal/simulator"
)

func TestSecured(t *testing.T) {
	for name, c := range map[string]struct {
		fuses simulator.Fuses
		want  bool
	}{
		"blank":                   {},
		"MAC and revision":        {fuses: simulator.New(simulator.DefaultConfig()).Fuses()},
		"as some factories do":    {fuses: simulator.Fuses{{0: 0xF << 3, 6: consoleDis}}},
		"a bit of a key":          {fuses: simulator.Fuses{1: {3: 1}}, want: true},
		"a bit of the second key": {fuses: simulator.Fuses{2: {7: 1 << 31}}, want: true},
		"a hidden block":          {fuses: simulator.Fuses{{0: rdDisBlock2}}, want: true},
		"a frozen counter":        {fuses: simulator.Fuses{{0: wrDisCryptCnt}}, want: true},
		"a counter":               {fuses: simulator.Fuses{{0: 1 << 20}}, want: true},
		"a tweak":                 {fuses: simulator.Fuses{{5: 1 << 28}}, want: true},
		"Secure Boot V2":          {fuses: simulator.Fuses{{6: absDone1}}, want: true},
		"no debug port":           {fuses: simulator.Fuses{{6: jtagDis}}, want: true},
		"no download mode":        {fuses: simulator.Fuses{{0: uartDis}}, want: true},
	} {
		if got := secured(c.fuses); got != c.want {
			t.Errorf("%s: secured is %v", name, got)
		}
	}
}

func TestFrozenOdd(t *testing.T) {
	for w, want := range map[uint32]bool{
		0: false, 1 << 20: false, 1<<20 | wrDisCryptCnt: true, 3<<20 | wrDisCryptCnt: false,
		7<<20 | wrDisCryptCnt: true, cryptCnt | wrDisCryptCnt: false, wrDisCryptCnt: false,
	} {
		if got := frozenOdd(words{w}); got != want {
			t.Errorf("%08x: frozenOdd is %v", w, got)
		}
	}
}

// TestKeyOf: a block has the key reversed: word 0 is its last four bytes, big-endian
// (ESP32 TRM, "eFuse Controller"; espefuse burn_key).
func TestKeyOf(t *testing.T) {
	block := words{0x1c1d1e1f, 0x18191a1b, 0x14151617, 0x10111213, 0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203}
	const want = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	key := keyOf(block)
	if hex.EncodeToString(key) != want || wordsOf(key) != block {
		t.Errorf("the key is %x, and back %08x", key, wordsOf(key))
	}
}

// TestReadable: what is hidden reads as zeros.
func TestReadable(t *testing.T) {
	f := simulator.Fuses{{0: rdDisBlock1}, {1}, {2}, {3}}
	if got, want := readable(f), (simulator.Fuses{{0: rdDisBlock1}, {}, {2}, {3}}); got != want {
		t.Errorf("readable is %x", got)
	}
}
