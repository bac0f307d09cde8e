package job

import (
	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/image"
)

// What firmware was built to do against what the profile asks for. Firmware that
// does more would secure the unit by itself at its first start, behind the back of
// the records and with keys that nobody has.

// mismatch is one thing that firmware was built for and the profile contradicts.
type mismatch struct {
	found bool
	what  string // what would happen
	do    string
}

func (b *builder) contradicts(path string, list []mismatch) {
	for _, m := range list {
		if m.found {
			b.fail(fault.Unsupported, path, "%s", m.what).Do = m.do
		}
	}
}

// bootloaderBuiltFor holds the bootloader's options against the profile.
func (b *builder) bootloaderBuiltFor(path string, bin []byte) {
	p := b.job.Profile
	f := image.FindBootloaderFeatures(bin)
	plain, open := p.SecureBoot.Version == 0, !p.FlashEncryption.Enabled
	b.contradicts(path, []mismatch{
		{f.SecureBootV2,
			"the bootloader was built for Secure Boot V2 and would switch it on by itself at the first start; this version knows V1 only",
			"Build it for Secure Boot V1, or without secure boot."},
		{f.ClosesDownload && !f.SecureBootV2,
			"the bootloader would close the serial port (UART_DOWNLOAD_DIS) by itself at the first start, before the station is done",
			"Build it without CONFIG_SECURE_DISABLE_ROM_DL_MODE; [lock] UART_DOWNLOAD_DIS closes the port when everything is checked."},
		{plain && f.SecureBootV1 && !f.NeedsSecureBoot,
			"the bootloader would switch Secure Boot V1 on by itself at the first start, with a key that nobody has, and the profile has no secure boot",
			"Build it without CONFIG_SECURE_BOOT, or write version = 1 in [secure_boot]."},
		{plain && f.NeedsSecureBoot,
			"the bootloader refuses to start anything unless secure boot is on, and the profile has no secure boot",
			"Build it without CONFIG_SECURE_BOOT, or write version = 1 in [secure_boot]."},
		{open && f.FlashEncryption && !f.NeedsEncryption,
			"the bootloader would encrypt the flash by itself at the first start, with a key that nobody has, and the profile has no flash encryption",
			`Build it without CONFIG_SECURE_FLASH_ENC_ENABLED, or write mode = "host" in [flash_encryption].`},
		{open && f.NeedsEncryption,
			"the bootloader refuses to start anything unless flash encryption is on, and the profile has no flash encryption",
			`Build it without CONFIG_SECURE_FLASH_ENC_ENABLED, or write mode = "host" in [flash_encryption].`},
	})
	if p.FlashEncryption.OnDevice {
		b.contradicts(path, b.encryptsItself(f))
		b.job.Conversion = &Conversion{Burns: unitBurns(f)}
	}
	if f.Silent && (plain || open) {
		b.warnf("%s: the bootloader was built without messages, so it cannot be told whether it secures a unit by itself at the first start.", path)
	}
	if f.Release && b.development() && !p.FlashEncryption.OnDevice {
		b.warnf("%s: the bootloader was built for the release policy: once encryption is switched off, the next start switches it on again for ever.", path)
	}
}

// appBuiltFor holds the app's options against the profile.
func (b *builder) appBuiltFor(path string, bin []byte) {
	p := b.job.Profile
	f := image.FindAppFeatures(bin)
	b.contradicts(path, []mismatch{
		{f.ClosesDownload,
			"the app would close the serial port (UART_DOWNLOAD_DIS) by itself at its first start, before the station is done",
			"Build it without CONFIG_SECURE_DISABLE_ROM_DL_MODE; [lock] UART_DOWNLOAD_DIS closes the port when everything is checked."},
		{f.NeedsEncryption && !p.FlashEncryption.Enabled,
			"the app stops at its start unless flash encryption is on, and the profile has no flash encryption",
			`Build it without CONFIG_SECURE_FLASH_ENC_ENABLED, or write mode = "host" in [flash_encryption].`},
		{f.FreezesCounter && b.development() && p.SecureBoot.Version != 0,
			"the app was built for the release policy: at its first start it freezes FLASH_CRYPT_CNT, and encryption could never be switched off again",
			`Build it for development mode, or write policy = "release" in [flash_encryption].`},
	})
}

// development reports whether encryption is to stay switchable.
func (b *builder) development() bool {
	e := b.job.Profile.FlashEncryption
	return e.Enabled && e.CryptCount() != efuse.CryptCountRelease
}
