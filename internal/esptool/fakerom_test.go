package esptool

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memLine is the host's side of an in-memory line: a Port without a chip. What is
// written goes to hear, which answers with say.
type memLine struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever something below changes
	incoming []byte
	deadline time.Time
	closed   bool
	hear     func(p []byte) // called with mu held
	lines    func(dtr, rts bool)
}

func newMemLine() *memLine {
	return &memLine{changed: make(chan struct{}), hear: func([]byte) {}}
}

// say sends bytes to the host. mu is held.
func (m *memLine) say(p []byte) {
	m.incoming = append(m.incoming, p...)
	m.signal()
}

func (m *memLine) signal() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memLine) Read(p []byte) (int, error) {
	for {
		m.mu.Lock()
		changed, deadline := m.changed, m.deadline
		past := !deadline.IsZero() && !time.Now().Before(deadline)
		switch {
		case m.closed:
			m.mu.Unlock()
			return 0, os.ErrClosed
		case past:
			m.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(m.incoming) > 0:
			n := copy(p, m.incoming)
			m.incoming = m.incoming[n:]
			m.mu.Unlock()
			return n, nil
		}
		m.mu.Unlock()
		var timeout <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-changed:
		case <-timeout:
		}
	}
}

func (m *memLine) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, os.ErrClosed
	}
	m.hear(p)
	return len(p), nil
}

func (m *memLine) SetReadDeadline(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deadline = t
	m.signal()
	return nil
}

func (m *memLine) SetLines(dtr, rts bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lines == nil {
		return ErrNoLines
	}
	m.lines(dtr, rts)
	return nil
}

func (m *memLine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.signal()
	return nil
}

// fakeROM is a small ESP32 in download mode, enough to be a client's counterpart:
// registers, NOR flash, the ROM's rules for FLASH_DATA. Two transistors connect
// its EN and IO0 to the lines.
type fakeROM struct {
	*memLine
	regs   map[uint32]uint32
	flash  []byte
	status [3]byte // flash status registers
	jedec  uint32

	// Faults, called with each byte string on its way; nil: none.
	toChip, toHost func([]byte) []byte
	// before is called with every request; false swallows it.
	before func(op opcode, body []byte) bool

	download  bool
	runs      int // starts of the application
	resets    int // starts of the loader
	appLog    string
	bootLog   string
	wrongMode int // this many resets end up in the application
	baud      int // the chip's; hostBaud is the other side's
	hostBaud  int
	maxBaud   int // beyond, every byte is garbage; 0: no limit

	dec      decoder
	value    uint32 // left-over of the value field
	begun    bool   // FLASH_BEGIN accepted and no error since
	writeAt  int
	seq      uint32
	en, io0  bool
	seen     map[opcode]int
	erased   []uint32
	programs int
}

// newFakeROM is a rev v3.0 chip with 4 MB flash and MAC 24:0a:c4:a1:b2:c3, sitting
// in download mode.
func newFakeROM() *fakeROM {
	f := &fakeROM{
		memLine: newMemLine(),
		regs: map[uint32]uint32{
			magicReg:      chipMagic,
			0x3FF5A004:    0xC4A1B2C3,
			0x3FF5A008:    0x0000240A,
			0x3FF5A00C:    0x00008000 | 1<<9, // CHIP_VER_REV1, package 1
			0x3FF5A014:    1 << 20,           // CHIP_VER_REV2
			regAPBDate:    0x96042000,
			regUARTClkDiv: 0x15A,
		},
		flash:    make([]byte, 4<<20),
		jedec:    0x1640EF,
		download: true,
		baud:     initialBaud,
		hostBaud: initialBaud,
		en:       true,
		io0:      true,
		seen:     map[opcode]int{},
		bootLog:  "ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n",
		appLog:   "ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n\x1b[0;32mI (29) boot: ESP-IDF\x1b[0m\r\nHello world!\r\n",
	}
	f.regs[0x3FF5A008] |= uint32(macCRC([6]byte{0x24, 0x0A, 0xC4, 0xA1, 0xB2, 0xC3})) << 16
	f.hear = f.receive
	f.memLine.lines = f.setLines
	return f
}

// setLines is the two-transistor circuit; mu is held.
func (f *fakeROM) setLines(dtr, rts bool) {
	en, io0 := dtr || !rts, rts || !dtr
	rising := en && !f.en
	f.en, f.io0 = en, io0
	if !rising {
		return
	}
	f.dec, f.begun, f.baud = decoder{}, false, initialBaud
	f.download = !io0
	if f.download && f.wrongMode > 0 {
		f.wrongMode--
		f.download = false
	}
	if f.download {
		f.resets++
		f.emit([]byte(f.bootLog))
	} else {
		f.runs++
		f.emit([]byte(f.appLog))
	}
}

// SetBaud makes the ROM a port with a speed.
func (f *fakeROM) SetBaud(baud int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hostBaud = baud
	return nil
}

func (f *fakeROM) mismatch() bool {
	return f.baud != f.hostBaud || f.maxBaud > 0 && f.baud > f.maxBaud
}

func (f *fakeROM) receive(p []byte) {
	if f.toChip != nil {
		p = f.toChip(append([]byte(nil), p...))
	}
	if !f.download || !f.en || f.mismatch() {
		return
	}
	for len(p) > 0 {
		var frame []byte
		frame, p = f.dec.next(p)
		if len(frame) >= headerSize && frame[0] == directionRequest {
			f.serve(frame)
		}
	}
}

func (f *fakeROM) emit(p []byte) {
	p = append([]byte(nil), p...)
	if f.mismatch() {
		for i := range p {
			p[i] ^= 0xA5
		}
	}
	if f.toHost != nil {
		p = f.toHost(p)
	}
	f.say(p)
}

func (f *fakeROM) reply(op opcode, result []byte, code byte) {
	status := []byte{0, 0, 0x37, 0x66} // two left-overs, as the real ROM sends
	if code != 0 {
		result, status[0], status[1] = nil, 1, code
	}
	body := append(append([]byte(nil), result...), status...)
	p := []byte{directionReply, byte(op)}
	p = binary.LittleEndian.AppendUint16(p, uint16(len(body)))
	p = binary.LittleEndian.AppendUint32(p, f.value)
	f.emit(appendFrame(nil, append(p, body...)))
}

func (f *fakeROM) serve(frame []byte) {
	op, body := opcode(frame[1]), frame[headerSize:]
	if int(binary.LittleEndian.Uint16(frame[2:])) != len(body) {
		return
	}
	f.seen[op]++
	if f.before != nil && !f.before(op, body) {
		return
	}
	w := func(i int) uint32 { return binary.LittleEndian.Uint32(body[4*i:]) }
	switch op {
	case opSync:
		f.value = 0x20120707
		for range syncReplies {
			f.reply(op, nil, 0)
		}
	case opReadReg:
		f.value = f.regs[w(0)]
		f.reply(op, nil, 0)
	case opWriteReg:
		for i := 0; 4*i+15 < len(body); i += 4 {
			f.write(w(i), w(i+1))
		}
		f.reply(op, nil, 0)
	case opChangeBaudrate:
		f.reply(op, nil, 0)
		f.baud = int(w(0))
	case opFlashBegin:
		f.flashBegin(int(w(0)), int(w(3)))
		f.reply(op, nil, 0)
	case opFlashData:
		f.reply(op, nil, f.flashData(binary.LittleEndian.Uint32(frame[4:]), body))
	case opSPIFlashMD5:
		sum := md5.Sum(f.flash[w(0) : w(0)+w(1)])
		f.reply(op, []byte(hex.EncodeToString(sum[:])), 0)
	case opReadFlashSlow:
		f.reply(op, f.flash[w(0):w(0)+readSlow], 0)
	case opSPIAttach, opSPISetParams:
		f.reply(op, nil, 0)
	default:
		f.reply(opWriteReg, nil, 5) // the ROM names an earlier command
	}
}

func (f *fakeROM) write(addr, value uint32) {
	f.regs[addr] = value
	if addr != regSPI1CMD {
		return
	}
	f.regs[regSPI1CMD] = 0
	answer := map[byte]uint32{
		norReadID:      f.jedec,
		norReadStatus1: uint32(f.status[0]),
		norReadStatus2: uint32(f.status[1]),
		norReadStatus3: uint32(f.status[2]),
	}
	f.regs[regSPI1W0] = answer[byte(f.regs[regSPI1USR2])]
}

func (f *fakeROM) flashBegin(size, offset int) {
	f.begun, f.seq, f.writeAt = true, 0, offset
	end := (offset + size + SectorSize - 1) / SectorSize * SectorSize
	for i := offset / SectorSize * SectorSize; i < end; i++ {
		f.flash[i] = 0xFF
	}
	f.erased = append(f.erased, uint32(offset))
}

// flashData is the ROM's order of checks, from the transcript.
func (f *fakeROM) flashData(sum uint32, body []byte) byte {
	data := body[16:]
	switch {
	case !f.begun:
		return 0x05
	case checksum(data) != sum:
		f.begun = false
		return 0x07
	case binary.LittleEndian.Uint32(body[4:]) != f.seq:
		f.begun = false
		return 0x05
	}
	for i, b := range data {
		f.flash[f.writeAt+i] &= b // programming only clears bits
	}
	f.programs++
	f.seq++
	f.writeAt += len(data)
	return 0
}

// bubble is a test that runs on synctest's clock: every wait in it is exact and
// takes no time.
func bubble(test func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// connected is a Device on f, without reset lines unless cfg says otherwise.
func connected(t testing.TB, f *fakeROM, cfg Config) *Device {
	t.Helper()
	if cfg.Reset == "" {
		cfg.Reset = ResetNone
	}
	d, err := Connect(context.Background(), f, cfg)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	return d
}
