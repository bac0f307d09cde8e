package efuse

import "context"

// Reload makes the chip sense its fuses anew and returns them. Read alone shows
// what was loaded last, which after a session that was cut may be older than what
// that session burnt. Reload burns nothing; t is the chip's.
//
// A block named in cut is sensed as often as after a burn: a pulse that was cut short
// leaves bits that are there at one time and not at another. These are marginal, and
// words has them as not burnt. A key block that such a bit hides at times is in words as
// it reads when it is not hidden.
func Reload(ctx context.Context, regs Registers, t Timing, cut ...int) (words, marginal Words, err error) {
	c := controller{link{regs}, t}
	if err := c.reload(ctx); err != nil {
		return Words{}, Words{}, err
	}
	first, err := c.words(ctx)
	seen := observation{first, first}
	for _, block := range cut {
		if err == nil {
			seen, err = c.sense(ctx, seen, block, senses-1)
		}
	}
	if err != nil {
		return Words{}, Words{}, err
	}
	return seen.always, seen.ever.Without(seen.always), nil
}
