package flashcrypt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// hexBytes is a hex string in a vector file.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vector struct {
	Key        hexBytes
	Address    uint32
	Conf       uint8 `json:"flash_crypt_conf"`
	Plaintext  hexBytes
	Ciphertext hexBytes
}

func vectors(t *testing.T) (origin string, list []vector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/espsecure.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Origin  string
		Vectors []vector `json:"flash_encryption"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("testdata/espsecure.json holds no flash_encryption vectors")
	}
	return file.Origin, file.Vectors
}

func TestVectors(t *testing.T) {
	origin, list := vectors(t)
	for i, v := range list {
		t.Run(fmt.Sprintf("%d_key%d_at%#x_conf%x_len%d", i, len(v.Key), v.Address, v.Conf, len(v.Plaintext)), func(t *testing.T) {
			src := PadFF(v.Plaintext, BlockSize)
			got := make([]byte, len(src))
			if err := Encrypt(got, src, v.Key, v.Address, v.Conf); err != nil {
				t.Fatal(err)
			}
			// espsecure pads a short last block with random bytes: only the whole
			// blocks of its ciphertext are defined.
			whole := len(v.Plaintext) / BlockSize * BlockSize
			if len(got) != len(v.Ciphertext) || !bytes.Equal(got[:whole], v.Ciphertext[:whole]) {
				t.Errorf("Encrypt = %x\nwant %x (%s)", got, v.Ciphertext, origin)
			}
			if err := Decrypt(got, v.Ciphertext, v.Key, v.Address, v.Conf); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got[:len(v.Plaintext)], v.Plaintext) {
				t.Errorf("Decrypt = %x\nwant %x (%s)", got, v.Plaintext, origin)
			}
		})
	}
}

// A region encrypted in pieces, or in place, or backwards, is the same region.
func TestPieces(t *testing.T) {
	c, err := New(counting(3, 32), ConfAll)
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat(counting(0, 256), 4)
	whole := make([]byte, len(plain))
	if err := c.EncryptAt(whole, plain, 0x7F10); err != nil {
		t.Fatal(err)
	}
	pieces := bytes.Clone(plain)
	for i := len(pieces) - BlockSize; i >= 0; i -= BlockSize {
		piece := pieces[i : i+BlockSize]
		if err := c.EncryptAt(piece, piece, 0x7F10+uint32(i)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(whole, pieces) {
		t.Error("encrypting block by block in place differs from encrypting at once")
	}
}

func TestTweakedKey(t *testing.T) { // known answers computed with espsecure 4.8.1
	var key [32]byte
	copy(key[:], counting(0, 32))
	for _, v := range []struct {
		offset uint32
		want   string
	}{
		{0x0, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
		{0x1000, "0011020104054617080b0a0b4c0d06071010121334151217181b1a1b5c1d161f"},
		{0x101F, "0011020104054617080b0a0b4c0d06071010121334151217181b1a1b5c1d161f"},
		{0x10020, "010122230001068728290e0f0c8d8e1f000110111455561f38391e1f1c9d9e0e"},
		{0xABCDE0, "abccf77abaaa31cafd70b4a43bd8e8f9eaadcd448fffe56aed60a4b42bc8f8e0"},
	} {
		m := newMasks(ConfAll)
		got := m.tweak(toWords(&key), v.offset).bytes()
		if hex.EncodeToString(got[:]) != v.want {
			t.Errorf("tweak at %#x = %x, want %s", v.offset, got, v.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	key, buf := counting(0, 32), make([]byte, 64)
	for _, v := range []struct {
		name   string
		key    []byte
		dst    int
		src    int
		offset uint32
		conf   uint8
		want   error
	}{
		{"16-byte key", key[:16], 32, 32, 0, ConfAll, ErrKeyLength},
		{"no key", nil, 32, 32, 0, ConfAll, ErrKeyLength},
		{"wide conf", key, 32, 32, 0, 0x10, ErrConf},
		{"odd offset", key, 32, 32, 8, ConfAll, ErrOffset},
		{"short block", key, 32, 31, 0, ConfAll, ErrLength},
		{"beyond 16 MiB", key, 32, 32, FlashMax - 16, ConfAll, ErrRange},
		{"offset wraps", key, 32, 32, 0xFFFFFFF0, ConfAll, ErrRange},
		{"short destination", key, 16, 32, 0, ConfAll, ErrShortDst},
		{"last block of flash", key, 16, 16, FlashMax - 16, ConfAll, nil},
		{"nothing", key, 0, 0, 0, ConfAll, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			src := make([]byte, 64)
			if err := Encrypt(buf[:v.dst], src[:v.src], v.key, v.offset, v.conf); !errors.Is(err, v.want) {
				t.Errorf("Encrypt: %v, want %v", err, v.want)
			}
			if err := Decrypt(buf[:v.dst], src[:v.src], v.key, v.offset, v.conf); !errors.Is(err, v.want) {
				t.Errorf("Decrypt: %v, want %v", err, v.want)
			}
		})
	}
}

func TestPadFF(t *testing.T) {
	for _, v := range []struct{ have, align, want int }{{0, 16, 0}, {1, 16, 16}, {16, 16, 16}, {17, 32, 32}, {5, 1, 5}} {
		data := counting(1, v.have)
		got := PadFF(data, v.align)
		if len(got) != v.want || !bytes.Equal(got[:v.have], data) || bytes.Count(got[v.have:], []byte{0xFF}) != v.want-v.have {
			t.Errorf("PadFF(%d bytes, %d) = %x", v.have, v.align, got)
		}
	}
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
	saved := knownAnswers[0].ciphertext
	defer func() { knownAnswers[0].ciphertext = saved }()
	knownAnswers[0].ciphertext = "00" + saved[2:]
	if err := SelfTest(); !errors.Is(err, ErrSelfTest) {
		t.Errorf("with a wrong answer: %v", err)
	}
}

func TestCipherIsSecret(t *testing.T) {
	c, err := New(counting(0xA0, 32), ConfAll)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct{ inner *Cipher }{c}
	byValue := struct{ inner Cipher }{*c}
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %x %v %+v %#v %+v %#v", c, c, c, c, c, *c, holder, holder, byValue, byValue)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "cipher", c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "cipher", c)
	lower := strings.ToLower(out.String())
	for _, leak := range []string{"a0a1a2", "160 161", "0xa0", "a0 a1", "11575"} { // 0xa0a1... as hex, lists, decimal word
		if strings.Contains(lower, leak) {
			t.Errorf("cipher printed key material (%q): %s", leak, lower)
		}
	}
	if !strings.Contains(lower, "[secret]") {
		t.Errorf("cipher printed as %s", lower)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("sixteen bytes 16"), []byte("0123456789abcdef0123456789abcdef"), uint32(0x10000), uint8(15))
	f.Add([]byte("thirty-two bytes, exactly 32...."), []byte("0123456789abcdef01234567"), uint32(0x1010), uint8(9))
	f.Fuzz(func(t *testing.T, data, key []byte, offset uint32, conf uint8) {
		src := bytes.Clone(data)
		got := make([]byte, len(data))
		if Encrypt(got, data, key, offset, conf) != nil {
			return
		}
		if !bytes.Equal(data, src) {
			t.Fatal("Encrypt wrote to its source")
		}
		if err := Decrypt(got, got, key, offset, conf); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("round trip at %#x conf %x: %x, %v; want %x", offset, conf, got, err, data)
		}
	})
}

func BenchmarkEncryptMiB(b *testing.B) {
	c, err := New(counting(0, 32), ConfAll)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	b.SetBytes(1 << 20)
	for b.Loop() {
		if err := c.EncryptAt(buf, buf, 0x10000); err != nil {
			b.Fatal(err)
		}
	}
}
