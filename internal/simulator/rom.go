package simulator

import "encoding/binary"

// Commands of the ROM loader.
const (
	opFlashBegin   = 0x02
	opFlashData    = 0x03
	opFlashEnd     = 0x04
	opMemBegin     = 0x05
	opMemEnd       = 0x06
	opMemData      = 0x07
	opSync         = 0x08
	opWriteReg     = 0x09
	opReadReg      = 0x0A
	opSetParams    = 0x0B
	opSPIAttach    = 0x0D
	opReadFlash    = 0x0E
	opChangeBaud   = 0x0F
	opDeflateBegin = 0x10
	opDeflateData  = 0x11
	opDeflateEnd   = 0x12
	opFlashMD5     = 0x13
)

// Error bytes of the ROM.
const (
	romOK              = 0x00
	romBadMessage      = 0x05 // unsupported, out of sequence, or not open
	romFailed          = 0x06
	romBadChecksum     = 0x07
	romVerifyFailed    = 0x08
	romReadFailed      = 0x09
	romReadLength      = 0x0A
	romBadDeflate      = 0x0B
	romBadAdler        = 0x0C
	romSyncValue       = 0x20120707 // value field of the replies to SYNC
	romSyncReplies     = 8
	romDefaultFlash    = 2 << 20 // what the ROM takes the flash for until SPI_SET_PARAMS
	romReadBlock       = 64      // READ_FLASH_SLOW always answers that many bytes
	romChecksumSeed    = 0xEF
	romDataHeader      = 16     // length, sequence, two zeros before the data of *_DATA
	rxCapacity         = 0x2000 // longest packet taken; esptool sends at most 0x1818
	replyCapacity      = 128
	packetHeader       = 8
	romForbiddenMarker = 0x00040A00
)

// loader is the ROM's serial download protocol. It keeps what the real one forgets
// to clear: both buffers, the last value read and the last error.
type loader struct {
	chip *Chip
	slip slipReader

	rx     [rxCapacity]byte    // the packet, over what longer ones before it left
	reply  [replyCapacity]byte // data and status of the reply, over what earlier ones left
	lastOp byte                // opcode of the last reply: an unknown command is answered with it
	value  uint32              // value field: the last register read
	errNo  byte                // error byte: flash commands that succeed leave it as it is

	flashSize uint32 // as SPI_SET_PARAMS told
	flash     flashDownload
	deflate   deflateDownload
	mem       memDownload
}

func newLoader(c *Chip) *loader {
	return &loader{chip: c, flashSize: romDefaultFlash}
}

// receive takes one byte from the wire.
func (l *loader) receive(b byte) {
	if p := l.slip.feed(b); p != nil {
		l.packet(p)
	}
}

// packet handles one frame's payload. Frames that are not requests are dropped.
func (l *loader) packet(p []byte) {
	if len(p) < packetHeader || p[0] != 0 {
		return
	}
	copy(l.rx[:], p)
	r := request{
		op:       p[1],
		length:   int(binary.LittleEndian.Uint16(p[2:])),
		checksum: binary.LittleEndian.Uint32(p[4:]),
		body:     l.rx[packetHeader:],
		got:      len(p) - packetHeader,
	}
	l.dispatch(r)
}

// request is one command as the ROM sees it: body reaches beyond the bytes that
// came, into the left-overs of earlier packets.
type request struct {
	op       byte
	length   int    // the length field
	got      int    // bytes of the body that really came
	checksum uint32 // only *_DATA commands carry one
	body     []byte
}

// word is the nth 32-bit word of the body.
func (r request) word(n int) uint32 { return binary.LittleEndian.Uint32(r.body[4*n:]) }

func (l *loader) dispatch(r request) {
	switch r.op {
	case opSync:
		l.sync()
	case opReadReg:
		l.readReg(r)
	case opWriteReg:
		l.writeReg(r)
	case opMemBegin, opMemData, opMemEnd:
		l.memCommand(r)
	case opFlashBegin:
		l.keepError(r.op, l.flashBegin(r))
	case opFlashData:
		l.keepError(r.op, l.flashData(r))
	case opFlashEnd, opDeflateEnd:
		l.flashEnd(r)
	case opDeflateBegin:
		l.keepError(r.op, l.deflateBegin(r))
	case opDeflateData:
		l.keepError(r.op, l.deflateData(r))
	case opFlashMD5:
		l.flashMD5(r)
	case opReadFlash:
		l.readFlash(r)
	case opSetParams:
		l.flashSize = r.word(1)
		l.done(r.op, romOK, nil)
	case opSPIAttach:
		l.chip.spi.attached = true
		l.done(r.op, romOK, nil)
	case opChangeBaud:
		l.done(r.op, romOK, nil)
		l.chip.changeBaud(r.word(0))
	default:
		l.errNo = romBadMessage
		l.answer(l.lastOp, nil, 1)
	}
}

// done answers a command of the kind that clears the last error when it succeeds.
func (l *loader) done(op, errNo byte, data []byte) {
	l.errNo = errNo
	status := byte(0)
	if errNo != romOK {
		status, data = 1, nil
	}
	l.answer(op, data, status)
}

// keepError answers a flash download command: on success the error byte still
// shows the error before it.
func (l *loader) keepError(op, errNo byte) {
	if errNo == romOK {
		l.answer(op, nil, 0)
		return
	}
	l.done(op, errNo, nil)
}

// answer sends a reply: data, status, error, and two bytes of the reply buffer that
// nobody set.
func (l *loader) answer(op byte, data []byte, status byte) {
	l.lastOp = op
	n := copy(l.reply[:], data)
	l.reply[n], l.reply[n+1] = status, l.errNo
	body := l.reply[:n+4]
	packet := []byte{1, op}
	packet = binary.LittleEndian.AppendUint16(packet, uint16(len(body)))
	packet = binary.LittleEndian.AppendUint32(packet, l.value)
	l.chip.send(slipFrame(append(packet, body...)))
}

// sync answers eight times, whatever the body.
func (l *loader) sync() {
	l.value = romSyncValue
	for range romSyncReplies {
		l.done(opSync, romOK, nil)
	}
}

// readReg answers with the register in the value field. With less than an address
// in the body the real ROM reads a stray one and can hang; this one always does.
func (l *loader) readReg(r request) {
	if r.got < 4 {
		l.chip.hang()
		return
	}
	l.value = l.chip.readReg(r.word(0))
	l.done(opReadReg, romOK, nil)
}

// writeReg takes one or more tuples of address, value, mask and delay in
// microseconds. The delay only matters to a paced chip.
func (l *loader) writeReg(r request) {
	if r.got < 16 || r.length%16 != 0 || r.length > r.got {
		l.done(opWriteReg, romBadMessage, nil)
		return
	}
	for n := 0; n < r.length/4; n += 4 {
		addr, v, mask := r.word(n), r.word(n+1), r.word(n+2)
		if mask != 0xFFFFFFFF {
			v = l.chip.readReg(addr)&^mask | v&mask
		}
		l.chip.writeReg(addr, v)
		if !l.chip.alive() {
			return
		}
		l.chip.spendMicroseconds(r.word(n + 3))
	}
	l.done(opWriteReg, romOK, nil)
}

// romChecksum is the XOR that guards the data of *_DATA commands.
func romChecksum(data []byte) uint32 {
	sum := byte(romChecksumSeed)
	for _, b := range data {
		sum ^= b
	}
	return uint32(sum)
}

// payload are the n data bytes of a *_DATA command, n being what its first word
// says: where the packet was shorter, left-overs of earlier ones stand in.
func (r request) payload() ([]byte, bool) {
	n := r.word(0)
	if n > uint32(len(r.body)-romDataHeader) {
		return nil, false
	}
	return r.body[romDataHeader : romDataHeader+int(n)], true
}
