package simulator

import (
	"errors"
	"fmt"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// SegmentSize is the place and length of one segment.
type SegmentSize struct {
	Address uint32
	Length  int // bytes, a multiple of 4
}

// BootloaderSpec describes a bootloader for virtual chips: a valid image that holds
// no code, only what Boot reads in a real one: descriptor, messages, key.
type BootloaderSpec struct {
	Version, Compiled string // as the banner prints them; empty: "v5.2.2", "Jan  1 2024 00:00:00"
	TableOffset       uint32 // partition table; 0: 0x8000
	FlashSize         image.FlashSize

	AppKey          *secureboot.PublicKeyV1 // apps must be signed with its private half; nil: it runs any app
	SecureBootV1    bool                    // enables Secure Boot V1 by itself where it is not; needs AppKey
	SecureBootV2    bool                    // apps must be signed with the key that BLOCK2 has the digest of; not with V1
	FlashEncryption bool                    // enables flash encryption by itself where it is not
	Release         bool                    // and for good
	FreezesCounter  bool                    // with Release: by one bit and its protection, as older releases do
	Rollback        bool                    // gives a new app one boot to prove itself
	AntiRollback    bool                    // and starts none below SECURE_VERSION

	Segments []SegmentSize // nil: those of an ESP-IDF 5.2 bootloader; the first must hold the texts
	Entry    uint32        // 0: that of the same
}

// firmwareFill is what stands where a real image has code. It is no text and no key.
const firmwareFill = 0xA5

// saysEnablesV2 is how image.FindBootloaderFeatures knows a Secure Boot V2 build.
const saysEnablesV2 = "enabling secure boot v2..."

// ErrFirmware is a firmware that cannot be made as asked.
var ErrFirmware = errors.New("no such firmware")

// defaultBootloaderSegments are those of the ESP-IDF 5.2.2 hello_world bootloader.
var defaultBootloaderSegments = []SegmentSize{
	{0x3fff0030, 6036}, {0x40078000, 14948}, {0x40080400, 4}, {0x40080404, 3780},
}

const defaultBootloaderEntry = 0x4008063c

// BuildBootloader makes the bootloader image. Errors: ErrFirmware, image.ErrSpec.
func BuildBootloader(s BootloaderSpec) ([]byte, error) {
	if s.SecureBootV1 && s.AppKey == nil {
		return nil, fmt.Errorf("%w: a Secure Boot V1 bootloader holds a verification key", ErrFirmware)
	}
	if s.SecureBootV2 && s.AppKey != nil {
		return nil, fmt.Errorf("%w: a Secure Boot V2 bootloader holds no verification key", ErrFirmware)
	}
	if s.Version == "" {
		s.Version, s.Compiled = "v5.2.2", "Jan  1 2024 00:00:00"
	}
	if s.TableOffset == 0 {
		s.TableOffset = image.DefaultTableOffset
	}
	if s.Segments == nil {
		s.Segments, s.Entry = defaultBootloaderSegments, defaultBootloaderEntry
	}
	spec := image.Spec{
		Header:     image.Header{FlashMode: image.DIO, FlashSize: s.FlashSize, Entry: s.Entry, MaxRev: 399},
		Bootloader: &image.BootloaderDescriptor{Version: 1, IDFVersion: s.Version, DateTime: s.Compiled},
	}
	var err error
	spec.Segments, err = layOut(s.Segments, bootloaderDescriptorLen, s.content())
	if err != nil {
		return nil, err
	}
	b, err := image.Build(spec)
	if err != nil {
		return nil, fmt.Errorf("build virtual bootloader: %w", err)
	}
	return b, nil
}

const (
	bootloaderDescriptorLen = 80
	appDescriptorLen        = 256
)

// content are the texts and the key that findFeatures looks for.
func (s BootloaderSpec) content() []byte {
	out := text(fmt.Sprintf("%s%#x", tableMark, s.TableOffset), image.MsgMulticore)
	if s.Rollback {
		out = append(out, text(rollbackMark)...)
	}
	if s.AntiRollback {
		out = append(out, text(saysAntiRollback)...)
	}
	if s.AppKey != nil {
		out = append(out, text(image.MsgVerifying)...)
		out = append(out, s.AppKey[:]...)
	}
	if s.SecureBootV1 {
		out = append(out, text(image.MsgTagSecureBootV1, image.MsgBlowing)...)
	}
	if s.SecureBootV2 {
		out = append(out, text(image.MsgVerifying, saysEnablesV2)...)
	}
	if s.FlashEncryption {
		out = append(out, text(image.MsgEncryption)...)
		switch {
		case s.Release && s.FreezesCounter:
			out = append(out, text(image.MsgReleaseFrozen)...)
		case s.Release:
			out = append(out, text(image.MsgRelease)...)
		default:
			out = append(out, text(image.MsgKeepsDLEncrypt)...)
		}
	}
	return out
}

// text are C strings.
func text(texts ...string) (out []byte) {
	for _, t := range texts {
		out = append(append(out, t...), 0)
	}
	return out
}

// layOut makes segments of exactly those sizes, content at the start of the first,
// behind the descriptor that image.Build puts there.
func layOut(sizes []SegmentSize, descriptor int, content []byte) ([]image.Segment, error) {
	var out []image.Segment
	for i, s := range sizes {
		n := s.Length
		if i == 0 {
			n -= descriptor
		}
		if i == 0 && n < len(content) || n < 0 || s.Length%4 != 0 {
			return nil, fmt.Errorf("%w: segment %d of %d bytes", ErrFirmware, i, s.Length)
		}
		data := make([]byte, n)
		for j := range data {
			data[j] = firmwareFill
		}
		if i == 0 {
			copy(data, content)
		}
		out = append(out, image.Segment{Address: s.Address, Data: data})
	}
	return out, nil
}

// AppSpec describes an app for virtual chips, likewise without code.
type AppSpec struct {
	Project, Version string   // of the descriptor
	SecureVersion    uint32   // likewise, for anti-rollback
	IDFVersion       string   // empty: "v5.2.2"
	Says             []string // lines the chip prints when it runs

	SecureBootV1 bool // room for a signature at the end, and the start-up check of a Secure Boot V1 build
	Release      bool // the start-up check of a build with Secure Boot and release flash encryption
	Size         int  // bytes of data to map, at least 4096; 0: 4096
}

// BuildApp makes the app image, unsigned: secureboot.AppendSignatureV1 does the rest.
// Errors: ErrFirmware, image.ErrSpec.
func BuildApp(s AppSpec) ([]byte, error) {
	var content []byte
	for _, line := range s.Says {
		content = append(content, text("provision-demo-says: "+line+"\n")...)
	}
	spec := image.Spec{
		Header: image.Header{FlashMode: image.DIO, FlashSize: image.Size2MB, Entry: 0x40080000, MaxRev: 399},
		App: &image.AppDescriptor{
			SecureVersion: s.SecureVersion, Version: s.Version, ProjectName: s.Project, IDFVersion: s.IDFVersion,
			Time: "00:00:00", Date: "Jan  1 2024",
		},
	}
	if spec.App.IDFVersion == "" {
		spec.App.IDFVersion = "v5.2.2"
	}
	if s.SecureBootV1 {
		spec.Pad = image.PadV1
		content = append(content, text("eFuse BLOCK%d "+saysFixKey)...)
	}
	if s.Release {
		content = append(content, text(image.MsgFreezesCounter, saysModeRelease)...)
	}
	var err error
	spec.Segments, err = layOut([]SegmentSize{
		{0x3f400020, max(s.Size+3, 4096) &^ 3}, {0x3ffb0000, 64}, {0x40080000, 1024},
	}, appDescriptorLen, content)
	if err != nil {
		return nil, err
	}
	b, err := image.Build(spec)
	if err != nil {
		return nil, fmt.Errorf("build virtual app: %w", err)
	}
	return b, nil
}
