package simulator

import (
	"bytes"
	"testing"
)

// FuzzSLIP holds that any payload survives framing, behind any noise that does not
// open a frame, and that any stream can be read.
func FuzzSLIP(f *testing.F) {
	for _, e := range loadTranscript(f).Exchanges {
		f.Add([]byte("boot log"), unhex(f, e.Request))
	}
	f.Add([]byte{slipEnd, slipEsc}, []byte{slipEnd, slipEsc, slipEscEnd, slipEscEsc})
	f.Fuzz(func(t *testing.T, noise, payload []byte) {
		frames(noise)
		if len(payload) == 0 || len(payload) > rxCapacity {
			return
		}
		noise = bytes.ReplaceAll(noise, []byte{slipEnd}, nil)
		got := frames(append(noise, slipFrame(payload)...))
		if len(got) != 1 || !bytes.Equal(got[0], payload) {
			t.Errorf("%x came back as %x", payload, got)
		}
	})
}

// FuzzWire throws bytes at a loader: it must stand, and the physics with it.
func FuzzWire(f *testing.F) {
	for _, e := range loadTranscript(f).Exchanges {
		f.Add(slipFrame(unhex(f, e.Request)))
	}
	f.Add(bytes.Repeat(slipFrame(packet(opMemEnd, 0, nil, 0, 0)), 2))
	cfg := DefaultConfig()
	cfg.FlashSize = 1 << 20
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := New(cfg, WithDownloadMode())
		before := c.Fuses()
		if _, err := c.Write(stream); err != nil {
			t.Fatal(err)
		}
		if before.without(c.Fuses()) != (Fuses{}) {
			t.Error("fuse bits were cleared")
		}
		c.PowerCycle()
		c.forgetOutput()
		if _, err := c.Write(readMagic); err != nil {
			t.Fatal(err)
		}
		if !c.hasOutput() {
			t.Error("no answer after a power cycle")
		}
	})
}

// FuzzParseFaults holds that a text is refused or understood, never worse.
func FuzzParseFaults(f *testing.F) {
	f.Add("cut-wire:1200,cut-burn:3:0x5 lose:0.001:42")
	f.Add("late:1:2:3")
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			return
		}
		newInjector(faults)
	})
}

// FuzzBoot boots whatever flash holds at the bootloader's and the table's place.
func FuzzBoot(f *testing.F) {
	hello, err := BuildBootloader(BootloaderSpec{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello[:512], []byte{0xAA, 0x50, 0, 0})
	f.Add([]byte{0xE9, 1, 2, 0x20}, []byte{0xEB, 0xEB})
	cfg := DefaultConfig()
	cfg.FlashSize = 1 << 20
	f.Fuzz(func(t *testing.T, boot, table []byte) {
		c := New(cfg)
		image := append(bytes.Clone(boot), hello[min(len(boot), len(hello)):]...)
		if err := c.SetFlash(bootloaderAt, image[:min(len(image), 0x7000)]); err != nil {
			t.Fatal(err)
		}
		if err := c.SetFlash(0x8000, table[:min(len(table), 0xC00)]); err != nil {
			t.Fatal(err)
		}
		if v := c.Boot(); v.Cause == "" || len(v.Lines) == 0 {
			t.Errorf("verdict %+v", v)
		}
	})
}
