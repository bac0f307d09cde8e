package esptool

import (
	"bytes"
	"context"
	"crypto/md5"
	"os"
	"testing"

	"provision/internal/esptool/porttest"
)

// wholeSession does to the chip behind p what a station does, and looks into f.
func wholeSession(t *testing.T, p Port, f *fakeROM, cfg Config) {
	t.Helper()
	ctx := context.Background()
	d, err := Connect(ctx, p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	chip, err := d.Identify(ctx)
	if err != nil || !chip.MACCRCOK {
		t.Fatalf("Identify = %+v, %v", chip, err)
	}
	id, err := d.FlashID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AttachFlash(ctx, chip.FlashPins, id.Size()); err != nil {
		t.Fatal(err)
	}
	data := testData(2*SectorSize + 100)
	if err := d.WriteFlash(ctx, 0x10000, data, nil); err != nil {
		t.Fatal(err)
	}
	sum, err := d.FlashMD5(ctx, 0x10000, uint32(len(data)))
	if err != nil || sum != md5.Sum(data) {
		t.Errorf("FlashMD5 = %x, %v", sum, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !bytes.Equal(f.flash[0x10000:][:len(data)], data) {
		t.Error("flash does not hold the data")
	}
}

// TestRealPort runs the contract and a reading session against real hardware, or any
// chip behind the port that PROVISION_TEST_PORT names. It writes nothing to flash
// and burns nothing. PROVISION_TEST_RESET is the reset mode, classic if unset.
func TestRealPort(t *testing.T) {
	name := os.Getenv("PROVISION_TEST_PORT")
	if name == "" {
		t.Skip("no ESP32 to test with: set PROVISION_TEST_PORT to its port")
	}
	reset := ResetMode(os.Getenv("PROVISION_TEST_RESET"))
	connect := func(t *testing.T) *Device {
		p, err := Open(t.Context(), name, initialBaud)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		d, err := Connect(context.Background(), p, Config{Reset: reset, Warn: func(s string) { t.Log(s) }})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Run("contract", func(t *testing.T) {
		porttest.Run(t, func(t *testing.T) porttest.Subject {
			d := connect(t)
			s := porttest.Subject{Port: d.port, Bytes: 14 * syncReplies, Provoke: func() error { return d.send(syncRequest) }}
			if !d.CanReset() {
				s.NoLines = ErrNoLines
			}
			return s
		})
	})
	t.Run("session", func(t *testing.T) { readingSession(t, connect(t)) })
}

// readingSession reads all that can be read without leaving a trace.
func readingSession(t *testing.T, d *Device) {
	ctx := context.Background()
	chip, err := d.Identify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %v, MAC %x (CRC ok: %v), crystal %.2f MHz", chip.PackageName, chip.Revision, chip.MAC, chip.MACCRCOK, float64(chip.CrystalHz)/1e6)
	if !chip.MACCRCOK || !chip.Revision.Known {
		t.Errorf("chip = %+v", chip)
	}
	id, err := d.FlashID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("flash %02x %02x %02x, status %x", id.Manufacturer, id.Type, id.CapacityLog2, id.Status)
	if err := d.AttachFlash(ctx, chip.FlashPins, min(id.Size(), MaxFlash)); err != nil {
		t.Fatal(err)
	}
	content, err := d.ReadFlash(ctx, 0x1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := d.FlashMD5(ctx, 0x1000, 1000)
	if err != nil || sum != md5.Sum(content) {
		t.Errorf("FlashMD5 = %x, %v; what was read has %x", sum, err, md5.Sum(content))
	}
	t.Logf("stats %+v", d.Stats())
}
