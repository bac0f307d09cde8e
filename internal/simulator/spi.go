package simulator

import "encoding/binary"

// Registers of SPI1, the controller the loader's host reaches the flash through,
// as offsets from spi1Base. Source: ESP32 TRM, "SPI"; ESP-IDF spi_reg.h.
const (
	spi1Base = 0x3FF42000
	spi1End  = 0x3FF42100

	spiCMD      = 0x00
	spiADDR     = 0x04
	spiUSER     = 0x1C
	spiUSER1    = 0x20
	spiUSER2    = 0x24
	spiMOSIDLen = 0x28
	spiMISODLen = 0x2C
	spiW0       = 0x80
	spiW15      = 0xBC

	spiCmdUSR      = 1 << 18
	spiUserCommand = 1 << 31
	spiUserAddr    = 1 << 30
	spiUserMISO    = 1 << 28
	spiUserMOSI    = 1 << 27
)

// Commands of the flash chip that a user-defined SPI transaction reaches.
const (
	flashWRSR1 = 0x01
	flashRead  = 0x03
	flashWRDI  = 0x04
	flashRDSR1 = 0x05
	flashWREN  = 0x06
	flashRDSR3 = 0x15
	flashWRSR3 = 0x11
	flashWRSR2 = 0x31
	flashRDSR2 = 0x35
	flashWRENv = 0x50 // write enable for volatile status bits
	flashRDID  = 0x9F
)

// spiController is SPI1: registers, and user-defined transactions with the flash.
type spiController struct {
	regs     map[uint32]uint32
	flash    *norFlash
	attached bool // the pins lead to the flash: only after SPI_ATTACH, as the ROM does not do it by itself
}

func (s *spiController) reset() {
	s.regs = map[uint32]uint32{}
	s.attached = false
}

func (s *spiController) readReg(off uint32) uint32 { return s.regs[off] }

func (s *spiController) writeReg(off, v uint32) {
	if off == spiCMD {
		if v&spiCmdUSR != 0 {
			s.transact() // done at once: the bit reads back clear
		}
		return
	}
	s.regs[off] = v
}

// transact runs the transaction that USER, USER2 and the length registers describe.
func (s *spiController) transact() {
	user := s.regs[spiUSER]
	if user&spiUserCommand == 0 {
		return
	}
	command := byte(s.regs[spiUSER2])
	var out []byte
	if user&spiUserMOSI != 0 {
		out = s.data()[:min(64, int(s.regs[spiMOSIDLen]+8)/8)]
	}
	var addr uint32
	if user&spiUserAddr != 0 {
		addr = s.regs[spiADDR] >> 8 // 24 address bits, left-aligned
	}
	n := 0
	if user&spiUserMISO != 0 {
		n = min(64, int(s.regs[spiMISODLen]+8)/8)
	}
	s.fill(s.exchange(command, addr, out, n), int(s.regs[spiMISODLen]+1))
}

// exchange is one command to the flash chip and the n bytes it answers. With
// nothing attached the line floats high.
func (s *spiController) exchange(command byte, addr uint32, out []byte, n int) []byte {
	in := make([]byte, n)
	for i := range in {
		in[i] = 0xFF
	}
	if !s.attached {
		return in
	}
	f := s.flash
	switch command {
	case flashRDID:
		repeatWord(in, f.id, 3)
	case flashRDSR1:
		repeatWord(in, f.status, 1)
	case flashRDSR2:
		repeatWord(in, f.status>>8, 1)
	case flashRDSR3:
		repeatWord(in, f.status>>16, 1)
	case flashRead:
		copy(in, f.read(addr, n))
	case flashWREN, flashWRENv:
		f.status |= statusWEL
	case flashWRDI:
		f.status &^= statusWEL
	case flashWRSR1, flashWRSR2, flashWRSR3:
		f.writeStatus(command, out)
	}
	return in
}

// writeStatus sets a status register, if writing was enabled just before. WRSR1
// with two bytes sets registers 1 and 2, as on the common chips.
func (f *norFlash) writeStatus(command byte, out []byte) {
	if f.status&statusWEL == 0 || len(out) == 0 {
		return
	}
	shift := map[byte]int{flashWRSR1: 0, flashWRSR2: 8, flashWRSR3: 16}[command]
	f.status = f.status&^(0xFF<<shift) | uint32(out[0])<<shift
	if command == flashWRSR1 && len(out) > 1 {
		f.status = f.status&^0xFF00 | uint32(out[1])<<8
	}
	f.status &^= statusWEL
	f.statusChanged()
}

// data are the bytes of the buffer registers W0..W15.
func (s *spiController) data() []byte {
	out := make([]byte, 0, 64)
	for off := uint32(spiW0); off <= spiW15; off += 4 {
		out = binary.LittleEndian.AppendUint32(out, s.regs[off])
	}
	return out
}

// fill puts received bytes into the buffer registers, keeping only the given
// number of bits of the last byte.
func (s *spiController) fill(in []byte, bits int) {
	if len(in) == 0 {
		return
	}
	if r := bits % 8; r != 0 {
		in[len(in)-1] &= 1<<r - 1
	}
	buf := s.data()
	copy(buf, in)
	for i := 0; i < (len(in)+3)/4; i++ {
		s.regs[spiW0+uint32(4*i)] = binary.LittleEndian.Uint32(buf[4*i:])
	}
}

// repeatWord fills in with the low bytes of v, over and over: a flash chip goes on
// shifting its register out while it is clocked.
func repeatWord(in []byte, v uint32, bytes int) {
	for i := range in {
		in[i] = byte(v >> (8 * (i % bytes)))
	}
}
