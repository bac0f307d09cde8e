//go:build unix

package main

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	words "encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"provision/internal/simulator"
)

// canary finds pieces of keys in what a program leaves behind, in every form that one
// might print them in by mistake.
type canary struct {
	signs map[[signHead]byte][]sign
	heads [1 << 16]bool // of the first two bytes of a sign: most texts have none at most places
}

// signHead is how much of a sign is looked up; no sign is shorter.
const signHead = 8

type sign struct {
	text string
	name string
}

func (c *canary) add(name, text string) {
	if len(text) < signHead {
		panic("a sign of " + name + " is too short to mean anything")
	}
	head := [signHead]byte([]byte(text))
	c.signs[head] = append(c.signs[head], sign{text, name})
	c.heads[words.LittleEndian.Uint16(head[:])] = true
}

// find says which key is in text and in which form; "" without one.
func (c *canary) find(text []byte) string {
	for i := 0; i+signHead <= len(text); i++ {
		if !c.heads[words.LittleEndian.Uint16(text[i:])] {
			continue
		}
		for _, s := range c.signs[[signHead]byte(text[i:])] {
			if bytes.HasPrefix(text[i:], []byte(s.text)) {
				return s.name
			}
		}
	}
	return ""
}

// newCanary knows the keys in BLOCK1 and BLOCK2, in file order and in the chip's.
func newCanary(f simulator.Fuses) *canary {
	c := &canary{signs: map[[signHead]byte][]sign{}}
	raw := f.Bytes()
	for block := 1; block <= 2; block++ {
		key := bytes.Clone(raw[28+32*(block-1):][:32])
		if bytes.Equal(key, make([]byte, 32)) {
			continue
		}
		for range 2 {
			c.know(fmt.Sprintf("BLOCK%d", block), key)
			slices.Reverse(key)
		}
	}
	return c
}

// listForms print a list of bytes, by its first element and each that follows.
var listForms = [][2]string{
	{"%d", ",%d"}, {"%d", ", %d"}, {"%d", " %d"}, // JSON, Python, Go's %v
	{"%#x", ", %#x"}, {"0x%02x", ", 0x%02x"}, {"0x%02x", ",0x%02x"}, {"0x%02x", " 0x%02x"}, {"0x%02X", ", 0x%02X"},
	{"%02x", " %02x"}, {"%02x", ":%02x"}, {"%02x", "-%02x"}, {"%02X", " %02X"}, {"%02X", ":%02X"},
	{`\x%02x`, `\x%02x`}, {`\x%02X`, `\x%02X`}, {"%%%02X", "%%%02X"}, {"%%%02x", "%%%02x"}, {`\%03o`, `\%03o`}, {"%08b", "%08b"},
}

// know adds every form of eight bytes of a key, wherever they begin, and of two of the
// words that a block has.
func (c *canary) know(name string, key []byte) {
	for i := 0; i+10 <= len(key); i++ {
		piece := key[i : i+8]
		c.add(name+", raw", string(piece))
		c.add(name+", hex", hex.EncodeToString(piece))
		c.add(name+", hex", strings.ToUpper(hex.EncodeToString(piece)))
		// Nine bytes are twelve digits of base64, ten are sixteen of base32.
		c.add(name+", base64", base64.StdEncoding.EncodeToString(key[i:i+9]))
		c.add(name+", base64url", base64.URLEncoding.EncodeToString(key[i:i+9]))
		c.add(name+", base32", base32.StdEncoding.EncodeToString(key[i:i+10]))
		c.add(name+", base32hex", base32.HexEncoding.EncodeToString(key[i:i+10]))
		for _, form := range listForms {
			text := fmt.Sprintf(form[0], piece[0])
			for _, b := range piece[1:6] {
				text += fmt.Sprintf(form[1], b)
			}
			c.add(name+", as a list", text)
		}
	}
	for i := 0; i+8 <= len(key); i += 4 {
		for _, order := range []words.ByteOrder{words.BigEndian, words.LittleEndian} {
			one, two := order.Uint32(key[i:]), order.Uint32(key[i+4:])
			for _, form := range []string{"%08x %08x", "%08X %08X", "%08x,%08x", "%08x, %08x", `%08x","%08x`, `%08x", "%08x`, "%#x, %#x", "%#x %#x", "0x%08x, 0x%08x", "0x%08x 0x%08x", "%d, %d", "%d,%d", "%d %d"} {
				c.add(name+", words", fmt.Sprintf(form, one, two))
			}
		}
	}
}

// knowWords adds single words, as a traceback prints the arguments of calls. Elsewhere
// eight digits are too few: digests are full of them.
func (c *canary) knowWords(f simulator.Fuses) {
	for block := 1; block <= 2; block++ {
		for i, word := range f[block] {
			if word > 1<<24 {
				c.add(fmt.Sprintf("BLOCK%d, word %d", block, i), fmt.Sprintf("%#x", word))
			}
		}
	}
}

// TestCanarySings: the search finds a key in each form it looks for, and none where
// there is none.
func TestCanarySings(t *testing.T) {
	t.Parallel()
	fuses := canaryFuses(t)
	c := newCanary(fuses)
	raw := fuses.Bytes()
	key := raw[28:60]
	back := bytes.Clone(key)
	slices.Reverse(back)
	for name, text := range map[string][]byte{
		"raw":         key,
		"file order":  back,
		"hex":         fmt.Appendf(nil, "key=%x", key),
		"upper case":  fmt.Appendf(nil, "key=%X", back),
		"base64":      []byte("xx" + base64.StdEncoding.EncodeToString(key)),
		"in a text":   []byte(base64.StdEncoding.EncodeToString(append([]byte("k"), back...))),
		"base64url":   []byte(base64.RawURLEncoding.EncodeToString(append([]byte("ke"), key...))),
		"base32":      []byte(base32.StdEncoding.EncodeToString(append([]byte("key"), key...))),
		"Go's %v":     fmt.Appendf(nil, "%v", key),
		"Go's %#v":    fmt.Appendf(nil, "%#v", back),
		"words":       fmt.Appendf(nil, "%08x", fuses[1]),
		"words, %v":   fmt.Appendf(nil, "%v", fuses[1]),
		"words, JSON": fmt.Appendf(nil, `["%08x","%08x"]`, fuses[1][0], fuses[1][1]),
		"words, %#v":  fmt.Appendf(nil, "%#v", fuses[1]),
		"with colons": []byte(strings.ReplaceAll(fmt.Sprintf("% x", key), " ", ":")),
		"half of it":  key[16:],
		"eight bytes": key[3:13],
	} {
		if c.find(text) == "" {
			t.Errorf("a key in the form %q is not found in %q", name, text)
		}
	}
	if form := c.find(raw[60:]); form != "" {
		t.Errorf("%s is found where no key is", form)
	}
	c.knowWords(fuses)
	if c.find(fmt.Appendf(nil, "esptool.(*Device).WriteReg(0xc000123456, 0x3ff5a098, %#x)", fuses[1][2])) == "" {
		t.Error("a word in a traceback is not found")
	}
}

// canaryFuses are those of a chip with a key in BLOCK1 and none in BLOCK2.
func canaryFuses(t *testing.T) simulator.Fuses {
	t.Helper()
	chip := simulator.New(simulator.DefaultConfig())
	defer chip.Close()
	mustDo(t, chip.Preburn(simulator.Fuses{1: {0xf0112233, 0x84556677, 0x8899aabb, 0xccddeeff, 0x81234567, 0x89abcdef, 0xfedcba98, 0x76543210}}))
	return chip.Fuses()
}
