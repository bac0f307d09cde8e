package job

import (
	"errors"
	"os"
	"strings"
	"testing"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/secureboot"
)

// Profiles that ask for less than the tests' own.
var (
	encryptionOnly = []string{"version = 1", "version = 0"}
	secureBootOnly = []string{`mode = "host"`, `mode = "off"`}
	development    = []string{`policy = "release"`, `policy = "development"`}
)

// bootloaderSaying holds those messages and the key that apps are checked with.
func (f folder) bootloaderSaying(texts ...string) []byte {
	f.t.Helper()
	pub, err := secureboot.ParsePublicKeyV1(f.read("app-public.pem"))
	if err != nil {
		f.t.Fatal(err)
	}
	data, err := image.Build(image.Spec{
		Header:   image.Header{FlashMode: image.DIO, FlashSize: image.Size4MB, Entry: 0x40080400, MaxRev: 0xFFFF},
		Segments: []image.Segment{{Address: 0x40080400, Data: append([]byte(strings.Join(texts, "\x00")+"\x00"), pub[:]...)}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// appSaying is a signed app that holds those messages.
func (f folder) appSaying(texts ...string) []byte {
	f.t.Helper()
	data, err := image.Build(image.Spec{
		Header:   image.Header{FlashMode: image.DIO, FlashSize: image.Size4MB, Entry: 0x40081000, MaxRev: 0xFFFF},
		App:      &image.AppDescriptor{ProjectName: "p", Version: "1"},
		Segments: []image.Segment{{Address: 0x3F400020, Data: []byte(strings.Join(texts, "\x00") + "\x00")}},
		Pad:      image.PadV1,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.sign(data)
}

// Messages as ESP-IDF's builds hold them, by option.
var (
	plainBuild  = []string{"load partition table error!"}
	builtV1     = []string{"Bootloader digest generation for secure boot failed (%d).", "FAILED TO ENABLE SECURE BOOT (%d)."}
	builtV2     = []string{"secure_boot_v2", "Secure Boot v2 failed (%d)"}
	needsV1     = append([]string{"secure boot is not enabled, and SECURE_BOOT_REQUIRE_ALREADY_ENABLED is set, refusing to boot."}, builtV1...)
	encrypts    = []string{"Checking flash encryption...", "Not disabling UART bootloader encryption"}
	needsCrypt  = []string{"flash encryption is not enabled, and SECURE_FLASH_REQUIRE_ALREADY_ENABLED is set, refusing to boot."}
	forGood     = append([]string{"Setting CRYPT_CNT for permanent encryption"}, encrypts...)
	closesPort  = []string{"Disable ROM Download mode..."}
	appEncrypts = []string{"Flash encryption eFuse bit was not enabled in bootloader but CONFIG_SECURE_FLASH_ENC_ENABLED is on"}
	appRelease  = []string{"Flash encryption & Secure Boot together requires FLASH_CRYPT_CNT efuse to be write protected. Fixing now..."}
	appCloses   = []string{"Failed to disable ROM download mode"}
)

// TestBuiltForMore: firmware that would secure a unit otherwise than the profile
// says is refused, with what to do.
func TestBuiltForMore(t *testing.T) {
	for _, c := range []struct {
		name            string
		bootloader, app []string
		edits           []string
		says            string // empty: accepted
	}{
		{"V1 without secure boot", builtV1, nil, encryptionOnly, "Secure Boot V1 on by itself"},
		{"V1 must be on, without secure boot", needsV1, nil, encryptionOnly, "unless secure boot is on"},
		{"V1 with secure boot", builtV1, nil, nil, ""},
		{"V1 must be on, with secure boot", needsV1, nil, nil, ""},
		{"V2 without secure boot", builtV2, nil, encryptionOnly, "Secure Boot V2"},
		{"V2 with V1", builtV2, nil, nil, "Secure Boot V2"},
		{"V2 that closes the port", append(closesPort, builtV2...), nil, nil, "Secure Boot V2"},
		{"bootloader that closes the port", closesPort, nil, nil, "UART_DOWNLOAD_DIS"},
		{"encrypts without encryption", encrypts, nil, secureBootOnly, "encrypt the flash by itself"},
		{"encrypts for good without encryption", forGood, nil, secureBootOnly, "encrypt the flash by itself"},
		{"encryption must be on, without encryption", needsCrypt, nil, secureBootOnly, "unless flash encryption is on"},
		{"encrypts with encryption", encrypts, nil, nil, ""},
		{"encryption must be on, with encryption", needsCrypt, nil, nil, ""},
		{"plain with both", plainBuild, nil, nil, ""},
		{"plain, encryption only", plainBuild, nil, encryptionOnly, ""},
		{"plain, secure boot only", plainBuild, nil, secureBootOnly, ""},

		{"app that closes the port", plainBuild, appCloses, nil, "UART_DOWNLOAD_DIS"},
		{"app that needs encryption, without", plainBuild, appEncrypts, secureBootOnly, "unless flash encryption is on"},
		{"app that needs encryption, with", plainBuild, appEncrypts, nil, ""},
		{"release app under development", plainBuild, appRelease, development, "FLASH_CRYPT_CNT"},
		{"release app under release", plainBuild, appRelease, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("bootloader.bin", f.bootloaderSaying(c.bootloader...))
			if c.app != nil {
				f.write("app-signed.bin", f.appSaying(c.app...))
			}
			j, err := f.job(c.edits...)
			if c.says == "" {
				if err != nil || len(j.Warnings) != 0 {
					t.Fatalf("New = %v, %+v; want a job without warnings", err, j)
				}
				return
			}
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("New = %v, want one problem", err)
			}
			p := problems[0]
			if p.Code != fault.Unsupported || !strings.Contains(p.Text, c.says) || p.Do == "" || p.File == "" {
				t.Errorf("%s %q: %q (do: %q); want %s with %q", p.Code, p.File, p.Text, p.Do, fault.Unsupported, c.says)
			}
		})
	}
}

// TestDemoFirmwareBuiltForSecureBoot: the demo's own bootloader enables V1.
func TestDemoFirmwareBuiltForSecureBoot(t *testing.T) {
	f := newFolder(t)
	if _, err := f.job(secureBootOnly...); err != nil {
		t.Errorf("secure boot only: %v", err)
	}
	if _, err := f.job(encryptionOnly...); fault.CodeOf(err) != fault.Unsupported {
		t.Errorf("encryption only: %v, want %s", err, fault.Unsupported)
	}
}

// TestRealBuild: hello_world of ESP-IDF 5.2.2, built without security, encrypted.
func TestRealBuild(t *testing.T) {
	f := newFolder(t)
	for name, from := range map[string]string{
		"bootloader.bin": "bootloader.bin", "partition-table.bin": "partition-table.bin", "app-signed.bin": "hello_world.bin",
	} {
		data, err := os.ReadFile("../image/testdata/" + from)
		if err != nil {
			t.Fatal(err)
		}
		f.write(name, data)
	}
	j, err := f.job(encryptionOnly...)
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Warnings) != 0 {
		t.Errorf("warnings %q, want none", j.Warnings)
	}
}

func TestWarningsAboutBuilds(t *testing.T) {
	for _, c := range []struct {
		name       string
		bootloader []string
		edits      []string
		says       string // empty: no warning
	}{
		{"no messages, secure boot only", []string{"..."}, secureBootOnly, "without messages"},
		{"no messages, encryption only", []string{"..."}, encryptionOnly, "without messages"},
		{"no messages, both", []string{"..."}, nil, ""},
		{"release bootloader under development", forGood, development, "on again for ever"},
		{"development bootloader under development", encrypts, development, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("bootloader.bin", f.bootloaderSaying(c.bootloader...))
			j, err := f.job(c.edits...)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(j.Warnings, "\n")
			if (c.says == "") != (got == "") || !strings.Contains(got, c.says) {
				t.Errorf("warnings %q, want %q", got, c.says)
			}
		})
	}
}
