package efuse

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
)

// ImageSize is the length in bytes of all fuses in one row: BLOCK0 (7 words) and
// BLOCK1 to BLOCK3 (8 words each).
const ImageSize = (7 + 3*8) * 4

// Words holds all fuses as the chip reads them: block, then word, bit 0 the LSB.
// BLOCK0 has seven words, its word 7 is always 0. A read-protected block reads as
// zeros: unknown, never blank. With coding scheme 3/4 words 6 and 7 of BLOCK1 to
// BLOCK3 are no data.
//
// While BLOCK1 and BLOCK2 are not yet hidden, Words holds key material. Printing
// it, as text or JSON, shows BLOCK0 and BLOCK3 only; Bytes gives everything.
type Words [4][8]uint32

// Without returns the bits set in w and not in other.
func (w Words) Without(other Words) (out Words) {
	for block := range w {
		out[block] = without(w[block], other[block])
	}
	return out
}

// blockLen is the number of words of a block.
func blockLen(block int) int {
	if block == 0 {
		return 7
	}
	return 8
}

// Bytes returns the fuses as one row: BLOCK0 (7 words), BLOCK1, BLOCK2, BLOCK3
// (8 words each), every word little-endian. It holds keys that are not hidden.
func (w Words) Bytes() [ImageSize]byte {
	var out [ImageSize]byte
	at := 0
	for block := range w {
		for i := range blockLen(block) {
			binary.LittleEndian.PutUint32(out[at:], w[block][i])
			at += 4
		}
	}
	return out
}

// ParseWords is the reverse of Bytes. Any length but ImageSize is ErrShape.
func ParseWords(image []byte) (Words, error) {
	var w Words
	if len(image) != ImageSize {
		return w, fmt.Errorf("eFuse image of %d bytes, want %d: %w", len(image), ImageSize, ErrShape)
	}
	for block := range w {
		for i := range blockLen(block) {
			w[block][i] = binary.LittleEndian.Uint32(image)
			image = image[4:]
		}
	}
	return w, nil
}

// Public returns w without the contents of the two key blocks, as if both were
// hidden: what may be logged, shown and kept.
func (w Words) Public() Words {
	w[1], w[2] = [8]uint32{}, [8]uint32{}
	return w
}

// Hidden reports whether block is read-protected, so that its words say nothing.
// BLOCK0 never is.
func (w Words) Hidden(block int) bool {
	return block > 0 && w[0][0]&readDisable(block) != 0
}

// WriteProtected reports whether a key or user block can no longer be burnt.
func (w Words) WriteProtected(block int) bool {
	return block > 0 && w[0][0]&writeDisable(block) != 0
}

// Format prints the words in hex, whatever the verb; key blocks only as a state.
func (w Words) Format(f fmt.State, _ rune) {
	for block, text := range w.texts() {
		if block > 0 {
			io.WriteString(f, " ")
		}
		fmt.Fprintf(f, "BLOCK%d: %s", block, text)
	}
}

// MarshalJSON shows what Format shows. The words themselves are kept by Bytes.
func (w Words) MarshalJSON() ([]byte, error) {
	return json.Marshal(w.texts())
}

// texts is one printable state a block.
func (w Words) texts() (out [4]string) {
	for block := range w {
		switch {
		case w.Hidden(block):
			out[block] = "[hidden]"
		case w[block] == [8]uint32{}:
			out[block] = "[zero]"
		case block == 1 || block == 2:
			out[block] = "[secret]"
		default:
			out[block] = fmt.Sprintf("%08x", w[block][:blockLen(block)])
		}
	}
	return out
}

// readDisable and writeDisable are the bits of BLOCK0 word 0 that hide and freeze
// BLOCK1 to BLOCK3 (ESP32 TRM: RD_DIS bits 0 to 2, WR_DIS bits 7 to 9).
func readDisable(block int) uint32  { return 1 << (16 + block - 1) }
func writeDisable(block int) uint32 { return 1 << (7 + block - 1) }

// without returns the bits of a that are clear in b.
func without(a, b [8]uint32) (out [8]uint32) {
	for i := range a {
		out[i] = a[i] &^ b[i]
	}
	return out
}

// join returns the bits set in a or b.
func join(a, b [8]uint32) (out [8]uint32) {
	for i := range a {
		out[i] = a[i] | b[i]
	}
	return out
}

// count is the number of bits set.
func count(a [8]uint32) (n int) {
	for _, word := range a {
		n += bits.OnesCount32(word)
	}
	return n
}

// missingBits returns the bits still to be burnt so that have becomes want; a bit
// set in have and clear in want is ErrCannotClear.
func missingBits(have, want [8]uint32) ([8]uint32, error) {
	if n := count(without(have, want)); n > 0 {
		return [8]uint32{}, fmt.Errorf("%d bits are set that should be clear: %w", n, ErrCannotClear)
	}
	return without(want, have), nil
}
