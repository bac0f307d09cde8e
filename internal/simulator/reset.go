package simulator

import (
	"fmt"
	"strings"
)

// resetCause is the reason code of the ROM's banner.
type resetCause int

const (
	resetPowerOn  resetCause = 0x1 // also EN
	resetSoftware resetCause = 0x3
	resetCPU      resetCause = 0xC // an app that restarts
	resetWatchdog resetCause = 0x10
)

func (r resetCause) String() string {
	return map[resetCause]string{
		resetPowerOn: "POWERON_RESET", resetSoftware: "SW_RESET", resetCPU: "SW_CPU_RESET", resetWatchdog: "RTCWDT_RTC_RESET",
	}[r]
}

// Bits of the strap register (ESP32 TRM, "GPIO_STRAP").
const (
	strapIO5  = 0x01
	strapIO15 = 0x02
	strapIO2  = 0x08
	strapIO0  = 0x10
)

// bootModeName is how the ROM prints the straps.
func bootModeName(strap uint8) string {
	edge := map[bool]string{false: "FE", true: "RE"}
	switch {
	case strap&strapIO0 != 0:
		return "SPI_FAST_FLASH_BOOT"
	case strap&strapIO2 != 0:
		return "UART_BOOT(UART0)"
	}
	return fmt.Sprintf("DOWNLOAD_BOOT(UART0/UART1/SDIO_%sI_%sO_V2)", edge[strap&strapIO15 != 0], edge[strap&strapIO5 != 0])
}

// start is a rise of EN: the straps are latched and the ROM runs.
func (c *Chip) start(cause resetCause) {
	c.strap = c.board.bootStraps
	if c.line.io0Low() || c.board.download {
		c.strap = c.board.downloadStraps
	}
	c.restart(cause)
}

// restart resets the chip with the straps it has. Into flash boot, it returns how
// that went.
func (c *Chip) restart(cause resetCause) Verdict {
	c.loader.open(download{})
	c.loader = newLoader(c)
	c.efuse.reset()
	c.spi.reset()
	clear(c.words)
	c.line.chipBaud = bootBaud
	c.line.autobaud = true
	if c.strap&strapIO0 != 0 {
		c.mode = modeRunning
		return c.flashBoot(cause)
	}
	c.mode = modeLoader
	c.print(banner(c.romDate(), cause, c.strap))
	switch {
	case c.rom3() && c.efuse.shown.uartDownloadDis():
		// Before revision 3 the fuse is not known to do this.
		c.print("Download mode is disabled. Restart with GPIO0 high.\r\n")
		c.hang()
	case c.strap&strapIO2 == 0:
		c.print("waiting for download\r\n")
	}
	return Verdict{}
}

// banner is the first words of every reset.
func banner(date string, cause resetCause, strap uint8) string {
	return fmt.Sprintf("%s\r\n\r\nrst:%#x (%s),boot:%#x (%s)\r\n", date, int(cause), cause, strap, bootModeName(strap))
}

// rom3 says which mask ROM this silicon has: revision 3 brought a new one.
func (c *Chip) rom3() bool {
	major, _ := revision(c.efuse.fuses, c.board.apbDate)
	return major >= 3
}

func (c *Chip) romDate() string {
	if c.rom3() {
		return "ets Jul 29 2019 12:21:46"
	}
	return "ets Jun  8 2016 00:22:57"
}

// textLines are the lines of a text that are not blank.
func textLines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' })
}

// print sends text.
func (c *Chip) print(text string) { c.send([]byte(text)) }
