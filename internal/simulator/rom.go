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
	romOK           = 0x00
	romBadMessage   = 0x05 // unsupported, out of sequence, or not open
	romFailed       = 0x06
	romBadChecksum  = 0x07
	romVerifyFailed = 0x08
	romReadFailed   = 0x09
	romReadLength   = 0x0A
	romBadDeflate   = 0x0B
	romBadAdler     = 0x0C
)

const (
	romSyncValue    = 0x20120707 // value field of the replies to SYNC
	romSyncReplies  = 8
	romDefaultFlash = 2 << 20 // what the ROM takes the flash for until SPI_SET_PARAMS
	romReadBlock    = 64      // READ_FLASH_SLOW always answers that many bytes
	romMaxBlock     = 0x1800  // longest block of a download
	romChecksumSeed = 0xEF
	romDataHeader   = 16 // length, sequence, two zeros before the data of *_DATA
	packetHeader    = 8
	replyCapacity   = 128

	// The ROM keeps the packet it received at this address of RAM. A longer one is cut
	// off.
	rxAddr     = 0x3FFC0000
	rxCapacity = packetHeader + romDataHeader + romMaxBlock
)

// romReadHeader is what a READ_REG of the packet buffer gives: its own header. The
// recorded transcript has it in the value field of a MEM_BEGIN to the mask ROM, left
// there by a read that was not written down. memBegin puts it in where the transcript
// does, so that it can be replayed as it stands.
const romReadHeader = 0x00040A00

// emptyFrame follows the reply to a command that changes the line under it.
var emptyFrame = []byte{slipEnd, slipEnd}

// loader is the ROM's serial download protocol, with what the real one forgets: both
// buffers, the last value read, the last error and the number of replies stay from
// one command to the next. A packet that lost bytes is acted on all the same, with
// left-overs in place of what is missing. All this was seen on the ROM of revision 3.
type loader struct {
	chip *Chip
	slip slipReader

	rx      [rxCapacity]byte    // the packet, over what longer ones before it left
	reply   [replyCapacity]byte // data and status of the reply, over what earlier ones left
	lastOp  byte                // opcode of the last reply: what is not understood is answered with it
	replies int                 // how often the last reply was sent: likewise
	value   uint32              // value field: the last register read
	errNo   byte                // error byte: downloads that succeed leave it as it is

	packet, frame []byte // the reply being sent; only their room outlives it

	flashSize uint32 // as SPI_SET_PARAMS told
	down      download
}

func newLoader(c *Chip) *loader {
	return &loader{chip: c, flashSize: romDefaultFlash, replies: 1}
}

// receive takes one byte from the wire. After a bad escape the real ROM never answers
// again, nor does this one.
func (l *loader) receive(b byte) {
	p, err := l.slip.feed(b)
	if err != nil {
		l.chip.hang()
	}
	if p != nil {
		copy(l.rx[:], p)
		l.dispatch(request{
			direction: l.rx[0],
			op:        l.rx[1],
			length:    binary.LittleEndian.Uint16(l.rx[2:]),
			checksum:  le32(l.rx[4:]),
			body:      l.rx[packetHeader:],
		})
	}
}

// request is one command as the ROM sees it. Neither the length field nor the bytes
// that really came bound the body: it reaches into what earlier packets left.
type request struct {
	direction byte // 0 from the host
	op        byte
	length    uint16
	checksum  uint32 // only *_DATA commands carry one
	body      []byte
}

// word is the nth 32-bit word of the body.
func (r request) word(n int) uint32 { return le32(r.body[4*n:]) }

func (l *loader) dispatch(r request) {
	if r.direction != 0 {
		l.notUnderstood()
		return
	}
	switch r.op {
	case opSync:
		l.sync()
	case opReadReg:
		l.readReg(r)
	case opWriteReg:
		l.writeReg(r)
	case opMemBegin:
		l.keepError(r.op, l.memBegin(r))
	case opMemData:
		l.keepError(r.op, l.memData(r))
	case opMemEnd:
		l.memEnd(r)
	case opFlashBegin:
		l.keepError(r.op, l.flashBegin(r))
	case opFlashData:
		l.keepError(r.op, l.flashData(r))
	case opFlashEnd:
		l.flashEnd(r)
	case opDeflateBegin:
		l.keepError(r.op, l.deflateBegin(r))
	case opDeflateData:
		l.keepError(r.op, l.deflateData(r))
	case opDeflateEnd:
		l.deflateEnd(r)
	case opFlashMD5:
		l.flashMD5(r)
	case opReadFlash:
		l.readFlash(r)
	case opSetParams:
		l.flashSize = r.word(1)
		l.keepError(r.op, romOK)
	case opSPIAttach:
		l.chip.spi.attached = true
		l.done(r.op)
	case opChangeBaud:
		l.done(r.op)
		l.chip.send(emptyFrame)
		l.chip.changeBaud(r.word(0))
	default:
		l.notUnderstood()
	}
}

// done answers a command that clears the last error.
func (l *loader) done(op byte) {
	l.errNo = romOK
	l.answer(op, nil, 0, 0)
}

// keepError answers a command of the kind that leaves the last error alone when it
// succeeds: the reply then says success and shows that error.
func (l *loader) keepError(op, errNo byte) {
	status := byte(0)
	if errNo != romOK {
		status, l.errNo = 1, errNo
	}
	l.answer(op, nil, 0, status)
}

// notUnderstood refuses with the opcode of the last reply, as often as that was sent.
func (l *loader) notUnderstood() {
	l.errNo = romBadMessage
	for range l.replies {
		l.send(l.lastOp, nil, 0, 1)
	}
}

// answer sends one reply with n bytes of data.
func (l *loader) answer(op byte, data []byte, n int, status byte) {
	l.lastOp, l.replies = op, 1
	l.send(op, data, n, status)
}

// send puts a reply together: n bytes of data, which start with the given ones and go
// on with what the buffer held, then status, error, and two bytes nobody set.
func (l *loader) send(op byte, data []byte, n int, status byte) {
	copy(l.reply[:n], data)
	l.reply[n], l.reply[n+1] = status, l.errNo
	body := l.reply[:n+4]
	packet := append(l.packet[:0], 1, op)
	packet = binary.LittleEndian.AppendUint16(packet, uint16(len(body)))
	packet = binary.LittleEndian.AppendUint32(packet, l.value)
	packet = append(packet, body...)
	l.packet, l.frame = packet, appendFrame(l.frame[:0], packet)
	l.chip.send(l.frame)
}

// sync answers eight times, whatever the body.
func (l *loader) sync() {
	l.value = romSyncValue
	for range romSyncReplies {
		l.done(opSync)
	}
	l.replies = romSyncReplies
}

// readReg answers with the register in the value field. Memory behind the flash cache,
// which is off in the loader, stops the chip: a request that lost a byte gets there.
func (l *loader) readReg(r request) {
	addr := r.word(0)
	if behindCache(addr) {
		l.chip.hang()
		return
	}
	l.value = l.chip.readReg(addr)
	l.done(opReadReg)
}

// writeReg takes tuples of address, value, mask and delay in microseconds, as many as
// fit into the length whole. The delay only matters to a paced chip.
func (l *loader) writeReg(r request) {
	n := min(int(r.length), len(r.body)) / 16
	for i := range n {
		addr, v, mask := r.word(4*i), r.word(4*i+1), r.word(4*i+2)
		if mask != 0xFFFFFFFF {
			v = l.chip.readReg(addr)&^mask | v&mask
		}
		l.chip.writeReg(addr, v)
		if !l.chip.alive() {
			return
		}
		l.chip.spendMicroseconds(r.word(4*i + 3))
	}
	l.done(opWriteReg)
}
