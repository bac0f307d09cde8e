package image

import (
	"os"
	"strings"
	"testing"
)

// saying is a file that holds those texts as C strings, among other bytes.
func saying(texts ...string) []byte {
	return []byte("\xe9\x01\x02\x00" + strings.Join(texts, "\x00") + "\x00rest")
}

func TestBootloaderFeatures(t *testing.T) {
	for _, c := range []struct {
		name  string
		texts []string
		want  BootloaderFeatures
	}{
		{"nothing", nil, BootloaderFeatures{Silent: true}},
		{"plain", []string{"Multicore bootloader"}, BootloaderFeatures{}},
		{"plain, errors only", []string{"E (%lu) %s: load partition table error!"}, BootloaderFeatures{}},
		{"one core", []string{"Unicore bootloader"}, BootloaderFeatures{Unicore: true}},
		// CONFIG_SECURE_SIGNED_ON_BOOT_NO_SECURE_BOOT: the tag of V1, and no more of it.
		{"checks apps only", []string{"secure_boot_v1", "Verifying image signature...", "Secure boot signature verification failed"},
			BootloaderFeatures{ChecksApps: true}},
		{"V1", []string{"secure_boot_v1", "blowing secure boot efuse...", "Verifying image signature..."},
			BootloaderFeatures{SecureBootV1: true, ChecksApps: true}},
		{"V1 of v3.3, which has another tag", []string{"secure_boot", "blowing secure boot efuse...", "Checking secure boot..."},
			BootloaderFeatures{SecureBootV1: true}},
		{"V1, errors only", []string{"Bootloader digest generation for secure boot failed (%d).", "FAILED TO ENABLE SECURE BOOT (%d)."},
			BootloaderFeatures{SecureBootV1: true}},
		{"V1 must be on already", []string{"FAILED TO ENABLE SECURE BOOT (%d).",
			"secure boot is not enabled, and SECURE_BOOT_REQUIRE_ALREADY_ENABLED is set, refusing to boot."},
			BootloaderFeatures{SecureBootV1: true, NeedsSecureBoot: true}},
		{"V2", []string{"secure_boot_v2", "enabling secure boot v2...", "blowing secure boot efuse...", "Secure boot signature verification failed"},
			BootloaderFeatures{SecureBootV2: true, ChecksApps: true}},
		{"V2, errors only", []string{"secure_boot_v2", "Secure Boot v2 failed (%d)"}, BootloaderFeatures{SecureBootV2: true}},
		{"V2 that closes download mode", []string{"Secure Boot v2 failed (%d)", "Disable ROM Download mode..."},
			BootloaderFeatures{SecureBootV2: true, ClosesDownload: true}},
		{"V2 that leaves download mode open", []string{"Secure Boot v2 failed (%d)", "UART ROM Download mode kept enabled - SECURITY COMPROMISED"},
			BootloaderFeatures{SecureBootV2: true}},
		{"encryption, development", []string{"Checking flash encryption...", "Not disabling UART bootloader encryption"},
			BootloaderFeatures{FlashEncryption: true, Development: true, KeepsDLEncrypt: true}},
		{"encryption, release", []string{"Checking flash encryption...", "Setting CRYPT_CNT for permanent encryption"},
			BootloaderFeatures{FlashEncryption: true, Release: true}},
		{"encryption, older release", []string{"Flash encryption check failed (%d).", "Checking flash encryption...", "Write protecting FLASH_CRYPT_CNT eFuse"},
			BootloaderFeatures{FlashEncryption: true, Release: true, FreezesCounter: true}},
		{"encryption up to v4.4, errors only", []string{"Flash encryption check failed (%d)."}, BootloaderFeatures{FlashEncryption: true}},
		{"encryption since v5.0, errors only", []string{"Initialization of Flash Encryption key failed (%d)"}, BootloaderFeatures{FlashEncryption: true}},
		{"encryption must be on already", []string{"flash encryption is not enabled, and SECURE_FLASH_REQUIRE_ALREADY_ENABLED is set, refusing to boot."},
			BootloaderFeatures{FlashEncryption: true, NeedsEncryption: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FindBootloaderFeatures(saying(c.texts...)); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestFeaturesOfARealBuild: hello_world of ESP-IDF 5.2.2, built without security.
func TestFeaturesOfARealBuild(t *testing.T) {
	bootloader, err := os.ReadFile("testdata/bootloader.bin")
	if err != nil {
		t.Fatal(err)
	}
	want := BootloaderFeatures{IDFVersion: "v5.2.2-dirty", Compiled: "Jul 25 2024 16:23:50"}
	if got := FindBootloaderFeatures(bootloader); got != want {
		t.Errorf("bootloader: got %+v, want %+v", got, want)
	}
	app, err := os.ReadFile("testdata/hello_world.bin")
	if err != nil {
		t.Fatal(err)
	}
	if got := FindAppFeatures(app); got != (AppFeatures{}) {
		t.Errorf("app: got %+v, want none", got)
	}
}

func TestAppFeatures(t *testing.T) {
	for text, want := range map[string]AppFeatures{
		"Flash encryption eFuse bit was not enabled in bootloader but CONFIG_SECURE_FLASH_ENC_ENABLED is on":          {NeedsEncryption: true},
		"Flash encryption & Secure Boot together requires FLASH_CRYPT_CNT efuse to be write protected. Fixing now...": {FreezesCounter: true},
		"Failed to disable ROM download mode":                         {ClosesDownload: true},
		`err == ESP_OK && "Failed to disable ROM download mode"`:      {ClosesDownload: true},
		"Not disabled UART ROM Download mode (set UART_DOWNLOAD_DIS)": {},
	} {
		if got := FindAppFeatures(saying(text)); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestBootloaderVersion(t *testing.T) {
	for text, want := range map[string]string{"v4.4.7": "v4.4.7", "v3.3-beta1-268-g5c88c5996": "v3.3-beta1-268-g5c88c5996", "version 5": ""} {
		if got := FindBootloaderFeatures(saying("x", text)).IDFVersion; got != want {
			t.Errorf("%s: version %q, want %q", text, got, want)
		}
	}
	for _, c := range []struct {
		version      string
		major, minor int
		want         bool
	}{
		{"v5.5", 5, 5, true}, {"v5.5.1-dirty", 5, 5, true}, {"v6.0", 5, 5, true}, {"v5.10", 5, 5, true},
		{"v5.4.3", 5, 5, false}, {"v4.9", 5, 5, false}, {"", 5, 5, false}, {"main", 5, 5, false},
	} {
		if got := (BootloaderFeatures{IDFVersion: c.version}).Since(c.major, c.minor); got != c.want {
			t.Errorf("%q since %d.%d: %v", c.version, c.major, c.minor, got)
		}
	}
}
