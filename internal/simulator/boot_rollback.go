package simulator

import "provision/internal/image"

// Rollback and anti-rollback as a bootloader built with them does it. Source: ESP-IDF
// 5.1 bootloader_utility.c, efuse esp_efuse_fields.c.

const saysAntiRollback = "Enabled a check secure version of app for anti rollback"

// abortPending gives up on apps that have had their one boot and did not prove
// themselves.
func (b *boot) abortPending(t bootTable, e *[2]otaEntry) {
	for i := range e {
		if e[i].state == otaPending {
			e[i].state = otaAborted
			b.writeOTAEntry(t, i, e[i])
		}
	}
}

// selectSlot follows entry i of otadata. A new app is now on trial; an old one that
// has proved itself raises the secure version to its own.
func (b *boot) selectSlot(t bootTable, e otaEntry, i int) int {
	index := int((e.seq - 1) % uint32(t.slots))
	if b.features.rollback && e.state == otaNew {
		e.state = otaPending
		b.writeOTAEntry(t, i, e)
	}
	if p, ok := t.app(index); ok && b.features.antiRollback && e.state == otaValid {
		b.raiseSecureVersion(p)
	}
	return index
}

// selectRecent is the choice among apps that are not below the secure version.
func (b *boot) selectRecent(t bootTable, e [2]otaEntry) int {
	b.info(tagBoot, saysAntiRollback)
	b.info(tagBoot, "Secure version (from eFuse) = %d", b.chip.efuse.fuses.secureVersion())
	if e[0].initial() && e[1].initial() || t.slots == 0 {
		b.info(tagBoot, "otadata[0..1] in initial state")
		b.freshOTA = true
		return factoryIndex
	}
	for i := range e {
		if p, ok := t.app(int((e[i].seq - 1) % uint32(t.slots))); e[i].valid() && (!ok || !b.recentEnough(p)) {
			e[i].state = otaInvalid // for this choice only
		}
	}
	if active, ok := newest(e); ok {
		return b.selectSlot(t, e[active], active)
	}
	if t.factory != nil {
		b.fail(tagBoot, "ota data partition invalid, falling back to factory")
	} else {
		b.fail(tagBoot, "ota data partition invalid and no factory, will try all partitions")
	}
	return factoryIndex
}

// recentEnough says whether the app in p is not below the secure version.
func (b *boot) recentEnough(p image.Partition) bool {
	version, ok := b.secureVersion(p)
	if !ok {
		b.fail(tagBoot, "Failed to get partition description %d", espErrNotFound)
		return false
	}
	return version >= b.chip.efuse.fuses.secureVersion()
}

// secureVersion is that of the app descriptor at its fixed place, if one is there.
func (b *boot) secureVersion(p image.Partition) (version uint32, ok bool) {
	at := int(p.Offset) + image.HeaderLen + segmentHeaderLen
	return b.flash.word(at + 4), b.flash.word(at) == appDescriptorMagic
}

const appDescriptorMagic = 0xABCD5432

// raiseSecureVersion burns the bits that are missing. It reports false when the chip
// stopped.
func (b *boot) raiseSecureVersion(p image.Partition) bool {
	version, ok := b.secureVersion(p)
	have := b.chip.efuse.fuses.secureVersion()
	switch {
	case !ok || version <= have:
		return b.chip.running()
	case version > 32:
		b.fail(tagEfuse, "Max secure version is %d. Given %d version can not be written.", 32, version)
		return true
	case b.chip.efuse.fuses.coding() != CodingNone:
		b.fail(tagEfuse, "Anti rollback is not supported with any coding scheme.")
		return true
	}
	var want Fuses
	want[3][4] = uint32(1<<version-1) &^ uint32(1<<have-1)
	if !b.burn(want) {
		return false
	}
	b.info(tagEfuse, "Anti-rollback is set. eFuse field is updated(%d).", version)
	return true
}

// secureVersion is the number of bits burnt in SECURE_VERSION, word 4 of BLOCK3.
func (f Fuses) secureVersion() uint32 { return uint32(popcount(f[3][4])) }

// writeOTAEntry rewrites one entry of otadata. It reports false when the chip stopped.
func (b *boot) writeOTAEntry(t bootTable, i int, e otaEntry) bool {
	at := t.otadata.Offset + uint32(i)*norSector
	return b.eraseSector(at) && b.writeFlash(at, e.bytes(), b.flash.cipher)
}
