package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/internal/demo"
	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/secureboot"
	"provision/internal/station"
)

// nextProfile is a profile of demo firmware that plans an update.
const nextProfile = `
[station]
name = "T"
[unit]
flash_size = "4MB"
[images]
bootloader = "bootloader.bin"
partition_table = "partition-table.bin"
app = "app-signed.bin"
[ota]
next_image = "next.bin"
[secure_boot]
version = 1
public_key = "app-public.pem"
[flash_encryption]
mode = "host"
`

// nextBench is a build folder, and what a test makes of it.
type nextBench struct {
	t   *testing.T
	dir string
	key *secureboot.SigningKey
}

func newNextBench(t *testing.T) nextBench {
	t.Helper()
	b := nextBench{t: t, dir: t.TempDir()}
	if err := demo.Write(b.dir); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.key, err = secureboot.ParseSigningKey(b.read("app-key.pem")); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b nextBench) read(name string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

func (b nextBench) write(name string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b nextBench) sign(key *secureboot.SigningKey, app []byte) []byte {
	b.t.Helper()
	signed, err := secureboot.AppendSignatureV1(key, app, true)
	if err != nil {
		b.t.Fatal(err)
	}
	return signed
}

// app is demo firmware of another version, not signed.
func (b nextBench) app() []byte {
	b.t.Helper()
	app, err := demo.App("demo", "2.0.0")
	if err != nil {
		b.t.Fatal(err)
	}
	return app
}

// build is an image of one segment.
func (b nextBench) build(address uint32, minRev uint16) []byte {
	b.t.Helper()
	spec := image.Spec{
		Header:   image.Header{FlashMode: image.DIO, FlashSize: image.Size4MB, Entry: 0x40080400, MinRev: minRev, MaxRev: 0xFFFF},
		Segments: []image.Segment{{Address: address, Data: []byte("nothing of note")}},
	}
	if address < 0x40000000 {
		spec.App = &image.AppDescriptor{ProjectName: "new", Version: "1"}
	}
	data, err := image.Build(spec)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

func (b nextBench) encrypt(data []byte) []byte {
	b.t.Helper()
	data = flashcrypt.PadFF(data, 32)
	if err := flashcrypt.Encrypt(data, data, bytes.Repeat([]byte{0x5A, 3, 0xC1, 99}, 8), 0x20000, flashcrypt.ConfAll); err != nil {
		b.t.Fatal(err)
	}
	return data
}

// job is newJob of the profile with edits (old, new pairs).
func (b nextBench) job(edits ...string) (*job.Job, error) {
	b.t.Helper()
	p, err := station.Parse([]byte(strings.NewReplacer(edits...).Replace(nextProfile)), filepath.Join(b.dir, "t.toml"))
	if err != nil {
		b.t.Fatal(err)
	}
	return newJob(p)
}

// TestNextImage: an update that the units would not accept keeps them from being made.
func TestNextImage(t *testing.T) {
	other, err := secureboot.GenerateSigningKeyV1()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		code  fault.Code // empty: accepted
		says  string     // by the problem, or as a warning
		image func(b nextBench) []byte
		edits []string
	}{
		{"signed", "", "", func(b nextBench) []byte { return b.sign(b.key, b.app()) }, nil},
		{"not signed", fault.AppUnsigned, "the units would not accept this update: the image is not signed", func(b nextBench) []byte { return b.app() }, nil},
		{"another key", fault.AppWrongKey, "signed with another key", func(b nextBench) []byte { return b.sign(other, b.app()) }, nil},
		{"encrypted", fault.AlreadyCrypt, "already encrypted", func(b nextBench) []byte { return b.encrypt(b.sign(b.key, b.app())) }, nil},
		{"bootloader", fault.BadImage, "this is a bootloader", func(b nextBench) []byte { return b.sign(b.key, b.read("bootloader.bin")) }, nil},
		{"too large", fault.DoesNotFit, "room for", func(b nextBench) []byte {
			return append(b.sign(b.key, b.app()), bytes.Repeat([]byte{0xFF}, 1<<20)...)
		}, nil},
		{"empty", fault.BadImage, "the file is empty", func(nextBench) []byte { return nil }, nil},
		{"newer chips than all", fault.WrongTarget, "needs chip revision v3.0 or later", func(b nextBench) []byte { return b.sign(b.key, b.build(0x3F400020, 300)) }, []string{"[unit]", "[unit]\nmax_revision = \"v1.1\""}},
		{"newer chips than some", "", "not known is its chip revision: the image runs on v3.0 and later", func(b nextBench) []byte { return b.sign(b.key, b.build(0x3F400020, 300)) }, nil},
		{"no second slot", fault.BadTable, "only OTA slot", func(b nextBench) []byte { return b.sign(b.key, b.app()) },
			[]string{"partition-table.bin", "one.csv"}},
		{"not told by the bootloader", "", "it cannot be told whether every unit would accept this update: not known is whether its bootloader verifies", func(b nextBench) []byte {
			b.write("bootloader.bin", b.build(0x40080400, 0))
			return b.app()
		}, []string{"version = 1", "version = 1\nallow_unverified_app = true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNextBench(t)
			b.write("one.csv", []byte("otadata,data,ota,0xf000,0x2000\nota_0,app,ota_0,0x20000,1M\n"))
			b.write("next.bin", c.image(b))
			j, err := b.job(c.edits...)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if said := strings.Join(j.Warnings, "\n"); !strings.Contains(said, c.says) || c.says == "" && said != "" {
					t.Errorf("warnings %q, want %q", said, c.says)
				}
				return
			}
			var problems job.Problems
			if !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("newJob = %v, want one problem", err)
			}
			if p := problems[0]; p.Code != c.code || !strings.Contains(p.Error(), c.says) || !strings.Contains(p.Error(), "next.bin") || p.Action() == "" {
				t.Errorf("%s %v; want %s and %q", p.Code, p, c.code, c.says)
			}
		})
	}
}

// TestNeverUpdated: a table that no update can be written to is told of, also where
// none is planned.
func TestNeverUpdated(t *testing.T) {
	for _, c := range []struct{ name, table, says string }{
		{"two slots", "otadata,data,ota,0xf000,0x2000\nota_0,app,ota_0,0x20000,1M\nota_1,app,ota_1,,1M\n", ""},
		{"factory and a slot", "otadata,data,ota,0xf000,0x2000\nfactory,app,factory,0x20000,1M\nota_0,app,ota_0,,1M\n", ""},
		{"factory only", "factory,app,factory,0x20000,1M\n", "no OTA slot"},
		{"one slot only", "otadata,data,ota,0xf000,0x2000\nota_0,app,ota_0,0x20000,1M\n", "only OTA slot"},
		{"no otadata", "factory,app,factory,0x20000,1M\nota_0,app,ota_0,,1M\n", "no otadata partition"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newNextBench(t)
			b.write("table.csv", []byte(c.table))
			j, err := b.job("partition-table.bin", "table.csv", "[ota]\nnext_image = \"next.bin\"\n", "")
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(j.Warnings, "\n"); !strings.Contains(said, c.says) || c.says == "" && said != "" {
				t.Errorf("warnings %q, want %q", said, c.says)
			}
		})
	}
}
