package esptool

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatalf("hex %q: %v", s, err)
	}
	return b
}

// frames decodes all of in, handed over in pieces of n bytes.
func frames(in []byte, n int) [][]byte {
	var d decoder
	var out [][]byte
	for len(in) > 0 {
		piece := in[:min(n, len(in))]
		in = in[len(piece):]
		for len(piece) > 0 {
			var f []byte
			if f, piece = d.next(piece); f != nil {
				out = append(out, bytes.Clone(f))
			}
		}
	}
	return out
}

func TestAppendFrame(t *testing.T) {
	for _, c := range []struct{ name, payload, want string }{
		{"READ_REG, Espressif's worked frame", "000a04000000000000100040", "c0000a04000000000000100040c0"},
		{"END", "c0", "c0dbdcc0"},
		{"ESC", "db", "c0dbddc0"},
		{"both, next to what they become", "c0dbdcdd", "c0dbdcdbdddcddc0"},
		{"empty", "", "c0c0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := appendFrame(nil, unhex(t, c.payload)); !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("appendFrame(%s) = %x, want %s", c.payload, got, c.want)
			}
		})
	}
}

func TestDecoder(t *testing.T) {
	long := bytes.Repeat([]byte{1}, maxFrame+1)
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"noise before the first frame", append([]byte("ets Jul 29 2019\r\n"), unhex(t, "c00102c0")...), []string{"0102"}},
		{"frames that share END", unhex(t, "c001c002c0"), []string{"01", "02"}},
		{"empty frames", unhex(t, "c0c0c0c001c0c0"), []string{"01"}},
		{"escapes", unhex(t, "c0dbdcdbddc0"), []string{"c0db"}},
		{"wrong escape spoils its frame only", unhex(t, "c001db0203c0c004c0"), []string{"04"}},
		{"escape before END spoils its frame only", unhex(t, "c001dbc0c004c0"), []string{"04"}},
		{"closing END lost", unhex(t, "c00102c00304c0"), []string{"0102", "0304"}},
		{"too long", append(append([]byte{slipEnd}, long...), unhex(t, "c005c0")...), []string{"05"}},
		{"longest", append(append([]byte{slipEnd}, long[1:]...), slipEnd), []string{hex.EncodeToString(long[1:])}},
		{"no end yet", unhex(t, "c00102"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.in); n += 1 + n/16 {
				got := frames(c.in, n)
				if len(got) != len(c.want) {
					t.Fatalf("in pieces of %d: %d frames %x, want %v", n, len(got), got, c.want)
				}
				for i := range got {
					if hex.EncodeToString(got[i]) != c.want[i] {
						t.Fatalf("in pieces of %d: frame %d = %x, want %s", n, i, got[i], c.want[i])
					}
				}
			}
		})
	}
}

// FuzzDecoder feeds arbitrary bytes and then a frame: the frame comes out whole,
// whatever came before it and however it is cut.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("boot log"), []byte{0x01, 0xC0, 0xDB}, 3)
	f.Add([]byte{0xC0, 0xDB}, []byte{0xDB, 0xDC}, 1)
	f.Add([]byte{}, []byte{0xC0}, 100)
	f.Fuzz(func(t *testing.T, before, payload []byte, n int) {
		if len(payload) == 0 || len(payload) > maxFrame {
			return
		}
		got := frames(appendFrame(bytes.Clone(before), payload), max(1, n&0xFFFF))
		if len(got) == 0 || !bytes.Equal(got[len(got)-1], payload) {
			t.Fatalf("after %x: last of %d frames is not %x", before, len(got), payload)
		}
		for _, fr := range got {
			if len(fr) == 0 || len(fr) > maxFrame {
				t.Fatalf("frame of %d bytes", len(fr))
			}
		}
	})
}

func BenchmarkAppendFrame(b *testing.B) {
	payload := testData(headerSize + 16 + blockSize)
	var out []byte
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		out = appendFrame(out[:0], payload)
	}
}

func BenchmarkDecoder(b *testing.B) {
	in := appendFrame(nil, testData(headerSize+16+blockSize))
	var d decoder
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if f, _ := d.next(in); f == nil {
			b.Fatal("no frame")
		}
	}
}
