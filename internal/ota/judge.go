package ota

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"provision/internal/secureboot"
)

// signatureRoom is what the signature of a scheme takes behind an image of that
// length.
func signatureRoom(length, scheme int) int {
	switch scheme {
	case 1:
		return secureboot.BlockLenV1
	case 2:
		return sectorEnd(length) - length + secureboot.SectorLen
	}
	return 0
}

// origin checks who the image is from and whether it is whole: the signature where
// the unit wants one, else the appended hash. Where the facts leave open what the
// unit wants, it must be content in every case, or the facts are missing.
func (c *check) origin(length int) {
	schemes := c.d.schemes()
	if len(schemes) == 1 {
		c.originOf(length, schemes[0])
		return
	}
	refused := 0
	var one check
	for _, scheme := range schemes {
		try := *c
		try.Reasons, try.Missing = nil, nil
		try.originOf(length, scheme)
		if len(try.Reasons) > 0 || len(try.Missing) > 0 {
			refused++
			one = try
		}
	}
	switch {
	case refused == 0:
		return
	case refused == len(schemes):
		c.Reasons = append(c.Reasons, one.Reasons...)
	}
	if !c.d.SecureBoot.known {
		c.miss("its Secure Boot version (none, V1 or V2)")
	}
	if !c.d.ChecksApps.known {
		c.miss("whether its bootloader verifies the signature of apps")
	}
	for _, fact := range one.Missing {
		c.miss(fact)
	}
}

// originOf is origin for one scheme.
func (c *check) originOf(length, scheme int) {
	if length > len(c.im.data) {
		c.endless(length, scheme)
		return
	}
	if (scheme == 0 || is(c.d.AppVerifies, false)) && c.im.parsed.HashAppended && !c.im.hashOK {
		c.add(Reason{
			Code: BadHash, By: AtEnd, Error: errValidate, Lines: []string{hashFailed},
			Says: "The image is damaged, or was changed after the build: its SHA-256 does not match.",
			Do:   rebuild,
		})
	}
	switch scheme {
	case 1:
		c.wantV1(length)
	case 2:
		c.wantV2()
	}
}

var hashFailed = failLine(tagImage, "Image hash failed - image is corrupt")

// refuseSignature adds a reason of the signature check. lines are those before the
// common ones; with an app that does not verify, the bootloader says them.
func (c *check) refuseSignature(r Reason, lines ...string) {
	r.By, r.Error = AtEnd, errValidate
	byBootloader := is(c.d.AppVerifies, false)
	if byBootloader {
		r.By, r.Error = AtBoot, ""
		for i, l := range lines {
			lines[i] = strings.Replace(l, tagSignedV1+": ", "secure_boot: ", 1)
		}
	}
	r.Lines = append(lines, failLine(tagImage, "Secure boot signature verification failed"))
	if c.im.parsed.HashAppended && !c.im.hashOK && r.Code != ChangedSigned {
		c.note("The image's own SHA-256 does not match either: it was changed or damaged after the build.")
	}
	if c.im.hashOK {
		r.Lines = append(r.Lines, warnLine(tagImage, "image valid, signature bad"))
	} else {
		r.Lines = append(r.Lines, hashFailed, warnLine(tagImage, "image corrupted on flash"))
	}
	if byBootloader {
		r.Lines = append(r.Lines, failLine(tagBoot, "OTA app partition slot %d is not bootable", c.slot.index))
	}
	c.add(r)
}

const (
	saysECDSA = "The image is signed for Secure Boot V2 with an ECDSA key, as newer chips want it; no ESP32 takes that."

	doSign   = "Sign the image with the app-signing key of the fleet (provision ota sign), and publish the signed file in plain."
	doResign = "Sign the file of the build again (provision ota sign), and publish it exactly as it comes out."
)

// wantV1 is a unit that wants an ECDSA signature right behind the image.
func (c *check) wantV1(length int) {
	if c.im.signedV1() {
		c.signerV1(length)
		return
	}
	value, line := c.versionField(length)
	r := Reason{Code: NotSigned, Do: doSign, Why: c.explain(length, value),
		Says: "The image is not signed, and this unit runs only apps signed with the fleet's app-signing key."}
	switch m := c.movedSignature(1); {
	case c.im.v2 != nil:
		r.Code = WrongVersion
		r.Says = "The image is signed for Secure Boot V2 (RSA), and this unit wants a V1 signature (ECDSA)."
		r.Do = "Sign the file of the build with the ECDSA key of the V1 units: provision ota sign with that key."
	case c.im.ecdsaV2():
		r.Code = WrongVersion
		r.Says = saysECDSA
		r.Do = "Sign the file of the build with the ECDSA key of the V1 units, as for Secure Boot V1: provision ota sign with that key."
	case m != nil:
		c.moved(&r, m, length)
	}
	if line == "" {
		c.refuseSignature(r)
		return
	}
	c.refuseSignature(r, line)
}

// versionField is what the unit takes for the signature's version, as digits, and
// the line it prints about it: none for 0.
func (c *check) versionField(length int) (value, line string) {
	raw, sure := c.view.read(length, 4)
	value = "0x????????"
	if sure {
		value = fmt.Sprintf("0x%08x", binary.LittleEndian.Uint32(raw))
	}
	if value == "0x00000000" {
		return value, ""
	}
	return value, failLine(tagSignedV1, "image has invalid signature version field %s (image without a signature?)", value)
}

// explain says where the number comes from.
func (c *check) explain(length int, value string) string {
	const what = "The number is no version. Right behind the image the unit expects a signature, which begins with 0; it prints the four bytes it finds there instead: "
	behind := len(c.im.data) - length
	switch {
	case value == "0x000002e7", value == "0x000003e7":
		return what + "the beginning of a Secure Boot V2 signature."
	case behind >= 4:
		return what + fmt.Sprintf("the first of the %d bytes that follow the image in this file.", behind)
	case value == "0xffffffff":
		return what + "the file ends with the image, and erased flash reads as ff."
	case is(c.d.FlashEncryption, true):
		return what + "the file ends with the image, and erased flash that is read through flash encryption is noise, another on every unit."
	case is(c.d.FlashEncryption, false):
		return what + "the file ends with the image, and what follows in the slot may be left from an older app."
	}
	return what + "the file ends with the image, and what follows is erased flash, or noise where flash encryption is on."
}

// movedSignature is one of that scheme which stands elsewhere; rather one by a key
// the unit trusts.
func (c *check) movedSignature(scheme int) *signature {
	var found *signature
	trusts, _ := c.d.Trusts.Get()
	for i, m := range c.im.moved {
		switch {
		case m.scheme == scheme && intersects(m.signers, trusts):
			return &c.im.moved[i]
		case m.scheme == scheme && found == nil && (scheme == 2 || m.at+secureboot.BlockLenV1 == len(c.im.data)):
			found = &c.im.moved[i]
		}
	}
	return found
}

// moved makes r the reason for a signature at another place.
func (c *check) moved(r *Reason, m *signature, length int) {
	r.Code = MovedSignature
	r.Says = fmt.Sprintf("The signature was made for a file of another length: it stands at byte %d, and the unit looks for it at byte %d, right behind the image.",
		m.at, length)
	r.Do = "Sign the image as the build makes it: nothing may be put between image and signature, no padding and no wrapper."
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool {
		return slices.ContainsFunc(b, func(t string) bool { return strings.EqualFold(s, t) })
	})
}

// signerV1 judges a V1 signature that is where it belongs.
func (c *check) signerV1(length int) {
	if n := len(c.im.data) - length - secureboot.BlockLenV1; n > 0 {
		c.note("%d bytes follow the signature; the unit ignores them.", n)
	}
	trusts, known := c.d.Trusts.Get()
	switch {
	case !known:
		c.miss("the fingerprint of the key that its bootloader verifies apps with")
	case intersects(c.im.v1, trusts):
	case !c.im.hashOK && c.im.parsed.HashAppended:
		c.refuseSignature(c.changed())
	default:
		c.refuseSignature(c.otherKey(c.im.v1, trusts))
	}
}

func (c *check) changed() Reason {
	return Reason{Code: ChangedSigned, Do: doResign,
		Says: "The image was changed after it was signed, or damaged on the way: neither its signature nor its SHA-256 match."}
}

// otherKey names both fingerprints.
func (c *check) otherKey(signers, trusts []string) Reason {
	signed := "a key that cannot be told"
	if len(signers) > 0 {
		signed = "key " + strings.Join(short(signers), " or ")
	}
	ours := "no key at all"
	if len(trusts) > 0 {
		ours = "key " + strings.Join(short(trusts), " or ")
	}
	r := Reason{Code: OtherKey,
		Says: fmt.Sprintf("The image is signed with another key than this unit trusts: with %s, and the unit trusts %s.", signed, ours),
		Do:   "Sign the file of the build with the key that this unit trusts (provision ota sign)."}
	if len(signers) > 1 {
		r.Why = "A V1 signature leaves two keys possible; it was made with one of them, unless content or signature were changed afterwards."
	}
	return r
}

// short are fingerprints cut to what people compare.
func short(fingerprints []string) (out []string) {
	for _, f := range fingerprints {
		out = append(out, f[:min(len(f), 16)])
	}
	return out
}

// wantV2 is a unit that wants an RSA signature in the sector behind the image.
func (c *check) wantV2() {
	im := c.im
	if n := len(im.data) - sectorEnd(im.parsed.Length) - secureboot.SectorLen; im.v2 != nil && n > 0 {
		c.note("%d bytes follow the signature; the unit ignores them.", n)
	}
	trusts, known := c.d.Trusts.Get()
	switch {
	case im.v2 == nil:
		c.noV2()
	case !known:
		c.miss("the digest of the key that it trusts (BLOCK2)")
	case !intersects([]string{signerV2(im.v2)}, trusts):
		r := c.otherKey([]string{signerV2(im.v2)}, trusts)
		if intersects(im.v2More, trusts) {
			r.Why = "A further signature in the file is by a key that the unit trusts, and an ESP32 looks at the first signature only."
		}
		c.refuseSignature(r, c.onlyBootloader("Sig block 0 signed with untrusted key")...)
	case !im.v2Right:
		r := c.changed()
		r.Says = "The image was changed or padded in another way after it was signed: its signature does not match."
		lines := c.onlyBootloader("Sig block 0 invalid: Image digest does not match")
		if lines == nil {
			lines = []string{failLine(tagSignedV2, "Failed mbedtls_rsa_rsassa_pss_verify, err: -17280")}
		}
		c.refuseSignature(r, lines...)
	}
}

// onlyBootloader is a line that the ROM prints for the bootloader and no app does.
func (c *check) onlyBootloader(line string) []string {
	if is(c.d.AppVerifies, false) {
		return []string{line, failLine(tagSignedV2, "Secure Boot V2 verification failed.")}
	}
	return nil
}

// noV2 is a file without a V2 signature where it belongs.
func (c *check) noV2() {
	r := Reason{Code: NotSigned, Do: doSign,
		Says: "The image is not signed, and this unit runs only apps signed with the fleet's app-signing key."}
	switch m := c.movedSignature(2); {
	case c.im.signedV1():
		r.Code = WrongVersion
		r.Says = "The image is signed for Secure Boot V1 (ECDSA), and this unit wants a V2 signature (RSA)."
		r.Do = "Sign the file of the build with the RSA key of the V2 units: provision ota sign with that key."
	case c.im.ecdsaV2():
		r.Code = WrongVersion
		r.Says = saysECDSA
		r.Do = "Sign the file of the build with the RSA key of the V2 units: provision ota sign with that key."
	case m != nil:
		c.moved(&r, m, sectorEnd(c.im.parsed.Length))
	case c.im.v2Damaged():
		r.Code = ChangedSigned
		r.Says = "The block of the image's signature is damaged."
		r.Do = doResign
	}
	c.refuseSignature(r, c.onlyBootloader("Sig block 0 invalid: magic or CRC")...)
}

// endless is a file that ends inside the checksum's line or the hash, and what the
// unit then reads happens to suit it so far.
func (c *check) endless(length, scheme int) {
	switch {
	case scheme == 0 && !c.im.header.HashAppended:
		c.note("The last bytes of the image are missing; erased flash happens to read the same.")
	case scheme == 0:
		c.cutShort(hashFailed)
	default:
		var lines []string
		if _, line := c.versionField(length); scheme == 1 && line != "" {
			lines = append(lines, line)
		}
		lines = append(lines, failLine(tagImage, "Secure boot signature verification failed"), hashFailed, warnLine(tagImage, "image corrupted on flash"))
		c.cutShort(lines...)
	}
}
