package simulator

// memBegin opens a download to RAM. Body: size, number of blocks, block size,
// address; any address is accepted.
func (l *loader) memBegin(r request) byte {
	size, block, addr := r.word(0), r.word(2), r.word(3)
	if addr >= maskROM && addr < maskROMEnd && l.value == romSyncValue {
		l.value = romReadHeader
	}
	if block > romMaxBlock {
		return romBadMessage
	}
	l.open(download{kind: opMemBegin, at: addr, block: block, size: size})
	return romOK
}

// memData writes one block to RAM. As with flash, a bad checksum uses up the sequence
// number.
func (l *loader) memData(r request) byte {
	d := &l.down
	if d.kind != opMemBegin || r.word(0) > d.block {
		return romBadMessage
	}
	data, errNo := l.nextBlock(r)
	if errNo == romOK {
		l.chip.writeRAM(d.at, data)
		d.at += uint32(len(data))
	}
	return errNo
}

// memEnd leaves a download. Body: 1 to stay in the loader, 0 to jump; entry. This chip
// runs no code: after a jump it is silent until it is reset, unless the jump was to
// the reset vector.
func (l *loader) memEnd(r request) {
	l.open(download{})
	l.keepError(opMemEnd, romOK)
	switch {
	case r.word(0) != 0:
	case r.word(1) == resetVector:
		l.chip.restart(resetPowerOn)
	default:
		l.chip.hang()
	}
}

// Memory that a host may load or peek into. Source: ESP32 TRM, "System and Memory".
const (
	dramStart, dramEnd  = 0x3FFAE000, 0x40000000
	iramStart, iramEnd  = 0x40070000, 0x400C2000
	maskROM, maskROMEnd = 0x40000000, 0x40070000
	chipMagicAddr       = 0x40001000
	resetVector         = 0x40000400
	chipMagic           = 0x00F01D83
)

// behindCache are the addresses at which flash and external RAM are mapped.
func behindCache(addr uint32) bool {
	return addr >= 0x3F400000 && addr < 0x3FC00000 || addr >= iramEnd && addr < 0x40C00000
}

func inRAM(addr uint32) bool {
	return addr >= dramStart && addr < dramEnd || addr >= iramStart && addr < iramEnd
}

// writeRAM stores bytes; what does not fall into RAM is lost.
func (c *Chip) writeRAM(addr uint32, data []byte) {
	for i, b := range data {
		at := addr + uint32(i)
		shift := 8 * (at & 3)
		c.writeReg(at, c.readReg(at)&^(0xFF<<shift)|uint32(b)<<shift)
	}
}
