package ota

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"provision/internal/flashcrypt"
	"provision/internal/image"
)

// notImage is a file that does not begin with the magic byte: what it is instead.
func (c *check) notImage() {
	data := c.im.data
	if len(data) == 0 {
		c.add(Reason{
			Code: Empty, By: AtEnd, Error: errArgument,
			Says: "The file is empty.",
			Do:   rebuild,
		})
		return
	}
	r := Reason{
		Code: NotImage, By: AtWrite, Error: errValidate,
		Lines: []string{
			failLine(tagOTA, "OTA image has invalid magic byte (expected 0xE9, saw 0x%02x)", data[0]),
			failLine(tagHTTPS, "Error: esp_ota_write failed! err=0x1503"),
		},
		Why: c.overHTTPS(),
	}
	if c.ciphertext(&r) {
		return
	}
	switch l := c.im.looks; {
	case bytes.HasPrefix(data, []byte{0xAA, 0x50}):
		r.Code = PartitionTable
		r.Says = "This is a partition table, not an app."
		r.Do = "Publish the app: in the build folder it has the project's name, as in hello_world.bin."
	case l.kind != "":
		r.Says = fmt.Sprintf("This is %s, not an app image.", l.kind)
		r.Do = l.do
	default:
		r.Says = fmt.Sprintf("This is not an app image: its first byte is 0x%02x, that of an image is 0xe9.", data[0])
		if l.inside > 0 {
			r.Says = fmt.Sprintf("The image in this file begins only after %d bytes of something else, such as a transport's header.", l.inside)
			r.Do = "Publish the image alone; what the transport puts before it must be taken off before esp_ota sees it."
			break
		}
		r.Do = "Publish the app image as the build makes it and the release step signs it."
	}
	c.add(r)
}

// overHTTPS is what an app says instead that updates itself with esp_https_ota: it
// looks at the chip id before anything else, in whatever stands there.
func (c *check) overHTTPS() string {
	const headerSize = 1024 // fewer bytes are never looked at
	ours, known := c.d.Chip.Get()
	if len(c.im.data) < headerSize || !known {
		return ""
	}
	found := binary.LittleEndian.Uint16(c.im.data[12:])
	if found == uint16(ours) {
		return ""
	}
	return fmt.Sprintf("An app that uses esp_https_ota prints instead: %s: Mismatch chip id, expected %d, found %d", tagHTTPS, uint16(ours), found)
}

// foreignKinds are files that get published by mistake.
var foreignKinds = []struct{ magic, kind, do string }{
	{"\x7fELF", "the linker's ELF file", "Publish the .bin file that the build makes from it."},
	{"\x1f\x8b", "compressed (gzip)", "Publish it uncompressed, or have the app decompress it before esp_ota."},
	{"PK\x03\x04", "a ZIP archive", "Publish the .bin file inside it."},
	{"UF2\n", "a UF2 file", "Publish the .bin file of the build."},
	{":", "an Intel HEX file", "Publish the .bin file of the build."},
	{"<", "a web page, as a server sends when a file is missing", "Look at what the server sends for that address."},
	{"{", "JSON text", "Publish the image itself, not the job or manifest that speaks of it."},
	{"-----BEGIN ", "a key or certificate", "Take it off the server at once, and publish the image."},
	{"\x1e\xf1\xee\x1b", "a Matter OTA file, with a header before the image", "Give it to the Matter provider; esp_ota must see only the image inside it."},
}

// looks are what can be told of a file that is no whole image without knowing a unit.
type looks struct {
	kind, do  string // one of foreignKinds
	inside    int    // where an image begins in it; 0: nowhere
	encrypted bool
	why       string
}

func look(data []byte) (l looks) {
	l.kind, l.do = foreignKind(data)
	if l.kind == "" {
		l.encrypted, l.why = image.LooksEncrypted(data)
	}
	if !l.encrypted && (len(data) == 0 || data[0] != image.Magic) {
		l.inside = imageInside(data)
	}
	return l
}

func foreignKind(data []byte) (kind, do string) {
	for _, k := range foreignKinds {
		if bytes.HasPrefix(data, []byte(k.magic)) {
			return k.kind, k.do
		}
	}
	return "", ""
}

// imageInside is where an image begins in the first bytes of a file, 0 for nowhere.
func imageInside(data []byte) int {
	const headMost, triesMost = 8 << 10, 32
	tries := 0
	for at := 1; at < min(len(data), headMost) && tries < triesMost; at++ {
		next := bytes.IndexByte(data[at:], image.Magic)
		if next < 0 {
			break
		}
		at += next
		if at >= headMost || !plausible(data[at:]) {
			continue
		}
		tries++
		if img, _ := image.Parse(data[at:]); img != nil {
			return at
		}
	}
	return 0
}

// plausible reports a header that could well be one: 32 bytes or more.
func plausible(b []byte) bool {
	return len(b) >= 32 && b[0] == image.Magic && b[1] >= 1 && b[1] <= image.MaxSegments &&
		binary.LittleEndian.Uint16(b[12:]) < 0x40 && b[23] <= 1
}

// ciphertext adds the reason if the file is flash ciphertext: surely, when it
// decrypts to an image with the unit's own key, or by its looks. r is completed.
func (c *check) ciphertext(r *Reason) bool {
	at, decrypts := decryptsAt(c.im.data, c.d)
	switch {
	case decrypts:
		r.Says = fmt.Sprintf("The file is already encrypted, with this unit's own flash key for offset %#x: the unit would encrypt it a second time.", at)
	case c.im.looks.encrypted:
		r.Says = "The file looks already encrypted: " + c.im.looks.why + "."
	default:
		return false
	}
	r.Code = Encrypted
	r.Do = "Publish the signed image in plain: each unit encrypts it with its own key as it writes."
	c.add(*r)
	return true
}

// decryptsAt tries the unit's own key for every place an app can be at.
func decryptsAt(data []byte, d Device) (offset uint32, ok bool) {
	if d.FlashKey == nil {
		return 0, false
	}
	places := []uint32{0x10000, 0x20000, 0x1000}
	if table, known := d.Table.Get(); known {
		for _, p := range table.Apps() {
			places = append(places, p.Offset)
		}
	}
	for _, at := range places {
		if decryptsToImage(data, d.FlashKey, at) {
			return at, true
		}
	}
	return 0, false
}

func decryptsToImage(data []byte, key *flashcrypt.Cipher, at uint32) bool {
	data = data[:len(data)/cryptBlock*cryptBlock]
	if len(data) < 32 {
		return false
	}
	head := make([]byte, 32)
	if key.DecryptAt(head, data[:32], at) != nil || !plausible(head) {
		return false
	}
	plain := make([]byte, len(data))
	if key.DecryptAt(plain, data, at) != nil {
		return false
	}
	img, _ := image.Parse(plain)
	return img != nil
}
