package simulator

import "bytes"

// enterBasic leaves the loader for the ROM's BASIC interpreter. With
// CONSOLE_DEBUG_DISABLE burnt there is none, and the chip stops.
func (c *Chip) enterBasic() {
	if c.efuse.fuses.consoleDisabled() {
		c.hang()
		return
	}
	c.mode = modeBasic
	c.basicLine = nil
	c.print("flash read err, 631\r\nFalling back to built-in command interpreter.\r\nOK\r\n>")
}

// basic is the prompt: it echoes, ignores NUL, and shows a backspace by wiping the
// character before it. Of BASIC it understands BYE, which restarts the chip.
func (c *Chip) basic(b byte) {
	switch b {
	case 0:
	case '\b':
		c.print("\b \b")
		c.basicLine = c.basicLine[:max(0, len(c.basicLine)-1)]
	case '\r', '\n':
		c.print("\r\n")
		c.basicCommand()
	default:
		c.send([]byte{b})
		if len(c.basicLine) < basicLineMax {
			c.basicLine = append(c.basicLine, b)
		}
	}
}

// basicLineMax bounds what the prompt remembers of a line.
const basicLineMax = 128

func (c *Chip) basicCommand() {
	line := string(bytes.ToLower(bytes.TrimSpace(c.basicLine)))
	c.basicLine = nil
	switch {
	case line == "":
		c.print(">")
	case line == "bye":
		c.restart(resetSoftware)
	case line[0] >= 0x80:
		c.print("How?\r\n>")
	default:
		c.print("What? \r\n>")
	}
}
