package image

import (
	"bytes"
	"fmt"
	"math"
)

// LooksEncrypted reports whether data is flash ciphertext rather than a plain
// file, and in words why: something that is no image, no partition table and no
// other file with structure, but noise. An image for another chip or with a bad
// checksum is still plain. Compressed data is noise too; neither belongs where a
// plain image is expected. Fewer than 1024 bytes are never judged encrypted.
func LooksEncrypted(data []byte) (bool, string) {
	const fewest, most = 1024, 64 << 10 // enough to judge, and to judge quickly
	if len(data) < fewest {
		return false, fmt.Sprintf("%d bytes are too few to tell", len(data))
	}
	if img, _ := Parse(data); img != nil { // whatever is wrong with it
		return false, "it holds an image in plain"
	}
	if bytes.HasPrefix(data, tableMagic) {
		return false, "it holds a partition table in plain"
	}
	sample := data[:min(len(data), most)]
	// Noise reaches 8 bits a byte, less the bias of a finite sample, half of which
	// may be repetition (see twinUnits); code and text stay below 7.
	bits, noise := entropy(sample), 8-255/(math.Ln2*float64(len(sample)))
	if bits < noise-0.15 {
		return false, fmt.Sprintf("%.2f bits of entropy a byte: not ciphertext", bits)
	}
	if n := twinUnits(sample); n > 0 {
		return true, fmt.Sprintf("no image, %.2f bits of entropy a byte, and %d units of 32 bytes with equal halves, as flash encryption makes of padding", bits, n)
	}
	return true, fmt.Sprintf("no image, and %.2f bits of entropy a byte: encrypted or compressed", bits)
}

// entropy returns the Shannon entropy of the byte values, in bits a byte.
func entropy(data []byte) float64 {
	var counts [256]int
	for _, b := range data {
		counts[b]++
	}
	var bits float64
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(data))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// twinUnits counts aligned units of 32 bytes whose 16-byte halves are equal: flash
// encryption uses one key for both, so constant plaintext shows.
func twinUnits(data []byte) (n int) {
	for i := 0; i+32 <= len(data); i += 32 {
		if bytes.Equal(data[i:i+16], data[i+16:i+32]) {
			n++
		}
	}
	return n
}
