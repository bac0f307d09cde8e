package keys

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

// ErrBadRecipient is a text that is not the public key of an age X25519 identity.
var ErrBadRecipient = errors.New("not an age recipient")

// Recipient can be sealed to. It is public, and prints as age1....
type Recipient struct{ key *age.X25519Recipient }

func (r Recipient) String() string { return r.key.String() }

// ParseRecipients reads public keys as age-keygen prints them (age1...). Each
// problem is ErrBadRecipient and names the place in the list, from 1; a secret
// key given by mistake is not repeated in the error.
func ParseRecipients(texts []string) ([]Recipient, error) {
	var out []Recipient
	var errs []error
	first := map[string]int{}
	for i, text := range texts {
		r, err := parseRecipient(text)
		if err == nil && first[r.String()] > 0 {
			err = fmt.Errorf("%w: it is the same as number %d", ErrBadRecipient, first[r.String()])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("recipient %d: %w", i+1, err))
			continue
		}
		first[r.String()] = i + 1
		out = append(out, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

func parseRecipient(text string) (Recipient, error) {
	switch {
	case strings.Contains(strings.ToUpper(text), "SECRET-KEY"):
		return Recipient{}, fmt.Errorf("%w: it is a secret key; put its public key (age1...) here and treat the secret as known", ErrBadRecipient)
	case strings.HasPrefix(text, "age1pq1"):
		// age refuses a file for X25519 and post-quantum recipients at once, and
		// the station's own identity is X25519.
		return Recipient{}, fmt.Errorf("%w: post-quantum recipients are not supported yet", ErrBadRecipient)
	case !strings.HasPrefix(text, "age1"): // not quoted: it may be anything
		return Recipient{}, fmt.Errorf("%w: it does not begin with age1", ErrBadRecipient)
	}
	key, err := age.ParseX25519Recipient(text)
	if err != nil {
		return Recipient{}, fmt.Errorf("%w: %w", ErrBadRecipient, err)
	}
	return Recipient{key}, nil
}
