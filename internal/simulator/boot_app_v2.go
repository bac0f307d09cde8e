package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"

	"provision/internal/secureboot"
)

const tagSecureV2 = "secure_boot_v2"

// errV2 is an app whose Secure Boot V2 signature does not hold. Why has been printed.
var errV2 = errors.New("no good Secure Boot V2 signature")

// verifyV2 checks the signature sector behind an app, in the words of the bootloader
// or of an app. Source: ESP-IDF 5.1 secure_boot_v2/secure_boot_signatures_bootloader.c
// and _app.c. What a V2 bootloader burns by itself at a first start is not modelled.
func (b *boot) verifyV2(off int, img checkedImage) error {
	padded := (len(img.bytes) + norSector - 1) / norSector * norSector
	content, sector := b.flash.read(off, padded), b.flash.read(off+padded, norSector)
	shown, _ := readable(b.chip.efuse.fuses)
	var trusted [sha256.Size]byte = wordBytes(shown[2])
	if b.inApp {
		return b.verifyV2InApp(content, sector, trusted)
	}
	if trusted == ([sha256.Size]byte{}) {
		if b.chip.efuse.fuses.absDone1() {
			b.fail(tagSecureV2, "Could not read eFuse secure boot digests!")
			return errV2
		}
		b.info(tagSecureV2, "Secure boot V2 is not enabled yet and eFuse digest keys are not set")
		trusted = ownDigest(sector)
	}
	b.info(tagSecureV2, "Verifying with RSA-PSS...")
	if err := secureboot.VerifySectorV2(content, sector, trusted); err != nil {
		b.line("Sig block 0 %s", v2Complaint(err))
		b.fail(tagSecureV2, "Secure Boot V2 verification failed.")
		return errV2
	}
	b.info(tagSecureV2, "Signature verified successfully!")
	return nil
}

// ownDigest is the digest of the key in a signature block, zeros when there is none.
func ownDigest(sector []byte) (digest [sha256.Size]byte) {
	if block, err := secureboot.ParseBlockV2(sector); err == nil {
		digest, _ = secureboot.KeyDigestV2(block.Key) // a block that parses has a key that fits
	}
	return digest
}

// verifyV2InApp trusts BLOCK2 only, and keeps silent about a block that is none or of
// another key. It looks at the signature, not at the digest beside it.
func (b *boot) verifyV2InApp(content, sector []byte, trusted [sha256.Size]byte) error {
	b.info(tagSecureV2, "Take trusted digest key(s) from eFuse block(s)")
	block, err := secureboot.ParseBlockV2(sector)
	if err != nil || ownDigest(sector) != trusted {
		return errV2
	}
	b.info(tagSecureV2, "#0 app key digest == #0 trusted key digest")
	b.info(tagSecureV2, "Verifying with RSA-PSS...")
	digest := sha256.Sum256(content)
	pss := &rsa.PSSOptions{SaltLength: sha256.Size, Hash: crypto.SHA256}
	if rsa.VerifyPSS(block.Key, crypto.SHA256, digest[:], block.Signature, pss) != nil {
		b.fail(tagSecureV2, "Failed mbedtls_rsa_rsassa_pss_verify, err: %d", mbedtlsVerifyFailed)
		return errV2
	}
	b.info(tagSecureV2, "Signature verified successfully!")
	return nil
}

const mbedtlsVerifyFailed = -0x4380 // MBEDTLS_ERR_RSA_VERIFY_FAILED

// signatureRoom is what the signature takes behind an app of that length.
func (b *boot) signatureRoom(length int) int {
	if b.features.SecureBootV2 {
		return (norSector-length%norSector)%norSector + norSector
	}
	return secureboot.BlockLenV1
}
