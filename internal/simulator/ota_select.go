package simulator

// selectNext makes otadata choose the slot with that index. The entry that is not in
// use is rewritten, so that a power cut leaves the old choice. Source: ESP-IDF 5.1
// esp_rewrite_ota_data.
func (u *update) selectNext(index int) (err string) {
	if u.table.otadata == nil {
		u.fail(tagOTA, "not found otadata")
		return errNotFound
	}
	count := 0
	for count < len(u.table.ota) && u.table.ota[count] != nil {
		count++
	}
	if index >= count { // a gap in the numbers of the slots
		return errInvalidArg
	}
	e := u.otaData(u.table.otadata.Offset)
	at, next := 0, otaEntry{seq: uint32(index) + 1, state: otaUndefined}
	if active, ok := newest(e); ok {
		at = 1 - active
		next.seq = nextSequence(e[active].seq, index, count)
	}
	if u.features.rollback {
		next.state = otaNew
	}
	next.crc = next.checksum()
	if !u.writeOTAEntry(u.table, at, next) {
		return errChipStopped
	}
	return ""
}

const otaUndefined = 0xFFFFFFFF // state of an app that nobody watches

// nextSequence is the first number from seq on that chooses the slot: number n
// chooses slot (n-1) mod count.
func nextSequence(seq uint32, index, count int) uint32 {
	base, step := uint64(index+1)%uint64(count), uint64(count)
	if uint64(seq) <= base {
		return uint32(base)
	}
	return uint32(base + (uint64(seq)-base+step-1)/step*step)
}

// confirm is the running app saying that it works, esp_ota_mark_app_valid. It reports
// false when the chip stopped.
func (b *boot) confirm() bool {
	if b.table.otadata == nil || !b.features.rollback {
		return b.chip.running()
	}
	e := b.otaData(b.table.otadata.Offset)
	active, ok := newest(e)
	if !ok || e[active].state == otaValid {
		return b.chip.running()
	}
	e[active].state = otaValid
	if !b.writeOTAEntry(b.table, active, e[active]) {
		return false
	}
	for _, p := range b.table.rows {
		if b.features.antiRollback && p.Offset == b.verdict.App.Offset {
			return b.raiseSecureVersion(p)
		}
	}
	return b.chip.running()
}
