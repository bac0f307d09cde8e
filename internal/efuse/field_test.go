package efuse

import (
	"errors"
	"strings"
	"testing"
)

// fuseMap is the map of the ESP32 TRM and esp_efuse_table.csv, written down a
// second time: word of the block, highest and lowest bit, WR_DIS and RD_DIS bit.
var fuseMap = map[string][6]int{
	"WR_DIS": {0, 0, 15, 0, 1, -1}, "RD_DIS": {0, 0, 19, 16, 0, -1}, "FLASH_CRYPT_CNT": {0, 0, 26, 20, 2, -1},
	"UART_DOWNLOAD_DIS": {0, 0, 27, 27, 2, -1}, "MAC_CRC": {0, 2, 23, 16, 3, -1},
	"DISABLE_APP_CPU": {0, 3, 0, 0, 3, -1}, "DISABLE_BT": {0, 3, 1, 1, 3, -1}, "CHIP_PACKAGE_4BIT": {0, 3, 2, 2, -1, -1},
	"DIS_CACHE": {0, 3, 3, 3, 3, -1}, "SPI_PAD_CONFIG_HD": {0, 3, 8, 4, -1, -1}, "CHIP_PACKAGE": {0, 3, 11, 9, -1, -1},
	"CHIP_CPU_FREQ_LOW": {0, 3, 12, 12, -1, -1}, "CHIP_CPU_FREQ_RATED": {0, 3, 13, 13, -1, -1},
	"BLK3_PART_RESERVE": {0, 3, 14, 14, 10, 3}, "CHIP_VER_REV1": {0, 3, 15, 15, -1, -1},
	"CLK8M_FREQ": {0, 4, 7, 0, 4, -1}, "ADC_VREF": {0, 4, 12, 8, 4, -1}, "XPD_SDIO_REG": {0, 4, 14, 14, 5, -1},
	"XPD_SDIO_TIEH": {0, 4, 15, 15, 5, -1}, "XPD_SDIO_FORCE": {0, 4, 16, 16, 5, -1},
	"SPI_PAD_CONFIG_CLK": {0, 5, 4, 0, 6, -1}, "SPI_PAD_CONFIG_Q": {0, 5, 9, 5, 6, -1}, "SPI_PAD_CONFIG_D": {0, 5, 14, 10, 6, -1},
	"SPI_PAD_CONFIG_CS0": {0, 5, 19, 15, 6, -1}, "CHIP_VER_REV2": {0, 5, 20, 20, -1, -1}, "VOL_LEVEL_HP_INV": {0, 5, 23, 22, 3, -1},
	"WAFER_VERSION_MINOR": {0, 5, 25, 24, -1, -1}, "FLASH_CRYPT_CONFIG": {0, 5, 31, 28, 10, 3},
	"CODING_SCHEME": {0, 6, 1, 0, 10, 3}, "CONSOLE_DEBUG_DISABLE": {0, 6, 2, 2, 15, -1}, "DISABLE_SDIO_HOST": {0, 6, 3, 3, -1, -1},
	"ABS_DONE_0": {0, 6, 4, 4, 12, -1}, "ABS_DONE_1": {0, 6, 5, 5, 13, -1}, "JTAG_DISABLE": {0, 6, 6, 6, 14, -1},
	"DISABLE_DL_ENCRYPT": {0, 6, 7, 7, 15, -1}, "DISABLE_DL_DECRYPT": {0, 6, 8, 8, 15, -1}, "DISABLE_DL_CACHE": {0, 6, 9, 9, 15, -1},
	"KEY_STATUS":     {0, 6, 10, 10, 10, 3},
	"CUSTOM_MAC_CRC": {3, 0, 7, 0, 9, 2}, "ADC1_TP_LOW": {3, 3, 6, 0, 9, 2}, "ADC1_TP_HIGH": {3, 3, 15, 7, 9, 2},
	"ADC2_TP_LOW": {3, 3, 22, 16, 9, 2}, "ADC2_TP_HIGH": {3, 3, 31, 23, 9, 2}, "SECURE_VERSION": {3, 4, 31, 0, 9, 2},
	"MAC_VERSION": {3, 5, 31, 24, 9, 2},
	// more than a word: the word where they begin, and where they would end in it
	"MAC": {0, 1, 47, 0, 3, -1}, "CUSTOM_MAC": {3, 0, 55, 8, 9, 2},
	"BLOCK1": {1, 0, 255, 0, 7, 0}, "BLOCK2": {2, 0, 255, 0, 8, 1}, "BLOCK3": {3, 0, 255, 0, 9, 2},
}

func TestFieldTable(t *testing.T) {
	names := map[string]bool{}
	var used Words
	for _, f := range Fields() {
		want, ok := fuseMap[f.Name]
		got := [6]int{f.Block, f.Bit / 32, f.Bit%32 + f.Len - 1, f.Bit % 32, f.WrDis, f.RdDis}
		if !ok || got != want {
			t.Errorf("%s is at %v, want %v", f.Name, got, want)
		}
		if names[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		names[f.Name] = true
		if f.Len < 1 || f.Bit+f.Len > 32*blockLen(f.Block) {
			t.Errorf("%s does not fit its block", f.Name)
		}
		if f.Meaning == "" {
			t.Errorf("%s has no meaning", f.Name)
		}
		if f.Len == 256 {
			continue // a whole block: its parts follow
		}
		if both := count(used[f.Block]) + f.Len - count(join(used[f.Block], f.mask())); both > 0 {
			t.Errorf("%s overlaps by %d bits", f.Name, both)
		}
		used[f.Block] = join(used[f.Block], f.mask())
	}
	if len(names) != len(fuseMap) {
		t.Errorf("%d fields, want %d", len(names), len(fuseMap))
	}
}

func TestFieldValues(t *testing.T) {
	w := fullyBurnt()
	for name, want := range map[string]uint64{
		"FLASH_CRYPT_CNT": 0x7F, "FLASH_CRYPT_CONFIG": 0xF, "RD_DIS": 3, "WR_DIS": 0xD588, "ABS_DONE_0": 1, "ABS_DONE_1": 0,
		"MAC": 0x240ac4a1b2c3, "CHIP_VER_REV1": 1,
	} {
		if got := w.Field(name); got != want {
			t.Errorf("%s = %#x, want %#x", name, got, want)
		}
	}
	if _, ok := Lookup("NO_SUCH"); ok {
		t.Error("found a field that is not there")
	}
	for _, f := range Fields() {
		if f.Len > 64 {
			continue
		}
		var all Words
		all[f.Block] = f.mask()
		full := f.Value(all)
		if f.place(full) != f.mask() {
			t.Errorf("%s does not come back", f.Name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a misspelt name went unnoticed")
		}
	}()
	w.Field("NO_SUCH")
}

func TestSummary(t *testing.T) {
	texts := map[string]FieldState{}
	for _, s := range Summary(fullyBurnt()) {
		texts[s.Name] = s
		if s.Text == "" {
			t.Errorf("%s says nothing", s.Name)
		}
	}
	for name, want := range map[string]FieldState{
		"BLOCK1":             {Text: "hidden, not blank: software cannot read it"},
		"BLOCK3":             {Text: "blank", Raw: strings.TrimRight("["+strings.Repeat("00000000 ", 8), " ") + "]", Readable: true, Writable: true},
		"FLASH_CRYPT_CNT":    {Text: "flash encryption is on for ever", Raw: "0x7f", Readable: true, Writable: true},
		"ABS_DONE_0":         {Text: "Secure Boot V1 is on", Raw: "0x1", Readable: true},
		"ABS_DONE_1":         {Text: "not burnt (burnt would mean: Secure Boot V2 is on (chip revision v3.0 and later))", Raw: "0x0", Readable: true, Writable: true},
		"MAC":                {Text: "24:0a:c4:a1:b2:c3", Raw: "0x240ac4a1b2c3", Readable: true},
		"FLASH_CRYPT_CONFIG": {Text: "the whole key is tweaked with the address", Raw: "0xf", Readable: true},
		"CODING_SCHEME":      {Text: "None", Raw: "0x0", Readable: true},
	} {
		got := texts[name]
		if got.Text != want.Text || got.Raw != want.Raw || got.Readable != want.Readable || got.Writable != want.Writable {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestCryptCountText(t *testing.T) {
	for _, tc := range []struct {
		count, wrDis uint32
		want         string
	}{
		{0, 0, "flash encryption is off"},
		{0, 4, "flash encryption is off for ever"},
		{0x01, 0, "flash encryption is on, with 3 of 3 chances left to switch it off"},
		{0x03, 0, "flash encryption was on and is switched off"},
		{0x1F, 0, "flash encryption is on, with 1 of 3 chances left to switch it off"},
		{0x01, 4, "flash encryption is on for ever"},
		{0x7F, 0, "flash encryption is on for ever"},
	} {
		if got := cryptCountText(Words{0: {0: tc.count<<20 | tc.wrDis}}); got != tc.want {
			t.Errorf("%#x frozen %d: %q, want %q", tc.count, tc.wrDis, got, tc.want)
		}
	}
}

func TestMAC(t *testing.T) {
	good := [6]byte{0x24, 0x0a, 0xc4, 0x08, 0x99, 0x50}
	if w1, w2 := factoryMACWords(good); w1 != 0xC4089950 || w2 != 0x006F240A {
		t.Errorf("words %08x %08x", w1, w2)
	}
	if got := MACCRC([6]byte{0xaa, 0xcd, 0xef, 1, 2, 3}); got != 0x56 {
		t.Errorf("CRC %#x, want 0x56", got)
	}
	if got, want := customMACWords([6]byte{0xaa, 0xcd, 0xef, 1, 2, 3}), [8]uint32{0xEFCDAA56, 0x00030201, 5: 0x01000000}; got != want {
		t.Errorf("custom MAC %08x, want %08x", got, want)
	}
	with := func(mac [6]byte, flip uint32) (w Words) {
		w[0][1], w[0][2] = factoryMACWords(mac)
		w[0][2] ^= flip
		return w
	}
	for _, tc := range []struct {
		w    Words
		want error
	}{
		{with(good, 0), nil},
		{with(good, 0x10000), ErrMAC},
		{with(good, 1), ErrMAC},
		{Words{}, ErrMAC},
		{with([6]byte{0x25, 1, 2, 3, 4, 5}, 0), ErrMAC},
		{with([6]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 0), ErrMAC},
	} {
		if mac, err := tc.w.MAC(); !errors.Is(err, tc.want) || tc.want == nil && mac != good {
			t.Errorf("MAC %x: %v, want %v", mac, err, tc.want)
		}
	}
}

func TestRevision(t *testing.T) {
	for _, tc := range []struct {
		bits uint32
		want Revision
		err  error
	}{
		{0, Revision{0, 2}, nil}, {1, Revision{1, 2}, nil}, {3, Revision{2, 2}, nil}, {7, Revision{3, 2}, nil},
		{2, Revision{}, ErrRevision}, {4, Revision{}, ErrRevision}, {5, Revision{}, ErrRevision}, {6, Revision{}, ErrRevision},
	} {
		w := Words{0: {3: tc.bits & 1 << 15, 5: tc.bits>>1&1<<20 | 2<<24}}
		if got, err := w.Revision(tc.bits >> 2 << 31); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("bits %03b: %v, %v", tc.bits, got, err)
		}
	}
	if (Revision{3, 0}).Compare(Revision{1, 9}) != 1 || (Revision{3, 0}).Compare(Revision{3, 1}) != -1 || (Revision{3, 1}).String() != "v3.1" {
		t.Error("revisions are in the wrong order")
	}
}

func TestThreeQuarters(t *testing.T) {
	var data [24]byte
	for i := range data {
		data[i] = 0x37 - byte(i) // the key 20 21 .. 37 as its block holds it
	}
	want := [8]uint32{0x34353637, 0x4b013233, 0x2e2f3031, 0x4c012c2d, 0x28292a2b, 0x41012627, 0x22232425, 0x28012021}
	words := encodeThreeQuarters(data)
	if words != want {
		t.Errorf("encoded %08x, want %08x", words, want)
	}
	if got, err := decodeThreeQuarters(words); err != nil || got != data {
		t.Errorf("decoded %x, %v", got, err)
	}
	for bit := range 256 {
		broken := words
		broken[bit/32] ^= 1 << (bit % 32)
		if _, err := decodeThreeQuarters(broken); !errors.Is(err, errEncoding) {
			t.Errorf("bit %d wrong: %v", bit, err)
		}
	}
}

func TestKeyWords(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	words, err := KeyWords(key, SchemeNone)
	if err != nil || words[0] != 0x1c1d1e1f || words[7] != 0x00010203 {
		t.Errorf("words %08x, %v", words, err)
	}
	if d := digestWords([32]byte(key)); d[0] != 0x03020100 || d[7] != 0x1f1e1d1c {
		t.Errorf("digest %08x", d)
	}
	for _, tc := range []struct {
		n      int
		scheme Scheme
	}{{31, SchemeNone}, {24, SchemeNone}, {32, SchemeThreeQuarters}, {0, SchemeRepeat}, {16, SchemeRepeat}, {32, 3}} {
		if _, err := KeyWords(key[:tc.n], tc.scheme); !errors.Is(err, ErrKeyLength) {
			t.Errorf("%d bytes under %v: %v", tc.n, tc.scheme, err)
		}
	}
}

func TestParseRevision(t *testing.T) {
	for _, r := range []Revision{{0, 0}, {1, 0}, {3, 1}, {3, 12}} {
		if got, err := ParseRevision(r.String()); got != r || err != nil {
			t.Errorf("ParseRevision(%q) = %v, %v", r, got, err)
		}
	}
	for _, text := range []string{"", "v3", "3.0", "v3.0 ", "v3.0.1", "v03.0", "unknown revision"} {
		if got, err := ParseRevision(text); !errors.Is(err, ErrRevision) {
			t.Errorf("ParseRevision(%q) = %v, %v; want ErrRevision", text, got, err)
		}
	}
}
