package image

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	ErrNotImage     = errors.New("not an ESP32 image")
	ErrTruncated    = errors.New("image is cut short")
	ErrSegmentCount = errors.New("image has an impossible number of segments")
	ErrSegment      = errors.New("image has an impossible segment")
	ErrChecksum     = errors.New("image checksum is wrong")
	ErrHash         = errors.New("image SHA-256 is wrong")
	ErrChip         = errors.New("image is for another chip")
)

// ChecksumError is ErrChecksum with both values, as the bootloader prints them.
type ChecksumError struct {
	Calculated, Read byte
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%v: calculated %#02x, read %#02x", ErrChecksum, e.Calculated, e.Read)
}

// Is makes errors.Is(err, ErrChecksum) hold.
func (e *ChecksumError) Is(target error) bool { return target == ErrChecksum }

// Segment is one piece of an image. Address 0 is padding. Data aliases the bytes
// that were parsed.
type Segment struct {
	Address uint32
	Offset  int // of Data, from the start of the image
	Data    []byte
}

// Segments at these addresses are not copied to RAM but mapped through the flash
// cache, in pages of 64 KiB. Source: ESP32 TRM, "System and Memory".
const (
	dromStart, dromEnd = 0x3F400000, 0x3F800000
	iromStart, iromEnd = 0x400D0000, 0x40400000
	pageLen            = 0x10000
)

// Mapped reports whether the segment is read in place, through the flash cache.
func (s Segment) Mapped() bool {
	return s.Address >= dromStart && s.Address < dromEnd || s.Address >= iromStart && s.Address < iromEnd
}

// Image is a parsed app or bootloader image.
type Image struct {
	Header
	Segments   []Segment
	Checksum   byte
	Hash       []byte                // 32 bytes; nil when none is appended
	Length     int                   // bytes from magic to the end of checksum or hash
	Trailing   []byte                // what follows in the file: a signature, padding, nothing
	App        *AppDescriptor        // nil: no app, or a very old one
	Bootloader *BootloaderDescriptor // nil: no bootloader, or one before ESP-IDF 5.2
}

// Parse reads the image at the start of data; data may go on after it. Slices of
// the result alias data.
//
// ErrNotImage (no magic byte), ErrTruncated, ErrSegmentCount and ErrSegment (a
// length that is no multiple of 4 or beyond 16 MiB) leave no image to speak of: the
// result is nil. With ErrChip, ErrSegment for a mapped segment that is not placed
// for mapping, ErrChecksum and ErrHash, all that apply joined, the image is
// returned too, for display.
func Parse(data []byte) (*Image, error) {
	if len(data) == 0 || data[0] != Magic {
		return nil, fmt.Errorf("%w: %s", ErrNotImage, firstByte(data))
	}
	if len(data) < HeaderLen {
		return nil, fmt.Errorf("%w: %d bytes are no header", ErrTruncated, len(data))
	}
	img := &Image{Header: decodeHeader(data)}
	end, err := img.readSegments(data)
	if err != nil {
		return nil, err
	}
	if err := img.readTail(data, end); err != nil {
		return nil, err
	}
	first := img.Segments[0].Data
	img.App = decodeAppDescriptor(first)
	img.Bootloader = decodeBootloaderDescriptor(first)
	return img, img.judge(data)
}

func firstByte(data []byte) string {
	if len(data) == 0 {
		return "it is empty"
	}
	return fmt.Sprintf("first byte is %#02x, not 0xe9", data[0])
}

// readSegments walks the segment chain and returns the offset of its end.
func (img *Image) readSegments(data []byte) (end int, err error) {
	if img.SegmentCount < 1 || img.SegmentCount > MaxSegments {
		return 0, fmt.Errorf("%w: %d (1 to %d)", ErrSegmentCount, img.SegmentCount, MaxSegments)
	}
	end = HeaderLen
	for i := range img.SegmentCount {
		if end+segmentHeaderLen > len(data) {
			return 0, fmt.Errorf("%w: no header for segment %d of %d at %#x", ErrTruncated, i, img.SegmentCount, end)
		}
		address, length := binary.LittleEndian.Uint32(data[end:]), binary.LittleEndian.Uint32(data[end+4:])
		start := end + segmentHeaderLen
		if length%4 != 0 || length >= maxSegmentLen {
			return 0, fmt.Errorf("%w: segment %d has length %#x", ErrSegment, i, length)
		}
		end = start + int(length)
		if end > len(data) {
			return 0, fmt.Errorf("%w: segment %d ends at %#x, the file at %#x", ErrTruncated, i, end, len(data))
		}
		img.Segments = append(img.Segments, Segment{Address: address, Offset: start, Data: data[start:end:end]})
	}
	return end, nil
}

// readTail takes checksum and hash, which follow the segments at end.
func (img *Image) readTail(data []byte, end int) error {
	img.Length = checksumEnd(end)
	if img.HashAppended {
		img.Length += hashLen
	}
	if img.Length > len(data) {
		return fmt.Errorf("%w: it ends at %#x, the file at %#x", ErrTruncated, img.Length, len(data))
	}
	img.Checksum = data[checksumEnd(end)-1]
	if img.HashAppended {
		img.Hash = data[img.Length-hashLen : img.Length : img.Length]
	}
	img.Trailing = data[img.Length:]
	return nil
}

// checksumEnd returns where the checksum ends when segments end at end: zeros fill
// up so that it is the last byte of a line of 16.
func checksumEnd(end int) int { return end/16*16 + 16 }

// checksum is 0xEF XORed with every byte of segment data.
func checksum(segments []Segment) byte {
	sum := byte(0xEF)
	for _, s := range segments {
		for _, b := range s.Data {
			sum ^= b
		}
	}
	return sum
}

// judge checks what can be wrong with an image whose structure holds.
func (img *Image) judge(data []byte) error {
	var errs []error
	if img.Chip != ESP32 {
		errs = append(errs, fmt.Errorf("%w: %v", ErrChip, img.Chip))
	}
	for i, s := range img.Segments {
		if s.Mapped() && s.Offset%pageLen != int(s.Address%pageLen) {
			errs = append(errs, fmt.Errorf("%w: segment %d for %#x cannot be mapped from offset %#x", ErrSegment, i, s.Address, s.Offset))
		}
	}
	if sum := checksum(img.Segments); sum != img.Checksum {
		errs = append(errs, &ChecksumError{Calculated: sum, Read: img.Checksum})
	}
	if img.HashAppended && sha256.Sum256(data[:img.Length-hashLen]) != [hashLen]byte(img.Hash) {
		errs = append(errs, ErrHash)
	}
	return errors.Join(errs...)
}
