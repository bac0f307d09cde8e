package records

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// timeLayout is how times are stored: UTC, always 30 characters, sorting as they
// happened.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// stamp returns t as it is stored. The zero time is ErrInvalid: somebody forgot
// to pass one in.
func stamp(t time.Time) (string, error) {
	if t.IsZero() {
		return "", fmt.Errorf("%w: no time given", ErrInvalid)
	}
	return t.UTC().Format(timeLayout), nil
}

// timestamp scans a stored time; NULL is the zero time.
type timestamp struct{ into *time.Time }

// Scan implements sql.Scanner.
func (s timestamp) Scan(value any) error {
	*s.into = time.Time{}
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		t, err := time.Parse(timeLayout, v)
		*s.into = t
		return err
	default:
		return fmt.Errorf("time stored as %T", value)
	}
}

// rawJSON scans a JSON column; NULL is nil.
type rawJSON struct{ into *json.RawMessage }

// Scan implements sql.Scanner.
func (s rawJSON) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*s.into = nil
	case string:
		*s.into = json.RawMessage(v)
	default:
		return fmt.Errorf("JSON stored as %T", value)
	}
	return nil
}

// orZero scans a column whose NULL means the zero value.
type orZero[T any] struct{ into *T }

// Scan implements sql.Scanner.
func (s orZero[T]) Scan(value any) error {
	var n sql.Null[T]
	err := n.Scan(value)
	*s.into = n.V
	return err
}

// orNull returns NULL for the zero value.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// blobOrNull returns NULL for no bytes.
func blobOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// jsonOrNull returns what a JSON column stores: NULL for nothing, ErrInvalid for
// what is not JSON.
func jsonOrNull(what string, raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if !json.Valid(raw) {
		return nil, fmt.Errorf("%w: %s is not JSON", ErrInvalid, what)
	}
	return string(raw), nil
}

// ParseMAC reads a MAC address in any usual notation (24:0a:c4:a1:b2:c3,
// 24-0A-C4-A1-B2-C3, 240a.c4a1.b2c3, 240AC4A1B2C3) and returns it as it is
// stored: lower case with colons. Anything else is ErrInvalid.
func ParseMAC(s string) (string, error) {
	digits := s
	switch {
	case len(s) == 17 && strings.Count(s, ":") == 5, len(s) == 17 && strings.Count(s, "-") == 5:
		if !separated(s, 2) {
			return "", badMAC(s)
		}
		digits = strings.NewReplacer(":", "", "-", "").Replace(s)
	case len(s) == 14 && strings.Count(s, ".") == 2:
		if !separated(s, 4) {
			return "", badMAC(s)
		}
		digits = strings.ReplaceAll(s, ".", "")
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != 6 {
		return "", badMAC(s)
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]), nil
}

func badMAC(s string) error { return fmt.Errorf("%w: %q is not a MAC address", ErrInvalid, s) }

// separated reports whether s has a separator after every n digits and only there.
func separated(s string, n int) bool {
	for i := range len(s) {
		if strings.IndexByte(":-.", s[i]) >= 0 != (i%(n+1) == n) {
			return false
		}
	}
	return true
}

// parseHash checks a SHA-256 given as 64 hex digits and returns it in lower case.
func parseHash(what, s string) (string, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 {
		return "", fmt.Errorf("%w: %s %q is not a SHA-256 in hex", ErrInvalid, what, s)
	}
	return strings.ToLower(s), nil
}

// Words are the words of one eFuse block as the chip reads it: word 0 first, bit
// 0 the LSB; words a block does not have are zero.
type Words [8]uint32

// String returns eight groups of eight hex digits.
func (w Words) String() string {
	groups := make([]string, len(w))
	for i, v := range w {
		groups[i] = fmt.Sprintf("%08x", v)
	}
	return strings.Join(groups, " ")
}

// MarshalText returns the same text as String.
func (w Words) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// wordsLen is the length of the text of eight words.
const wordsLen = 8*9 - 1

// UnmarshalText reads what MarshalText wrote.
func (w *Words) UnmarshalText(text []byte) error {
	got, ok := parseWords(string(text))
	if !ok {
		return fmt.Errorf("%q is not eight eFuse words", text)
	}
	*w = got
	return nil
}

// parseWords is written out by hand: a question to a fleet reads the words of every
// unit.
func parseWords(text string) (w Words, ok bool) {
	if len(text) != wordsLen {
		return Words{}, false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case i%9 == 8:
			if c != ' ' {
				return Words{}, false
			}
		case c >= '0' && c <= '9':
			w[i/9] = w[i/9]<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			w[i/9] = w[i/9]<<4 | uint32(c-'a'+10)
		default:
			return Words{}, false
		}
	}
	return w, true
}

// finalWords scans the words of a complete unit; NULL is nil.
type finalWords struct{ into *[]BlockWords }

// Scan implements sql.Scanner.
func (s finalWords) Scan(value any) error {
	*s.into = nil
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		if blocks, ok := plainBlocks(v); ok {
			*s.into = blocks
			return nil
		}
		return json.Unmarshal([]byte(v), s.into)
	default:
		return fmt.Errorf("final eFuse words stored as %T", value)
	}
}

// plainBlocks reads the JSON of words as encodeFinal writes it, to the letter, in a
// tenth of the time that json.Unmarshal takes.
func plainBlocks(text string) (blocks []BlockWords, ok bool) {
	const open, middle, end = `{"block":`, `,"words":"`, `"}`
	const itemLen = len(open) + 1 + len(middle) + wordsLen + len(end)
	if len(text) < 2 || len(text)%(itemLen+1) != 1 || text[0] != '[' || text[len(text)-1] != ']' {
		return nil, false
	}
	blocks = make([]BlockWords, 0, len(text)/(itemLen+1))
	for at := 1; at < len(text); at += itemLen + 1 {
		item, sep := text[at:at+itemLen], text[at+itemLen]
		digit, rest := item[len(open)], item[len(open)+1:]
		if item[:len(open)] != open || digit < '0' || digit > '9' || rest[:len(middle)] != middle || rest[len(rest)-len(end):] != end ||
			sep != ',' && at+itemLen+1 < len(text) {
			return nil, false
		}
		words, ok := parseWords(rest[len(middle) : len(rest)-len(end)])
		if !ok {
			return nil, false
		}
		blocks = append(blocks, BlockWords{int(digit - '0'), words})
	}
	return blocks, true
}

// storedWords scans a column of words; NULL is nil.
type storedWords struct{ into **Words }

// Scan implements sql.Scanner.
func (s storedWords) Scan(value any) error {
	*s.into = nil
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		w := new(Words)
		*s.into = w
		return w.UnmarshalText([]byte(v))
	default:
		return fmt.Errorf("eFuse words stored as %T", value)
	}
}
