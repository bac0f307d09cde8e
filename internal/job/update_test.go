package job

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"provision/internal/demo"
	"provision/internal/fault"
	"provision/internal/ota"
	"provision/internal/secureboot"
)

var nextEdit = []string{"[secure_boot]", "[ota]\nnext_image = \"next.bin\"\n[secure_boot]"}

// next is demo firmware of another version, not signed.
func next(t *testing.T) []byte {
	t.Helper()
	app, err := demo.App("demo", "2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestNextImage(t *testing.T) {
	other, err := secureboot.GenerateSigningKeyV1()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		code  fault.Code // empty: accepted
		says  string     // by the problem, or as a warning
		image func(f folder) []byte
		edits []string
	}{
		{"signed", "", "", func(f folder) []byte { return f.sign(next(f.t)) }, nil},
		{"not signed", fault.AppUnsigned, "the units would not accept this update: the image is not signed", func(f folder) []byte { return next(f.t) }, nil},
		{"another key", fault.AppWrongKey, "signed with another key", func(f folder) []byte { return signed(f.t, other, next(f.t)) }, nil},
		{"encrypted", fault.AlreadyCrypt, "already encrypted", func(f folder) []byte { return encrypted(f.t, f.sign(next(f.t))) }, nil},
		{"bootloader", fault.BadImage, "this is a bootloader", func(f folder) []byte { return f.sign(f.read("bootloader.bin")) }, nil},
		{"too large", fault.DoesNotFit, "room for", func(f folder) []byte {
			return append(f.sign(next(f.t)), bytes.Repeat([]byte{0xFF}, 1<<20)...)
		}, nil},
		{"empty", fault.BadImage, "empty", func(folder) []byte { return nil }, nil},
		{"newer chips than all", fault.WrongTarget, "v1.1", func(f folder) []byte { return f.sign(appFor(f.t, 300)) }, []string{"[unit]", "[unit]\nmax_revision = \"v1.1\""}},
		{"newer chips than some", "", "not known is its chip revision: the image runs on v3.0 and later", func(f folder) []byte { return f.sign(appFor(f.t, 300)) }, nil},
		{"no second slot", fault.BadTable, "only OTA slot", func(f folder) []byte { return f.sign(next(f.t)) },
			[]string{"partition-table.bin", "one.csv"}},
		{"not told by the bootloader", "", "it cannot be told whether every unit would accept this update: not known is whether its bootloader verifies", func(f folder) []byte {
			f.write("bootloader.bin", plainBootloader(f.t))
			return next(f.t)
		}, []string{"version = 1", "version = 1\nallow_unverified_app = true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("one.csv", []byte("otadata,data,ota,0xf000,0x2000\nota_0,app,ota_0,0x20000,1M\n"))
			f.write("next.bin", c.image(f))
			j, err := f.job(append(slices.Clone(nextEdit), c.edits...)...)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if said := strings.Join(j.Warnings, "\n"); !strings.Contains(said, c.says) || c.says == "" && said != "" {
					t.Errorf("warnings %q, want %q", said, c.says)
				}
				return
			}
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("New = %v, want one problem", err)
			}
			if p := problems[0]; p.Code != c.code || !strings.Contains(p.Error(), c.says) || !strings.Contains(p.Error(), "next.bin") || p.Action() == "" {
				t.Errorf("%s %v; want %s and %q", p.Code, p, c.code, c.says)
			}
		})
	}
}

// TestDevice: the units accept what the job itself puts into them.
func TestDevice(t *testing.T) {
	f := newFolder(t)
	j, err := f.job()
	if err != nil {
		t.Fatal(err)
	}
	d := j.Device()
	if label, _ := d.Running.Get(); label != "ota_0" {
		t.Errorf("units run from %q", label)
	}
	if trusts, _ := d.Trusts.Get(); !slices.Equal(trusts, []string{j.Signer}) {
		t.Errorf("units trust %q, want %q", trusts, j.Signer)
	}
	d.Revision = ota.Known(300)
	if r := ota.Check(f.read("app-signed.bin"), d); r.Verdict != ota.Accepted {
		t.Errorf("%+v", r)
	}
	if r := ota.Check(f.read("app.bin"), d); r.Verdict != ota.Refused || r.Reasons[0].Code != ota.NotSigned {
		t.Errorf("%+v", r)
	}
}
