package image

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Layouts of the descriptors at the head of an image's first segment. Sources:
// ESP-IDF esp_app_desc.h, esp_bootloader_desc.h.
const (
	appMagic         = 0xABCD5432
	appDescriptorLen = 256

	bootMagic         = 0x50
	bootDescriptorLen = 80
)

// AppDescriptor is what an app says of itself. Texts are cut at the first zero
// byte; characters that could upset a terminal are shown as '?'.
type AppDescriptor struct {
	SecureVersion uint32 // for anti-rollback
	Version       string // 31 bytes at most in an image, as ProjectName and IDFVersion
	ProjectName   string
	Time, Date    string // of compilation, as the C compiler writes them; 15 bytes
	IDFVersion    string
	ELFSHA256     [32]byte
}

func decodeAppDescriptor(b []byte) *AppDescriptor {
	if len(b) < appDescriptorLen || binary.LittleEndian.Uint32(b) != appMagic {
		return nil
	}
	return &AppDescriptor{
		SecureVersion: binary.LittleEndian.Uint32(b[4:]),
		Version:       text(b[16:48]),
		ProjectName:   text(b[48:80]),
		Time:          text(b[80:96]),
		Date:          text(b[96:112]),
		IDFVersion:    text(b[112:144]),
		ELFSHA256:     [32]byte(b[144:]),
	}
}

func (d *AppDescriptor) encode() []byte {
	b := make([]byte, appDescriptorLen)
	binary.LittleEndian.PutUint32(b, appMagic)
	binary.LittleEndian.PutUint32(b[4:], d.SecureVersion)
	putText(b[16:48], d.Version)
	putText(b[48:80], d.ProjectName)
	putText(b[80:96], d.Time)
	putText(b[96:112], d.Date)
	putText(b[112:144], d.IDFVersion)
	copy(b[144:], d.ELFSHA256[:])
	return b
}

// BootloaderDescriptor is what a bootloader of ESP-IDF 5.2 and later says of itself.
// Texts are treated as in AppDescriptor.
type BootloaderDescriptor struct {
	SecureVersion uint8
	Version       uint32
	IDFVersion    string // 31 bytes at most in an image
	DateTime      string // 23 bytes
}

// decodeBootloaderDescriptor recognises a descriptor by more than its magic, which
// is only one byte: the reserved bytes are zero and the version is text.
func decodeBootloaderDescriptor(b []byte) *BootloaderDescriptor {
	if len(b) < bootDescriptorLen || b[0] != bootMagic || b[1] != 0 || b[2] != 0 || !isText(b[8:40]) || !isText(b[40:64]) {
		return nil
	}
	return &BootloaderDescriptor{
		SecureVersion: b[3],
		Version:       binary.LittleEndian.Uint32(b[4:]),
		IDFVersion:    text(b[8:40]),
		DateTime:      text(b[40:64]),
	}
}

func (d *BootloaderDescriptor) encode() []byte {
	b := make([]byte, bootDescriptorLen)
	b[0], b[3] = bootMagic, d.SecureVersion
	binary.LittleEndian.PutUint32(b[4:], d.Version)
	putText(b[8:40], d.IDFVersion)
	putText(b[40:64], d.DateTime)
	return b
}

// text returns a zero-terminated field. It ends up on screens and in records, so
// nothing but printable ASCII gets through.
func text(field []byte) string {
	field, _, _ = bytes.Cut(field, []byte{0})
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(field))
}

// isText reports whether field is zero-terminated, not empty and printable ASCII.
func isText(field []byte) bool {
	content, _, terminated := bytes.Cut(field, []byte{0})
	return terminated && len(content) > 0 && text(content) == string(content)
}

// putText fills a field, leaving at least one zero byte at its end.
func putText(field []byte, s string) { copy(field[:len(field)-1], s) }
