package people

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Vectors of the Argon2 reference implementation (github.com/P-H-C/phc-winner-argon2,
// src/test.c, Argon2id, version 0x13): password "password", salt "somesalt".
func TestCheckPINAgainstTheReference(t *testing.T) {
	for _, encoded := range []string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		if ok, err := CheckPIN(encoded, "password"); !ok || err != nil {
			t.Errorf("%s: %v, %v", encoded, ok, err)
		}
		if ok, err := CheckPIN(encoded, "passwore"); ok || err != nil {
			t.Errorf("%s, wrong: %v, %v", encoded, ok, err)
		}
	}
}

func TestHashPIN(t *testing.T) {
	encoded, err := HashPIN("4711", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(encoded, "4711") {
		t.Errorf("encoded %s", encoded)
	}
	for pin, want := range map[string]bool{"4711": true, "4712": false, "4711 ": false, "": false, strings.Repeat("4", 1000): false} {
		if ok, err := CheckPIN(encoded, pin); ok != want || err != nil {
			t.Errorf("CheckPIN(%.10q) = %v, %v; want %v", pin, ok, err, want)
		}
	}
}

// TestHashPINUsesTheSalt: the same PIN of two people is not seen to be the same.
func TestHashPINUsesTheSalt(t *testing.T) {
	one, err1 := HashPIN("4711", bytes.NewReader(bytes.Repeat([]byte{1}, 16)))
	two, err2 := HashPIN("4711", bytes.NewReader(bytes.Repeat([]byte{2}, 16)))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if one == two || one[len(one)-43:] == two[len(two)-43:] {
		t.Errorf("%s and %s", one, two)
	}
	if _, err := HashPIN("4711", iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("without randomness: %v", err)
	}
}

func TestPINRules(t *testing.T) {
	for _, c := range []struct {
		pin  string
		want error
	}{
		{"4711", nil},
		{"1123", nil},
		{"1357", nil},
		{"grün", nil},
		{"correct horse", nil},
		{"", ErrPINForm},
		{"471", ErrPINForm},
		{"ü1ü", ErrPINForm}, // characters, not bytes
		{"47\x0011", ErrPINForm},
		{"47\xff11", ErrPINForm},
		{strings.Repeat("47", 32), nil},
		{strings.Repeat("47", 32) + "1", ErrPINForm},
		{"1111", ErrWeakPIN},
		{"1234", ErrWeakPIN},
		{"987654", ErrWeakPIN},
		{"7890", ErrWeakPIN},
		{"3210987", ErrWeakPIN},
		{"abcdef", ErrWeakPIN},
	} {
		if err := WeakPIN(c.pin); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("WeakPIN(%.10q) = %v, want %v", c.pin, err, c.want)
		}
		if c.want == ErrPINForm {
			if _, err := HashPIN(c.pin, rand.Reader); !errors.Is(err, ErrPINForm) {
				t.Errorf("HashPIN(%.10q) = %v", c.pin, err)
			}
		}
	}
	if _, err := HashPIN("1234", rand.Reader); err != nil { // a demo has a simple PIN
		t.Errorf("HashPIN of a weak PIN: %v", err)
	}
}

func TestParsePINHash(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for name, encoded := range map[string]string{
		"empty":              "",
		"text":               "4711",
		"no dollar in front": "argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + sum,
		"another algorithm":  "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + sum,
		"another version":    "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + sum,
		"no version":         "$argon2id$m=256,t=2,p=1$" + salt + "$" + sum,
		"a part more":        "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + sum + "$",
		"much memory":        "$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + sum,
		"all the memory":     "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum,
		"more than a number": "$argon2id$v=19$m=99999999999999999999,t=2,p=1$" + salt + "$" + sum,
		"little memory":      "$argon2id$v=19$m=16,t=2,p=4$" + salt + "$" + sum,
		"many passes":        "$argon2id$v=19$m=256,t=9,p=1$" + salt + "$" + sum,
		"no passes":          "$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + sum,
		"no threads":         "$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + sum,
		"many threads":       "$argon2id$v=19$m=256,t=2,p=255$" + salt + "$" + sum,
		"another order":      "$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + sum,
		"sign":               "$argon2id$v=19$m=+256,t=2,p=1$" + salt + "$" + sum,
		"zeros in front":     "$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + sum,
		"two parameters":     "$argon2id$v=19$m=256,t=2$" + salt + "$" + sum,
		"no salt":            "$argon2id$v=19$m=256,t=2,p=1$$" + sum,
		"short sum":          "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$nf65",
		"no sum":             "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"padding":            "$argon2id$v=19$m=256,t=2,p=1$" + salt + "==$" + sum,
		"bits to spare":      "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$" + sum,
		"line end":           "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + sum + "\n",
		"too long":           "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("A", 300),
	} {
		if ok, err := CheckPIN(encoded, "password"); ok || !errors.Is(err, ErrPINHash) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func FuzzParsePINHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, encoded string) {
		h, err := parsePINHash(encoded)
		if err != nil {
			if !errors.Is(err, ErrPINHash) {
				t.Errorf("error %v", err)
			}
			return
		}
		if h.String() != encoded {
			t.Errorf("%q comes back as %q", encoded, h)
		}
		if h.cost.memory > maxMemory || h.cost.time > maxTime || len(h.salt) > maxSalt || len(h.sum) > maxSum {
			t.Errorf("out of bounds: %+v", h)
		}
	})
}
