package ota_test

import (
	"testing"

	"provision/internal/image"
	"provision/internal/simulator"
)

// built is what decides how the firmware of a unit is built.
type built struct {
	scheme, secureVersion int
	antiRollback          bool
}

// firmware is what units of a scheme are made with: a bootloader, with anti-rollback
// where it is asked for, and the app they run now. It is made once.
func (w *workshop) firmware(t testing.TB, scheme int, s setup) (bootloader, app []byte) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	key := built{scheme, s.secureVersion, s.antiRollback || s.secureVersion > 0}
	made, ok := w.made[key]
	if !ok {
		made = [2][]byte{w.bootloader(t, key), w.runningApp(t, key)}
		w.made[key] = made
	}
	return made[0], made[1]
}

func (w *workshop) bootloader(t testing.TB, b built) []byte {
	t.Helper()
	if b.scheme == 0 && !b.antiRollback {
		return w.boot // a real one does what is asked of it here
	}
	spec := simulator.BootloaderSpec{FlashSize: image.Size1MB, AntiRollback: b.antiRollback}
	switch b.scheme {
	case 1:
		spec.AppKey, spec.SecureBootV1 = &w.pub, true
	case 2: // the signature must fit below the table, too
		spec.SecureBootV2, spec.Entry = true, 0x40080404
		spec.Segments = []simulator.SegmentSize{{Address: 0x3fff0030, Length: 2048}, {Address: 0x40078000, Length: 4096}, {Address: 0x40080404, Length: 512}}
	}
	bootloader, err := simulator.BuildBootloader(spec)
	if err != nil {
		t.Fatal(err)
	}
	if b.scheme == 2 {
		bootloader = w.signedV2(t, bootloader)
	}
	return bootloader
}

func (w *workshop) runningApp(t testing.TB, b built) []byte {
	t.Helper()
	app := w.app(t, simulator.AppSpec{Project: "now", Version: "1", SecureVersion: uint32(b.secureVersion), Says: []string{"now: ready"}})
	switch b.scheme {
	case 1:
		app = w.signed(t, app)
	case 2:
		app = w.signedV2(t, app)
	}
	return app
}
