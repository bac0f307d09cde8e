package efuse

import "fmt"

// Scheme is the code in which BLOCK1 to BLOCK3 are stored. The chip maker sets it.
type Scheme uint8

// The values of CODING_SCHEME. The ROM treats 3 as none; such a chip is odd enough
// to be refused all the same.
const (
	SchemeNone          Scheme = 0
	SchemeThreeQuarters Scheme = 1
	SchemeRepeat        Scheme = 2
)

// String names the scheme as Espressif does.
func (s Scheme) String() string {
	switch s {
	case SchemeNone:
		return "None"
	case SchemeThreeQuarters:
		return "3/4"
	case SchemeRepeat:
		return "Repeat"
	}
	return fmt.Sprintf("unknown (%d)", uint8(s))
}

// KeyLen is the length in bytes of a key in a block of this scheme; 0 where keys
// are not supported.
func (s Scheme) KeyLen() int {
	switch s {
	case SchemeNone:
		return 32
	case SchemeThreeQuarters:
		return 24
	}
	return 0
}

// Scheme returns CODING_SCHEME. It reads as None when RD_DIS bit 3 hides it.
func (w Words) Scheme() Scheme {
	return Scheme(w.Field("CODING_SCHEME"))
}
