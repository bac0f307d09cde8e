package simulator

import "provision/internal/secureboot"

// Error numbers of ESP-IDF that show in its log.
const (
	espErrInvalidState = 0x103
	espErrNotFound     = 0x105
	espErrNotSupported = 0x106
	espErrImageInvalid = 0x2002
)

// enableSecurity is what a bootloader with security options does between loading an
// app and starting it: Secure Boot V1 key and digest, flash encryption, the enabling
// fuse. ok says that the app may start; otherwise done says whether the bootloader is
// finished with this boot or goes on to the next app. Source: ESP-IDF 5.1
// bootloader_utility.c, load_image.
func (b *boot) enableSecurity(t bootTable) (done, ok bool) {
	f := b.features
	if f.SecureBootV1 && !b.generateDigest() {
		return b.refused()
	}
	var encrypting bool
	if f.FlashEncryption {
		b.info(tagBoot, "Checking flash encryption...")
		if encrypting = !b.encryptionState(); encrypting && !b.enableEncryption(t) {
			return b.refused()
		}
	}
	if f.SecureBootV1 {
		b.info(tagBoot, "Checking secure boot...")
		if err := b.enableSecureBoot(); err != 0 {
			b.fail(tagBoot, "FAILED TO ENABLE SECURE BOOT (%d).", err)
			b.end(CauseSecurityIncomplete)
			b.loops() // it aborts
			return true, false
		}
	}
	if f.SecureBootV2 && b.chip.efuse.fuses.absDone1() {
		b.info(tagSecureV2, saysEnablesV2)
		b.info(tagSecureV2, "secure boot v2 is already enabled, continuing..")
	}
	if encrypting {
		b.info(tagBoot, "Resetting with flash encryption enabled...")
		b.again = true
		return true, false
	}
	return false, b.chip.running()
}

// refused is a security step that failed: the bootloader tries the next app.
func (b *boot) refused() (done, ok bool) {
	b.end(CauseSecurityIncomplete)
	return !b.chip.running(), false
}

// generateDigest makes the key, unless one is there, and writes sector 0: a new IV
// and the digest of the bootloader. Source: ESP-IDF 5.1 secure_boot_v1/secure_boot.c.
func (b *boot) generateDigest() bool {
	fuses := b.chip.efuse.fuses
	if fuses.absDone0() {
		b.info(tagSecureV1, "bootloader secure boot is already enabled. No need to generate digest. continuing..")
		return true
	}
	if b.features.NeedsSecureBoot {
		b.fail(tagSecureV1, "secure boot is not enabled, and SECURE_BOOT_REQUIRE_ALREADY_ENABLED is set, refusing to boot.")
		return b.noDigest(espErrInvalidState)
	}
	if fuses.coding() > CodingThreeQuarters {
		b.fail(tagSecureV1, "Unknown/unsupported CODING_SCHEME value %#x", uint8(fuses.coding()))
		return b.noDigest(espErrNotSupported)
	}
	own, ok := b.checkImage(bootloaderAt, uint32(b.tableAt-bootloaderAt), false)
	if !ok {
		b.fail(tagSecureV1, "bootloader image appears invalid! error %d", espErrImageInvalid)
		return b.noDigest(espErrImageInvalid)
	}
	if !b.secureBootKey() {
		return false
	}
	b.info(tagSecureV1, "Generating secure boot digest...")
	if !b.writeDigest(len(own.bytes)) {
		return false
	}
	b.info(tagSecureV1, "Digest generation complete.")
	return true
}

func (b *boot) noDigest(err int) bool {
	b.fail(tagBoot, "Bootloader digest generation for secure boot failed (%d).", err)
	return false
}

// secureBootKey burns a random key into a BLOCK2 that is blank and open.
func (b *boot) secureBootKey() bool {
	f := b.chip.efuse.fuses
	if f.blockHidden(2) || f.blockFrozen(2) || f[2] != ([8]uint32{}) {
		b.warn(tagSecureV1, "Using pre-loaded secure boot key in EFUSE block 2")
		return true
	}
	b.info(tagSecureV1, "Generating new secure boot key...")
	key, ok := b.randomKey(2)
	return ok && b.burn(key)
}

// writeDigest is the secure boot hardware at work: it uses the key in BLOCK2 whether
// or not software can read it. length is that of the bootloader with its hash.
func (b *boot) writeDigest(length int) bool {
	iv := make([]byte, secureboot.IVLenV1)
	if !b.noise(iv) {
		return false
	}
	key := keyInFileOrder(b.chip.efuse.fuses, 2)
	following := b.flash.read(bootloaderAt, length+secureboot.IVLenV1)
	digest, err := secureboot.DigestFlashV1(key, iv, following, length)
	if err != nil {
		b.fail(tagSecureV1, "secure boot generation failed")
		return b.noDigest(-1)
	}
	return b.eraseSector(digestAt) && b.writeFlash(digestAt, append(iv, digest[:]...), b.flash.cipher)
}

// enableSecureBoot burns ABS_DONE_0 and what goes with it. It returns ESP-IDF's error
// number.
func (b *boot) enableSecureBoot() int {
	f := b.chip.efuse.fuses
	if f.absDone0() {
		b.info(tagSecureV1, "bootloader secure boot is already enabled, continuing..")
		return 0
	}
	if f.blockHidden(2) != f.blockFrozen(2) {
		what := [2]string{"read,", "write"}
		if f.blockHidden(2) {
			what = [2]string{" ", " "} // as the message in ESP-IDF comes out
		}
		b.fail(tagSecureV1, "Pre-loaded key is not %s %s protected. Refusing to blow secure boot efuse.", what[0], what[1])
		return espErrInvalidState
	}
	b.info(tagEfuse, "Batch mode of writing fields is enabled")
	b.info(tagSecureV1, "blowing secure boot efuse...")
	b.info(tagSecure, "Read & write protecting new key...")
	want := fuseRdDis2.or(fuseWrDis2).or(fuseAbsDone0)
	want = want.or(b.commonLocks(tagSecure))
	if !b.batch(want) || !b.chip.efuse.fuses.absDone0() {
		return -1
	}
	b.info(tagSecureV1, "secure boot is now enabled for bootloader image")
	return 0
}

// commonLocks are the fuses that both features burn, unless the build leaves them.
func (b *boot) commonLocks(tag string) (want Fuses) {
	if b.features.KeepsJTAG {
		b.warn(tag, "Not disabling JTAG - SECURITY COMPROMISED")
	} else {
		b.info(tag, "Disable JTAG...")
		want = want.or(fuseJTAGDisable)
	}
	if b.features.KeepsBASIC {
		b.warn(tag, "Not disabling ROM BASIC fallback - SECURITY COMPROMISED")
	} else {
		b.info(tag, "Disable ROM BASIC interpreter fallback...")
		want = want.or(fuseConsoleDisable)
	}
	return want
}
