package simulator

// enterBasic leaves the loader for the ROM's BASIC interpreter. With
// CONSOLE_DEBUG_DISABLE burnt there is none, and the chip stops.
func (c *Chip) enterBasic() {
	if c.efuse.fuses.consoleDisabled() {
		c.hang()
		return
	}
	c.mode = modeBasic
	c.print("Falling back to built-in command interpreter.\r\nOK\r\n>")
}

// basic is the prompt's line editor, all of BASIC that is here: it echoes, ignores
// NUL, and shows a backspace by wiping the character before it.
func (c *Chip) basic(b byte) {
	switch b {
	case 0:
	case '\b':
		c.print("\b \b")
	case '\r', '\n':
		c.print("\r\nOK\r\n>")
	default:
		c.send([]byte{b})
	}
}
