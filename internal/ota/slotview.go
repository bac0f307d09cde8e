package ota

import (
	"bytes"

	"provision/internal/flashcrypt"
)

const (
	cryptBlock = 16 // esp_ota writes whole blocks when flash encryption is on
	sectorLen  = 0x1000
	eraseByte  = 0xFF
)

// slotView is a slot as the unit reads it after esp_ota has written a file into it.
type slotView struct {
	file   []byte
	slot   slot
	crypt  Fact[bool]         // flash encryption
	cipher *flashcrypt.Cipher // nil: the unit's key is not known
}

// read returns what the unit reads at off. sure is false when some of it depends on
// what is not known: the unit's key, or what the slot held before; 0xFF stands there.
// n is small.
func (v slotView) read(off, n int) (b []byte, sure bool) {
	b, sure = bytes.Repeat([]byte{eraseByte}, n), true
	inFile := 0
	if off < len(v.file) {
		inFile = copy(b, v.file[off:])
	}
	if inFile == n {
		return b, true
	}
	on, known := v.crypt.Get()
	erasedTo := roundUp(len(v.file), sectorLen)
	if !known || off+n > erasedTo || v.slot.known && off+n > int(v.slot.size) {
		return b, false
	}
	if !on {
		return b, true
	}
	written := roundUp(len(v.file), cryptBlock) // the filling of the last block is not defined
	if v.cipher == nil || !v.slot.known || max(off, len(v.file)) < written {
		return b, false
	}
	return v.noise(b, off, inFile), true
}

// noise replaces what follows the first n bytes of b by what the unit's key makes of
// erased flash there.
func (v slotView) noise(b []byte, off, n int) []byte {
	from := (off + n) / cryptBlock * cryptBlock
	buf := bytes.Repeat([]byte{eraseByte}, roundUp(off+len(b), cryptBlock)-from)
	if v.cipher.DecryptAt(buf, buf, v.slot.offset+uint32(from)) != nil {
		return b // beyond what the cipher covers
	}
	copy(b[n:], buf[off+n-from:])
	return b
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
