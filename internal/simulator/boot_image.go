package simulator

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// checkedImage is an image that has passed the bootloader's checks.
type checkedImage struct {
	header
	bytes []byte // magic to the end of checksum or hash
}

// checkImage verifies the image at off, in a place of size bytes, and lists its
// segments; load says whether to load it too, as for an app that is to be started.
// The order of the checks and their words are those of ESP-IDF 5.1
// esp_image_format.c. The first complaint ends it.
func (b *boot) checkImage(off int, size uint32, load bool) (checkedImage, bool) {
	h := b.flash.header(off)
	if h.magic != image.Magic {
		b.fail(tagImage, "image at %#x has invalid magic byte (nothing flashed here?)", off)
		return b.rejectImage(off, CauseNoApp)
	}
	if !b.runsHere(h, off != bootloaderAt) {
		return b.rejectImage(off, CauseAppWrongChip)
	}
	if h.SegmentCount > image.MaxSegments {
		b.fail(tagImage, "image at %#x segment count %d exceeds max %d", off, h.SegmentCount, image.MaxSegments)
		return b.rejectImage(off, CauseAppCorrupt)
	}
	end, ok := b.walkSegments(off, h, load)
	if !ok {
		return b.rejectImage(off, CauseAppCorrupt)
	}
	img, ok := b.checkSums(off, size, h, end)
	if !ok {
		return b.rejectImage(off, CauseAppCorrupt)
	}
	if off == bootloaderAt {
		return img, true // a V1 bootloader's own hash and signature are the ROM's business
	}
	if cause := b.checkOrigin(off, img); cause != "" {
		return b.rejectImage(off, cause)
	}
	return img, true
}

// rejectImage settles the verdict, if this was meant to become the running app.
func (b *boot) rejectImage(off int, cause Cause) (checkedImage, bool) {
	if off != bootloaderAt && !b.probing {
		b.end(cause)
	}
	return checkedImage{}, false
}

// walkSegments lists the segments and checks where they go. It returns the length of
// the image up to the end of the last one.
func (b *boot) walkSegments(off int, h header, load bool) (end int, ok bool) {
	end = image.HeaderLen
	for i := range h.SegmentCount {
		addr, n := b.flash.word(off+end), b.flash.word(off+end+4)
		end += segmentHeaderLen
		at := off + end
		mapped := image.Segment{Address: addr}.Mapped()
		if n%4 != 0 || n >= 16<<20 {
			b.fail(tagImage, "invalid segment length %#x", n)
			return 0, false
		}
		if mapped && uint32(at)%mmuPage != addr%mmuPage {
			b.fail(tagImage, "Segment %d load address 0x%08x, doesn't match data 0x%08x", i, addr, at)
			return 0, false
		}
		use := segmentUse(addr, mapped, load)
		b.info(tagImage, "segment %d: paddr=%08x vaddr=%08x size=%05xh (%6d) %s", i, at, addr, n, n, use)
		if use == "load" && n > 0 {
			if why := b.badLoad(addr, n); why != "" {
				b.fail(tagImage, "Segment %d 0x%08x-0x%08x invalid: %s", i, addr, addr+n, why)
				return 0, false
			}
		}
		end += int(n)
	}
	return end, true
}

const mmuPage = 0x10000 // the flash cache maps pages of 64 KiB

// segmentUse is the word behind a segment in the log. Addresses below 0x10000000
// mark padding.
func segmentUse(addr uint32, mapped, load bool) string {
	switch {
	case mapped:
		return "map"
	case load && addr >= 0x10000000:
		return "load"
	}
	return ""
}

// badLoad is what the bootloader has against loading an app's segment there. It must
// be internal RAM or RTC memory (ESP32 TRM, "System and Memory") and not the
// bootloader's own data; where its stack is, is not known here.
func (b *boot) badLoad(addr, n uint32) string {
	for _, r := range [][2]uint32{
		{dramStart, dramEnd}, {0x40080000, 0x400AA000},
		{0x400C0000, 0x400C2000}, {0x3FF80000, 0x3FF82000}, {0x50000000, 0x50002000},
	} {
		if addr >= r[0] && uint64(addr)+uint64(n) <= uint64(r[1]) {
			if r[0] == dramStart && b.overOwnData(addr, n) {
				return "overlaps bootloader data"
			}
			return ""
		}
	}
	return "bad load address range"
}

// overOwnData says whether n bytes at addr overlap a data segment of the bootloader.
func (b *boot) overOwnData(addr, n uint32) bool {
	at := image.HeaderLen
	for range b.loaded.SegmentCount {
		own, length := le32(b.loaded.bytes[at:]), le32(b.loaded.bytes[at+4:])
		if own >= dramStart && own < dramEnd && addr < own+length && own < addr+n {
			return true
		}
		at += segmentHeaderLen + int(length)
	}
	return false
}

// checkSums verifies the checksum byte and that the image, with the signature the
// bootloader wants behind it, fits its place.
func (b *boot) checkSums(off int, size uint32, h header, end int) (checkedImage, bool) {
	length := withChecksum(end)
	if off+length > int(b.flash.nor.size) {
		b.fail(tagImage, "bootloader_mmap(0x%x, 0x%x) failed", off, length)
		return checkedImage{}, false
	}
	body := b.flash.read(off, length)
	if sum, stored := segmentSum(body, h.SegmentCount), body[length-1]; sum != stored {
		b.fail(tagImage, "Checksum failed. Calculated %#x read %#x", sum, stored)
		return checkedImage{}, false
	}
	if h.HashAppended {
		length += hashLen
	}
	full := length
	if b.features.ChecksApps && off != bootloaderAt {
		full += b.signatureRoom(length)
	}
	if uint32(full) > size {
		b.fail(tagImage, "Image length %d doesn't fit in partition length %d", full, size)
		return checkedImage{}, false
	}
	return checkedImage{h, b.flash.read(off, length)}, true
}

// segmentSum is the checksum over the data of the segments.
func segmentSum(img []byte, count int) byte {
	sum, at := byte(checksumSeed), image.HeaderLen
	for range count {
		n := int(le32(img[at+4:]))
		at += segmentHeaderLen
		sum = xor(sum, img[at:at+n])
		at += n
	}
	return sum
}

// checkOrigin verifies the signature when the bootloader was built to, else the
// appended hash. It returns why the app is refused, or nothing.
func (b *boot) checkOrigin(off int, img checkedImage) Cause {
	if !b.features.ChecksApps {
		if img.HashAppended && !b.hashHolds(img) {
			return CauseAppCorrupt
		}
		return ""
	}
	b.info(tagImage, "Verifying image signature...")
	err := b.verifySignature(off, img)
	if err == nil {
		return ""
	}
	cause := CauseSignatureBad
	var missing *secureboot.NoSignatureError
	if errors.As(err, &missing) {
		b.fail(b.signatureTag(), "image has invalid signature version field 0x%08x (image without a signature?)", missing.Found)
		cause = CauseSignatureMissing
	}
	b.fail(tagImage, "Secure boot signature verification failed")
	b.info(tagImage, "Calculating simple hash to check for corruption...")
	if b.hashHolds(img) {
		b.warn(tagImage, "image valid, signature bad")
	} else {
		b.warn(tagImage, "image corrupted on flash")
	}
	return cause
}

// signatureTag is who complains about a V1 signature.
func (b *boot) signatureTag() string {
	if b.inApp {
		return tagSecureV1
	}
	return tagSecure
}

// errNoAppKey is a bootloader that checks signatures and holds no key to check with.
var errNoAppKey = errors.New("no verification key in the bootloader")

// verifySignature checks what stands behind the image.
func (b *boot) verifySignature(off int, img checkedImage) error {
	if b.features.SecureBootV2 {
		return b.verifyV2(off, img)
	}
	if b.features.appKey == nil {
		return errNoAppKey
	}
	block := b.flash.read(off+len(img.bytes), secureboot.BlockLenV1)
	return secureboot.VerifyBlockV1(img.bytes, block, *b.features.appKey)
}

// hashHolds compares the last 32 bytes of the image with the SHA-256 of the rest.
func (b *boot) hashHolds(img checkedImage) bool {
	body, stored := img.bytes[:len(img.bytes)-hashLen], img.bytes[len(img.bytes)-hashLen:]
	if sum := sha256.Sum256(body); bytes.Equal(sum[:], stored) {
		return true
	}
	b.fail(tagImage, "Image hash failed - image is corrupt")
	return false
}
