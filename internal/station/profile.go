package station

import (
	"crypto/sha256"
	"path/filepath"
	"slices"
	"time"
)

// Profile is a station profile after every check: all values are present, legal
// and fit together, all file names are absolute. Only Load and Parse make one.
type Profile struct {
	Path   string            // absolute name of the profile itself
	SHA256 [sha256.Size]byte // of the file's bytes

	Station         Station
	Link            Link
	Unit            Unit
	Images          Images
	SecureBoot      SecureBoot
	FlashEncryption FlashEncryption
	Lock            Lock
	Keys            Keys
	Records         Records
	BootCheck       *BootCheck // nil: units are not started and watched
	OTA             OTA
	Job             Job
	People          People
	Scanner         Scanner
	Label           Label
	Screen          Screen
}

// Station says where the work is done. Name is never empty.
type Station struct {
	Name, Site, Line string
	Armed            bool // `run` may burn on real ports without --yes
}

// Reset is the way the serial adapter's lines bring the chip into download mode.
type Reset string

const (
	ResetClassic Reset = "classic" // DTR and RTS one after the other, as esptool does
	ResetTight   Reset = "tight"   // both lines in one system call
	ResetNone    Reset = "none"    // no lines: the chip already waits in download mode
)

// Link says how units are reached.
type Link struct {
	Port  string // used when no port is named; may be empty
	Baud  []int  // bit/s, tried first to last; never empty
	Reset Reset
	Slots []Slot // by number; may be empty
}

// Slot is one place in the fixture.
type Slot struct {
	Number int // 1 to MaxSlots
	Port   string
}

// Unit says which chips are accepted, and how they are named.
type Unit struct {
	MinRevision Revision // 0: none
	MaxRevision Revision // NoMaximum: none
	FlashSize   uint32   // bytes, at least; 0: what the images need
	Serial      SerialRule
}

// Images names the files that go into flash.
type Images struct {
	Bootloader           string
	PartitionTable       string // .bin, or .csv to be built
	PartitionTableOffset uint32 // bytes; a multiple of SectorSize
	App                  string
	AppPartition         string // label; empty: factory, else ota_0
	Extra                []Extra
}

// Extra is one more image. It goes either to a partition or to an offset.
type Extra struct {
	Path      string
	Partition string // label; empty: Offset counts
	Offset    uint32 // bytes; a multiple of SectorSize
	Encrypt   *bool  // nil: as the partition's type and flag say
}

// SecureBoot says what the ROM will check.
type SecureBoot struct {
	Version            int    // 0: off, 1: Secure Boot V1
	PublicKey          string // file: PEM, or 64 raw bytes X||Y; may be empty when apps are not verified
	Mode               string // "reflashable": one random key a device, digest made by the station
	AllowUnverifiedApp bool   // accept a bootloader that would run any app
}

// Policy says whether encryption can be switched off again.
type Policy string

const (
	Release     Policy = "release"     // FLASH_CRYPT_CNT at its maximum, for ever on
	Development Policy = "development" // FLASH_CRYPT_CNT 1, can be switched off three times
)

// FlashEncryption says whether flash holds ciphertext. The key is of the station's
// making, one for each unit, whoever encrypts with it.
type FlashEncryption struct {
	Enabled     bool
	OnDevice    bool // the unit's bootloader encrypts in place at its first start; else the station, before it writes
	Policy      Policy
	CryptConfig uint8 // FLASH_CRYPT_CONFIG: 0xF, all four parts of the tweak
}

// CryptCount is the value FLASH_CRYPT_CNT is burnt to: all seven bits for
// release, the lowest for development, 0 without encryption.
func (f FlashEncryption) CryptCount() uint8 {
	switch {
	case !f.Enabled:
		return 0
	case f.Policy == Development:
		return 0x01
	}
	return 0x7F
}

// Lock says which doors are closed once the unit's flash has been verified.
type Lock struct {
	Burn            []string // fuses to burn, in the order of the table in lock.go
	Freeze          []string // fields whose WR_DIS bit is burnt, in the order of that table
	UARTDownloadDis bool     // UART_DOWNLOAD_DIS, burnt after everything else
}

// Burns reports whether the fuse of that name is burnt by this lock.
func (l Lock) Burns(fuse string) bool {
	return slices.Contains(l.Burn, fuse) || fuse == uartDownloadDis && l.UARTDownloadDis
}

// Custody says what remains of a unit's keys after PASS.
type Custody string

const (
	Discard Custody = "discard" // nothing: nobody can ever replace the bootloader
	Escrow  Custody = "escrow"  // a copy that only the owner's recipients can open
)

// Keys says who can open the keys of a unit.
type Keys struct {
	Custody    Custody
	Recipients []string // age recipients; not empty with Escrow
	Identity   string   // file with the station's own age identity
}

// Records says where history is kept.
type Records struct {
	Database string
}

// BootCheck says what a finished unit must print when it starts.
type BootCheck struct {
	Expect  LinePattern   // PASS needs this line
	Reject  []LinePattern // any of these lines ends the wait
	Timeout time.Duration
}

// OTA says what units will be sent once they are out.
type OTA struct {
	NextImage string // file of the update that is planned next; empty: not said
}

// UseDatabase puts the records elsewhere. The station identity follows, unless
// the profile names a file for it.
func (p *Profile) UseDatabase(path string) {
	if p.Keys.Identity == identityBeside(p.Records.Database) {
		p.Keys.Identity = identityBeside(path)
	}
	p.Records.Database = path
}

// identityBeside is where the station's identity is kept unless the profile says
// otherwise: backups that copy the folder keep the two together.
func identityBeside(database string) string {
	return filepath.Join(filepath.Dir(database), "station-identity.txt")
}
