package image

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// SecurePad makes room in an app for its signature, so that the signed file ends
// where a 64 KiB page of flash does.
type SecurePad int

const (
	NoPad SecurePad = iota
	PadV1           // 68 bytes of signature and 12 to spare end on the page
	PadV2           // the image itself ends on the page; the signature sector follows
)

const padTailV1 = 68 + 12

// ErrSpec means an image that cannot be built as asked.
var ErrSpec = errors.New("cannot build image")

// Spec describes an image to build.
type Spec struct {
	Header                           // SegmentCount, Reserved and HashAppended are set by Build; WPPin 0 becomes 0xEE
	Segments   []Segment             // Address and Data; Offset is not read
	App        *AppDescriptor        // put in front of the first segment's data
	Bootloader *BootloaderDescriptor // likewise; not both
	NoHash     bool                  // leave out the SHA-256
	Pad        SecurePad             // needs the SHA-256
}

// Build makes a valid image. Where a segment is to be mapped through the flash
// cache and does not come to stand right for it, a padding segment is put before
// it; segment data is filled with zeros to a multiple of 4. The signature is not
// part of it. Too many segments or too long ones, both descriptors, a descriptor
// text that does not fit or is not printable, and padding without hash are ErrSpec.
func Build(spec Spec) ([]byte, error) {
	segments, err := spec.layOut()
	if err != nil {
		return nil, err
	}
	head := spec.Header
	head.SegmentCount, head.HashAppended, head.Reserved = len(segments), !spec.NoHash, [4]byte{}
	if head.WPPin == 0 {
		head.WPPin = wpPinUnused
	}
	out := head.encode()
	for _, s := range segments {
		out = binary.LittleEndian.AppendUint32(out, s.Address)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(s.Data)))
		out = append(out, s.Data...)
	}
	out = append(out, make([]byte, checksumEnd(len(out))-len(out))...)
	out[len(out)-1] = checksum(segments)
	if !spec.NoHash {
		sum := sha256.Sum256(out)
		out = append(out, sum[:]...)
	}
	return out, nil
}

// layOut returns the segments as they will stand in the file, padding included.
func (spec Spec) layOut() ([]Segment, error) {
	if len(spec.Segments) == 0 {
		return nil, fmt.Errorf("%w: no segments", ErrSpec)
	}
	if spec.Pad != NoPad && spec.NoHash {
		return nil, fmt.Errorf("%w: padding for a signature needs the SHA-256", ErrSpec)
	}
	prefix, err := spec.descriptor()
	if err != nil {
		return nil, err
	}
	var out []Segment
	at := HeaderLen
	add := func(address uint32, data []byte) {
		out = append(out, Segment{Address: address, Offset: at + segmentHeaderLen, Data: data})
		at += segmentHeaderLen + len(data)
	}
	for i, s := range spec.Segments {
		data := s.Data
		if i == 0 {
			data = append(prefix, data...)
		}
		data = zeroFill(data)
		if len(data) >= maxSegmentLen || s.Mapped() && s.Address%4 != 0 {
			return nil, fmt.Errorf("%w: segment %d of %d bytes for %#x is too long or not aligned", ErrSpec, i, len(data), s.Address)
		}
		if n, needed := mapGap(s, at); needed {
			add(0, make([]byte, n))
		}
		add(s.Address, data)
	}
	if spec.Pad != NoPad {
		add(0, make([]byte, spec.Pad.gap(at)))
	}
	if len(out) > MaxSegments {
		return nil, fmt.Errorf("%w: %d segments with padding (at most %d)", ErrSpec, len(out), MaxSegments)
	}
	return out, nil
}

// mapGap returns the data length of the padding segment that must stand at offset
// at, so that s, coming next, can be mapped; needed is false where s fits already.
func mapGap(s Segment, at int) (n int, needed bool) {
	if !s.Mapped() {
		return 0, false
	}
	distance := modPage(int(s.Address%pageLen) - (at + segmentHeaderLen))
	if distance == 0 {
		return 0, false
	}
	return modPage(distance - segmentHeaderLen), true
}

// gap returns the data length of a last padding segment at offset at. The checksum
// after it has a line of 16 to itself.
func (p SecurePad) gap(at int) int {
	tail := segmentHeaderLen + 16 + hashLen
	if p == PadV1 {
		tail += padTailV1
	}
	return modPage(-(at + tail))
}

// modPage returns n modulo 64 KiB, never negative.
func modPage(n int) int { return (n%pageLen + pageLen) % pageLen }

func zeroFill(data []byte) []byte {
	filled := make([]byte, (len(data)+3)/4*4)
	copy(filled, data)
	return filled
}

// descriptor returns the encoded descriptor, if any, checking that its texts read
// back as they were given.
func (spec Spec) descriptor() ([]byte, error) {
	switch {
	case spec.App != nil && spec.Bootloader != nil:
		return nil, fmt.Errorf("%w: an app has no bootloader descriptor", ErrSpec)
	case spec.App != nil:
		encoded := spec.App.encode()
		if back := decodeAppDescriptor(encoded); *back != *spec.App {
			return nil, fmt.Errorf("%w: app descriptor has a text that is too long or not printable", ErrSpec)
		}
		return encoded, nil
	case spec.Bootloader != nil:
		encoded := spec.Bootloader.encode()
		if back := decodeBootloaderDescriptor(encoded); back == nil || *back != *spec.Bootloader {
			return nil, fmt.Errorf("%w: bootloader descriptor has a text that is empty, too long or not printable", ErrSpec)
		}
		return encoded, nil
	}
	return nil, nil
}
