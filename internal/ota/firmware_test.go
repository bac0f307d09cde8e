package ota_test

import (
	"testing"

	"provision/internal/image"
	"provision/internal/simulator"
)

// firmware is what units of a scheme are made with: a bootloader, with anti-rollback
// where there is a secure version, and the app they run now. It is made once.
func (w *workshop) firmware(t testing.TB, scheme, secureVersion int) (bootloader, app []byte) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [2]int{scheme, secureVersion}
	made, ok := w.made[key]
	if !ok {
		made = [2][]byte{w.bootloader(t, scheme, secureVersion), w.runningApp(t, scheme, secureVersion)}
		w.made[key] = made
	}
	return made[0], made[1]
}

func (w *workshop) bootloader(t testing.TB, scheme, secureVersion int) []byte {
	t.Helper()
	if scheme == 0 && secureVersion == 0 {
		return w.boot // a real one does what is asked of it here
	}
	spec := simulator.BootloaderSpec{FlashSize: image.Size1MB, AntiRollback: secureVersion > 0}
	switch scheme {
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
	if scheme == 2 {
		bootloader = w.signedV2(t, bootloader)
	}
	return bootloader
}

func (w *workshop) runningApp(t testing.TB, scheme, secureVersion int) []byte {
	t.Helper()
	app := w.app(t, simulator.AppSpec{Project: "now", Version: "1", SecureVersion: uint32(secureVersion), Says: []string{"now: ready"}})
	switch scheme {
	case 1:
		app = w.signed(t, app)
	case 2:
		app = w.signedV2(t, app)
	}
	return app
}
