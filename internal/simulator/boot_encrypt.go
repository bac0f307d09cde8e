package simulator

import (
	"provision/internal/flashcrypt"
	"provision/internal/image"
)

// Flash encryption as a bootloader enables it on its first boot. Source of order and
// words: ESP-IDF 5.1 flash_encryption/flash_encrypt.c and
// esp32/flash_encryption_secure_features.c.

// encryptionState reports whether encryption is on.
func (b *boot) encryptionState() bool {
	f := b.chip.efuse.fuses
	if !f.encryptionOn() {
		return false
	}
	left := (7 - popcount(f.cryptCnt())) / 2
	if f.wrDis()&4 != 0 {
		left = 0
	}
	b.info(tagEncrypt, "flash encryption is enabled (%d plaintext flashes left)", left)
	return true
}

// enableEncryption makes key and settings, encrypts the flash in place, and sets the
// counter. What it has begun before a failure stays.
func (b *boot) enableEncryption(t bootTable) bool {
	f := b.chip.efuse.fuses
	if b.features.NeedsEncryption {
		b.fail(tagBoot, "flash encryption is not enabled, and SECURE_FLASH_REQUIRE_ALREADY_ENABLED is set, refusing to boot.")
		return false
	}
	if f.wrDis()&4 != 0 {
		b.fail(tagEncrypt, "Flash Encryption cannot be enabled (CRYPT_CNT (%d) is write protected)", popcount(f.cryptCnt()))
		return false
	}
	if f.cryptCnt() == 0 && !b.encryptionFuses() {
		return false
	}
	return b.encryptContents(t) && b.setCryptCnt()
}

// encryptionFuses burns the key, unless one is there and closed, and everything that
// goes with it but the counter.
func (b *boot) encryptionFuses() bool {
	f := b.chip.efuse.fuses
	b.info(tagEfuse, "Batch mode of writing fields is enabled")
	var want Fuses
	switch unused := !f.blockHidden(1) && !f.blockFrozen(1) && f[1] == ([8]uint32{}); {
	case unused:
		b.info(tagEncrypt, "Generating new flash encryption key...")
		key, ok := b.randomKey(1)
		if !ok {
			return false
		}
		b.info(tagEfuse, "Writing EFUSE_BLK_KEY0 with purpose 2")
		want = key.or(fuseRdDis1).or(fuseWrDis1)
	case !f.blockHidden(1) || !f.blockFrozen(1):
		b.fail(tagEncrypt, "Invalid key state, check read&write protection for key and keypurpose(if exists)")
		b.info(tagEfuse, "Batch mode of writing fields is cancelled")
		b.fail(tagBoot, "Initialization of Flash Encryption key failed (%d)", espErrInvalidState)
		return false
	default:
		b.info(tagEncrypt, "Using pre-loaded flash encryption key in efuse")
	}
	return b.batch(want.or(b.encryptionLocks()))
}

// encryptionLocks are the settings and locks of flash encryption.
func (b *boot) encryptionLocks() (want Fuses) {
	b.info(tagEncrypt, "Setting CRYPT_CONFIG efuse to 0xF")
	switch conf := b.chip.efuse.fuses.cryptConfig(); conf {
	case 0:
		want = fuseCryptConfig
	case flashcrypt.ConfAll:
	default:
		b.fail(tagEncrypt, "EFUSE_ENCRYPT_CONFIG should be set 0xF but it is %#x", conf)
	}
	for _, lock := range []struct {
		kept      bool
		fuse      Fuses
		does, not string
	}{
		{b.features.KeepsDLEncrypt, fuseDLEncrypt, "Disable UART bootloader encryption...", image.MsgKeepsDLEncrypt},
		{b.features.KeepsDLDecrypt, fuseDLDecrypt, "Disable UART bootloader decryption...", image.MsgKeepsDLDecrypt + " - SECURITY COMPROMISED"},
		{b.features.KeepsDLCache, fuseDLCache, "Disable UART bootloader MMU cache...", image.MsgKeepsDLCache + " - SECURITY COMPROMISED"},
	} {
		if lock.kept {
			b.warn(tagEncrypt, "%s", lock.not)
			continue
		}
		b.info(tagEncrypt, "%s", lock.does)
		want = want.or(lock.fuse)
	}
	return want.or(b.commonLocks(tagEncrypt)).or(fuseWrDisCache)
}

// encryptContents encrypts in place what a chip with encryption on will read through
// the cipher: bootloader, digest, partition table, valid apps, otadata, NVS keys, and
// what is flagged.
func (b *boot) encryptContents(t bootTable) bool {
	b.probing = true
	defer func() { b.probing = false }()
	cipher := b.chip.flashCipher()
	own, ok := b.checkImage(bootloaderAt, uint32(b.tableAt-bootloaderAt), false)
	if !ok {
		b.warn(tagEncrypt, "no valid bootloader was found")
		b.fail(tagBoot, "Encryption flash contents failed (%d)", espErrNotFound)
		return false
	}
	if !b.encryptRegion(bootloaderAt, len(own.bytes), cipher) {
		return false
	}
	if b.features.SecureBootV1 && !b.encryptRegion(digestAt, norSector, cipher) {
		return false
	}
	b.info(tagEncrypt, "bootloader encrypted successfully")
	if !b.encryptRegion(b.tableAt, norSector, cipher) {
		return false
	}
	b.info(tagEncrypt, "partition table encrypted and loaded successfully")
	for i, p := range t.rows {
		if !b.encryptPartition(i, p, cipher) {
			return false
		}
	}
	return true
}

func (b *boot) encryptPartition(i int, p image.Partition, cipher *flashcrypt.Cipher) bool {
	due := p.Encrypted()
	if p.Type == image.TypeApp {
		_, due = b.checkImage(int(p.Offset), p.Size, false) // an empty slot is left alone
	}
	if !due {
		return b.chip.running()
	}
	b.info(tagEncrypt, "Encrypting partition %d at offset %#x (length %#x)...", i, p.Offset, p.Size)
	if !b.encryptRegion(int(p.Offset), int(p.Size), cipher) {
		return false
	}
	b.info(tagEncrypt, "Done encrypting")
	return true
}

// encryptRegion reads, erases and writes back sector by sector. A power cut between
// leaves the flash half converted, as on a real device.
func (b *boot) encryptRegion(off, n int, cipher *flashcrypt.Cipher) bool {
	for at := off; at < off+n; at += norSector {
		plain := b.chip.nor.read(uint32(at), norSector)
		if !b.eraseSector(uint32(at)) || !b.writeFlash(uint32(at), plain, cipher) {
			return false
		}
	}
	return true
}

// setCryptCnt turns encryption on: by the lowest bit that is still clear, and in a
// release build for good, by all bits or by the counter's write protection.
func (b *boot) setCryptCnt() bool {
	count := b.chip.efuse.fuses.cryptCnt()
	set := ^count & (count + 1) & 0x7F
	protect := uint32(0)
	switch {
	case b.features.FreezesCounter:
		b.info(tagEncrypt, image.MsgReleaseFrozen)
		protect = 1 << 2
	case b.features.Release:
		b.info(tagEncrypt, image.MsgRelease)
		set = 0x7F &^ count
	}
	if !b.burn(fuse(0, set<<20|protect)) {
		return false
	}
	b.info(tagEncrypt, "Flash encryption completed")
	return true
}
