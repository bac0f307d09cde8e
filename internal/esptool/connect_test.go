package esptool

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConnectResetsIntoDownloadMode(t *testing.T) {
	for _, mode := range []ResetMode{"", ResetClassic, ResetTight} {
		t.Run(string(mode), bubble(func(t *testing.T) {
			f := newFakeROM()
			f.download = false
			d, err := Connect(context.Background(), f, Config{Reset: mode})
			if err != nil {
				t.Fatal(err)
			}
			if f.resets != 1 || f.runs != 0 || f.dec.bad {
				t.Errorf("%d resets into the loader, %d starts of the app; want 1, 0", f.resets, f.runs)
			}
			if !f.en || !f.io0 {
				t.Error("lines are not left inactive")
			}
			if !d.CanReset() || d.Baud() != initialBaud {
				t.Errorf("CanReset %v, Baud %d", d.CanReset(), d.Baud())
			}
		}))
	}
}

func TestConnectTriesAgainAfterABootFromFlash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		f.download, f.wrongMode = false, 2
		start := time.Now()
		if _, err := Connect(context.Background(), f, Config{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < longHold {
			t.Errorf("third attempt came after %v, without a long hold", took)
		}
	})
}

func TestConnectCauses(t *testing.T) {
	for _, c := range []struct {
		name string
		chip func(*fakeROM)
		want error
		says string
	}{
		{"silent", func(f *fakeROM) { f.download, f.memLine.lines = false, func(_, _ bool) {} }, ErrNoAnswer, "power"},
		{"deaf", func(f *fakeROM) { f.toChip = func([]byte) []byte { return nil } }, ErrNoAnswer, "RX"},
		{"boots from flash", func(f *fakeROM) { f.wrongMode = 100 }, ErrNotDownloadMode, "boot:0x13 (SPI_FAST_FLASH_BOOT)"},
		{"download mode disabled", func(f *fakeROM) {
			f.wrongMode, f.appLog = 100, "rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0))\r\nDownload mode is disabled. Restart with GPIO0 high.\r\n"
		}, ErrDownloadDisabled, ""},
		{"application without a boot log", func(f *fakeROM) { f.wrongMode, f.appLog = 100, strings.Repeat("temperature 21.5\r\n", 4) }, ErrNotDownloadMode, "application"},
		{"noise", func(f *fakeROM) {
			f.wrongMode, f.appLog = 100, string(bytes.Repeat([]byte{0xF8, 0x80, 0x00, 0x9C}, 40))
		}, ErrGarbled, "160 bytes"},
		{"echo", func(f *fakeROM) {
			f.toChip = func(p []byte) []byte { f.say(p); return nil }
			f.bootLog = ""
		}, ErrNotDownloadMode, "comes back"},
		{"another chip", func(f *fakeROM) { f.regs[magicReg] = 0xFFF0C101 }, ErrWrongChip, "0xfff0c101"},
		{"port gone", func(f *fakeROM) { f.closed = true }, ErrLinkLost, ""},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			f := newFakeROM()
			c.chip(f)
			start := time.Now()
			_, err := Connect(context.Background(), f, Config{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Connect = %v, want %v and %q", err, c.want, c.says)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
		}))
	}
}

// TestConnectFailsWithin3s lets the reset sequences take their real time.
func TestConnectFailsWithin3s(t *testing.T) {
	for _, mode := range []ResetMode{ResetClassic, ResetTight, ResetNone} {
		t.Run(string(mode), bubble(func(t *testing.T) {
			f := newFakeROM()
			f.wrongMode, f.download = 100, false
			start := time.Now()
			_, err := Connect(context.Background(), f, Config{Reset: mode, Attempts: 100})
			if took := time.Since(start); err == nil || took > 3*time.Second {
				t.Errorf("Connect = %v after %v", err, took)
			}
		}))
	}
}

func TestConnectWithoutLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		f.memLine.lines = nil
		var warned []string
		d, err := Connect(context.Background(), f, Config{Warn: func(s string) { warned = append(warned, s) }})
		if err != nil {
			t.Fatal(err)
		}
		if d.CanReset() || len(warned) != 1 {
			t.Errorf("CanReset %v, warnings %q", d.CanReset(), warned)
		}
		if err := d.Run(context.Background()); !errors.Is(err, ErrNoLines) {
			t.Errorf("Run = %v, want %v", err, ErrNoLines)
		}
	})
}

func TestConnectRefusesAnUnknownResetMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := Connect(context.Background(), newFakeROM(), Config{Reset: "hard"}); !errors.Is(err, ErrShape) {
			t.Errorf("Connect = %v, want %v", err, ErrShape)
		}
	})
}

// TestConnectIntoAStaleSession finds the chip in the middle of what an earlier
// program left: a half frame on its side, answers on the line, another speed.
func TestConnectIntoAStaleSession(t *testing.T) {
	for _, c := range []struct {
		name string
		chip func(*fakeROM)
	}{
		{"half a frame received", func(f *fakeROM) { f.dec.next([]byte{slipEnd, 0x00, 0x0A, 0x04}) }},
		{"half a reply on the line", func(f *fakeROM) { f.incoming = []byte{0x0A, 0x04, 0x00, 0x11} }},
		{"a whole reply on the line", func(f *fakeROM) { f.value = 0xBAD; f.reply(opReadReg, nil, 0) }},
		{"old SYNC replies", func(f *fakeROM) { f.value = 7; f.reply(opSync, nil, 0); f.reply(opSync, nil, 0) }},
		{"at the speed of before", func(f *fakeROM) { f.baud = 460800 }},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			f := newFakeROM()
			c.chip(f)
			d := connected(t, f, Config{Bauds: []int{460800}})
			if got, err := d.ReadReg(context.Background(), magicReg); err != nil || got != chipMagic {
				t.Errorf("ReadReg = %#x, %v", got, err)
			}
			if d.Baud() != 460800 || f.baud != 460800 {
				t.Errorf("host at %d, chip at %d", d.Baud(), f.baud)
			}
		}))
	}
}

func TestBaudLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		f.maxBaud = 300000
		var warned []string
		d := connected(t, f, Config{
			Reset: ResetClassic, Bauds: []int{921600, 460800, 230400},
			Warn: func(s string) { warned = append(warned, s) },
		})
		if d.Baud() != 230400 || f.baud != 230400 || len(warned) != 2 {
			t.Errorf("host at %d, chip at %d, warnings %q", d.Baud(), f.baud, warned)
		}
		if err := d.Reconnect(context.Background()); err != nil || d.Baud() != 230400 || len(warned) != 2 {
			t.Errorf("Reconnect = %v at %d baud, warnings %q; want the known speed at once", err, d.Baud(), warned)
		}
	})
}

// TestBaudLadderWithoutLines cannot reset: a speed that does not work is the end of
// the link, one whose confirmation was lost is found again.
func TestBaudLadderWithoutLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		f.maxBaud = 300000
		if _, err := Connect(context.Background(), f, Config{Reset: ResetNone, Bauds: []int{460800}}); !errors.Is(err, ErrGarbled) && !errors.Is(err, ErrNoAnswer) {
			t.Errorf("Connect at a speed that does not work = %v", err)
		}
		f = newFakeROM()
		f.before = func(op opcode, _ []byte) bool {
			if op == opChangeBaudrate {
				f.toHost = dropOnce(1)
			}
			return true
		}
		d, err := Connect(context.Background(), f, Config{Reset: ResetNone, Bauds: []int{460800}})
		if err != nil || d.Baud() != 460800 || f.baud != 460800 {
			t.Errorf("Connect after a lost confirmation = %v, chip at %d", err, f.baud)
		}
	})
}

func TestChangeBaudCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d := connected(t, f, Config{Reset: ResetClassic})
		f.maxBaud = initialBaud
		if err := d.ChangeBaud(context.Background(), 921600); !errors.Is(err, ErrBaud) {
			t.Errorf("ChangeBaud beyond the line = %v, want %v", err, ErrBaud)
		}
		if err := d.Reconnect(context.Background()); err != nil {
			t.Errorf("Reconnect after it: %v", err)
		}
		fixed := struct{ Port }{f}
		d, err := Connect(context.Background(), fixed, Config{Bauds: []int{921600}})
		if err != nil {
			t.Fatalf("Connect to a port of fixed speed: %v", err)
		}
		if err := d.ChangeBaud(context.Background(), 230400); !errors.Is(err, ErrBaud) {
			t.Errorf("ChangeBaud on it = %v, want %v", err, ErrBaud)
		}
	})
}

func TestCompensate(t *testing.T) {
	// Calibration for an estimate near hz: cycles = hz * 40 / 15625 / clk8m.
	calib := func(hz, clk8m uint64) uint32 { return uint32(hz*40/15625/clk8m) << 7 }
	for _, c := range []struct {
		name         string
		calib, clk8m uint32
		low, high    uint32
	}{
		{"exact 40 MHz", calib(40_000_000, 52), 52, 460000, 460800},
		{"2 % high", calib(40_800_000, 52), 52, 469000, 470016},
		{"26 MHz, 2 % low", calib(25_480_000, 52), 52, 450500, 451584},
		{"no calibration", calib(40_000_000, 52), 0, 460800, 460800},
		{"nothing counted", 0, 52, 460800, 460800},
		{"an estimate like no crystal", calib(5_000_000, 52), 52, 460800, 460800},
		{"all ones", 0xFFFFFFFF, 0xFFFFFFFF, 460800, 460800},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			if got := compensate(460800, c.calib, c.clk8m); got < c.low || got > c.high {
				t.Errorf("compensate = %d, want %d to %d", got, c.low, c.high)
			}
		}))
	}
}

func TestRunConsoleReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := newFakeROM()
		f.appLog += "second line of the app\r\n"
		d := connected(t, f, Config{Reset: ResetClassic, Bauds: []int{460800}})
		if err := d.AttachFlash(ctx, 0, 4<<20); err != nil {
			t.Fatal(err)
		}
		if err := d.Run(ctx); err != nil {
			t.Fatal(err)
		}
		var lines []string
		err := d.Console(ctx, func(l string) bool {
			lines = append(lines, l)
			return l == "Hello world!"
		})
		want := []string{"ets Jul 29 2019 12:21:46", "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)", "I (29) boot: ESP-IDF", "Hello world!"}
		if err != nil || !slices.Equal(lines, want) {
			t.Errorf("Console = %q, %v; want %q", lines, err, want)
		}
		err = d.Console(ctx, func(l string) bool { lines = append(lines, l); return true })
		if err != nil || lines[len(lines)-1] != "second line of the app" {
			t.Errorf("Console again: %q, %v; want what came behind the first stop", lines, err)
		}
		attached := f.seen[opSPISetParams]
		if err := d.Reconnect(ctx); err != nil {
			t.Fatal(err)
		}
		if d.Baud() != 460800 || f.seen[opSPISetParams] != attached+1 {
			t.Errorf("after Reconnect at %d baud, flash attached %d times", d.Baud(), f.seen[opSPISetParams]-attached)
		}
	})
}

func TestConsoleEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		f.appLog = "one\r\ntwo\xff\r\n\r\nno end"
		d := connected(t, f, Config{Reset: ResetClassic})
		if err := d.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		var lines []string
		err := d.Console(ctx, func(l string) bool { lines = append(lines, l); return false })
		if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(lines, []string{"one", "two\uFFFD", "no end"}) {
			t.Errorf("Console = %q, %v", lines, err)
		}
	})
}

func TestCutLine(t *testing.T) {
	long := bytes.Repeat([]byte("x"), maxLine+5)
	for _, c := range []struct {
		in, line, rest string
		whole          bool
	}{
		{"", "", "", false},
		{"begun", "", "begun", false},
		{"one\r\ntwo", "one", "\ntwo", true},
		{"\n", "", "", true},
		{string(long), string(long[:maxLine]), "xxxxx", true},
	} {
		line, rest, whole := cutLine([]byte(c.in))
		if string(line) != c.line || string(rest) != c.rest || whole != c.whole {
			t.Errorf("cutLine(%.20q) = %.20q, %.20q, %v", c.in, line, rest, whole)
		}
	}
}

// linesGone is a port whose lines fail, as those of an adapter that was pulled.
type linesGone struct{ *fakeROM }

func (linesGone) SetLines(bool, bool) error { return errors.New("input/output error") }

// TestLinesGone: an adapter that fails while it resets the chip is a lost link, whatever
// was to be done with the chip.
func TestLinesGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeROM()
		d, err := Connect(context.Background(), f, Config{})
		if err != nil {
			t.Fatal(err)
		}
		d.port = linesGone{f}
		for name, do := range map[string]func(context.Context) error{"run": d.Run, "reconnect": d.Reconnect} {
			if err := do(context.Background()); !errors.Is(err, ErrLinkLost) {
				t.Errorf("%s: error %v, want ErrLinkLost", name, err)
			}
		}
	})
}
