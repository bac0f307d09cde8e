package efuse

import "fmt"

// Field is one named run of fuse bits.
type Field struct {
	Name        string // as Espressif's tables spell it
	Block       int
	Bit, Len    int    // Bit counts from the LSB of word 0 of the block; Len in bits
	WrDis       int    // WR_DIS bit that freezes the field; -1: none listed
	RdDis       int    // RD_DIS bit that hides the field; -1: none
	Final       bool   // narrows what can still be done: burnt after the rest is read back
	Meaning     string // what it says or does, in a few words
	Never       string // why a station never burns it; empty: a plan may
	Irrevocably string // what is true for ever once it is burnt; empty where Never is set
}

// none marks a field without a protection bit.
const none = -1

// Fields returns the whole map in table order: BLOCK0 by bit, then the blocks.
func Fields() []Field { return append([]Field(nil), esp32...) }

// Lookup finds a field by Espressif's name.
func Lookup(name string) (Field, bool) {
	for _, f := range esp32 {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// mustLookup is Lookup for names that stand in this package's own code.
func mustLookup(name string) Field {
	f, ok := Lookup(name)
	if !ok {
		panic("efuse: no field " + name)
	}
	return f
}

// Field returns the value of the named field, its first bit the LSB. It panics for
// a name that is not in the table and for a field of more than 64 bits: both are
// mistakes of the program, not of the chip.
func (w Words) Field(name string) uint64 {
	return mustLookup(name).Value(w)
}

// Value returns the field's bits in w, the first the LSB. It panics on a field of
// more than 64 bits (the whole blocks).
func (f Field) Value(w Words) uint64 {
	if f.Len > 64 {
		panic(fmt.Sprintf("efuse: %s has %d bits", f.Name, f.Len))
	}
	var v uint64
	for i := range f.Len {
		bit := f.Bit + i
		v |= uint64(w[f.Block][bit/32]>>(bit%32)&1) << i
	}
	return v
}

// Hidden reports whether RD_DIS hides the field, so that its value says nothing.
func (f Field) Hidden(w Words) bool {
	return f.RdDis != none && w[0][0]>>(16+f.RdDis)&1 == 1
}

// Frozen reports whether WR_DIS keeps the field from ever changing again.
func (f Field) Frozen(w Words) bool {
	return f.WrDis != none && w[0][0]>>f.WrDis&1 == 1
}

// mask is the field's bits within its block.
func (f Field) mask() (m [8]uint32) {
	for bit := f.Bit; bit < f.Bit+f.Len; bit++ {
		m[bit/32] |= 1 << (bit % 32)
	}
	return m
}

// place puts a value into the field's bits; what does not fit is dropped.
func (f Field) place(v uint64) (m [8]uint32) {
	for i := range min(f.Len, 64) {
		bit := f.Bit + i
		m[bit/32] |= uint32(v>>i&1) << (bit % 32)
	}
	return m
}

// frozenBy names the first field of block that has a bit in bits and is frozen in
// w, or "".
func frozenBy(w Words, block int, bits [8]uint32) string {
	for _, f := range esp32 {
		if f.Block == block && f.Frozen(w) && count(without(f.mask(), bits)) < f.Len {
			return f.Name
		}
	}
	return ""
}

// touched names the fields of block that have a bit in bits, in table order.
func touched(block int, bits [8]uint32) (names []string) {
	for _, f := range esp32 {
		if f.Block == block && count(without(f.mask(), bits)) < f.Len {
			names = append(names, f.Name)
		}
	}
	return names
}
