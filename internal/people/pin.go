package people

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// What can be wrong with a PIN.
var (
	ErrPINForm = errors.New("a PIN has 4 to 64 characters that can be seen")
	ErrWeakPIN = errors.New("PIN is too easy to guess")
)

// MaxPIN is the length of the longest PIN, in characters.
const MaxPIN = 64

const minPIN = 4 // the shortest

// What new PINs are hashed with, and how long salt and hash are, in bytes. Source:
// OWASP Password Storage Cheat Sheet, Argon2id "m=19456 (19 MiB), t=2, p=1"; RFC
// 9106, section 3.1, for the salt.
var newPINs = cost{memory: 19456, time: 2, threads: 1}

const (
	newSalt = 16
	newHash = 32
)

// checkPIN reports what is wrong with the form of a PIN.
func checkPIN(pin string) error {
	n := utf8.RuneCountInString(pin)
	if n < minPIN || n > MaxPIN || !utf8.ValidString(pin) {
		return ErrPINForm
	}
	for _, r := range pin {
		if !unicode.IsGraphic(r) {
			return ErrPINForm
		}
	}
	return nil
}

// WeakPIN reports why a PIN should not be chosen: ErrPINForm, or ErrWeakPIN when all
// characters are the same or each is the next, or the one before, of the last:
// 1111, 1234, dcba, 7890.
func WeakPIN(pin string) error {
	if err := checkPIN(pin); err != nil {
		return err
	}
	runes := []rune(pin)
	for _, step := range []rune{0, 1, -1} {
		if plainRun(runes, step) {
			return fmt.Errorf("%w: its characters are all the same, or count up or down", ErrWeakPIN)
		}
	}
	return nil
}

// plainRun reports whether each character is step after the one before; 0 comes
// after 9.
func plainRun(pin []rune, step rune) bool {
	for i := 1; i < len(pin); i++ {
		before, r := pin[i-1], pin[i]
		round := step == 1 && before == '9' && r == '0' || step == -1 && before == '0' && r == '9'
		if r-before != step && !round {
			return false
		}
	}
	return true
}

// HashPIN returns what is kept of a PIN, as a PHC string. It takes some 20 MiB and
// some 20 ms. A PIN of a form that none may have is ErrPINForm; whether it is weak
// is WeakPIN's to say.
func HashPIN(pin string, random io.Reader) (string, error) {
	if err := checkPIN(pin); err != nil {
		return "", err
	}
	salt := make([]byte, newSalt)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("salt for a PIN: %w", err)
	}
	h := pinHash{cost: newPINs, salt: salt}
	h.sum = h.of(pin, newHash)
	return h.String(), nil
}

// CheckPIN reports whether a PIN is the one that a PHC string was made of. It takes
// the memory and time that the string asks for, which is bounded; keep it off the
// loop that draws. The error is ErrPINHash: the record is damaged, nobody can be
// signed in with it.
func CheckPIN(encoded, pin string) (bool, error) {
	h, err := parsePINHash(encoded)
	if err != nil {
		return false, err
	}
	if checkPIN(pin) != nil {
		return false, nil // HashPIN made no string of it
	}
	return subtle.ConstantTimeCompare(h.of(pin, len(h.sum)), h.sum) == 1, nil
}

// of is the hash of a PIN, of a length in bytes.
func (h pinHash) of(pin string, length int) []byte {
	return argon2.IDKey([]byte(pin), h.salt, h.cost.time, h.cost.memory, h.cost.threads, uint32(length))
}
