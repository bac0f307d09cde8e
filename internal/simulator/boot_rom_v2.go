package simulator

import (
	"crypto/sha256"
	"errors"

	"provision/internal/secureboot"
)

// checkV2 holds the signature sector behind the bootloader against it, and the key
// in it against the digest in BLOCK2, as the ROM can read that: a hidden block is
// zeros, and trusts nobody.
func (b *boot) checkV2(length int) bool {
	padded := (length + norSector - 1) / norSector * norSector
	content := b.flash.read(bootloaderAt, padded)
	sector := b.flash.read(bootloaderAt+padded, norSector)
	shown, _ := readable(b.chip.efuse.fuses)
	var trusted [sha256.Size]byte = wordBytes(shown[2])
	err := secureboot.VerifySectorV2(content, sector, trusted)
	if err == nil {
		return true
	}
	b.line("Sig block 0 %s", v2Complaint(err))
	b.end(CauseSecureBootV2Fail)
	b.line("ets_main.c 371 ")
	return false
}

// v2Complaint is the ROM's reason. The first two are known from logs.
func v2Complaint(err error) string {
	switch {
	case errors.Is(err, secureboot.ErrImageDigest):
		return "invalid: Image digest does not match"
	case errors.Is(err, secureboot.ErrUntrustedKey):
		return "signed with untrusted key"
	case errors.Is(err, secureboot.ErrBadSignature):
		return "invalid: Signature does not match"
	}
	return "invalid: magic or CRC"
}
