package flow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/secureboot"
	"provision/internal/simulator"
	"provision/internal/station"
)

// ready is what the app of every policy prints.
const ready = "line test: ready"

// policy is one kind of unit, and what its fuses must be in the end.
type policy struct {
	name             string
	secureBoot       bool
	encryption       string // "release", "development", or "" for none
	byUnit           bool   // the unit encrypts itself
	freezes          bool   // with a bootloader that freezes the counter when it does
	escrow           bool
	withoutBootCheck bool
	lock             []string // further lines of [lock]
	minRevision      string

	// The bits of BLOCK0 that a finished unit has and a blank one has not, written
	// out from docs/profile.md and the fuse map of the ESP32 TRM.
	word0, word5, word6 uint32
}

// The fuses of BLOCK0 by word.
const (
	wrDisCryptCnt = 1 << 2
	wrDisDisCache = 1 << 3
	wrDisBlock1   = 1 << 7
	wrDisBlock2   = 1 << 8
	wrDisConfig   = 1 << 10
	wrDisABSDone0 = 1 << 12
	wrDisJTAG     = 1 << 14
	wrDisConsole  = 1 << 15
	rdDisBlock1   = 1 << 16
	rdDisBlock2   = 1 << 17
	cryptCnt      = 0x7F << 20
	cryptCntOnce  = 0x01 << 20
	uartDis       = 1 << 27

	cryptConfig = 0xF << 28

	consoleDis = 1 << 2
	absDone0   = 1 << 4
	jtagDis    = 1 << 6
	dlEncrypt  = 1 << 7
	dlDecrypt  = 1 << 8
	dlCache    = 1 << 9

	lockedBlock1 = wrDisBlock1 | rdDisBlock1
	lockedBlock2 = wrDisBlock2 | rdDisBlock2
)

var (
	// release is the product's first milestone: Secure Boot V1, flash encryption
	// for ever, the keys gone.
	release = policy{
		name: "secure boot + encryption", secureBoot: true, encryption: "release",
		word0: lockedBlock1 | lockedBlock2 | cryptCnt | wrDisDisCache | wrDisConfig | wrDisABSDone0 | wrDisJTAG | wrDisConsole,
		word5: cryptConfig,
		word6: absDone0 | jtagDis | consoleDis | dlEncrypt | dlDecrypt | dlCache,
	}
	development = policy{
		name: "secure boot + development", secureBoot: true, encryption: "development",
		word0: lockedBlock1 | lockedBlock2 | cryptCntOnce | wrDisDisCache,
		word5: cryptConfig,
		word6: absDone0 | jtagDis | consoleDis | dlDecrypt | dlCache,
	}
	encryptionOnly = policy{
		name: "encryption only", encryption: "release",
		word0: lockedBlock1 | cryptCnt | wrDisDisCache | wrDisConfig | wrDisJTAG | wrDisConsole,
		word5: cryptConfig,
		word6: jtagDis | consoleDis | dlEncrypt | dlDecrypt | dlCache,
	}
	secureBootOnly = policy{
		name: "secure boot only", secureBoot: true,
		word0: lockedBlock2 | wrDisDisCache | wrDisABSDone0 | wrDisJTAG,
		word6: absDone0 | jtagDis | consoleDis,
	}
	// byUnit and its like are encrypted by the unit at its first start, and end as the
	// same unit encrypted by the station.
	byUnit            = release.with("secure boot + encryption by the unit", func(p *policy) { p.byUnit = true })
	byUnitOnly        = encryptionOnly.with("encryption by the unit only", func(p *policy) { p.byUnit, p.escrow = true, true })
	byUnitDevelopment = development.with("secure boot + development by the unit", func(p *policy) { p.byUnit = true })
	byUnitClosed      = closed.with("encryption by the unit, download mode closed", func(p *policy) { p.byUnit, p.escrow = true, true })
	// escrowed leaves the owner a copy of the keys.
	escrowed = release.with("escrow", func(p *policy) { p.escrow = true })
	// closed shuts the loader for ever as its last act.
	closed = policy{
		name: "download mode closed", secureBoot: true, encryption: "release", minRevision: "v3.0",
		lock:  []string{"UART_DOWNLOAD_DIS = true"},
		word0: release.word0 | uartDis,
		word5: release.word5,
		word6: release.word6,
	}
)

// with returns a variant of p.
func (p policy) with(name string, change func(*policy)) policy {
	p.name = name
	change(&p)
	return p
}

// profile is the station profile of p.
func (p policy) profile() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[station]\nname = \"TEST-1\"")
	line("[unit]\nserial = { pattern = \"^SN-[0-9]{4}$\", source = \"argument\" }")
	if p.minRevision != "" {
		line("min_revision = %q", p.minRevision)
	}
	line("[images]\nbootloader = \"bootloader.bin\"\npartition_table = \"partitions.csv\"\napp = \"app.bin\"")
	line("[secure_boot]\nversion = %d", map[bool]int{true: 1}[p.secureBoot])
	if p.secureBoot {
		line("public_key = \"public.pem\"")
	}
	if p.encryption == "" {
		line("[flash_encryption]\nmode = \"off\"")
	} else {
		mode := map[bool]string{false: "host", true: "device"}[p.byUnit]
		line("[flash_encryption]\nmode = %q\npolicy = %q", mode, p.encryption)
	}
	line("[lock]\n%s", strings.Join(p.lock, "\n"))
	if p.escrow {
		line("[keys]\ncustody = \"escrow\"\nrecipients = [%q]", owner().Recipient())
	}
	if !p.withoutBootCheck {
		line("[boot_check]\nexpect = %q\nseconds = 5", ready)
	}
	return b.String()
}

// partitions keep the flash of a unit small: what a run costs is bytes.
const partitions = `nvs,     data, nvs, 0x9000,  0x3000,
otadata, data, ota, 0xd000,  0x2000,
ota_0,   app,  ota_0, 0x10000, 128K,
ota_1,   app,  ota_1, ,        128K,
`

// newJob makes the firmware that a product with policy p would have, with an
// ESP-IDF bootloader's habit of enabling by itself what it was built for, and
// checks its profile.
func newJob(t testing.TB, p policy) *job.Job {
	t.Helper()
	dir := t.TempDir()
	key := signingKey()
	public, err := secureboot.NewPublicKeyV1(key.Public())
	check(t, err)
	spec := simulator.BootloaderSpec{
		FlashSize: image.Size2MB, SecureBootV1: p.secureBoot,
		FlashEncryption: p.encryption != "", Release: p.encryption == "release", FreezesCounter: p.freezes,
		Segments: []simulator.SegmentSize{{Address: 0x3fff0030, Length: 1024}, {Address: 0x40078000, Length: 4096}},
		Entry:    0x40078000,
	}
	if p.secureBoot {
		spec.AppKey = &public
	}
	bootloader, err := simulator.BuildBootloader(spec)
	check(t, err)
	app, err := simulator.BuildApp(simulator.AppSpec{
		Project: "line-test", Version: "1.0.0", Says: []string{ready},
		SecureBootV1: p.secureBoot, Release: p.encryption == "release",
	})
	check(t, err)
	if p.secureBoot {
		app, err = secureboot.AppendSignatureV1(key, app, false)
		check(t, err)
	}
	pem, err := key.MarshalPublicPEM()
	check(t, err)
	for name, data := range map[string][]byte{
		"bootloader.bin": bootloader, "partitions.csv": []byte(partitions), "app.bin": app, "public.pem": pem,
	} {
		check(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return parseJob(t, p.profile(), dir)
}

// parseJob checks a profile that lies in dir with its files.
func parseJob(t testing.TB, text, dir string) *job.Job {
	t.Helper()
	profile, err := station.Parse([]byte(text), filepath.Join(dir, "station.toml"))
	if err != nil {
		t.Fatalf("profile: %v\n%s", err, text)
	}
	j, err := job.New(profile)
	check(t, err)
	return j
}

// signingKey signs the apps of all tests.
var signingKey = sync.OnceValue(func() *secureboot.SigningKey {
	key, err := secureboot.GenerateSigningKeyV1()
	if err != nil {
		panic(err)
	}
	return key
})

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
