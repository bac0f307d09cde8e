package job

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"provision/internal/demo"
	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/image"
)

// device has the unit encrypt itself, with further edits.
func device(edits ...string) []string {
	return append([]string{`mode = "host"`, `mode = "device"`}, edits...)
}

// closedPort closes the serial port in the end.
var closedPort = []string{"[unit]", "[unit]\nmin_revision = \"v3.0\"", "[flash_encryption]",
	"[lock]\nUART_DOWNLOAD_DIS = true\n[boot_check]\nexpect = \"ready\"\nseconds = 5\n[flash_encryption]"}

// Builds that encrypt at the first start.
var (
	encryptsRelease = append([]string{"Checking flash encryption...", "Setting CRYPT_CNT for permanent encryption"}, builtV1...)
	encryptsDev     = append(slices.Clone(encrypts), builtV1...)
	encryptsFrozen  = append([]string{"Checking flash encryption...", "Write protecting FLASH_CRYPT_CNT eFuse"}, builtV1...)
	encryptsQuietly = append([]string{"Initialization of Flash Encryption key failed (%d)"}, builtV1...)
)

// TestBuiltToEncrypt: a bootloader that could not encrypt the unit, or would do
// something else than the profile says, is refused before a unit is touched.
func TestBuiltToEncrypt(t *testing.T) {
	for _, c := range []struct {
		name       string
		bootloader []string
		edits      []string
		says       string // empty: accepted
	}{
		{"release", encryptsRelease, nil, ""},
		{"development", encryptsDev, development, ""},
		{"without log lines, release", encryptsQuietly, nil, ""},
		{"encryption only", encryptsRelease[:2], encryptionOnly, ""},
		{"without encryption", builtV1, nil, "without flash encryption"},
		{"without messages", []string{"..."}, nil, "without messages"},
		{"encryption must be on already", append(needsCrypt, builtV1...), nil, "on already"},
		{"without secure boot", encryptsRelease[:2], nil, "without Secure Boot V1"},
		{"development under release", encryptsDev, nil, "development mode"},
		{"release under development", encryptsRelease, development, "for ever"},
		{"older release", encryptsFrozen, nil, ""},
		{"older release under development", encryptsFrozen, development, "for ever"},
		{"older release, port closed", encryptsFrozen, closedPort, "UART_DOWNLOAD_DIS with it"},
		{"release, port closed", encryptsRelease, closedPort, ""},
		{"without log lines, port closed", encryptsQuietly, closedPort, "does not tell whether it freezes"},
		{"without log lines, development", encryptsQuietly, development, "does not tell"},
		{"burns JTAG_DISABLE", encryptsRelease, []string{"[flash_encryption]", "[lock]\nJTAG_DISABLE = false\n[flash_encryption]"}, "JTAG_DISABLE by itself"},
		{"leaves JTAG open", append([]string{"Not disabling JTAG - SECURITY COMPROMISED"}, encryptsRelease...),
			[]string{"[flash_encryption]", "[lock]\nJTAG_DISABLE = false\n[flash_encryption]"}, ""},
		{"burns DISABLE_DL_ENCRYPT", append(encryptsQuietly, "Checking flash encryption..."), development, "DISABLE_DL_ENCRYPT by itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("bootloader.bin", f.bootloaderSaying(c.bootloader...))
			j, err := f.job(device(c.edits...)...)
			if c.says == "" {
				if err != nil || len(j.Warnings) != 0 {
					t.Fatalf("New = %v, %+v; want a job without warnings", err, j)
				}
				if err := j.Goal(efuse.Revision{Major: 3}).Check(); err != nil || !j.Goal(efuse.Revision{}).ByUnit {
					t.Errorf("the goal is not one of a unit that encrypts itself: %v", err)
				}
				return
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("New = %v, want a problem", err)
			}
			p := problems[0]
			if p.Code != fault.Unsupported || !strings.Contains(p.Text, c.says) || p.Do == "" {
				t.Errorf("New = %v (do: %q); want %s, with %q first", err, p.Do, fault.Unsupported, c.says)
			}
		})
	}
}

// TestConversion: how much the unit will encrypt, and with which locks.
func TestConversion(t *testing.T) {
	f := newFolder(t)
	f.write("bootloader.bin", f.bootloaderSaying(append([]string{"Not disabling JTAG - SECURITY COMPROMISED"}, encryptsRelease...)...))
	j, err := f.job(device()...)
	if err != nil {
		t.Fatal(err)
	}
	// digest, bootloader, table, otadata, and the partition of the app, whole
	const want = 0x1000 + 0x1000 + 0x1000 + 0x2000 + 1<<20
	if c := j.Conversion; c.Bytes != want || c.Most != want+1<<20 {
		t.Errorf("the unit converts %#x bytes, at most %#x; want %#x and %#x", c.Bytes, c.Most, want, want+1<<20)
	}
	burns := []string{"CONSOLE_DEBUG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE", "DIS_CACHE"}
	if !slices.Equal(j.Conversion.Burns, burns) {
		t.Errorf("the unit burns %v, want %v", j.Conversion.Burns, burns)
	}
	if host, err := newFolder(t).job(); err != nil || host.Conversion != nil || host.Goal(efuse.Revision{}).ByUnit {
		t.Errorf("under host encryption: %+v, %v", host, err)
	}
}

// TestConvertsAsPlanned: an image that the unit would leave plain, or encrypt against
// the profile, is found before a unit is.
func TestConvertsAsPlanned(t *testing.T) {
	const extra = "[[images.extra]]\npath = \"extra.bin\"\n"
	const table = demo.Partitions + "certs, data, 0x40, , 0x2000,\nvault, data, 0x41, , 0x2000, encrypted\nkeys, data, nvs_keys, , 0x1000,\n"
	for _, c := range []struct {
		name, edit string
		signed     bool // the extra file is an app that the unit would start
		says       string
	}{
		{"plain into plain", extra + `partition = "certs"`, false, ""},
		{"flagged", extra + `partition = "vault"`, false, ""},
		{"encrypted into plain", extra + "partition = \"certs\"\nencrypt = true", false, "leave 4096 bytes of it in plain text"},
		{"encrypted nowhere", extra + "offset = 0x300000\nencrypt = true", false, "leave 4096 bytes"},
		{"plain into flagged", extra + "partition = \"vault\"\nencrypt = false", false, "would encrypt 4096 bytes"},
		{"no app in a slot", extra + `partition = "ota_1"`, false, "leave 4096 bytes"},
		{"an app in a slot", extra + `partition = "ota_1"`, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("bootloader.bin", f.bootloaderSaying(encryptsRelease...))
			f.write("partition-table.csv", []byte(table))
			f.write("extra.bin", []byte("certificate"))
			if c.signed {
				f.write("extra.bin", f.read("app-signed.bin"))
			}
			_, err := f.job(device("[secure_boot]", c.edit+"\n[secure_boot]", "partition-table.bin", "partition-table.csv")...)
			if c.says == "" && err != nil || c.says != "" && (fault.CodeOf(err) != fault.Unsupported || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("New = %v, want %q", err, c.says)
			}
		})
	}
}

// TestTrailingBootloader: what stands behind the bootloader's image stays plain in a
// unit that encrypts itself.
func TestTrailingBootloader(t *testing.T) {
	f := newFolder(t)
	bin := f.bootloaderSaying(encryptsRelease...)
	f.write("bootloader.bin", append(pad(bin), 1, 2, 3))
	if _, err := f.job(device()...); fault.CodeOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "bootloader is to be encrypted") {
		t.Errorf("New = %v", err)
	}
}

// TestBlanksOfUnit: everything that the unit will encrypt is given a known content, so
// that a conversion that was cut can be begun again from the start.
func TestBlanksOfUnit(t *testing.T) {
	f := newFolder(t)
	f.write("bootloader.bin", f.bootloaderSaying(encryptsRelease...))
	f.write("partition-table.csv", []byte(demo.Partitions+"certs, data, 0x40, , 0x2000,\nvault, data, 0x41, , 0x2000, encrypted\nkeys, data, nvs_keys, , 0x1000,\n"))
	j, err := f.job(device("partition-table.bin", "partition-table.csv")...)
	if err != nil {
		t.Fatal(err)
	}
	blanks := map[string]bool{}
	for _, r := range j.Regions {
		if label, ok := strings.CutPrefix(r.Name, "blank "); ok {
			part, _ := j.Table.Find(label)
			blanks[label] = r.Volatile && r.Encrypt == (part.Type != image.TypeData || part.Encrypted())
		}
	}
	if len(blanks) != 4 || !blanks["nvs"] || !blanks["otadata"] || !blanks["vault"] || !blanks["keys"] {
		t.Errorf("blank are %v", blanks)
	}
}

// TestBlankRestOfUnit: a file that is shorter than its encrypted partition leaves
// nothing in it unknown, wherever it lies.
func TestBlankRestOfUnit(t *testing.T) {
	const table = demo.Partitions + "vault, data, 0x40, 0x300000, 0x5000, encrypted\n"
	const at = "[[images.extra]]\npath = \"extra.bin\"\nencrypt = true\noffset = "
	for _, c := range []struct {
		name, extra string
		host        bool
		want        []span
	}{
		{"at its start", "[[images.extra]]\npath = \"extra.bin\"\npartition = \"vault\"", false, []span{{0x301000, 0x305000}}},
		{"inside", at + "0x302000", false, []span{{0x300000, 0x302000}, {0x303000, 0x305000}}},
		{"at its end", at + "0x304000", false, []span{{0x300000, 0x304000}}},
		{"two files", at + "0x303000\n" + at + "0x301000", false, []span{{0x300000, 0x301000}, {0x302000, 0x303000}, {0x304000, 0x305000}}},
		{"encrypted by the station", at + "0x302000", true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("bootloader.bin", f.bootloaderSaying(encryptsRelease...))
			f.write("partition-table.csv", []byte(table))
			f.write("extra.bin", []byte("certificate"))
			edits := []string{"[secure_boot]", c.extra + "\n[secure_boot]", "partition-table.bin", "partition-table.csv"}
			if !c.host {
				edits = device(edits...)
			}
			j, err := f.job(edits...)
			if err != nil {
				t.Fatal(err)
			}
			var blank []span
			for _, r := range j.Regions {
				if r.Name == "blank vault" {
					blank = append(blank, span{r.Offset, r.End()})
					if !r.Encrypt || !r.Volatile {
						t.Errorf("%+v is not encrypted, or not the firmware's", blank)
					}
				}
			}
			if !slices.Equal(blank, c.want) {
				t.Errorf("blank is %x, want %x", blank, c.want)
			}
		})
	}
}
