package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustParse(t testing.TB, data []byte) *Image {
	t.Helper()
	img, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func mustBuild(t testing.TB, spec Spec) []byte {
	t.Helper()
	data, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// counting returns n bytes first, first+1, ...
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// replace returns data with part in place of what stands at offset at.
func replace(data []byte, at int, part []byte) []byte {
	data = bytes.Clone(data)
	copy(data[at:], part)
	return data
}

func TestParseHelloWorld(t *testing.T) { // values as the image's own bytes and boot log show them
	data := readFile(t, "hello_world.bin")
	img := mustParse(t, data)
	if img.Length != len(data) || len(img.Trailing) != 0 {
		t.Errorf("length %d, trailing %d; the file has %d", img.Length, len(img.Trailing), len(data))
	}
	if img.Chip != ESP32 || img.FlashMode != DIO || img.FlashFreq != Freq40MHz || img.FlashSize.String() != "2MB" || img.Entry != 0x40080AF0 {
		t.Errorf("header %+v", img.Header)
	}
	type segment struct {
		address uint32
		length  int
	}
	var got []segment
	for _, s := range img.Segments {
		got = append(got, segment{s.Address, len(s.Data)})
	}
	want := []segment{{0x3f400020, 0x1ee4}, {0x3ffb0000, 0x1840}, {0x40080000, 0x97ac}, {0, 0x3110}, {0x400d0020, 0xe5b4}}
	if !slices.Equal(got, want) {
		t.Errorf("segments %x, want %x", got, want)
	}
	elf, err := hex.DecodeString("ade8c451fff03a31dcf3926ebdc454b5a609c57d583b57599f9a307b48e3d19a")
	if err != nil {
		t.Fatal(err)
	}
	app := AppDescriptor{Version: "v1.4.1-2-g0296947-dirty", ProjectName: "hello_world", Time: "16:23:40", Date: "Jul 25 2024",
		IDFVersion: "v5.2.2-dirty", ELFSHA256: [32]byte(elf)}
	if img.App == nil || *img.App != app {
		t.Errorf("app descriptor %+v", img.App)
	}
	if img.Bootloader != nil {
		t.Errorf("an app has a bootloader descriptor: %+v", img.Bootloader)
	}
}

func TestParseBootloader(t *testing.T) {
	data := readFile(t, "bootloader.bin")
	img := mustParse(t, append(bytes.Clone(data), 1, 2, 3))
	if img.Length != len(data) || !bytes.Equal(img.Trailing, []byte{1, 2, 3}) {
		t.Errorf("length %d of %d, trailing %x", img.Length, len(data), img.Trailing)
	}
	if want := (BootloaderDescriptor{Version: 1, IDFVersion: "v5.2.2-dirty", DateTime: "Jul 25 2024 16:23:50"}); img.Bootloader == nil || *img.Bootloader != want {
		t.Errorf("bootloader descriptor %+v", img.Bootloader)
	}
	if img.App != nil {
		t.Errorf("a bootloader has an app descriptor: %+v", img.App)
	}
}

// What Espressif's tool made of its segments, Build makes of them too, bit for bit.
func TestBuildReproducesRealImages(t *testing.T) {
	for _, name := range []string{"hello_world.bin", "bootloader.bin"} {
		data := readFile(t, name)
		img := mustParse(t, data)
		var own []Segment // without padding, which Build has to find by itself
		for _, s := range img.Segments {
			if s.Address != 0 {
				own = append(own, s)
			}
		}
		if got := mustBuild(t, Spec{Header: img.Header, Segments: own}); !bytes.Equal(got, data) {
			t.Errorf("%s: built %d bytes, which differ from the file's %d", name, len(got), len(data))
		}
	}
}

func TestParseCauses(t *testing.T) {
	good := mustBuild(t, Spec{Segments: []Segment{{Address: 0x3FFB0000, Data: counting(0, 64)}, {Address: 0x40080000, Data: counting(9, 20)}}})
	edit := func(at int, value byte) []byte { return replace(good, at, []byte{value}) }
	rehash := func(data []byte) []byte {
		sum := sha256.Sum256(data[:len(data)-hashLen])
		return append(data[:len(data)-hashLen], sum[:]...)
	}
	for _, v := range []struct {
		name      string
		data      []byte
		want      []error // all of them; none: good
		notWanted []error
		showsRest bool
	}{
		{"good", good, nil, nil, true},
		{"empty", nil, []error{ErrNotImage}, nil, false},
		{"no magic", edit(0, 0xE8), []error{ErrNotImage}, nil, false},
		{"erased flash", bytes.Repeat([]byte{0xFF}, 64), []error{ErrNotImage}, nil, false},
		{"part of a header", good[:20], []error{ErrTruncated}, nil, false},
		{"no segments", edit(1, 0), []error{ErrSegmentCount}, nil, false},
		{"17 segments", edit(1, 17), []error{ErrSegmentCount}, nil, false},
		{"cut in a segment header", good[:26], []error{ErrTruncated}, nil, false},
		{"cut in a segment", good[:40], []error{ErrTruncated}, nil, false},
		{"cut before the checksum", good[:24+8+64+8+20], []error{ErrTruncated}, nil, false},
		{"cut in the hash", good[:len(good)-1], []error{ErrTruncated}, nil, false},
		{"length not in words", edit(28, 65), []error{ErrSegment}, nil, false},
		{"length beyond any flash", edit(31, 0x40), []error{ErrSegment}, nil, false},
		{"other chip", rehash(edit(12, 5)), []error{ErrChip}, []error{ErrHash, ErrChecksum}, true},
		{"data changed", edit(40, 0xAA), []error{ErrChecksum, ErrHash}, []error{ErrChip}, true},
		{"data changed, hash fixed up", rehash(edit(40, 0xAA)), []error{ErrChecksum}, []error{ErrHash}, true},
		{"header changed", edit(2, 1), []error{ErrHash}, []error{ErrChecksum}, true},
		{"cannot be mapped", rehash(replace(good, 24, []byte{0x00, 0x00, 0x0D, 0x40})), []error{ErrSegment}, []error{ErrHash}, true},
	} {
		img, err := Parse(v.data)
		if (img != nil) != v.showsRest || (err == nil) != (v.want == nil) {
			t.Errorf("%s: image %v, %v", v.name, img, err)
		}
		for _, want := range v.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", v.name, err, want)
			}
		}
		for _, not := range v.notWanted {
			if errors.Is(err, not) {
				t.Errorf("%s: %v, which should not be %v", v.name, err, not)
			}
		}
	}
}

// The boot log of a real bootloader with one byte of this app flipped to its
// complement says: Calculated 0x65 read 0x9a.
func TestChecksumErrorValues(t *testing.T) {
	data := readFile(t, "hello_world.bin")
	img := mustParse(t, data)
	data[img.Segments[4].Offset+100] ^= 0xFF
	_, err := Parse(data)
	var sum *ChecksumError
	if !errors.As(err, &sum) || *sum != (ChecksumError{Calculated: 0x65, Read: 0x9A}) {
		t.Errorf("%v, want calculated 0x65, read 0x9a", err)
	}
}

func TestRunsOn(t *testing.T) {
	for _, v := range []struct {
		major    uint8
		min, max uint16
		rev      int
		want     bool
	}{
		{0, 0, 0, 0, true},         // an old image without limits
		{3, 0, 0, 103, false},      // an old image: only the major counts
		{3, 0, 0, 300, true},       //
		{3, 0, 0xFFFF, 101, false}, // a middle-aged one
		{0, 100, 0xFFFF, 99, false},
		{0, 100, 0xFFFF, 301, true},
		{0, 0, 399, 399, true},
		{0, 0, 399, 400, false},
		{1, 300, 0, 101, false}, // no max at all: any
		{1, 300, 0, 999, true},
	} {
		h := Header{MinRevMajor: v.major, MinRev: v.min, MaxRev: v.max}
		if got := h.RunsOn(v.rev); got != v.want {
			t.Errorf("major %d, %d to %d, on revision %d: %v", v.major, v.min, v.max, v.rev, got)
		}
	}
}

func TestHeaderNames(t *testing.T) {
	for got, want := range map[string]string{
		QIO.String(): "QIO", DOUT.String(): "DOUT", FlashMode(9).String(): "unknown (0x9)",
		Freq80MHz.String(): "80MHz", Freq20MHz.String(): "20MHz", FlashFreq(3).String(): "unknown (0x3)",
		Size4MB.String(): "4MB", FlashSize(15).String(): "unknown (0xf)",
		ESP32.String(): "ESP32", ChipID(9).String(): "ESP32-S3", ChipID(0x99).String(): "unknown chip 0x0099",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if Size16MB.Bytes() != 16<<20 || FlashSize(15).Bytes() != 0 {
		t.Error("FlashSize.Bytes is wrong")
	}
}

func TestBuildPad(t *testing.T) {
	for _, length := range []int{4, 1000, 65536 - 200, 65536 - 160, 65536 - 100, 65536, 70000} {
		spec := Spec{Segments: []Segment{{Address: 0x3FFB0000, Data: counting(1, length)}}, Pad: PadV1}
		if img := mustParse(t, mustBuild(t, spec)); (img.Length+padTailV1)%pageLen != 0 || len(img.Trailing) != 0 {
			t.Errorf("%d bytes for V1: image ends at %#x", length, img.Length)
		}
		spec.Pad = PadV2
		if img := mustParse(t, mustBuild(t, spec)); img.Length%pageLen != 0 || len(img.Trailing) != 0 {
			t.Errorf("%d bytes for V2: image ends at %#x", length, img.Length)
		}
	}
}

func TestBuildDescriptors(t *testing.T) {
	app := AppDescriptor{SecureVersion: 3, Version: "1.2.3", ProjectName: "demo", Time: "12:00:00", Date: "Jan  1 2026", IDFVersion: "v5.1", ELFSHA256: [32]byte(counting(5, 32))}
	img := mustParse(t, mustBuild(t, Spec{App: &app, Header: Header{Entry: 0x40080004, FlashSize: Size4MB, MaxRev: 0xFFFF},
		Segments: []Segment{{Address: 0x3F400020, Data: []byte("odd")}, {Address: 0x400D0020, Data: counting(0, 40)}}}))
	if img.App == nil || *img.App != app || img.Entry != 0x40080004 || img.WPPin != wpPinUnused {
		t.Errorf("app came back as %+v, header %+v", img.App, img.Header)
	}
	if len(img.Segments) != 3 || !bytes.HasSuffix(img.Segments[0].Data, []byte("odd\x00")) {
		t.Errorf("%d segments; the second should be padding", len(img.Segments))
	}
	boot := BootloaderDescriptor{Version: 1, IDFVersion: "v5.2", DateTime: "Jan  1 2026 00:00:00"}
	img = mustParse(t, mustBuild(t, Spec{Bootloader: &boot, NoHash: true, Segments: []Segment{{Address: 0x3FFF0030, Data: nil}}}))
	if img.Bootloader == nil || *img.Bootloader != boot || img.Hash != nil {
		t.Errorf("bootloader came back as %+v", img.Bootloader)
	}
}

func TestBuildRefusals(t *testing.T) {
	one := []Segment{{Address: 0x3FFB0000, Data: counting(0, 8)}}
	long := string(counting('A', 40))
	for name, spec := range map[string]Spec{
		"no segments":       {},
		"17 segments":       {Segments: slices.Repeat(one, 17)},
		"16 and padding":    {Segments: slices.Repeat(one, 16), Pad: PadV1},
		"pad without hash":  {Segments: one, Pad: PadV2, NoHash: true},
		"both descriptors":  {Segments: one, App: &AppDescriptor{}, Bootloader: &BootloaderDescriptor{IDFVersion: "v5", DateTime: "x"}},
		"long project name": {Segments: one, App: &AppDescriptor{ProjectName: long}},
		"escape in a name":  {Segments: one, App: &AppDescriptor{ProjectName: "\x1b[2J"}},
		"empty IDF version": {Segments: one, Bootloader: &BootloaderDescriptor{DateTime: "x"}},
		"crooked mapping":   {Segments: []Segment{{Address: 0x400D0021, Data: counting(0, 8)}}},
		"huge segment":      {Segments: []Segment{{Address: 0x3FFB0000, Data: make([]byte, maxSegmentLen)}}},
	} {
		if _, err := Build(spec); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v, want ErrSpec", name, err)
		}
	}
}

// Descriptor texts come from files of strangers and end up on terminals.
func TestDescriptorTextIsTame(t *testing.T) {
	data := mustBuild(t, Spec{App: &AppDescriptor{ProjectName: "xx[2Jx"}, Segments: []Segment{{Address: 0x3F400020}}})
	at := bytes.Index(data, []byte("xx[2Jx"))
	data[at], data[at+5] = 0x1B, 0xC3
	img, _ := Parse(data)
	if img == nil || img.App.ProjectName != "?x[2J?" {
		t.Errorf("project name %q", img.App.ProjectName)
	}
}

func TestSegmentsAlias(t *testing.T) { // documented: no copies of megabytes
	data := readFile(t, "hello_world.bin")
	img := mustParse(t, data)
	s := img.Segments[2]
	if &s.Data[0] != &data[s.Offset] || cap(s.Data) != len(s.Data) {
		t.Error("segment data is a copy, or can grow over what follows it")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mustBuild(f, Spec{Segments: []Segment{{Address: 0x3FFB0000, Data: counting(0, 64)}}, NoHash: true}))
	f.Add(mustBuild(f, Spec{App: &AppDescriptor{ProjectName: "p"}, Segments: []Segment{{Address: 0x3F400020}, {Address: 0x40080000, Data: counting(0, 8)}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Parse(data)
		if img == nil {
			if err == nil {
				t.Fatal("neither image nor error")
			}
			return
		}
		if img.Length+len(img.Trailing) != len(data) || len(img.Segments) != img.SegmentCount {
			t.Fatalf("length %d and trailing %d of %d", img.Length, len(img.Trailing), len(data))
		}
		if err != nil || img.Reserved != [4]byte{} || img.WPPin == 0 {
			return
		}
		again, err := Build(Spec{Header: img.Header, Segments: img.Segments, NoHash: !img.HashAppended})
		if err != nil {
			return // mapped to an odd address, which Parse leaves to the bootloader
		}
		if back, err := Parse(again); err != nil || !reflect.DeepEqual(back.Segments, img.Segments) || back.App != nil && *back.App != *img.App {
			t.Fatalf("built again, the image differs: %v", err)
		}
	})
}
