package simulator

import (
	"bytes"
	"regexp"
	"strconv"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// features are what a bootloader was built to do, as far as its binary tells: each
// option of ESP-IDF leaves its messages in it, and only with the option.
type features struct {
	version, compiled string // as the banner prints them
	unicore           bool
	tableOffset       int // 0: the binary does not tell

	checksApps      bool // app signatures of Secure Boot V1
	appKey          *secureboot.PublicKeyV1
	secureBootV1    bool // enables Secure Boot V1 by itself
	needsSecureBoot bool // refuses to go on unless it is enabled already
	flashEncryption bool // enables flash encryption by itself
	needsEncryption bool // refuses to go on unless it is enabled already
	release         bool // counter to its maximum at once

	keepsJTAG, keepsBasic                        bool
	keepsDLEncrypt, keepsDLDecrypt, keepsDLCache bool
	refusesBlankTable                            bool // since ESP-IDF 5.5
}

// Messages that give an option away. Source: ESP-IDF bootloader_support.
const (
	saysVerifying       = "Verifying image signature..."
	saysBlowing         = "blowing secure boot efuse..."
	saysNeedsSecureBoot = "SECURE_BOOT_REQUIRE_ALREADY_ENABLED is set"
	saysEncryption      = "Checking flash encryption..."
	saysNeedsEncryption = "SECURE_FLASH_REQUIRE_ALREADY_ENABLED is set"
	saysRelease         = "Setting CRYPT_CNT for permanent encryption"
	saysKeepsJTAG       = "Not disabling JTAG - SECURITY COMPROMISED"
	saysKeepsBasic      = "Not disabling ROM BASIC fallback - SECURITY COMPROMISED"
	saysKeepsDLEncrypt  = "Not disabling UART bootloader encryption"
	saysKeepsDLDecrypt  = "Not disabling UART bootloader decryption"
	saysKeepsDLCache    = "Not disabling UART bootloader MMU cache"
	saysUnicore         = "Unicore bootloader"

	// tableMark is in the bootloaders that BuildBootloader makes.
	tableMark = "provision-virtual-bootloader table-offset="
)

var (
	versionText  = regexp.MustCompile(`\x00(v[0-9]+\.[0-9]+[-.0-9A-Za-z]{0,26})\x00`)
	compiledText = regexp.MustCompile(`[A-Z][a-z]{2} [ 0-9][0-9] 20[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}`)
	tableText    = regexp.MustCompile(tableMark + `(0x[0-9a-f]+)`)
	majorMinor   = regexp.MustCompile(`^v([0-9]+)\.([0-9]+)`)
)

// findFeatures reads them out of a bootloader image.
func findFeatures(bin []byte) features {
	says := func(s string) bool { return bytes.Contains(bin, []byte(s)) }
	f := features{
		unicore:         says(saysUnicore),
		checksApps:      says(saysVerifying),
		secureBootV1:    says(saysBlowing) && says(tagSecureV1),
		needsSecureBoot: says(saysNeedsSecureBoot),
		flashEncryption: says(saysEncryption),
		needsEncryption: says(saysNeedsEncryption),
		release:         says(saysRelease),
		keepsJTAG:       says(saysKeepsJTAG),
		keepsBasic:      says(saysKeepsBasic),
		keepsDLEncrypt:  says(saysKeepsDLEncrypt),
		keepsDLDecrypt:  says(saysKeepsDLDecrypt),
		keepsDLCache:    says(saysKeepsDLCache),
	}
	f.version, f.compiled = versionOf(bin)
	f.refusesBlankTable = atLeast(f.version, 5, 5)
	if m := tableText.FindSubmatch(bin); m != nil {
		offset, _ := strconv.ParseUint(string(m[1]), 0, 24)
		f.tableOffset = int(offset)
	}
	if f.checksApps {
		if keys := secureboot.FindPublicKeys(bin); len(keys) > 0 {
			f.appKey = &keys[0].Key
		}
	}
	return f
}

// versionOf takes version and compile time from the descriptor; bootloaders before
// ESP-IDF 5.2 have them somewhere among their texts.
func versionOf(bin []byte) (version, compiled string) {
	if img, _ := image.Parse(bin); img != nil && img.Bootloader != nil {
		return img.Bootloader.IDFVersion, img.Bootloader.DateTime
	}
	version = "(unknown version)"
	if m := versionText.FindSubmatch(bin); m != nil {
		version = string(m[1])
	}
	return version, string(compiledText.Find(bin))
}

// atLeast compares an ESP-IDF version text with major.minor.
func atLeast(version string, major, minor int) bool {
	m := majorMinor.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	have, _ := strconv.Atoi(m[1])
	haveMinor, _ := strconv.Atoi(m[2])
	return have > major || have == major && haveMinor >= minor
}
