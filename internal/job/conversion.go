package job

import (
	"slices"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/secureboot"
)

// Conversion is what the bootloader of a unit does by itself at its first start, when
// the profile has it encrypt the flash: ESP-IDF flash_encryption/flash_encrypt.c,
// esp32/flash_encryption_secure_features.c.
type Conversion struct {
	Burns []string // fuses besides FLASH_CRYPT_CNT and FLASH_CRYPT_CONFIG, as efuse.Goal.UnitBurns
	Bytes uint32   // of flash that are encrypted in place, with the job's files and no others there
	Most  uint32   // with an image in every app partition
}

// unitBurns are the fuses that a bootloader with those options burns before it
// encrypts. One without messages says nothing of what it leaves: it is taken to burn
// them all.
func unitBurns(f image.BootloaderFeatures) (names []string) {
	for _, lock := range []struct {
		name string
		left bool
	}{
		{"JTAG_DISABLE", f.KeepsJTAG},
		{"CONSOLE_DEBUG_DISABLE", f.KeepsBASIC},
		{"DISABLE_DL_ENCRYPT", f.KeepsDLEncrypt},
		{"DISABLE_DL_DECRYPT", f.KeepsDLDecrypt},
		{"DISABLE_DL_CACHE", f.KeepsDLCache},
	} {
		if !lock.left {
			names = append(names, lock.name)
		}
	}
	return append(names, "DIS_CACHE")
}

// encryptsItself holds a bootloader that is to encrypt the flash against the profile.
func (b *builder) encryptsItself(f image.BootloaderFeatures) []mismatch {
	const orHost = `, or write mode = "host" in [flash_encryption].`
	able := f.FlashEncryption && !f.NeedsEncryption
	list := []mismatch{
		{f.Silent,
			"the bootloader was built without messages, so it cannot be told whether it encrypts the flash at the first start",
			"Build it with CONFIG_BOOTLOADER_LOG_LEVEL_INFO" + orHost},
		{!f.Silent && !f.FlashEncryption,
			"the bootloader was built without flash encryption: the unit would never encrypt itself",
			"Build it with CONFIG_SECURE_FLASH_ENC_ENABLED" + orHost},
		{f.NeedsEncryption,
			"the bootloader starts nothing unless flash encryption is on already: the unit would never encrypt itself",
			"Build it without CONFIG_SECURE_FLASH_REQUIRE_ALREADY_ENABLED" + orHost},
		{able && b.job.Profile.SecureBoot.Version == 1 && !f.SecureBootV1,
			"the bootloader was built without Secure Boot V1: it would leave its digest in plain text, and the unit would not start again",
			"Build it with CONFIG_SECURE_BOOT" + orHost},
		{able && f.Development && !b.development(),
			"the bootloader was built for development mode: it would set only one bit of FLASH_CRYPT_CNT, and the profile's policy is release",
			`Build it with CONFIG_SECURE_FLASH_ENCRYPTION_MODE_RELEASE, or write policy = "development" in [flash_encryption].`},
		{able && f.Release && b.development(),
			"the bootloader was built for the release policy: it would switch encryption on for ever, and the profile's policy is development",
			`Build it with CONFIG_SECURE_FLASH_ENCRYPTION_MODE_DEVELOPMENT, or write policy = "release" in [flash_encryption].`},
		{able && !f.Release && !f.Development && b.development(),
			"the bootloader does not tell whether it switches encryption on for ever, and the profile's policy is development",
			"Build it with CONFIG_BOOTLOADER_LOG_LEVEL_INFO" + orHost},
		{able && f.FreezesCounter && b.job.Profile.Lock.UARTDownloadDis,
			"the bootloader would freeze FLASH_CRYPT_CNT when it encrypts, and UART_DOWNLOAD_DIS with it, which the profile burns last",
			"Build it with ESP-IDF 5.0 or later, leave UART_DOWNLOAD_DIS out of [lock]" + orHost},
		{able && !f.Release && !f.Development && b.job.Profile.Lock.UARTDownloadDis,
			"the bootloader does not tell whether it freezes FLASH_CRYPT_CNT when it encrypts, and UART_DOWNLOAD_DIS with it, which the profile burns last",
			"Build it with CONFIG_BOOTLOADER_LOG_LEVEL_INFO, leave UART_DOWNLOAD_DIS out of [lock]" + orHost},
	}
	return append(list, b.burnsUnasked(able, f)...)
}

// burnsUnasked are the locks that the bootloader burns and the profile does not want.
func (b *builder) burnsUnasked(able bool, f image.BootloaderFeatures) (list []mismatch) {
	for _, name := range unitBurns(f) {
		if name == "DIS_CACHE" {
			continue // profiles are held to it
		}
		list = append(list, mismatch{able && !b.job.Profile.Lock.Burns(name),
			"the bootloader would burn " + name + " by itself when it encrypts, and the profile leaves that open",
			"Build it so that it leaves that open, or write " + name + " = true in [lock]."})
	}
	return list
}

// span is a piece of flash in whole sectors.
type span struct{ from, to uint32 }

func sectors(from, to uint64) span {
	return span{uint32(from), uint32((to + SectorSize - 1) / SectorSize * SectorSize)}
}

// conversion asks of every region whether the unit will encrypt exactly what the job
// counts as encrypted: what a unit makes of its flash is known beforehand, or the job
// is none.
func (b *builder) conversion() {
	c := b.job.Conversion
	if c == nil || b.bootEnd == 0 {
		return
	}
	converted, most := b.converted()
	for _, s := range converted {
		c.Bytes += s.to - s.from
	}
	for _, s := range append(converted, most...) {
		c.Most += s.to - s.from
	}
	for _, r := range b.job.Regions {
		switch in := covered(r, converted); {
		case r.Encrypt && in < len(r.Data):
			b.fail(fault.Unsupported, "", "%s is to be encrypted, and the unit would leave %d bytes of it in plain text", r.Name, len(r.Data)-in).Do =
				`Mark its partition as encrypted in the table, take what lies behind the image out of the file, or write mode = "host" in [flash_encryption].`
		case !r.Encrypt && in > 0:
			b.fail(fault.Unsupported, "", "%s is to stay in plain text, and the unit would encrypt %d bytes of it", r.Name, in).Do =
				`Put it into a partition that is not encrypted, or write mode = "host" in [flash_encryption].`
		}
	}
}

// converted is what the unit encrypts, and what it would encrypt besides if something
// were there that the job does not write. An app partition is encrypted whole when it
// holds an app that the bootloader accepts, and else left alone.
func (b *builder) converted() (spans, others []span) {
	table := b.job.Profile.Images.PartitionTableOffset
	spans = []span{sectors(BootloaderOffset, uint64(b.bootEnd)), {table, table + SectorSize}}
	if b.job.Profile.SecureBoot.Version == 1 {
		spans = append(spans, span{0, SectorSize})
	}
	for _, part := range b.job.Table.Partitions {
		s := sectors(uint64(part.Offset), part.End())
		switch {
		case part.Encrypted() && (part.Type != image.TypeApp || b.holdsApp(part)):
			spans = append(spans, s)
		case part.Type == image.TypeApp:
			others = append(others, s)
		}
	}
	return spans, others
}

// holdsApp reports whether the job puts an app there that the bootloader accepts.
func (b *builder) holdsApp(part image.Partition) bool {
	i := slices.IndexFunc(b.job.Regions, func(r Region) bool { return r.Offset == part.Offset })
	if i < 0 {
		return false
	}
	data := b.job.Regions[i].Data
	im, err := image.Parse(data)
	return err == nil && (b.pub == nil || secureboot.VerifyBlockV1(data[:im.Length], im.Trailing, *b.pub) == nil)
}

// covered is how many bytes of a region lie in the spans, which do not overlap.
func covered(r Region, spans []span) (n int) {
	for _, s := range spans {
		if from, to := max(r.Offset, s.from), min(r.End(), s.to); from < to {
			n += int(to - from)
		}
	}
	return n
}
