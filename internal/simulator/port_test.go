package simulator

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// syncRequest is the SYNC of every tool.
var syncRequest = slipFrame(packet(opSync, 0, append([]byte{7, 7, 0x12, 0x20}, bytes.Repeat([]byte{0x55}, 32)...)))

// readMagic asks for the chip magic.
var readMagic = slipFrame(packet(opReadReg, 0, nil, chipMagicAddr))

// answered says whether the chip answers a register read as a loader does.
func answered(t *testing.T, c *Chip) bool {
	t.Helper()
	writeAll(t, c, readMagic)
	for _, f := range frames(drain(t, c)) {
		if len(f) >= 8 && f[1] == opReadReg && le32(f[4:]) == chipMagic {
			return true
		}
	}
	return false
}

func TestReadDeadline(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	drain(t, c)
	buf := make([]byte, 16)
	if err := c.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past the deadline = %d, %v", n, err)
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("read of nothing = %d, %v", n, err)
	}
}

// TestDeadlineMovedWhileWaiting moves the deadline under a Read that waits for ever.
func TestDeadlineMovedWhileWaiting(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	drain(t, c)
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("waiting read = %v", err)
	}
}

// TestReadWakes lets a waiting Read find what a later Write caused.
func TestReadWakes(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	drain(t, c)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got := make(chan byte)
	go func() {
		buf := make([]byte, 1)
		if _, err := c.Read(buf); err != nil {
			t.Error(err)
		}
		got <- buf[0]
	}()
	writeAll(t, c, readMagic)
	if b := <-got; b != slipEnd {
		t.Errorf("first byte = %#x", b)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	drain(t, c)
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("waiting read = %v", err)
	}
	_, err := c.Write([]byte{1})
	for name, err := range map[string]error{
		"write": err, "lines": c.SetLines(false, true), "baud": c.SetBaud(9600),
		"deadline": c.SetReadDeadline(time.Now()), "close": c.Close(),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after close = %v", name, err)
		}
	}
}

// TestResetSequences enters and leaves the loader with the sequences tools use. Each
// step is one setting of both lines.
func TestResetSequences(t *testing.T) {
	type step struct{ dtr, rts bool }
	for _, v := range []struct {
		name   string
		opts   []Option
		steps  []step
		loader bool
	}{
		{"nothing: it boots", nil, nil, false},
		{"classic, lines together", nil, []step{{false, true}, {true, false}, {false, false}}, true},
		{"classic, one line at a time", nil, []step{{false, true}, {true, true}, {true, false}, {false, false}}, true},
		{"tight", nil, []step{{false, false}, {true, true}, {false, true}, {true, false}, {false, false}, {false, false}}, true},
		{"run", nil, []step{{false, true}, {true, false}, {false, false}, {false, true}, {false, false}}, false},
		{"one line at a time without a capacitor: the race", []Option{WithoutENCapacitor()},
			[]step{{false, true}, {true, true}, {true, false}, {false, false}}, false},
		{"held in reset", nil, []step{{false, true}}, false},
		{"IO0 tied low", []Option{WithDownloadMode()}, nil, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := New(DefaultConfig(), v.opts...)
			for _, s := range v.steps {
				if err := c.SetLines(s.dtr, s.rts); err != nil {
					t.Fatal(err)
				}
			}
			text := string(drain(t, c))
			if got := answered(t, c); got != v.loader {
				t.Errorf("loader answers: %v, want %v; the chip said %q", got, v.loader, text)
			}
		})
	}
}

// TestSlowRise lets EN rise by itself with both lines asserted: the chip boots.
func TestSlowRise(t *testing.T) {
	c := New(DefaultConfig())
	drain(t, c)
	for _, s := range []struct{ dtr, rts bool }{{false, true}, {true, true}} {
		if err := c.SetLines(s.dtr, s.rts); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	n, err := io.ReadAtLeast(c, buf, len("ets Jul 29"))
	if err != nil || !bytes.HasPrefix(buf[:n], []byte("ets Jul 29")) {
		t.Errorf("after the rise: %q, %v", buf[:n], err)
	}
}

// TestBaud changes rates on both ends: the chip answers only where they agree.
func TestBaud(t *testing.T) {
	c := New(DefaultConfig())
	for _, s := range []struct{ dtr, rts bool }{{false, true}, {true, false}, {false, false}} {
		if err := c.SetLines(s.dtr, s.rts); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, c)
	setBaud := func(baud int) {
		if err := c.SetBaud(baud); err != nil {
			t.Fatal(err)
		}
	}
	setBaud(460800)
	if answered(t, c) {
		t.Error("the loader measured a rate that is too fast for it")
	}
	setBaud(57600)
	if !answered(t, c) {
		t.Error("the loader does not measure a slower host")
	}
	writeAll(t, c, slipFrame(packet(opChangeBaud, 0, nil, 460800, 0)))
	if got := frames(drain(t, c)); len(got) != 1 || got[0][1] != opChangeBaud {
		t.Errorf("change baud = %x", got)
	}
	if answered(t, c) {
		t.Error("old rate still understood")
	}
	setBaud(460800 * 102 / 100)
	if !answered(t, c) {
		t.Error("a rate 2 % off is not understood")
	}
	if err := c.SetBaud(0); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("baud 0 = %v", err)
	}
}

// TestCrystalEstimate makes the ROM's estimate of the crystal wrong, as it is on real
// chips, and corrects for it as tools do.
func TestCrystalEstimate(t *testing.T) {
	cfg := DefaultConfig()
	cfg.CLK8MFreq, cfg.ClockErrorPPM = 52, 60_000
	c := New(cfg, WithDownloadMode())
	drain(t, c)
	if !answered(t, c) {
		t.Fatal("no answer")
	}
	f := uint64(c.readReg(rtcCalibrate1)>>7) * 15625 * uint64(c.readReg(efuseBase+0x10)&0xFF) / 40
	if f < 42_300_000 || f > 42_500_000 {
		t.Fatalf("estimate = %d Hz, want 6 %% above 40 MHz", f)
	}
	for _, v := range []struct {
		name    string
		send    uint64
		answers bool
	}{
		{"plain", 460800, false},
		{"compensated", 460800 * f / 40_000_000, true},
	} {
		c.changeBaud(uint32(v.send))
		if err := c.SetBaud(460800); err != nil {
			t.Fatal(err)
		}
		if got := answered(t, c); got != v.answers {
			t.Errorf("%s: answers %v, want %v", v.name, got, v.answers)
		}
	}
}

// TestDownloadDisabled burns the fuse that closes the loader; older silicon does not
// know it.
func TestDownloadDisabled(t *testing.T) {
	for major, closed := range map[int]bool{3: true, 1: false} {
		cfg := DefaultConfig()
		cfg.RevMajor = major
		c := New(cfg, WithDownloadMode())
		if err := c.Preburn(fuse(0, 1<<27)); err != nil {
			t.Fatal(err)
		}
		said := bytes.Contains(drain(t, c), []byte("Download mode is disabled. Restart with GPIO0 high."))
		if said != closed || answered(t, c) == closed {
			t.Errorf("revision %d: disabled %v, want %v", major, said, closed)
		}
	}
}

// TestStrapNames are banners seen on real boards.
func TestStrapNames(t *testing.T) {
	for strap, want := range map[uint8]string{
		0x13: "SPI_FAST_FLASH_BOOT",
		0x33: "SPI_FAST_FLASH_BOOT",
		0x0f: "UART_BOOT(UART0)",
		0x03: "DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2)",
		0x02: "DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_FEO_V2)",
		0x01: "DOWNLOAD_BOOT(UART0/UART1/SDIO_FEI_REO_V2)",
	} {
		if got := bootModeName(strap); got != want {
			t.Errorf("strap %#x = %s, want %s", strap, got, want)
		}
	}
}
