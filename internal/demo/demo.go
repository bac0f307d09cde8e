// Package demo makes firmware to show and to test with: a bootloader, a partition
// table, a signed app, and the key that signed it, as the build folder of a
// product has them. They are whole and signed images, but no code: only a virtual
// chip can start them.
//
// It does not know profiles, ports or the work on a unit.
package demo

import (
	"fmt"
	"os"
	"path/filepath"

	"provision/internal/image"
	"provision/internal/secureboot"
	"provision/internal/simulator"
)

// Says is what the app prints when it runs.
const Says = "demo app: ready"

// Partitions is the demo's partition table.
const Partitions = `# name,   type, subtype, offset,   size, flags
nvs,      data, nvs,     0x9000,   0x6000,
otadata,  data, ota,     0xf000,   0x2000,
phy_init, data, phy,     0x11000,  0x1000,
ota_0,    app,  ota_0,   0x20000,  1M,
ota_1,    app,  ota_1,   ,         1M,
`

// Firmware is the content of a build folder.
type Firmware struct {
	Key        *secureboot.SigningKey
	Bootloader []byte
	Encrypting []byte // a bootloader that besides encrypts the flash at its first start, for good
	Table      []byte // binary
	App        []byte // not signed
	Signed     []byte
}

// Make builds firmware whose bootloader checks apps with the public half of key.
func Make(key *secureboot.SigningKey) (*Firmware, error) {
	pub, err := secureboot.NewPublicKeyV1(key.Public())
	if err != nil {
		return nil, err
	}
	f := &Firmware{Key: key}
	if f.Bootloader, err = bootloader(pub, false); err == nil {
		f.Encrypting, err = bootloader(pub, true)
	}
	if err != nil {
		return nil, fmt.Errorf("build demo bootloader: %w", err)
	}
	table, err := image.ParseCSV(Partitions, image.Layout{SecureBootV1: true, FlashSize: 4 << 20})
	if err != nil {
		return nil, err
	}
	if f.Table, err = table.Binary(); err != nil {
		return nil, err
	}
	if f.App, err = App("demo", "1.0.0"); err != nil {
		return nil, fmt.Errorf("build demo app: %w", err)
	}
	f.Signed, err = secureboot.AppendSignatureV1(key, f.App, false)
	return f, err
}

// Write makes firmware with a key of its own and puts it into dir.
func Write(dir string) error {
	key, err := secureboot.GenerateSigningKeyV1()
	if err != nil {
		return err
	}
	f, err := Make(key)
	if err != nil {
		return err
	}
	private, err := key.MarshalPEM()
	if err != nil {
		return err
	}
	public, err := key.MarshalPublicPEM()
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{
		{"app-key.pem", private, 0o600}, // on a real line this never comes near a station
		{"app-public.pem", public, 0o644},
		{"bootloader.bin", f.Bootloader, 0o644},
		{"bootloader-encrypts.bin", f.Encrypting, 0o644},
		{"partition-table.bin", f.Table, 0o644},
		{"app.bin", f.App, 0o644},
		{"app-signed.bin", f.Signed, 0o644},
	} {
		if err := os.WriteFile(filepath.Join(dir, file.name), file.data, file.mode); err != nil {
			return err
		}
	}
	return nil
}

// bootloader builds a second stage that enables Secure Boot V1 and holds the
// verification key, and that may also encrypt the flash.
func bootloader(pub secureboot.PublicKeyV1, encrypts bool) ([]byte, error) {
	return simulator.BuildBootloader(simulator.BootloaderSpec{
		Version: "v5.2-demo", Compiled: "Jan  1 2026 00:00:00", FlashSize: image.Size4MB, AppKey: &pub, SecureBootV1: true,
		FlashEncryption: encrypts, Release: encrypts,
	})
}

// App builds an app that says it is ready. It is padded for a Secure Boot V1
// signature and not signed.
func App(project, version string) ([]byte, error) {
	return simulator.BuildApp(simulator.AppSpec{
		Project: project, Version: version, IDFVersion: "v5.2-demo", Says: []string{Says}, SecureBootV1: true, Size: 100 << 10,
	})
}
