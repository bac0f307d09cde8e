package keys

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is how every Secret prints.
const redacted = "[secret]"

// Secret holds key bytes and prints as [secret] in fmt, slog, JSON and text. It
// holds funcs because fmt prints private fields of other types without asking
// Format: bytes would leak. The zero Secret is empty. Copies of a Secret share
// their bytes, and Wipe empties all of them; neither is safe beside a Reveal in
// another goroutine.
type Secret struct {
	read func() []byte
	wipe func()
}

// NewSecret takes b over: the caller must not use it any more.
func NewSecret(b []byte) Secret {
	return Secret{
		read: func() []byte { return b },
		wipe: func() { clear(b); b = nil },
	}
}

// Reveal returns the bytes themselves, not a copy; nil after Wipe. Searching for
// its callers is the whole audit.
func (s Secret) Reveal() []byte {
	if s.read == nil {
		return nil
	}
	return s.read()
}

// Wipe overwrites the bytes with zeros and forgets them.
func (s Secret) Wipe() {
	if s.wipe != nil {
		s.wipe()
	}
}

// Len returns the number of bytes, which is no secret.
func (s Secret) Len() int { return len(s.Reveal()) }

// Equal compares in time that depends on the lengths alone.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), other.Reveal()) == 1
}

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } // fmt has nowhere to report it

// String is for callers that skip fmt, such as panic.
func (Secret) String() string { return redacted }

// GoString is for callers that skip fmt.
func (Secret) GoString() string { return redacted }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler, for TOML, XML and map keys.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
