package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestGenerate(t *testing.T) {
	for _, n := range []int{16, 24, 32} {
		a, err := Generate(rand.Reader, n)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Generate(rand.Reader, n)
		if err != nil {
			t.Fatal(err)
		}
		if a.Len() != n || b.Len() != n || a.Equal(b) {
			t.Errorf("two keys of %d bytes: %d and %d, equal %v", n, a.Len(), b.Len(), a.Equal(b))
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	broken := errors.New("no entropy")
	tests := []struct {
		name   string
		random io.Reader
		n      int
		want   error
	}{
		{"zeros", bytes.NewReader(make([]byte, 32)), 32, ErrWeak},
		{"ones", strings.NewReader(strings.Repeat("\xff", 32)), 32, ErrWeak},
		{"two bytes over", strings.NewReader(strings.Repeat("ab", 16)), 32, ErrWeak},
		{"three bytes over", strings.NewReader(strings.Repeat("abc", 11)), 32, ErrWeak},
		{"one half twice", strings.NewReader(strings.Repeat("0123456789abcdef", 2)), 32, ErrWeak},
		{"few values", strings.NewReader("aabacabbcaacbbcacbabccabbcaabcab"), 32, ErrWeak},
		{"ends early", strings.NewReader("short"), 32, io.ErrUnexpectedEOF},
		{"fails", iotest.ErrReader(broken), 32, broken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Generate(test.random, test.n)
			if !errors.Is(err, test.want) || s.Len() != 0 {
				t.Errorf("Generate = %d bytes, %v; want none, %v", s.Len(), err, test.want)
			}
		})
	}
	if _, err := Generate(rand.Reader, 15); err == nil {
		t.Error("a key of 15 bytes is made")
	}
}

func TestFingerprint(t *testing.T) {
	flash := Fingerprint(FlashEncryption, sample())
	if len(flash) != 64 || strings.Trim(flash, "0123456789abcdef") != "" {
		t.Errorf("fingerprint %q is not 64 lower-case hex digits", flash)
	}
	// Fixed: records made by released versions hold it. Checked with
	// printf '\0\0\0\0\0\0\0\x1c%s\0\0\0\0\0\0\0\x10%s\0\0\0\0\0\0\0\x20%s' ... | sha256sum
	if want := "2086df5baf05e93dcf3ece3018b6fc01da5dec3d893048dab1b806a2833fdc9c"; flash != want {
		t.Errorf("fingerprint %s, want %s", flash, want)
	}
	if flash == Fingerprint(SecureBootV1, sample()) {
		t.Error("the purpose does not count")
	}
	if Fingerprint("ab", NewSecret([]byte("c"))) == Fingerprint("a", NewSecret([]byte("bc"))) {
		t.Error("purpose and key run into each other")
	}
}
