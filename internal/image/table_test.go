package image

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type tableVector struct {
	Name         string
	TableOffset  string `json:"table_offset"`
	SecureBootV1 bool   `json:"secure_boot_v1"`
	CSV          string
	Binary       string
	DecodedCSV   string `json:"decoded_csv"`
}

type refusalVector struct {
	Name, CSV, Message string
	Refused            bool
}

func tableVectors(t testing.TB) (origin string, tables []tableVector, refusals []refusalVector) {
	t.Helper()
	var file struct {
		Origin   string
		Tables   []tableVector
		Refusals []refusalVector
	}
	if err := json.Unmarshal(readFile(t, "partitions.json"), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Tables) == 0 || len(file.Refusals) == 0 {
		t.Fatal("testdata/partitions.json lacks a kind of vectors")
	}
	return file.Origin, file.Tables, file.Refusals
}

func TestTableVectors(t *testing.T) {
	origin, tables, _ := tableVectors(t)
	for _, v := range tables {
		t.Run(v.Name, func(t *testing.T) {
			want, err := hex.DecodeString(v.Binary)
			if err != nil {
				t.Fatal(err)
			}
			offset, err := strconv.ParseUint(v.TableOffset, 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			layout := Layout{TableOffset: uint32(offset), SecureBootV1: v.SecureBootV1, FlashSize: 4 << 20}
			table, err := ParseCSV(v.CSV, layout)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := table.Binary(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("Binary = %x, %v\nwant %x (%s)", got, err, want, origin)
			}
			back, err := ParseTable(want)
			if err != nil || !reflect.DeepEqual(back, table) {
				t.Errorf("ParseTable = %+v, %v\nwant %+v", back, err, table)
			}
			if got := back.CSV(); got != v.DecodedCSV {
				t.Errorf("CSV = %s\nwant %s (%s)", got, v.DecodedCSV, origin)
			}
			if again, err := ParseCSV(v.DecodedCSV, layout); err != nil || !reflect.DeepEqual(again, table) {
				t.Errorf("decoded CSV parses to %+v, %v", again, err)
			}
		})
	}
}

func TestTableRefusalVectors(t *testing.T) {
	causes := map[string]error{"overlap": ErrOverlap, "misaligned app": ErrAlignment, "too big for 4MB": ErrFlashSize, "duplicate name": ErrDuplicate}
	_, _, refusals := tableVectors(t)
	for _, v := range refusals {
		want, known := causes[v.Name]
		if !known || !v.Refused {
			t.Errorf("%s: this test knows no error for it", v.Name)
			continue
		}
		if _, err := ParseCSV(v.CSV, Layout{FlashSize: 4 << 20}); !errors.Is(err, want) || !errors.Is(err, ErrTable) {
			t.Errorf("%s: %v, want %v (the generator says %s)", v.Name, err, want, v.Message)
		}
	}
}

func TestParseRealTable(t *testing.T) {
	data := readFile(t, "partition-table.bin")
	table, err := ParseTable(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []Partition{
		{"nvs", TypeData, SubtypeNVS, 0x9000, 0x6000, 0},
		{"phy_init", TypeData, SubtypePHY, 0xF000, 0x1000, 0},
		{"factory", TypeApp, SubtypeFactory, 0x10000, 0x100000, 0},
	}
	if table.Unhashed || !slices.Equal(table.Partitions, want) {
		t.Errorf("got %+v", table)
	}
	if found := table.Check(Layout{FlashSize: 2 << 20}); found != nil {
		t.Errorf("Check found %v", found)
	}
	if got, err := table.Binary(); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Binary differs from the file: %v", err)
	}
}

func TestParseTableRefusals(t *testing.T) {
	good := readFile(t, "partition-table.bin")
	secondMD5 := bytes.Clone(good)
	copy(secondMD5[4*rowLen:], good[3*rowLen:4*rowLen])
	noEnd := slices.Repeat(good[:rowLen], TableLen/rowLen)
	for _, v := range []struct {
		name string
		data []byte
		want error
	}{
		{"blank", bytes.Repeat([]byte{0xFF}, TableLen), ErrTableBlank},
		{"an image", readFile(t, "bootloader.bin"), ErrTableMagic},
		{"noise after two rows", replace(good, 2*rowLen, []byte{0x12}), ErrTableMagic},
		{"row edited", replace(good, 8, []byte{1}), ErrTableMD5},
		{"MD5 edited", replace(good, 3*rowLen+16, []byte{0}), ErrTableMD5},
		{"two MD5 rows", secondMD5, ErrTableMD5},
		{"cut", good[:4*rowLen], ErrTableEnd},
		{"empty", nil, ErrTableEnd},
		{"full of rows", noEnd, ErrTableEnd},
		{"escape in a label", replace(good, 12, []byte{0x1B}), ErrTableLabel},
	} {
		if table, err := ParseTable(v.data); !errors.Is(err, v.want) || !errors.Is(err, ErrTable) || table.Partitions != nil {
			t.Errorf("%s: %+v, %v; want %v", v.name, table, err, v.want)
		}
	}
}

func TestTableWithoutMD5(t *testing.T) {
	data := readFile(t, "partition-table.bin")
	copy(data[3*rowLen:], endRow)
	table, err := ParseTable(data)
	if err != nil || !table.Unhashed {
		t.Fatalf("%+v, %v", table, err)
	}
	if got, err := table.Binary(); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Binary differs: %v", err)
	}
	if found := table.Check(Layout{}); len(found) != 1 || !errors.Is(found[0], ErrNoMD5) || !found[0].Advice {
		t.Errorf("Check found %v", found)
	}
}

func TestBinaryRefusals(t *testing.T) {
	for _, v := range []struct {
		name  string
		table Table
		want  error
	}{
		{"95 rows", Table{Partitions: make([]Partition, 95)}, ErrTableFull},
		{"long label", Table{Partitions: []Partition{{Label: "seventeen letters"}}}, ErrTableLabel},
		{"zero in a label", Table{Partitions: []Partition{{Label: "a\x00b"}}}, ErrTableLabel},
	} {
		if _, err := v.table.Binary(); !errors.Is(err, v.want) {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
	}
	full, err := Table{Partitions: make([]Partition, 94)}.Binary()
	if err != nil || len(full) != TableLen {
		t.Fatalf("94 rows: %v", err)
	}
	if back, err := ParseTable(full); err != nil || len(back.Partitions) != 94 {
		t.Errorf("94 rows came back as %d, %v", len(back.Partitions), err)
	}
}

func TestCheck(t *testing.T) {
	app := Partition{"factory", TypeApp, SubtypeFactory, 0x20000, 0x100000, 0}
	data := func(label string, subtype uint8, offset, size, flags uint32) Partition {
		return Partition{label, TypeData, subtype, offset, size, flags}
	}
	ota := func(n uint8, offset uint32) Partition {
		return Partition{fmt.Sprintf("ota_%d", n), TypeApp, SubtypeOTA0 + n, offset, 0x10000, 0}
	}
	selector := data("otadata", SubtypeOTAData, 0x12000, 0x2000, 0)
	for _, v := range []struct {
		name   string
		parts  []Partition
		layout Layout
		want   []error // each one once, and no others
		advice bool    // all of it is advice
	}{
		{"good", []Partition{app, data("nvs", SubtypeNVS, 0x9000, 0x6000, 0)}, Layout{FlashSize: 2 << 20}, nil, false},
		{"below the default table", []Partition{app, data("x", 0x40, 0x8000, 0x1000, 0)}, Layout{}, []error{ErrBelowTable}, false},
		{"below a later table", []Partition{app, data("nvs", SubtypeNVS, 0x9000, 0x6000, 0)}, Layout{TableOffset: 0x10000}, []error{ErrBelowTable}, false},
		{"app offset", []Partition{{"a", TypeApp, 0, 0x21000, 0x1000, 0}}, Layout{}, []error{ErrAlignment}, false},
		{"data offset", []Partition{app, data("x", 0x40, 0x9800, 0x1000, 0)}, Layout{}, []error{ErrAlignment}, false},
		{"app size", []Partition{{"a", TypeApp, 0, 0x20000, 0x1800, 0}}, Layout{}, []error{ErrAlignment}, false},
		{"app size in sectors", []Partition{{"a", TypeApp, 0, 0x20000, 0x11000, 0}}, Layout{}, nil, false},
		{"app size with V1", []Partition{{"a", TypeApp, 0, 0x20000, 0x11000, 0}}, Layout{SecureBootV1: true}, []error{ErrAlignment}, false},
		{"zero size", []Partition{app, data("x", 0x40, 0x9000, 0, 0)}, Layout{}, []error{ErrPartitionSize}, false},
		{"too much for the flash", []Partition{app}, Layout{FlashSize: 1 << 20}, []error{ErrFlashSize}, false},
		{"end wraps", []Partition{app, data("x", 0x40, 0xFFFFF000, 0x2000, 0)}, Layout{FlashSize: 16 << 20}, []error{ErrFlashSize}, false},
		{"overlap out of order", []Partition{app, data("x", 0x40, 0x10000, 0x20000, 0)}, Layout{}, []error{ErrOverlap}, false},
		{"overlap with one before the last", []Partition{app, data("x", 0x40, 0x30000, 0x1000, 0), data("y", 0x40, 0x40000, 0x1000, 0)}, Layout{}, []error{ErrOverlap, ErrOverlap}, false},
		{"one name twice", []Partition{app, data("factory", 0x40, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrDuplicate}, false},
		{"no name", []Partition{app, data("", 0x40, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrTableLabel}, false},
		{"16 characters", []Partition{app, data("sixteen_letters_", 0x40, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrTableLabel}, false},
		{"space in front", []Partition{app, data(" x", 0x40, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrTableLabel}, false},
		{"umlaut", []Partition{app, data("ü", 0x40, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrTableLabel}, false},
		{"comma", []Partition{app, data("a,b", 0x40, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrTableLabel}, false},
		{"otadata size", []Partition{app, data("o", SubtypeOTAData, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrPartitionSize}, false},
		{"readonly otadata", []Partition{app, data("o", SubtypeOTAData, 0x9000, 0x2000, FlagReadonly)}, Layout{}, []error{ErrPartitionFlag}, false},
		{"small nvs", []Partition{app, data("n", SubtypeNVS, 0x9000, 0x2000, 0)}, Layout{}, []error{ErrPartitionSize}, false},
		{"small readonly nvs", []Partition{app, data("n", SubtypeNVS, 0x9000, 0x2000, FlagReadonly)}, Layout{}, nil, false},
		{"small nvs_keys", []Partition{app, data("k", SubtypeNVSKeys, 0x9000, 0x800, FlagEncrypted)}, Layout{}, []error{ErrPartitionSize}, false},
		{"plain nvs_keys", []Partition{app, data("k", SubtypeNVSKeys, 0x9000, 0x1000, 0)}, Layout{}, []error{ErrPartitionFlag}, true},
		{"two otadata", []Partition{app, selector, data("o", SubtypeOTAData, 0x14000, 0x2000, 0)}, Layout{}, []error{ErrOTA}, false},
		{"OTA slots", []Partition{selector, ota(1, 0x30000), ota(0, 0x20000)}, Layout{}, nil, false},
		{"OTA slots without otadata", []Partition{ota(0, 0x20000), ota(1, 0x30000)}, Layout{}, []error{ErrOTA}, true},
		{"gap in the slots", []Partition{selector, ota(0, 0x20000), ota(2, 0x30000)}, Layout{}, []error{ErrOTA}, true},
		{"no app", []Partition{data("nvs", SubtypeNVS, 0x9000, 0x6000, 0)}, Layout{}, []error{ErrNoApp}, true},
		{"bootloader and table as partitions", []Partition{{"b", typeBootloader, 0, 0x1000, 0x7000, 0}, {"t", typeTable, 0, 0x8000, 0x1000, 0}, app}, Layout{}, nil, false},
	} {
		found := Table{Partitions: v.parts}.Check(v.layout)
		ok := len(found) == len(v.want)
		for i := 0; ok && i < len(found); i++ {
			ok = errors.Is(found[i], v.want[i]) && found[i].Advice == v.advice
		}
		if !ok {
			t.Errorf("%s: found %v, want %v, advice %v", v.name, found, v.want, v.advice)
		}
	}
}

func TestParseCSV(t *testing.T) {
	text := "\uFEFF# Name, Type\r\n\r\n nvs , DATA, nvs, , 24k, readonly:encrypted\r\n" +
		"raw,0x40,7,,0x123,,,,\nempty,data,,,1000\nfactory,app,factory,,1m,\ntest,0,32,0x220000,64K"
	table, err := ParseCSV(text, Layout{})
	want := []Partition{
		{"nvs", TypeData, SubtypeNVS, 0x9000, 0x6000, FlagEncrypted | FlagReadonly},
		{"raw", 0x40, 7, 0xF000, 0x123, 0},
		{"empty", TypeData, SubtypeUndefined, 0x10000, 1000, 0},
		{"factory", TypeApp, SubtypeFactory, 0x20000, 0x100000, 0},
		{"test", TypeApp, SubtypeTest, 0x220000, 0x10000, 0},
	}
	if err != nil || !slices.Equal(table.Partitions, want) {
		t.Errorf("got %+v, %v", table.Partitions, err)
	}
}

func TestParseCSVRefusals(t *testing.T) {
	for _, v := range []struct {
		name, csv string
		line      int // 0: not about one line
		want      error
	}{
		{"no size", "a,app,factory,0x10000,", 1, ErrCSV},
		{"only a name", "# x\n\na", 3, ErrCSV},
		{"unknown type", "a,program,factory,,1M", 1, ErrCSV},
		{"unknown subtype", "a,app,ota_16,,1M", 1, ErrCSV},
		{"app without subtype", "a,app,,,1M", 1, ErrCSV},
		{"type 256", "a,256,0,,1M", 1, ErrCSV},
		{"unknown flag", "a,app,factory,,1M,encrypt", 1, ErrCSV},
		{"seventh field", "a,app,factory,,1M,,surplus", 1, ErrCSV},
		{"size 4 GiB", "a,app,factory,,4096M", 1, ErrCSV},
		{"size with an overflow", "a,app,factory,,4294967295M", 1, ErrCSV},
		{"negative size", "a,app,factory,,-1M", 1, ErrCSV},
		{"size in words", "a,app,factory,,large", 1, ErrCSV},
		{"bad offset", "a,app,factory,0xZZ,1M", 1, ErrCSV},
		{"no room left", "a,data,nvs,0xFFFF0000,0xF000\nb,data,nvs,,64K\nc,app,factory,,64K", 3, ErrCSV},
		{"automatic bootloader", "b,bootloader,primary,,28K", 1, ErrCSV},
		{"first one in the table's sector", "a,data,nvs,0x8000,24K", 1, ErrBelowTable},
		{"going back", "a,app,factory,0x20000,64K\nb,data,nvs,0x9000,24K", 2, ErrOverlap},
		{"a comma is missing", "a app,factory,,1M", 1, ErrCSV},
		{"long name", "a_very_long_name,app,factory,,1M", 0, ErrTableLabel},
		{"95 partitions", strings.Repeat("a,data,nvs,,24K\n", 95), 0, ErrTableFull},
		{"no name", ",app,factory,,1M", 0, ErrTableLabel},
	} {
		_, err := ParseCSV(v.csv, Layout{})
		var at *CSVError
		if line := errors.As(err, &at); !errors.Is(err, v.want) || !errors.Is(err, ErrTable) || line != (v.line > 0) || line && at.Line != v.line {
			t.Errorf("%s: %v, want %v in line %d", v.name, err, v.want, v.line)
		}
	}
}

func TestTableLookup(t *testing.T) {
	_, tables, _ := tableVectors(t)
	table, err := ParseCSV(tables[2].CSV, Layout{TableOffset: 0x10000})
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := table.Find("cert"); !ok || p.Offset != 0x320000 || p.End() != 0x322000 || p.FlagNames() != "readonly" {
		t.Errorf("Find(cert) = %+v, %v", p, ok)
	}
	if _, ok := table.Find("nothing"); ok {
		t.Error("found a partition that is not there")
	}
	if p, ok := table.Factory(); !ok || p.Label != "factory" {
		t.Errorf("Factory = %+v", p)
	}
	if p, ok := table.OTAData(); !ok || p.Label != "otadata" {
		t.Errorf("OTAData = %+v", p)
	}
	table.Partitions[3], table.Partitions[4] = table.Partitions[4], table.Partitions[3]
	if s := table.OTASlots(); len(s) != 2 || s[0].Label != "ota_0" || s[1].Label != "ota_1" {
		t.Errorf("OTASlots = %+v", s)
	}
	if a := table.Apps(); len(a) != 3 {
		t.Errorf("Apps = %+v", a)
	}
}

// The words are those of real boot logs (ESP-IDF 5.1.6), and of its source for rows
// the logs do not have.
func TestUsageAndEncrypted(t *testing.T) {
	for _, v := range []struct {
		kind      PartitionType
		subtype   uint8
		flags     uint32
		usage     string
		encrypted bool
	}{
		{TypeData, SubtypeNVS, 0, "WiFi data", false},
		{TypeData, SubtypePHY, 0, "RF data", false},
		{TypeData, SubtypeOTAData, 0, "OTA data", true},
		{TypeData, SubtypeNVSKeys, 0, "NVS keys", true},
		{TypeData, SubtypeEFuse, 0, "efuse", false},
		{TypeData, 0x3F, FlagReadonly, "Unknown data", false},
		{TypeData, 0x3F, FlagEncrypted, "Unknown data", true},
		{TypeApp, SubtypeFactory, 0, "factory app", true},
		{TypeApp, SubtypeOTA0 + 15, 0, "OTA app", true},
		{TypeApp, SubtypeTest, 0, "test app", true},
		{TypeApp, 0x30, 0, "Unknown app", true},
		{0x40, 0, 0, "unknown", false},
	} {
		p := Partition{Type: v.kind, Subtype: v.subtype, Flags: v.flags}
		if p.Usage() != v.usage || p.Encrypted() != v.encrypted {
			t.Errorf("%02x %02x: %q, encrypted %v", v.kind, v.subtype, p.Usage(), p.Encrypted())
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(readFile(f, "partition-table.bin"))
	_, tables, _ := tableVectors(f)
	for _, v := range tables {
		data, err := hex.DecodeString(v.Binary)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ParseTable(data)
		if err != nil {
			return
		}
		table.Check(Layout{FlashSize: 4 << 20})
		binary, err := table.Binary()
		if errors.Is(err, ErrTableFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Partitions) == 0 && table.Unhashed {
			return // reads as blank
		}
		if back, err := ParseTable(binary); err != nil || !reflect.DeepEqual(back, table) {
			t.Fatalf("%+v came back as %+v, %v", table, back, err)
		}
	})
}

func FuzzParseCSV(f *testing.F) {
	_, tables, refusals := tableVectors(f)
	for _, v := range tables {
		f.Add(v.CSV, uint32(0x10000), v.SecureBootV1)
	}
	for _, v := range refusals {
		f.Add(v.CSV, uint32(0), false)
	}
	f.Fuzz(func(t *testing.T, text string, offset uint32, v1 bool) {
		layout := Layout{TableOffset: offset, SecureBootV1: v1}
		table, err := ParseCSV(text, layout)
		if err != nil {
			if !errors.Is(err, ErrTable) {
				t.Fatalf("%v is no ErrTable", err)
			}
			return
		}
		if again, err := ParseCSV(table.CSV(), layout); err != nil || !reflect.DeepEqual(again, table) {
			t.Fatalf("%+v came back as %+v, %v", table, again, err)
		}
		binary, err := table.Binary()
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Partitions) == 0 {
			return
		}
		if back, err := ParseTable(binary); err != nil || !reflect.DeepEqual(back, table) {
			t.Fatalf("binary of %+v came back as %+v, %v", table, back, err)
		}
	})
}
