package simulator

import (
	"bytes"
	"testing"
)

// TestDecrypted: what is remembered of a sector is not used when the sector or the key
// is another, nor by a chip that has the flash and not the key.
func TestDecrypted(t *testing.T) {
	fuses := Fuses{}
	fuses[0][0], fuses[0][5] = 1<<20, 0xF<<28
	fuses[1] = [8]uint32{1, 2, 3, 4, 5, 6, 7, 8}
	c := New(DefaultConfig())
	burn := func(c *Chip, f Fuses) {
		t.Helper()
		if err := c.Preburn(f); err != nil {
			t.Fatal(err)
		}
	}
	// see reads as after a reset, and compares with what a chip sees that remembers nothing.
	see := func(c *Chip) []byte {
		t.Helper()
		got := newCacheView(c).read(0x1000, 2*norSector)
		fresh := *newCacheView(c)
		fresh.before = &decrypted{sectors: map[uint32]decryptedSector{}}
		if want := fresh.read(0x1000, 2*norSector); !bytes.Equal(got, want) {
			t.Fatal("what is remembered is not what is there")
		}
		return got
	}
	burn(c, fuses)
	first := see(c)
	if err := c.SetFlash(0x1100, make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	second := see(c)
	other := New(DefaultConfig())
	if err := other.SetFlashFrom(c); err != nil {
		t.Fatal(err)
	}
	plain := newCacheView(other).read(0x1000, 2*norSector)
	burn(other, Fuses{0: {0: 1 << 20, 5: 0xF << 28}, 1: {9}})
	third := see(other)
	burn(c, Fuses{1: {0: 0xF0}})
	fourth := see(c)
	all := [][]byte{first, second, plain, third, fourth}
	for i := range all {
		for j := range i {
			if bytes.Equal(all[i], all[j]) {
				t.Errorf("views %d and %d are the same", j, i)
			}
		}
	}
}
