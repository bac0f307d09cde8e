package simulator

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func create(t *testing.T, cfg Config) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "chip")
	if err := Create(dir, cfg); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string, opts ...Option) *Chip {
	t.Helper()
	c, err := Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestPersistence burns and writes, looks at the files while the chip is still open,
// as a killed process would leave them, and opens it again.
func TestPersistence(t *testing.T) {
	dir := create(t, DefaultConfig())
	c := open(t, dir, WithDownloadMode())
	h := newHost(t, c)
	h.burn(Fuses{3: {5: 0xCAFE}})
	h.exchange(opSPIAttach, 0, 0, 0)
	data := pattern(0x800)
	if e, ok := h.writeFlash(0x3000, data); !ok {
		t.Fatalf("error %#x", e)
	}
	h.spi(flashWREN, 0, nil)
	h.spi(flashWRSR2, 0, []uint32{0x02})

	raw, err := os.ReadFile(filepath.Join(dir, "efuse.bin"))
	if err != nil || !bytes.Equal(raw, c.Fuses().Bytes()) || len(raw) != 124 {
		t.Errorf("efuse.bin = %x, %v", raw, err)
	}
	if got := le32(raw[(7+8+8+5)*4:]); got != 0xCAFE {
		t.Errorf("BLOCK3 word 5 = %#x", got)
	}
	flash, err := os.ReadFile(filepath.Join(dir, "flash.bin"))
	if err != nil || len(flash) != 4<<20 || !bytes.Equal(flash[0x3000:0x3800], data) {
		t.Errorf("flash.bin differs, %v", err)
	}
	want := c.Fuses()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	again := open(t, dir, WithDownloadMode())
	if again.Fuses() != want {
		t.Errorf("fuses = %08x", again.Fuses())
	}
	h = newHost(t, again)
	h.exchange(opSPIAttach, 0, 0, 0)
	if got := h.spi(flashRDSR2, 8, nil); got != 0x02 {
		t.Errorf("flash status 2 = %#x", got)
	}
	if h.c.MAC() != DefaultConfig().MAC {
		t.Errorf("MAC = %x", h.c.MAC())
	}
}

func TestOneOpener(t *testing.T) {
	dir := create(t, DefaultConfig())
	c := open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("second open = %v, want ErrBusy", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestNoChip(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, ErrNotExist) {
		t.Errorf("open of nothing = %v", err)
	}
	dir := create(t, DefaultConfig())
	if err := Create(dir, DefaultConfig()); !errors.Is(err, ErrExist) {
		t.Errorf("second create = %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, "flash.bin"), 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrConfig) {
		t.Errorf("flash of an odd size = %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, "efuse.bin"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, errShape) {
		t.Errorf("short fuse file = %v", err)
	}
	if _, err := Open(dir); !errors.Is(err, errShape) {
		t.Errorf("a refused open keeps its lock: %v", err)
	}
}

// TestWholeOrNotAtAll makes chips where there is something already: a chip appears whole
// or not at all, and nothing of somebody else's is touched.
func TestWholeOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		name  string
		holds []string // what the directory holds; nil: it is not there
		want  error
	}{
		{"nothing there", nil, nil},
		{"an empty folder", []string{}, nil},
		{"a chip", []string{"efuse.bin", "flash.bin"}, ErrExist},
		{"half a chip", []string{"flash.bin"}, ErrOther},
		{"something else", []string{"photo.jpg", "zebra"}, ErrOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "chip")
			if c.holds != nil {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range c.holds {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := Create(dir, DefaultConfig()); !errors.Is(err, c.want) {
				t.Errorf("create = %v, want %v", err, c.want)
			}
			if c.want == nil {
				open(t, dir)
			}
			if c.want == ErrOther {
				if _, err := Open(dir); !errors.Is(err, ErrOther) {
					t.Errorf("open = %v", err)
				}
			}
			for _, name := range c.holds {
				if data, err := os.ReadFile(filepath.Join(dir, name)); string(data) != "mine" {
					t.Errorf("%s is %q, %v", name, data, err)
				}
			}
			if beside, err := os.ReadDir(parent); len(beside) != 1 {
				t.Errorf("left behind: %v, %v", beside, err)
			}
		})
	}
}

// TestBareDirectory opens what an emulator leaves: fuses and flash, nothing else.
func TestBareDirectory(t *testing.T) {
	for major, date := range map[int]uint32{3: 0x96042000, 1: 0x16042000} {
		cfg := DefaultConfig()
		cfg.RevMajor, cfg.FlashSize = major, 2<<20
		dir := create(t, cfg)
		if err := os.Remove(filepath.Join(dir, "chip.json")); err != nil {
			t.Fatal(err)
		}
		c := open(t, dir, WithDownloadMode())
		h := newHost(t, c)
		h.exchange(opSPIAttach, 0, 0, 0)
		if got, _ := c.Revision(); got != major || h.read(apbCtrlDateAt) != date {
			t.Errorf("revision %d, date %#x; want %d, %#x", got, h.read(apbCtrlDateAt), major, date)
		}
		if got := h.spi(flashRDID, 24, nil); got != 0x1540EF {
			t.Errorf("flash id = %#06x", got)
		}
	}
}

func TestBadFacts(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key": `{"crystal_mhz": 40, "colour": "red"}`,
		"crystal":     `{"crystal_mhz": 32}`,
		"number":      `{"crystal_mhz": 40, "flash_id": "0x1ffffffff"}`,
		"syntax":      `{`,
	} {
		dir := create(t, DefaultConfig())
		if err := os.WriteFile(filepath.Join(dir, "chip.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if c, err := Open(dir); err == nil {
			c.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

// TestImpossibleConfigs are refused before anything is written.
func TestImpossibleConfigs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"revision":      func(c *Config) { c.RevMajor = 4 },
		"minor":         func(c *Config) { c.RevMinor = 4 },
		"crystal":       func(c *Config) { c.CrystalMHz = 32 },
		"flash":         func(c *Config) { c.FlashSize = 3 << 20 },
		"large flash":   func(c *Config) { c.FlashSize = 32 << 20 },
		"multicast MAC": func(c *Config) { c.MAC[0] = 1 },
		"coding":        func(c *Config) { c.CodingScheme = 4 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		dir := filepath.Join(t.TempDir(), "chip")
		if err := Create(dir, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s = %v", name, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory was made", name)
		}
	}
}

// TestRevisions reads the revision back from every chip that exists.
func TestRevisions(t *testing.T) {
	for major := range 4 {
		for minor := range 4 {
			cfg := DefaultConfig()
			cfg.RevMajor, cfg.RevMinor = major, minor
			if a, b := New(cfg).Revision(); a != major || b != minor {
				t.Errorf("v%d.%d reads as v%d.%d", major, minor, a, b)
			}
		}
	}
}

// TestMACCRC are known answers.
func TestMACCRC(t *testing.T) {
	for mac, want := range map[[6]byte]byte{
		{0x24, 0x0a, 0xc4, 0x08, 0x99, 0x50}: 0x6f,
		{0xaa, 0xcd, 0xef, 0x01, 0x02, 0x03}: 0x56,
	} {
		if got := macCRC(mac); got != want {
			t.Errorf("CRC of %x = %#x, want %#x", mac, got, want)
		}
	}
}

// TestStorageFails makes the port fail once a change cannot be kept.
func TestStorageFails(t *testing.T) {
	dir := create(t, DefaultConfig())
	c := open(t, dir, WithDownloadMode())
	drain(t, c)
	if err := c.store.fuses.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Preburn(Fuses{3: {1}}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("preburn = %v", err)
	}
	if _, err := c.Write(readMagic); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write = %v", err)
	}
}
