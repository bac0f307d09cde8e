package simulator

import "encoding/binary"

// Registers outside the eFuse and SPI controllers that the loader's hosts read.
// Source: ESP32 TRM; rom-protocol facts in the ROM transcript.
const (
	uartClkDiv    = 0x3FF40014 // UART0 divider: bits 19:0 whole, 23:20 sixteenths
	gpioStrap     = 0x3FF44038 // straps as latched
	rtcCalibrate1 = 0x3FF5F06C // TIMG0 RTCCALICFG1: crystal cycles in bits 31:7
	apbCtrlDateAt = 0x3FF6607C
)

// readReg is a 32-bit read by the processor. Addresses nothing is known of read as
// last written, zero at first.
func (c *Chip) readReg(addr uint32) uint32 {
	addr &^= 3
	switch {
	case addr >= efuseBase && addr < efuseEnd:
		return c.efuse.readReg(addr - efuseBase)
	case addr >= spi1Base && addr < spi1End:
		return c.spi.readReg(addr - spi1Base)
	case addr >= rxAddr && addr < rxAddr+rxCapacity:
		return le32(c.loader.rx[addr-rxAddr:])
	}
	switch addr {
	case chipMagicAddr:
		return chipMagic
	case uartClkDiv:
		return c.line.divider(c.board.crystalMHz)
	case gpioStrap:
		return uint32(c.strap)
	case apbCtrlDateAt:
		return c.board.apbDate
	case rtcCalibrate1:
		return c.calibration() << 7
	}
	return c.words[addr]
}

// writeReg is a 32-bit write by the processor. The mask ROM and what is not
// writable ignore it.
func (c *Chip) writeReg(addr, v uint32) {
	addr &^= 3
	switch {
	case addr >= efuseBase && addr < efuseEnd:
		burns := c.faults.count.Burns
		if c.efuse.writeReg(addr-efuseBase, v) {
			c.cutPower()
		}
		if c.faults.count.Burns != burns {
			c.pace.spend(c.pace.burn())
		}
	case addr >= spi1Base && addr < spi1End:
		c.spi.writeReg(addr-spi1Base, v)
	case addr >= rxAddr && addr < rxAddr+rxCapacity:
		binary.LittleEndian.PutUint32(c.loader.rx[addr-rxAddr:], v)
	case inRAM(addr), addr >= peripherals && addr < peripheralsEnd:
		c.words[addr] = v
	}
}

const peripherals, peripheralsEnd = 0x3FF00000, 0x3FF80000

// calibration is the count that the ROM's and esptool's estimate of the crystal is
// made from: estimate = count * 15625 * CLK8M_FREQ / 40. Without CLK8M_FREQ there is
// none.
func (c *Chip) calibration() uint32 {
	k := uint64(c.efuse.fuses.clk8mFreq())
	if k == 0 {
		return 0
	}
	return uint32(c.estimatedCrystal() * 40 / (15625 * k))
}

// estimatedCrystal is what the ROM takes the crystal for, in Hz.
func (c *Chip) estimatedCrystal() uint64 {
	hz := int64(c.board.crystalMHz) * 1_000_000
	return uint64(hz + hz/1_000_000*int64(c.board.clockErrorPPM))
}

// eraseSector, programFlash and readFlash are the flash as the processor uses it:
// with time passing and power that may go. cut reports that it went.

func (c *Chip) eraseSector(off uint32) (cut bool) {
	c.pace.spend(c.pace.sectorErase())
	if cut = c.nor.eraseSector(off); cut {
		c.cutPower()
	}
	return cut
}

func (c *Chip) programFlash(off uint32, p []byte) (cut bool) {
	c.pace.spend(c.pace.pageProgram(len(p)))
	if cut = c.nor.program(off, p); cut {
		c.cutPower()
	}
	return cut
}

func (c *Chip) readFlash(off uint32, n int) []byte {
	c.pace.spend(c.pace.flashRead(n))
	return c.nor.read(off, n)
}
