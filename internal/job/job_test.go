package job

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/internal/demo"
	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/secureboot"
	"provision/internal/station"
)

// profile is what every test starts from: the demo firmware, secured.
const profile = `
[station]
name = "T"
[unit]
flash_size = "4MB"
serial = { pattern = "^T-[0-9]+$", source = "argument" }
[images]
bootloader = "bootloader.bin"
partition_table = "partition-table.bin"
app = "app-signed.bin"
[secure_boot]
version = 1
public_key = "app-public.pem"
[flash_encryption]
mode = "host"
policy = "release"
`

// folder is a build folder that a test may spoil.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder {
	t.Helper()
	f := folder{t, t.TempDir()}
	if err := demo.Write(f.dir); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f folder) read(name string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

func (f folder) write(name string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), data, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// sign signs with the key of the folder's bootloader.
func (f folder) sign(app []byte) []byte {
	f.t.Helper()
	key, err := secureboot.ParseSigningKey(f.read("app-key.pem"))
	if err != nil {
		f.t.Fatal(err)
	}
	return signed(f.t, key, app)
}

func signed(t *testing.T, key *secureboot.SigningKey, app []byte) []byte {
	t.Helper()
	out, err := secureboot.AppendSignatureV1(key, app, false)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// job loads the profile with edits (old, new pairs) and makes a job of it.
func (f folder) job(edits ...string) (*Job, error) {
	f.t.Helper()
	text := strings.NewReplacer(edits...).Replace(profile)
	p, err := station.Parse([]byte(text), filepath.Join(f.dir, "t.toml"))
	if err != nil {
		f.t.Fatalf("profile: %v", err)
	}
	return New(p)
}

// TestBehindTheBootloader: the digest is over the image, as the chip's is, and what else
// a file holds behind it is refused, unless it is as good as erased.
func TestBehindTheBootloader(t *testing.T) {
	f := newFolder(t)
	bin := f.read("bootloader.bin")
	for _, c := range []struct {
		name   string
		behind []byte
		ok     bool
	}{
		{"padded to a sector", bytes.Repeat([]byte{0xFF}, -len(bin)&0xFFF), true},
		{"signed as if it were an app", f.sign(bin)[len(bin):], false},
		{"zeros", make([]byte, 1000), false},
	} {
		f.write("bootloader.bin", slices.Concat(bin, c.behind))
		j, err := f.job()
		switch {
		case c.ok && (err != nil || !bytes.Equal(j.Bootloader, bin)):
			t.Errorf("%s: %v", c.name, err)
		case !c.ok && (fault.CodeOf(err) != fault.BadImage || !strings.Contains(err.Error(), fmt.Sprintf("%d bytes follow", len(c.behind)))):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestOrderOfASpreadsheet: the mark before the first line is no part of a serial number.
func TestOrderOfASpreadsheet(t *testing.T) {
	if got := lines([]byte("\ufeffSN-0001\r\nSN-0002\r\n")); !slices.Equal(got, []string{"SN-0001", "SN-0002"}) {
		t.Errorf("lines = %q", got)
	}
}

func TestNew(t *testing.T) {
	f := newFolder(t)
	j, err := f.job()
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name              string
		offset            uint32
		encrypt, volatile bool
	}{
		{"bootloader", 0x1000, true, false},
		{"partition table", 0x8000, true, false},
		{"blank nvs", 0x9000, false, true},
		{"blank otadata", 0xf000, true, true},
		{"app", 0x20000, true, false},
	}
	if len(j.Regions) != len(want) {
		t.Fatalf("%d regions, want %d", len(j.Regions), len(want))
	}
	for i, w := range want {
		g := j.Regions[i]
		if g.Name != w.name || g.Offset != w.offset || g.Encrypt != w.encrypt || g.Volatile != w.volatile {
			t.Errorf("region %d is %s at %#x, encrypt %v, volatile %v; want %+v", i, g.Name, g.Offset, g.Encrypt, g.Volatile, w)
		}
		if len(g.Data)%SectorSize != 0 {
			t.Errorf("%s: %d bytes are not whole sectors", g.Name, len(g.Data))
		}
	}
	app := f.read("app-signed.bin")
	if got := j.Regions[4].Data; !bytes.Equal(got[:len(app)], app) || !erased(got[len(app):]) {
		t.Error("the app's region is not the file followed by 0xFF")
	}
	if j.FlashNeeds != 4<<20 {
		t.Errorf("FlashNeeds = %#x; the images are built for 4 MiB", j.FlashNeeds)
	}
	if len(j.Warnings) != 0 {
		t.Errorf("warnings: %q", j.Warnings)
	}
}

// TestRefusals spoils one thing at a time. Every refusal is one Problem with the
// code that decides the exit and the words of the page.
func TestRefusals(t *testing.T) {
	other, err := secureboot.GenerateSigningKeyV1()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		code  fault.Code
		says  string
		spoil func(f folder)
		edits []string
	}{
		{"no bootloader", fault.FileMissing, "bootloader", func(f folder) { os.Remove(filepath.Join(f.dir, "bootloader.bin")) }, nil},
		{"no app", fault.FileMissing, "app", func(f folder) { os.Remove(filepath.Join(f.dir, "app-signed.bin")) }, nil},
		{"no public key", fault.FileMissing, "public key", func(f folder) { os.Remove(filepath.Join(f.dir, "app-public.pem")) }, nil},
		{"empty app", fault.BadImage, "empty", func(f folder) { f.write("app-signed.bin", nil) }, nil},
		{"public key is rubbish", fault.BadProfile, "P-256", func(f folder) { f.write("app-public.pem", []byte("hello")) }, nil},
		{"unsigned app", fault.AppUnsigned, "not signed", nil, []string{"app-signed.bin", "app.bin"}},
		{"app signed with another key", fault.AppWrongKey, "another key", func(f folder) {
			f.write("app-signed.bin", signed(f.t, other, f.read("app.bin")))
		}, nil},
		{"app truncated", fault.BadImage, "cut short", func(f folder) { f.write("app-signed.bin", f.read("app-signed.bin")[:50000]) }, nil},
		{"app corrupt", fault.BadImage, "checksum", func(f folder) {
			data := f.read("app-signed.bin")
			data[5000] ^= 1
			f.write("app-signed.bin", data)
		}, nil},
		{"app is text", fault.BadImage, "not a whole ESP32 image", func(f folder) { f.write("app-signed.bin", bytes.Repeat([]byte("text "), 1000)) }, nil},
		{"app already encrypted", fault.AlreadyCrypt, "already encrypted", func(f folder) { f.write("app-signed.bin", encrypted(f.t, f.read("app-signed.bin"))) }, nil},
		{"bootloader already encrypted", fault.AlreadyCrypt, "already encrypted", func(f folder) { f.write("bootloader.bin", encrypted(f.t, f.read("bootloader.bin"))) }, nil},
		{"table already encrypted", fault.AlreadyCrypt, "already encrypted", func(f folder) { f.write("partition-table.bin", encrypted(f.t, f.read("partition-table.bin"))) }, nil},
		{"app in the bootloader's place", fault.BadImage, "not a bootloader", nil, []string{"bootloader.bin", "app-signed.bin"}},
		{"bootloader in the app's place", fault.BadImage, "not an app", nil, []string{`app = "app-signed.bin"`, `app = "bootloader.bin"`}},
		{"bootloader without the key", fault.NoVerifyKey, "any app", func(f folder) { f.write("bootloader.bin", plainBootloader(f.t)) }, nil},
		{"bootloader with another key", fault.NoVerifyKey, "another key", func(f folder) {
			theirs, err := demo.Make(other)
			if err != nil {
				f.t.Fatal(err)
			}
			f.write("bootloader.bin", theirs.Bootloader)
		}, []string{"version = 1", "version = 1\nallow_unverified_app = true"}},
		{"bootloader runs into the table", fault.DoesNotFit, "partition table", nil, []string{"partition_table =", "partition_table_offset = 0x5000\npartition_table ="}},
		{"table is rubbish", fault.BadTable, "", func(f folder) { f.write("partition-table.bin", bytes.Repeat([]byte{1}, 3072)) }, nil},
		{"partitions overlap", fault.BadTable, "overlap", csv("a,app,factory,0x10000,1M\nb,app,ota_0,0x20000,1M\n"), csvEdit},
		{"partition beyond the flash", fault.BadTable, "flash", csv("a,app,factory,0x10000,5M\n"), csvEdit},
		{"app larger than its partition", fault.DoesNotFit, "larger", csv("a,app,factory,0x10000,64K\n"), csvEdit},
		{"no partition for the app", fault.DoesNotFit, "no partition", csv("t,app,test,0x10000,1M\n"), csvEdit},
		{"unknown app partition", fault.DoesNotFit, "no partition", nil, []string{"app =", "app_partition = \"nowhere\"\napp ="}},
		{"app partition that would not start", fault.Unsupported, "ota_0", nil, []string{"app =", "app_partition = \"ota_1\"\napp ="}},
		{"chip too old for the app", fault.WrongTarget, "revision", func(f folder) { f.write("app-signed.bin", f.sign(appFor(f.t, 300))) }, []string{"[unit]", "[unit]\nmax_revision = \"v1.1\""}},
		{"extra into no partition", fault.DoesNotFit, "no partition", nil, []string{"[secure_boot]", "[[images.extra]]\npath = \"app-public.pem\"\npartition = \"certs\"\n[secure_boot]"}},
		{"extra on the app", fault.BadTable, "overlap", nil, []string{"[secure_boot]", "[[images.extra]]\npath = \"app-public.pem\"\noffset = 0x21000\n[secure_boot]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			if c.spoil != nil {
				c.spoil(f)
			}
			_, err := f.job(c.edits...)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("New = %v, want Problems", err)
			}
			if len(problems) != 1 {
				t.Errorf("%d problems, want 1:\n%v", len(problems), err)
			}
			if p := problems[0]; p.Code != c.code || !strings.Contains(p.Error(), c.says) {
				t.Errorf("%s %v; want %s and %q", p.Code, p, c.code, c.says)
			}
			if got := fault.CodeOf(err); got != c.code {
				t.Errorf("CodeOf = %s, want %s", got, c.code)
			}
		})
	}
}

var csvEdit = []string{"partition-table.bin", "table.csv"}

func csv(text string) func(folder) {
	return func(f folder) { f.write("table.csv", []byte(text)) }
}

func encrypted(t *testing.T, data []byte) []byte {
	t.Helper()
	data = flashcrypt.PadFF(data, 32)
	key := bytes.Repeat([]byte{0x5A, 3, 0xC1, 99}, 8)
	if err := flashcrypt.Encrypt(data, data, key, 0x20000, flashcrypt.ConfAll); err != nil {
		t.Fatal(err)
	}
	return data
}

// plainBootloader holds no key, as one built without secure boot.
func plainBootloader(t *testing.T) []byte {
	t.Helper()
	data, err := image.Build(image.Spec{
		Header:   image.Header{FlashMode: image.DIO, FlashSize: image.Size4MB, Entry: 0x40080400, MaxRev: 0xFFFF},
		Segments: []image.Segment{{Address: 0x40080400, Data: []byte("nothing of note")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// appFor is an unsigned app for chips of revision rev and later.
func appFor(t *testing.T, rev uint16) []byte {
	t.Helper()
	data, err := image.Build(image.Spec{
		Header:   image.Header{FlashMode: image.DIO, FlashSize: image.Size4MB, Entry: 0x40081000, MinRev: rev, MaxRev: 0xFFFF},
		App:      &image.AppDescriptor{ProjectName: "new", Version: "1"},
		Segments: []image.Segment{{Address: 0x3F400020, Data: []byte("x")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBootloaderWithoutKeyIsAllowedWhenTheProfileSaysSo(t *testing.T) {
	f := newFolder(t)
	f.write("bootloader.bin", plainBootloader(t))
	j, err := f.job("version = 1", "version = 1\nallow_unverified_app = true")
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Warnings) != 1 || !strings.Contains(j.Warnings[0], "any app") {
		t.Errorf("warnings %q, want one about any app", j.Warnings)
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	f := newFolder(t)
	os.Remove(filepath.Join(f.dir, "bootloader.bin"))
	_, err := f.job("app-signed.bin", "app.bin")
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("New = %v, want two problems", err)
	}
}

func TestExtraImages(t *testing.T) {
	f := newFolder(t)
	f.write("table.csv", []byte("nvs,data,nvs,0x9000,0x6000\nfactory,app,factory,0x10000,1M\ncerts,data,0x40,,0x2000,encrypted\nplain,data,0x41,,0x2000\n"))
	f.write("x.bin", []byte("certificate"))
	j, err := f.job("partition-table.bin", "table.csv", "[secure_boot]", `
[[images.extra]]
path = "x.bin"
partition = "certs"
[[images.extra]]
path = "x.bin"
partition = "plain"
[secure_boot]`)
	if err != nil {
		t.Fatal(err)
	}
	encrypt := map[string]bool{}
	for _, g := range j.Regions {
		encrypt[g.Name] = g.Encrypt
	}
	if !encrypt["certs"] || encrypt["plain"] {
		t.Errorf("encryption of the extras is %v; it follows the partition's flag", encrypt)
	}
}
