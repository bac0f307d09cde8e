package ota

import "fmt"

// Verdict is the answer in one word.
type Verdict string

// The verdicts. Refused: esp_ota gives up and the unit goes on with the app it has.
// FallsBack: esp_ota switches to the image, the bootloader does not start it, and the
// unit comes back with an older app. Unknown: no reason against it can be seen, and
// facts are missing that could be one.
const (
	Accepted  Verdict = "ACCEPTED"
	Refused   Verdict = "REFUSED"
	FallsBack Verdict = "FALLS BACK"
	Unknown   Verdict = "UNKNOWN"
)

// Stage is who says no, in the order in which they are asked.
type Stage int

// The stages of an update.
const (
	AtBegin  Stage = iota // esp_ota, before it writes
	AtWrite               // esp_ota, while it writes
	AtEnd                 // esp_ota, verifying what it has written
	AtSwitch              // esp_ota, selecting the new slot
	AtBoot                // the bootloader, after the restart
)

func (s Stage) String() string {
	switch s {
	case AtBegin:
		return "esp_ota, before it writes"
	case AtWrite:
		return "esp_ota, while it writes"
	case AtEnd:
		return "esp_ota, when it verifies what it has written"
	case AtSwitch:
		return "esp_ota, when it switches to the new slot"
	}
	return "the bootloader, after the restart"
}

// MarshalText makes the stage readable in JSON.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Code names a reason for programs. Codes do not change meaning.
type Code string

// The reasons.
const (
	NoSlot           Code = "no-slot"            // the table has no OTA slot
	NoSecondSlot     Code = "no-second-slot"     // the only OTA slot is the one it runs from
	NoOTAData        Code = "no-otadata"         // nothing to select a slot with
	SlotGap          Code = "slot-gap"           // a number is missing before the slot's: it cannot be selected
	TooLarge         Code = "too-large"          // for the slot
	Empty            Code = "empty"              // no bytes
	NotImage         Code = "not-an-image"       // does not begin as one
	Encrypted        Code = "encrypted"          // flash ciphertext
	PartitionTable   Code = "partition-table"    // by mistake
	BootloaderImage  Code = "bootloader"         // by mistake
	Truncated        Code = "truncated"          // ends before the image does
	WrongChip        Code = "wrong-chip"         // for another chip
	ChipTooOld       Code = "chip-too-old"       // needs a newer revision
	ChipTooNew       Code = "chip-too-new"       // needs an older revision
	BadSegments      Code = "bad-segments"       // the chain of segments does not hold
	BadChecksum      Code = "bad-checksum"       // the byte behind the segments
	BadHash          Code = "bad-hash"           // the appended SHA-256
	BadLoadAddress   Code = "bad-load-address"   // a segment goes where nothing can be loaded
	NotSigned        Code = "not-signed"         // no signature where the unit looks
	WrongVersion     Code = "wrong-signature"    // signed for the other Secure Boot version
	OtherKey         Code = "other-key"          // signed with a key the unit does not trust
	ChangedSigned    Code = "changed"            // changed after it was signed
	MovedSignature   Code = "moved-signature"    // the signature is not right behind the image
	OldSecureVersion Code = "old-secure-version" // below the unit's
	NoDescriptor     Code = "no-descriptor"      // anti-rollback needs one
)

// Reason is one reason why the image will not run.
type Reason struct {
	Code Code   `json:"code"`
	By   Stage  `json:"by"`
	Says string `json:"says"` // one plain sentence
	Do   string `json:"do"`   // one thing to do

	// Lines are what the unit prints because of it, as "E (t) tag: text", t standing
	// for the time. A '?' in a number is a digit that cannot be foretold. None: it
	// prints nothing of its own, or what cannot be foretold.
	Lines []string `json:"lines,omitempty"`
	Error string   `json:"error,omitempty"` // what the call returns, by ESP-IDF's name
	Why   string   `json:"why,omitempty"`   // explains a number in the lines

	// First marks the reason that the unit meets first, of those that can be seen: the
	// only one it tells about.
	First bool `json:"first"`
}

// Report is the answer for one image and one unit.
type Report struct {
	Verdict Verdict  `json:"verdict"`
	Reasons []Reason `json:"reasons,omitempty"` // in the order in which the unit would meet them
	Missing []string `json:"missing,omitempty"` // facts that are needed and not known
	Notes   []string `json:"notes,omitempty"`   // worth knowing, and no reason against it
}

// The tags of ESP-IDF's log that a refusal appears under.
const (
	tagHTTPS    = "esp_https_ota"
	tagOTA      = "esp_ota_ops"
	tagImage    = "esp_image"
	tagCommon   = "boot_comm"
	tagBoot     = "boot"
	tagSignedV1 = "secure_boot_v1" // in an app; a bootloader says secure_boot
	tagSignedV2 = "secure_boot_v2"
)

// failLine and warnLine are lines of the unit's log.
func failLine(tag, format string, args ...any) string {
	return "E (t) " + tag + ": " + fmt.Sprintf(format, args...)
}

func warnLine(tag, format string, args ...any) string {
	return "W (t) " + tag + ": " + fmt.Sprintf(format, args...)
}

// Names of ESP-IDF's errors.
const (
	errValidate = "ESP_ERR_OTA_VALIDATE_FAILED"
	errArgument = "ESP_ERR_INVALID_ARG"
	errSize     = "ESP_ERR_INVALID_SIZE"
	errNotFound = "ESP_ERR_NOT_FOUND"
	errConflict = "ESP_ERR_OTA_PARTITION_CONFLICT"
	errOldVer   = "ESP_ERR_OTA_SMALL_SEC_VER"
)
