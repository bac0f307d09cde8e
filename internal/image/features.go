package image

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
)

// BootloaderFeatures are what a second-stage bootloader was built to do, as far as
// its binary tells: an option of ESP-IDF brings messages with it that are in no
// other build. A build without messages tells nothing (Silent).
type BootloaderFeatures struct {
	IDFVersion string // "v5.2.2"; empty: the binary does not tell
	Compiled   string // date and time; empty: the binary does not tell
	Unicore    bool
	Silent     bool // no message of ESP-IDF is in it: a feature that is false here is unknown

	ChecksApps bool // verifies the signature of an app before it starts it

	// Built for a kind of secure boot, which it enables by itself at the first start,
	// with a key of its own making where none is burnt. NeedsSecureBoot: it refuses
	// to start anything instead.
	SecureBootV1    bool
	SecureBootV2    bool
	NeedsSecureBoot bool

	// Built for flash encryption, likewise: it makes a key, encrypts the flash in
	// place, and burns FLASH_CRYPT_CNT: with Release to its maximum, with Development
	// its lowest bit. Of a build with few log lines neither is known. A release build
	// that FreezesCounter burns the lowest bit, too, and in the same burn write-protects
	// the counter, and with it UART_DOWNLOAD_DIS.
	FlashEncryption bool
	NeedsEncryption bool
	Release         bool
	Development     bool
	FreezesCounter  bool

	ClosesDownload bool // burns UART_DOWNLOAD_DIS when it enables secure boot

	// What it leaves open when it enables a feature.
	KeepsJTAG, KeepsBASIC                        bool
	KeepsDLEncrypt, KeepsDLDecrypt, KeepsDLCache bool
}

// Messages that give an option of a bootloader away. Source: ESP-IDF
// bootloader_support v3.1 to v6.0: bootloader_utility.c, esp_image_format.c,
// secure_boot_v1/secure_boot.c, secure_boot_v2/secure_boot.c,
// flash_encryption/flash_encrypt.c (in older ones esp32/flash_encrypt.c), esp32/secure_boot_secure_features.c,
// esp32/flash_encryption_secure_features.c.
const (
	MsgUnicore         = "Unicore bootloader"
	MsgMulticore       = "Multicore bootloader"
	MsgVerifying       = "Verifying image signature..."
	MsgBlowing         = "blowing secure boot efuse..." // of both kinds
	MsgTagSecureBootV1 = "secure_boot_v1"               // also in builds that only check apps
	MsgNeedsSecureBoot = "SECURE_BOOT_REQUIRE_ALREADY_ENABLED is set"
	MsgEncryption      = "Checking flash encryption..."
	MsgNeedsEncryption = "SECURE_FLASH_REQUIRE_ALREADY_ENABLED is set"
	MsgRelease         = "Setting CRYPT_CNT for permanent encryption"
	MsgReleaseFrozen   = "Write protecting FLASH_CRYPT_CNT eFuse" // older release builds
	MsgKeepsJTAG       = "Not disabling JTAG - SECURITY COMPROMISED"
	MsgKeepsBASIC      = "Not disabling ROM BASIC fallback - SECURITY COMPROMISED"
	MsgKeepsDLEncrypt  = "Not disabling UART bootloader encryption"
	MsgKeepsDLDecrypt  = "Not disabling UART bootloader decryption"
	MsgKeepsDLCache    = "Not disabling UART bootloader MMU cache"
)

// Messages of the same options that stay in a build which logs errors only.
var (
	errorsChecking   = []string{"Secure boot signature verification failed"}
	errorsV1         = []string{"Bootloader digest generation for secure boot failed (", "FAILED TO ENABLE SECURE BOOT ("}
	errorsV2         = []string{"Secure Boot v2 failed ("}
	errorsEncryption = []string{"Flash encryption check failed (", "Initialization of Flash Encryption key failed ("}
	errorsDownload   = []string{"Could not disable ROM Download mode"}
	errorsAnyBuild   = []string{"load partition table error!", "No bootable app partitions"}
)

// FindBootloaderFeatures reads the features out of a bootloader image, which need
// not be whole.
func FindBootloaderFeatures(bin []byte) BootloaderFeatures {
	says := func(text string) bool { return bytes.Contains(bin, []byte(text)) }
	oneOf := func(texts []string, more ...string) bool {
		return slices.ContainsFunc(texts, says) || slices.ContainsFunc(more, says)
	}
	f := BootloaderFeatures{
		Unicore:    says(MsgUnicore),
		ChecksApps: oneOf(errorsChecking, MsgVerifying),

		SecureBootV1:    oneOf(errorsV1, "Checking secure boot...") || says(MsgBlowing) && says(MsgTagSecureBootV1),
		SecureBootV2:    oneOf(errorsV2, "enabling secure boot v2..."),
		NeedsSecureBoot: says(MsgNeedsSecureBoot),

		FlashEncryption: oneOf(errorsEncryption, MsgEncryption, MsgNeedsEncryption),
		NeedsEncryption: says(MsgNeedsEncryption),
		Release:         says(MsgRelease) || says(MsgReleaseFrozen),
		FreezesCounter:  says(MsgReleaseFrozen),

		ClosesDownload: oneOf(errorsDownload, "Disable ROM Download mode..."),

		KeepsJTAG:      says(MsgKeepsJTAG),
		KeepsBASIC:     says(MsgKeepsBASIC),
		KeepsDLEncrypt: says(MsgKeepsDLEncrypt),
		KeepsDLDecrypt: says(MsgKeepsDLDecrypt),
		KeepsDLCache:   says(MsgKeepsDLCache),
	}
	f.Development = !f.Release && !f.NeedsEncryption && (f.KeepsDLEncrypt || says(MsgEncryption))
	f.Silent = f == BootloaderFeatures{} && !oneOf(errorsAnyBuild, MsgMulticore)
	f.IDFVersion, f.Compiled = bootloaderVersion(bin)
	return f
}

var (
	versionText  = regexp.MustCompile(`\x00(v[0-9]+\.[0-9]+[-.0-9A-Za-z]{0,26})\x00`)
	compiledText = regexp.MustCompile(`[A-Z][a-z]{2} [ 0-9][0-9] 20[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}`)
	majorMinor   = regexp.MustCompile(`^v([0-9]+)\.([0-9]+)`)
)

// bootloaderVersion takes version and compile time from the descriptor; bootloaders
// before ESP-IDF 5.2 have them somewhere among their texts.
func bootloaderVersion(bin []byte) (version, compiled string) {
	if img, _ := Parse(bin); img != nil && img.Bootloader != nil {
		return img.Bootloader.IDFVersion, img.Bootloader.DateTime
	}
	if m := versionText.FindSubmatch(bin); m != nil {
		version = string(m[1])
	}
	return version, string(compiledText.Find(bin))
}

// Since reports whether the bootloader is of that version of ESP-IDF or a later one.
// One that does not tell its version is taken for older.
func (f BootloaderFeatures) Since(major, minor int) bool {
	m := majorMinor.FindStringSubmatch(f.IDFVersion)
	if m == nil {
		return false
	}
	have, _ := strconv.Atoi(m[1])
	haveMinor, _ := strconv.Atoi(m[2])
	return have > major || have == major && haveMinor >= minor
}
