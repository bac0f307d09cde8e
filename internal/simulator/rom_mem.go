package simulator

import "encoding/binary"

// memDownload is what MEM_BEGIN opened.
type memDownload struct {
	open bool
	next uint32 // sequence number expected
	at   uint32 // address of the next byte
}

// memCommand loads code or data into RAM, and may jump to it.
func (l *loader) memCommand(r request) {
	switch r.op {
	case opMemBegin:
		l.memBegin(r)
	case opMemData:
		l.memData(r)
	case opMemEnd:
		l.memEnd(r)
	}
}

// memBegin opens a download to RAM. Body: size, number of blocks, block size,
// address. The ROM accepts any address. Where it lies in the mask ROM, the recorded
// reply carries 0x00040A00 in its value field; why is not known (it looks like the
// header of a READ_REG), so that is repeated here as found.
func (l *loader) memBegin(r request) {
	addr := r.word(3)
	if addr >= maskROM && addr < maskROMEnd {
		l.value = romForbiddenMarker
	}
	l.mem = memDownload{open: true, at: addr}
	l.done(opMemBegin, romOK, nil)
}

func (l *loader) memData(r request) {
	m := &l.mem
	data, errNo := l.checkData(r, m.open, m.next)
	if errNo == romOK {
		l.chip.writeRAM(m.at, data)
		m.next++
		m.at += uint32(len(data))
	}
	l.done(opMemData, errNo, nil)
}

// memEnd leaves a download. Body: 1 to stay in the loader, 0 to jump; entry. This
// chip runs no code: after a jump it is silent until it is reset.
func (l *loader) memEnd(r request) {
	l.mem.open = false
	l.done(opMemEnd, romOK, nil)
	if r.word(0) == 0 {
		l.chip.hang()
	}
}

// Memory that a host may load or peek into. Source: ESP32 TRM, "System and Memory".
const (
	dramStart, dramEnd  = 0x3FFAE000, 0x40000000
	iramStart, iramEnd  = 0x40070000, 0x400C2000
	maskROM, maskROMEnd = 0x40000000, 0x40070000
	chipMagicAddr       = 0x40001000
	chipMagic           = 0x00F01D83
)

func inRAM(addr uint32) bool {
	return addr >= dramStart && addr < dramEnd || addr >= iramStart && addr < iramEnd
}

// writeRAM stores bytes; what does not fall into RAM is lost.
func (c *Chip) writeRAM(addr uint32, data []byte) {
	for i, b := range data {
		at := addr + uint32(i)
		if !inRAM(at) {
			continue
		}
		var word [4]byte
		binary.LittleEndian.PutUint32(word[:], c.words[at&^3])
		word[at&3] = b
		c.words[at&^3] = binary.LittleEndian.Uint32(word[:])
	}
}
