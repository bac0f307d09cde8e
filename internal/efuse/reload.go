package efuse

import "context"

// Reload makes the chip sense its fuses anew and returns them. Read alone shows
// what was loaded last, which after a session that was cut may be older than what
// that session burnt. Reload burns nothing; t is the chip's.
func Reload(ctx context.Context, regs Registers, t Timing) (Words, error) {
	c := controller{link{regs}, t}
	if err := c.reload(ctx); err != nil {
		return Words{}, err
	}
	return c.words(ctx)
}
