package simulator

import (
	"bytes"
	"encoding/binary"
	"maps"

	"provision/internal/flashcrypt"
	"provision/internal/image"
)

// cacheView is the flash as the processor reads it through the cache: decrypted
// when FLASH_CRYPT_CNT is odd. It is taken at a reset, when the hardware decides.
type cacheView struct {
	nor     *norFlash
	cipher  *flashcrypt.Cipher // nil: encryption is off
	sectors map[uint32][]byte  // decrypted so far
	before  *decrypted         // in earlier resets
}

func newCacheView(c *Chip) *cacheView {
	v := &cacheView{nor: &c.nor, sectors: map[uint32][]byte{}}
	if f := c.efuse.fuses; f.encryptionOn() {
		v.cipher, v.before = c.flashCipher(), &c.plain
		v.before.use(f)
	}
	return v
}

// flashCipher is the encryption hardware with the key and configuration burnt in,
// hidden or not.
func (c *Chip) flashCipher() *flashcrypt.Cipher {
	f := c.efuse.fuses
	cipher, err := flashcrypt.New(keyInFileOrder(f, 1), f.cryptConfig())
	if err != nil {
		// Only a key length or configuration that four fuses cannot hold.
		panic("simulator: flash cipher: " + err.Error())
	}
	return cipher
}

// keyInFileOrder is the key in BLOCK1 or BLOCK2 as host tools hold it: the reverse
// of the block's bytes; 24 bytes with coding scheme 3/4.
func keyInFileOrder(f Fuses, block int) []byte {
	n := 32
	words := f[block]
	if f.coding() == CodingThreeQuarters {
		words, _ = decodeThreeQuarters(words)
		n = 24
	}
	raw := wordBytes(words)
	key := make([]byte, n)
	for i := range key {
		key[i] = raw[n-1-i]
	}
	return key
}

// read returns n bytes from off; beyond the end the flash's addresses wrap.
func (v *cacheView) read(off, n int) []byte {
	if v.cipher == nil {
		return v.nor.read(uint32(off), n)
	}
	out := make([]byte, 0, n)
	for n > 0 {
		part := v.sector(uint32(off / norSector * norSector))[off%norSector:]
		part = part[:min(n, len(part))]
		out = append(out, part...)
		off += len(part)
		n -= len(part)
	}
	return out
}

func (v *cacheView) word(off int) uint32 { return binary.LittleEndian.Uint32(v.read(off, 4)) }

// sector is one decrypted sector.
func (v *cacheView) sector(at uint32) []byte {
	at %= v.nor.size
	if s, ok := v.sectors[at]; ok {
		return s
	}
	raw := v.nor.read(at, norSector)
	s, ok := v.before.find(at, raw)
	if !ok {
		s = make([]byte, norSector)
		if err := v.cipher.DecryptAt(s, raw, at); err != nil {
			panic("simulator: decrypt flash: " + err.Error()) // aligned and inside 16 MiB: cannot be
		}
		v.before.sectors[at] = decryptedSector{raw, s}
	}
	v.sectors[at] = s
	return s
}

// decrypted remembers sectors from one reset to the next: most do not change, and a
// sector is 128 blocks, each with a key of its own.
type decrypted struct {
	with    hardwareKey
	sectors map[uint32]decryptedSector // by offset
}

// hardwareKey is all that decides what the encryption hardware does.
type hardwareKey struct {
	block1 [8]uint32
	coding CodingScheme
	config uint8
}

// decryptedSector is what a sector held, and what that meant. Nobody changes either.
type decryptedSector struct{ raw, plain []byte }

// use forgets what was decrypted with another key.
func (d *decrypted) use(f Fuses) {
	if with := (hardwareKey{f[1], f.coding(), f.cryptConfig()}); d.sectors == nil || d.with != with {
		d.with, d.sectors = with, map[uint32]decryptedSector{}
	}
}

// find returns what a sector means that holds raw, if that is known.
func (d *decrypted) find(at uint32, raw []byte) ([]byte, bool) {
	known, ok := d.sectors[at]
	return known.plain, ok && bytes.Equal(known.raw, raw)
}

// clone is for another chip with the same flash.
func (d *decrypted) clone() decrypted { return decrypted{d.with, maps.Clone(d.sectors)} }

// forget drops what was decrypted: the flash has changed.
func (v *cacheView) forget() { clear(v.sectors) }

// header is the first 24 bytes of an image in flash.
type header struct {
	image.Header
	magic byte
}

// header reads the image header at off.
func (v *cacheView) header(off int) header {
	b := v.read(off, image.HeaderLen)
	return header{magic: b[0], Header: image.Header{
		SegmentCount: int(b[1]),
		FlashMode:    image.FlashMode(b[2]),
		FlashFreq:    image.FlashFreq(b[3] & 0xF),
		FlashSize:    image.FlashSize(b[3] >> 4),
		Entry:        binary.LittleEndian.Uint32(b[4:]),
		WPPin:        b[8],
		PinDrive:     [3]byte(b[9:12]),
		Chip:         image.ChipID(binary.LittleEndian.Uint16(b[12:])),
		MinRevMajor:  b[14],
		MinRev:       binary.LittleEndian.Uint16(b[15:]),
		MaxRev:       binary.LittleEndian.Uint16(b[17:]),
		HashAppended: b[23] == 1,
	}}
}

const (
	segmentHeaderLen = 8
	hashLen          = 32
	checksumSeed     = 0xEF
)

// withChecksum is the length of an image whose segments end at n, up to and with
// its checksum byte, which is the last of a 16-byte block.
func withChecksum(n int) int { return (n + 1 + 15) &^ 15 }

// xor is the checksum of an image, carried on over more data.
func xor(sum byte, data []byte) byte {
	for _, b := range data {
		sum ^= b
	}
	return sum
}
