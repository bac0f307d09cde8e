package station

import "fmt"

// CheckDigit is a way to compute the last digit of a serial number from its other
// digits. Letters and punctuation are left out of the computation.
type CheckDigit string

const (
	NoCheckDigit CheckDigit = "none"
	Luhn         CheckDigit = "luhn"  // ISO/IEC 7812-1, annex B
	Mod10        CheckDigit = "mod10" // GS1 General Specifications: weights 3 and 1
)

// check returns ErrSerialCheckDigit unless s ends with its check digit.
func (c CheckDigit) check(s string) error {
	if c == NoCheckDigit {
		return nil
	}
	last := len(s) - 1
	if s[last] < '0' || s[last] > '9' {
		return fmt.Errorf("%w: %s does not end with a digit", ErrSerialCheckDigit, clip(s))
	}
	if want := c.digit(s[:last]); s[last] != want {
		return fmt.Errorf("%w: %s ends with %c where %c is expected", ErrSerialCheckDigit, clip(s), s[last], want)
	}
	return nil
}

// appendTo returns s with its check digit, if there is one.
func (c CheckDigit) appendTo(s string) string {
	if c == NoCheckDigit {
		return s
	}
	return s + string(c.digit(s))
}

// digit computes the check digit that follows s, as a character. Both ways weigh
// the digits from the right, beginning with the heavier weight, and take what is
// missing to the next multiple of ten; Luhn adds the digits of a product.
func (c CheckDigit) digit(s string) byte {
	sum, heavy := 0, true
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		d := int(s[i] - '0')
		switch {
		case heavy && c == Luhn:
			d *= 2
			if d > 9 {
				d -= 9
			}
		case heavy:
			d *= 3
		}
		sum += d
		heavy = !heavy
	}
	return byte('0' + (10-sum%10)%10)
}
