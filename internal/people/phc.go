package people

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrPINHash is a string that is no hash of a PIN, or asks for more than a check
// may take.
var ErrPINHash = errors.New("record of a PIN cannot be used")

// Bounds of what a check may take: a string can come from a damaged or a hostile
// database. Memory in KiB; salt and sum in bytes.
const (
	maxMemory        = 64 * 1024
	maxTime          = 8
	maxThreads       = 4
	minSalt, maxSalt = 8, 64
	minSum, maxSum   = 16, 64
	maxEncoded       = 256
	memoryPerThread  = 8 // KiB that Argon2 needs at least (RFC 9106, section 3.1)
	algorithm        = "argon2id"
)

// cost is what a hash takes.
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// pinHash is a PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$sum, the last two in
// base64 without padding. Source: PHC string format specification
// (github.com/P-H-C/phc-string-format), as the Argon2 reference program writes it.
type pinHash struct {
	cost cost
	salt []byte
	sum  []byte
}

func (h pinHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", algorithm, argon2.Version,
		h.cost.memory, h.cost.time, h.cost.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

// parsePINHash reads a PHC string in the one form that String writes. Errors are
// ErrPINHash and never hold the string.
func parsePINHash(encoded string) (pinHash, error) {
	parts := strings.Split(encoded, "$")
	if len(encoded) > maxEncoded || len(parts) != 6 || parts[0] != "" {
		return pinHash{}, fmt.Errorf("%w: it has not the parts of a PHC string", ErrPINHash)
	}
	if parts[1] != algorithm || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return pinHash{}, fmt.Errorf("%w: it is not of %s, version %d", ErrPINHash, algorithm, argon2.Version)
	}
	c, err := parseCost(parts[3])
	if err != nil {
		return pinHash{}, err
	}
	salt, err := decode("salt", parts[4], minSalt, maxSalt)
	if err != nil {
		return pinHash{}, err
	}
	sum, err := decode("sum", parts[5], minSum, maxSum)
	if err != nil {
		return pinHash{}, err
	}
	return pinHash{c, salt, sum}, nil
}

// parseCost reads "m=19456,t=2,p=1" and checks the bounds.
func parseCost(text string) (cost, error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return cost{}, fmt.Errorf("%w: it has %d parameters, not 3", ErrPINHash, len(fields))
	}
	var values [3]uint64
	for i, p := range []struct {
		name     string
		min, max uint64
	}{{"m", memoryPerThread, maxMemory}, {"t", 1, maxTime}, {"p", 1, maxThreads}} {
		digits, named := strings.CutPrefix(fields[i], p.name+"=")
		v, err := strconv.ParseUint(digits, 10, 32)
		if !named || err != nil || digits != strconv.FormatUint(v, 10) {
			return cost{}, fmt.Errorf("%w: parameter %s is not a plain number", ErrPINHash, p.name)
		}
		if v < p.min || v > p.max {
			return cost{}, fmt.Errorf("%w: parameter %s is %d, not in %d to %d", ErrPINHash, p.name, v, p.min, p.max)
		}
		values[i] = v
	}
	if values[0] < memoryPerThread*values[2] {
		return cost{}, fmt.Errorf("%w: too little memory for %d threads", ErrPINHash, values[2])
	}
	return cost{uint32(values[0]), uint32(values[1]), uint8(values[2])}, nil
}

// decode reads base64 without padding, of a length within bounds.
func decode(name, text string, low, high int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: its %s is not base64", ErrPINHash, name)
	}
	if len(b) < low || len(b) > high {
		return nil, fmt.Errorf("%w: its %s has %d bytes, not %d to %d", ErrPINHash, name, len(b), low, high)
	}
	return b, nil
}
