package ota

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// Image is a file that is to be an update, looked at once for any number of units.
// It must not be changed while it is in use, nor may the bytes it was read from. It
// is safe for concurrent use.
type Image struct {
	data   []byte
	begins bool // with the magic byte and a whole header
	header header

	parsed  *image.Image // nil: the segment chain does not hold inside the file
	sums    []byte       // of each segment's data, as far as the file has it
	looks   looks        // of a file that is no whole image
	hashOK  bool         // an appended SHA-256 is right
	v1      []string     // fingerprints of who signed it for V1, right behind the image
	v2      *secureboot.BlockV2
	v2Err   error       // why the sector behind the image is no V2 signature
	v2More  []string    // fingerprints of the signers of further blocks there
	v2Right bool        // the V2 signature is one of this content
	moved   []signature // where no unit looks
}

// header is what the unit reads first.
type header struct {
	image.Header
	segments int // as it stands there, 0 to 255
}

// Read looks at a file. Every content is something; it never fails.
func Read(data []byte) *Image {
	im := &Image{data: data}
	if len(data) >= image.HeaderLen && data[0] == image.Magic {
		im.begins = true
		im.header = readHeader(data)
	}
	im.sums = segmentSums(data, im.header.segments)
	im.parsed, _ = image.Parse(data)
	if im.parsed == nil {
		im.looks = look(data)
		return im
	}
	content := data[:im.parsed.Length]
	if im.parsed.HashAppended {
		sum := sha256.Sum256(content[:len(content)-sha256.Size])
		im.hashOK = bytes.Equal(sum[:], im.parsed.Hash)
	}
	im.readSignatures(content)
	return im
}

func readHeader(b []byte) header {
	return header{segments: int(b[1]), Header: image.Header{
		Chip:         image.ChipID(binary.LittleEndian.Uint16(b[12:])),
		MinRevMajor:  b[14],
		MinRev:       binary.LittleEndian.Uint16(b[15:]),
		MaxRev:       binary.LittleEndian.Uint16(b[17:]),
		HashAppended: b[23] == 1,
	}}
}

// segmentSums goes along the segments of an image, as far as they go, and sums up the
// data of each that is in the file.
func segmentSums(data []byte, count int) (sums []byte) {
	at := image.HeaderLen
	for range min(count, image.MaxSegments) {
		if at+segmentHeaderLen > len(data) {
			break
		}
		n := binary.LittleEndian.Uint32(data[at+4:])
		if n >= mostFlash {
			break
		}
		at += segmentHeaderLen
		sums = append(sums, xor(data[min(at, len(data)):min(at+int(n), len(data))]))
		at += int(n)
	}
	return sums
}

// xor of all bytes.
func xor(data []byte) (sum byte) {
	for len(data) >= 8 {
		w := binary.LittleEndian.Uint64(data)
		w ^= w >> 32
		w ^= w >> 16
		sum ^= byte(w) ^ byte(w>>8)
		data = data[8:]
	}
	for _, b := range data {
		sum ^= b
	}
	return sum
}

// Length is where the image ends in the file, checksum and hash included; 0 when it
// cannot be told.
func (im *Image) Length() int {
	if im.parsed == nil {
		return 0
	}
	return im.parsed.Length
}

// App is the app's descriptor, nil when it has none.
func (im *Image) App() *image.AppDescriptor {
	if im.parsed == nil {
		return nil
	}
	return im.parsed.App
}

// Scheme is the Secure Boot version the image is signed for, right behind its end,
// where units look; 0: not signed there. Nothing is said about by whom.
func (im *Image) Scheme() int {
	switch {
	case im.v2 != nil:
		return 2
	case im.signedV1():
		return 1
	}
	return 0
}

// Signers are the fingerprints of the key the image is signed with, as Device.Trusts
// holds them. For V1 there are two as a rule, and the signature does not tell which
// of them it was; a caller who knows keys can.
func (im *Image) Signers() []string {
	switch im.Scheme() {
	case 1:
		return im.v1
	case 2:
		return []string{signerV2(im.v2)}
	}
	return nil
}
