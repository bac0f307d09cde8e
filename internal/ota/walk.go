package ota

import (
	"encoding/binary"
	"fmt"

	"provision/internal/image"
)

const (
	segmentHeaderLen = 8
	mostFlash        = 16 << 20 // bytes: no segment is as long
	mmuPage          = 0x10000  // the flash cache maps pages of 64 KiB
)

// walk goes through the segments as esp_image_verify does and checks the checksum. It
// returns the image's length, hash included, and whether the walk came to an end; if
// not, the reason has been added.
func (c *check) walk() (length int, ok bool) {
	h := c.im.header
	if h.segments > image.MaxSegments {
		c.add(Reason{
			Code: BadSegments, By: AtEnd, Error: errValidate,
			Says:  fmt.Sprintf("The file begins like an image and then claims %d segments, where 16 is the most: it is damaged.", h.segments),
			Lines: []string{failLine(tagImage, "image at %s segment count %d exceeds max %d", c.at(0, "%#x"), h.segments, image.MaxSegments)},
			Do:    rebuild,
		})
		return 0, false
	}
	end, sum := image.HeaderLen, byte(0xEF)
	for i := range h.segments {
		addr, n, ok := c.segment(i, end)
		if !ok {
			return 0, false
		}
		end += segmentHeaderLen
		if (image.Segment{Address: addr}).Mapped() && c.offset(end)%mmuPage != addr%mmuPage {
			c.add(Reason{
				Code: BadSegments, By: AtEnd, Error: errValidate,
				Says:  fmt.Sprintf("Segment %d of the image does not stand where it could be mapped from flash: bytes are missing or too many before it.", i),
				Lines: []string{failLine(tagImage, "Segment %d load address 0x%08x, doesn't match data %s", i, addr, c.at(end, "0x%08x"))},
				Do:    rebuild,
			})
			return 0, false
		}
		part, ok := c.dataSum(i, end, int(n))
		if !ok {
			c.cutShort()
			return 0, false
		}
		sum ^= part
		end += int(n)
	}
	return c.tail(end, sum)
}

// rebuild is what to do about a damaged file.
const rebuild = "Take the file from the build again, whole and in binary, and compare its SHA-256 with the build's."

// segment reads the header of a segment.
func (c *check) segment(i, at int) (addr, n uint32, ok bool) {
	raw, sure := c.view.read(at, segmentHeaderLen)
	if !sure {
		c.cutShort()
		return 0, 0, false
	}
	addr, n = binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:])
	if n%4 == 0 && n < mostFlash {
		return addr, n, true
	}
	if at+segmentHeaderLen > len(c.im.data) {
		c.cutShort(failLine(tagImage, "invalid segment length %#x", n))
		return 0, 0, false
	}
	c.add(Reason{
		Code: BadSegments, By: AtEnd, Error: errValidate,
		Says:  fmt.Sprintf("Segment %d of the image has an impossible length: the file is damaged.", i),
		Lines: []string{failLine(tagImage, "invalid segment length %#x", n)},
		Do:    rebuild,
	})
	return 0, 0, false
}

// dataSum is the checksum over the data of segment i, of which the file may not hold
// all. ok is false when the rest cannot be foretold.
func (c *check) dataSum(i, at, n int) (sum byte, ok bool) {
	if i < len(c.im.sums) {
		sum = c.im.sums[i]
	}
	inFile := max(0, min(n, len(c.im.data)-at))
	for at, n = at+inFile, n-inFile; n > 0; {
		part, sure := c.view.read(at, min(n, sectorLen))
		if !sure {
			return 0, false
		}
		sum ^= xor(part)
		at += len(part)
		n -= len(part)
	}
	return sum, true
}

// cutShort is a file that ends before its image does. lines are what the unit then
// prints, where that can be foretold.
func (c *check) cutShort(lines ...string) {
	err := errValidate
	if len(c.im.data) < cryptBlock && is(c.d.FlashEncryption, true) {
		err = errArgument // esp_ota_end knows only of whole blocks that were written
	}
	c.add(Reason{
		Code: Truncated, By: AtEnd, Error: err, Lines: lines,
		Says: fmt.Sprintf("The file is cut short: it ends at %d bytes, and the image in it goes on.", len(c.im.data)),
		Do:   rebuild,
	})
}

// tail checks what follows the segments.
func (c *check) tail(end int, sum byte) (length int, ok bool) {
	length = end/16*16 + 16
	stored, sure := c.view.read(length-1, 1)
	if !sure {
		c.cutShort()
		return 0, false
	}
	if sum != stored[0] {
		line := failLine(tagImage, "Checksum failed. Calculated %#x read %#x", sum, stored[0])
		if length > len(c.im.data) {
			c.cutShort(line)
			return 0, false
		}
		c.add(Reason{
			Code: BadChecksum, By: AtEnd, Error: errValidate,
			Says:  "The image is damaged: its checksum does not match its content.",
			Lines: []string{line},
			Do:    rebuild,
		})
		return 0, false
	}
	if c.im.header.HashAppended {
		length += hashLen
	}
	return length, true
}

const hashLen = 32
