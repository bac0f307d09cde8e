package campaign

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"provision/internal/campaign/judge"
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/secureboot"
	"provision/internal/simulator"
	"provision/internal/station"
)

// order is one kind of unit: what the profile asks for, and what it must come to.
type order struct {
	name             string
	secureBoot       bool
	encryption       string // "release", "development", or "" for none
	byUnit           bool   // the unit encrypts itself at its first start
	escrow           bool
	withoutBootCheck bool
	closed           bool     // download mode is closed, which needs revision v3.0
	slow             bool     // the speed at which a chip understands whoever comes first
	lock             []string // further lines of [lock]

	// The bits of BLOCK0 that a finished unit has and a blank one has not, written
	// out from docs/profile.md and the fuse map of the ESP32 TRM.
	word0, word5, word6 uint32

	job *job.Job // of the firmware that such a product has
}

// The fuses of BLOCK0 by word.
const (
	wrDisCryptCnt = 1 << 2
	wrDisDisCache = 1 << 3
	wrDisConfig   = 1 << 10
	wrDisABSDone0 = 1 << 12
	wrDisJTAG     = 1 << 14
	wrDisConsole  = 1 << 15
	lockedBlock1  = 1<<7 | 1<<16
	lockedBlock2  = 1<<8 | 1<<17
	cryptCnt      = 0x7F << 20
	cryptCntOnce  = 0x01 << 20
	uartDis       = 1 << 27

	cryptConfig = 0xF << 28

	consoleDis = 1 << 2
	sdioDis    = 1 << 3
	absDone0   = 1 << 4
	jtagDis    = 1 << 6
	dlEncrypt  = 1 << 7
	dlDecrypt  = 1 << 8
	dlCache    = 1 << 9

	releaseWord0 = lockedBlock1 | lockedBlock2 | cryptCnt | wrDisDisCache | wrDisConfig | wrDisABSDone0 | wrDisJTAG | wrDisConsole
	releaseWord6 = absDone0 | jtagDis | consoleDis | dlEncrypt | dlDecrypt | dlCache
)

// orders are the kinds of units of a campaign.
var orders = []*order{
	{name: "release", secureBoot: true, encryption: "release",
		word0: releaseWord0, word5: cryptConfig, word6: releaseWord6},
	{name: "release, every lock", slow: true, secureBoot: true, encryption: "release",
		lock: []string{"DISABLE_SDIO_HOST = true",
			`freeze = ["FLASH_CRYPT_CNT", "DIS_CACHE", "FLASH_CRYPT_CONFIG", "ABS_DONE_0", "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"]`},
		word0: releaseWord0 | wrDisCryptCnt, word5: cryptConfig, word6: releaseWord6 | sdioDis},
	{name: "release, download mode closed", slow: true, secureBoot: true, encryption: "release", closed: true,
		word0: releaseWord0 | uartDis, word5: cryptConfig, word6: releaseWord6},
	{name: "release, escrow, not started", secureBoot: true, encryption: "release", escrow: true, withoutBootCheck: true,
		word0: releaseWord0, word5: cryptConfig, word6: releaseWord6},
	{name: "development", secureBoot: true, encryption: "development", escrow: true,
		word0: lockedBlock1 | lockedBlock2 | cryptCntOnce | wrDisDisCache, word5: cryptConfig,
		word6: absDone0 | jtagDis | consoleDis | dlDecrypt | dlCache},
	{name: "encryption only", slow: true, encryption: "release",
		word0: lockedBlock1 | cryptCnt | wrDisDisCache | wrDisConfig | wrDisJTAG | wrDisConsole, word5: cryptConfig,
		word6: jtagDis | consoleDis | dlEncrypt | dlDecrypt | dlCache},
	{name: "encryption only, development", encryption: "development", escrow: true,
		word0: lockedBlock1 | cryptCntOnce | wrDisDisCache, word5: cryptConfig,
		word6: jtagDis | consoleDis | dlDecrypt | dlCache},
	{name: "secure boot only", slow: true, secureBoot: true,
		word0: lockedBlock2 | wrDisDisCache | wrDisABSDone0 | wrDisJTAG, word6: absDone0 | jtagDis | consoleDis},
	{name: "release, by the unit", byUnit: true, secureBoot: true, encryption: "release",
		word0: releaseWord0, word5: cryptConfig, word6: releaseWord6},
	{name: "release, by the unit, download mode closed", byUnit: true, slow: true, secureBoot: true, encryption: "release", escrow: true, closed: true,
		word0: releaseWord0 | uartDis, word5: cryptConfig, word6: releaseWord6},
	{name: "encryption only, by the unit", byUnit: true, encryption: "release", escrow: true,
		word0: lockedBlock1 | cryptCnt | wrDisDisCache | wrDisConfig | wrDisJTAG | wrDisConsole, word5: cryptConfig,
		word6: jtagDis | consoleDis | dlEncrypt | dlDecrypt | dlCache},
	{name: "development, by the unit", byUnit: true, secureBoot: true, encryption: "development",
		word0: lockedBlock1 | lockedBlock2 | cryptCntOnce | wrDisDisCache, word5: cryptConfig,
		word6: absDone0 | jtagDis | consoleDis | dlDecrypt | dlCache},
}

// Where the firmware of every order lies.
const (
	digestAt     = 0
	bootloaderAt = 0x1000
	tableAt      = 0x8000
	otadataAt    = 0xd000
	appAt        = 0x10000
	flashEnd     = appAt + 0x4000
)

// project is the app's, ready what it prints.
const (
	project = "campaign"
	ready   = "campaign: ready"
)

// judged is the order as the judge has to know it.
func (o *order) judged() judge.Order {
	out := judge.Order{
		SecureBoot: o.secureBoot, Encryption: o.encryption != "", ByUnit: o.byUnit, Escrow: o.escrow,
		Final:    [8]uint32{0: o.word0, 5: o.word5, 6: o.word6},
		Regions:  []int64{bootloaderAt, tableAt, otadataAt, appAt},
		Volatile: otadataAt, Project: project,
	}
	if o.secureBoot {
		out.Regions = append(out.Regions, digestAt)
	}
	if o.secureBoot && o.encryption == "" || o.byUnit {
		out.HeldBack = bootloaderAt
	}
	return out
}

// profile is the station profile of the order.
func (o *order) profile() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[station]\nname = \"CAMPAIGN\"")
	if o.slow {
		line("[link]\nbaud = [115200]")
	}
	line("[unit]\nserial = { pattern = \"^SN-[0-9]+$\", source = \"argument\" }")
	if o.closed {
		line("min_revision = \"v3.0\"")
	}
	line("[images]\nbootloader = \"bootloader.bin\"\npartition_table = \"partitions.csv\"\napp = \"app.bin\"")
	line("[secure_boot]\nversion = %d", map[bool]int{true: 1}[o.secureBoot])
	if o.secureBoot {
		line("public_key = \"public.pem\"")
	}
	if o.encryption == "" {
		line("[flash_encryption]\nmode = \"off\"")
	} else {
		line("[flash_encryption]\nmode = %q\npolicy = %q", map[bool]string{false: "host", true: "device"}[o.byUnit], o.encryption)
	}
	line("[lock]\n%s", strings.Join(o.lock, "\n"))
	if o.closed {
		line("UART_DOWNLOAD_DIS = true")
	}
	if o.escrow {
		line("[keys]\ncustody = \"escrow\"\nrecipients = [%q]", owner().Recipient())
	}
	if !o.withoutBootCheck {
		line("[boot_check]\nexpect = %q\nseconds = 5", ready)
	}
	return b.String()
}

// partitions keep the flash of a unit small: what a run costs is bytes.
const partitions = `otadata, data, ota,   0xd000,  0x2000,
ota_0,   app,  ota_0, 0x10000, 64K,
ota_1,   app,  ota_1, ,        64K,
`

// signingKey signs all firmware, always to the same bytes: a life is the same in every
// process, byte for byte of its wire.
const signingKey = "testdata/signing-key.pem"

// makeJobs makes firmware for every order and checks its profile, once.
var makeJobs = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "campaign")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pem, err := os.ReadFile(signingKey)
	if err != nil {
		return err
	}
	key, err := secureboot.ParseSigningKey(pem)
	if err != nil {
		return err
	}
	for _, o := range orders {
		if err := o.writeFirmware(dir, key); err != nil {
			return fmt.Errorf("firmware of %s: %w", o.name, err)
		}
		profile, err := station.Parse([]byte(o.profile()), filepath.Join(dir, "station.toml"))
		if err != nil {
			return fmt.Errorf("profile of %s: %w", o.name, err)
		}
		if o.job, err = job.New(profile); err != nil {
			return fmt.Errorf("job of %s: %w", o.name, err)
		}
	}
	return nil
})

// writeFirmware writes what a product's build folder has. The bootloader has
// ESP-IDF's habit of enabling by itself what it was built for.
func (o *order) writeFirmware(dir string, key *secureboot.SigningKey) error {
	public, err := secureboot.NewPublicKeyV1(key.Public())
	if err != nil {
		return err
	}
	spec := simulator.BootloaderSpec{
		FlashSize: image.Size2MB, SecureBootV1: o.secureBoot,
		FlashEncryption: o.encryption != "", Release: o.encryption == "release",
		Segments: []simulator.SegmentSize{{Address: 0x3fff0030, Length: 1024}, {Address: 0x40078000, Length: 512}},
		Entry:    0x40078000,
	}
	if o.secureBoot {
		spec.AppKey = &public
	}
	bootloader, err := simulator.BuildBootloader(spec)
	if err != nil {
		return err
	}
	// Not padded to 64 KiB, as a real signed app is: that would be most of the bytes.
	app, err := simulator.BuildApp(simulator.AppSpec{
		Project: project, Version: "1.0.0", Says: []string{ready}, Release: o.encryption == "release",
	})
	if err == nil && o.secureBoot {
		app, err = secureboot.AppendSignatureV1(key, app, false)
	}
	if err != nil {
		return err
	}
	pem, err := key.MarshalPublicPEM()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"bootloader.bin": bootloader, "partitions.csv": []byte(partitions), "app.bin": app, "public.pem": pem,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// identity is the station's, owner who may open what is in escrow.
var (
	identity = sync.OnceValue(newIdentity)
	owner    = sync.OnceValue(newIdentity)
)

func newIdentity() keys.Identity {
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	id, err := keys.CreateIdentity(filepath.Join(dir, "identity.txt"))
	if err != nil {
		panic(err)
	}
	return id
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
