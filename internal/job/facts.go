package job

import (
	"bytes"
	"encoding/hex"
	"slices"

	"provision/internal/image"
	"provision/internal/secureboot"
)

// Facts are what a firmware file is, as far as that decides which updates a unit that
// carries it accepts. They outlive the file: records keep them as JSON, so names do
// not change meaning. One of the pointers is set.
type Facts struct {
	Bootloader *BootloaderFacts `json:"bootloader,omitempty"`
	Table      *TableFacts      `json:"partition_table,omitempty"`
	App        *AppFacts        `json:"app,omitempty"`
}

// BootloaderFacts are what a bootloader tells of itself.
type BootloaderFacts struct {
	// Silent: built without messages. Checks, SecureBoot and AntiRollback say nothing.
	Silent       bool     `json:"silent,omitempty"`
	Checks       bool     `json:"checks_apps"`           // verifies the signature of an app before it starts it
	AppKeys      []string `json:"app_keys,omitempty"`    // fingerprints of the Secure Boot V1 keys in it
	SecureBoot   int      `json:"secure_boot"`           // version it was built to enable; 0: none
	AntiRollback bool     `json:"anti_rollback"`         // starts no app below SECURE_VERSION
	FlashSize    uint32   `json:"flash_size"`            // bytes it believes in
	IDF          string   `json:"idf_version,omitempty"` // empty: it does not tell
}

// TableFacts are a partition table.
type TableFacts struct {
	Binary []byte `json:"binary"` // as in flash, up to the row that ends it; base64 in JSON
}

// AppFacts are what an app tells of itself.
type AppFacts struct {
	Chip          uint16 `json:"chip_id"`
	MinRev        int    `json:"min_revision"`     // major*100 + minor
	MaxRev        int    `json:"max_revision"`     // 0 and 65535: any
	Size          int    `json:"size"`             // bytes of the file
	SecureVersion uint32 `json:"secure_version"`   // for anti-rollback; 0 without a descriptor
	Scheme        int    `json:"signature_scheme"` // Secure Boot version it is signed for; 0: not signed
	Signer        string `json:"signer,omitempty"` // fingerprint of the key; empty: it cannot be told
}

// FileFacts are the facts of a file at its place in flash.
type FileFacts struct {
	SHA256 string // of the file
	Offset uint32 // bytes from the start of flash
	Facts  Facts
}

// Marks of anti-rollback: a message of a bootloader built with it, and one that is
// left where only errors are logged. Source: ESP-IDF bootloader_utility.c,
// esp_efuse_fields.c of the ESP32.
const (
	msgAntiRollback    = "Enabled a check secure version of app for anti rollback"
	errorsAntiRollback = "Anti rollback is not supported with any coding scheme"
)

func bootloaderFacts(bin []byte, im *image.Image, pub *secureboot.PublicKeyV1) *BootloaderFacts {
	f := image.FindBootloaderFeatures(bin)
	facts := &BootloaderFacts{
		Silent: f.Silent, Checks: f.ChecksApps, AppKeys: appKeys(bin, pub), FlashSize: im.FlashSize.Bytes(), IDF: f.IDFVersion,
		AntiRollback: bytes.Contains(bin, []byte(msgAntiRollback)) || bytes.Contains(bin, []byte(errorsAntiRollback)),
	}
	switch {
	case f.SecureBootV2:
		facts.SecureBoot = 2
	case f.SecureBootV1:
		facts.SecureBoot = 1
	}
	return facts
}

// appKeys are the fingerprints of the keys in a bootloader. One that holds the
// profile's, pub, holds it to use it.
func appKeys(bin []byte, pub *secureboot.PublicKeyV1) (fingerprints []string) {
	if pub != nil && secureboot.Contains(bin, *pub) {
		return []string{pub.Fingerprint()}
	}
	for _, found := range secureboot.FindPublicKeys(bin) {
		if key := found.Key.Fingerprint(); !slices.Contains(fingerprints, key) {
			fingerprints = append(fingerprints, key)
		}
	}
	return fingerprints
}

// tableFacts keep the row of 0xFF that ends the table, without which it cannot be
// read, and nothing after it.
func tableFacts(binary []byte) *TableFacts {
	const endRow = 32
	rows := len(bytes.TrimRight(binary, "\xFF"))
	rows = (rows + endRow - 1) / endRow * endRow
	return &TableFacts{Binary: binary[:min(rows+endRow, len(binary))]}
}

// appFacts are of a whole image. pub is the key the app's V1 signature was verified
// with; nil: it was not.
func appFacts(data []byte, im *image.Image, pub *secureboot.PublicKeyV1) *AppFacts {
	facts := &AppFacts{Chip: uint16(im.Chip), MinRev: int(im.MinRev), MaxRev: int(im.MaxRev), Size: len(data)}
	if im.App != nil {
		facts.SecureVersion = im.App.SecureVersion
	}
	facts.Scheme, facts.Signer = signerOf(data, im, pub)
	return facts
}

// signerOf looks where units look: for V1 right behind the image, for V2 at the next
// sector. A V1 signature does not name its key.
func signerOf(data []byte, im *image.Image, pub *secureboot.PublicKeyV1) (scheme int, signer string) {
	if pub != nil && secureboot.VerifyBlockV1(data[:im.Length], im.Trailing, *pub) == nil {
		return 1, pub.Fingerprint()
	}
	if at := len(pad(data[:im.Length])); at < len(data) {
		if block, err := secureboot.ParseBlockV2(data[at:]); err == nil {
			if digest, err := secureboot.KeyDigestV2(block.Key); err == nil {
				return 2, hex.EncodeToString(digest[:])
			}
		}
	}
	if n := im.Length + secureboot.BlockLenV1; n <= len(data) && secureboot.LooksSignedV1(data[:n]) {
		return 1, ""
	}
	return 0, ""
}

// learn keeps the facts of a file that goes to offset.
func (b *builder) learn(sum string, offset uint32, facts Facts) {
	b.job.Facts = append(b.job.Facts, FileFacts{SHA256: sum, Offset: offset, Facts: facts})
}
