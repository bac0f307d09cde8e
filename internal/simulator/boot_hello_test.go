package simulator

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
)

// helloChip has the hello-esp32 firmware in its flash, as any user would write it.
func helloChip(t testing.TB) *Chip {
	t.Helper()
	c := New(DefaultConfig())
	for name, at := range map[string]int{"bootloader": 0x1000, "partition-table": 0x8000, "hello_world": 0x10000} {
		if err := c.SetFlash(at, readTestdata(t, "hello-esp32/"+name+".bin")); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// helloLogs is testdata/hello-logs.json.
type helloLogs struct {
	Origin string
	Cases  []struct {
		Case, Change string
		Log          []string
	}
}

// TestHelloLogs reproduces what the real ROM and the real bootloader print when
// something about the firmware is wrong. A recorded log ends with the boot; the
// prompt that the ROM leaves without a line end is not a line.
func TestHelloLogs(t *testing.T) {
	v := load(t, "hello-logs.json", func(v helloLogs) bool { return len(v.Cases) == 0 || v.Origin == "" })
	for _, e := range v.Cases {
		t.Run(e.Case, func(t *testing.T) {
			c := helloChip(t)
			change(t, c, e.Change)
			got := withoutTimes(c.Boot().Lines)
			if n := len(got); n > 0 && got[n-1] == loopMark {
				got = got[:n-1]
			}
			want := e.Log
			if n := len(want); n > 0 && want[n-1] == ">" {
				want = want[:n-1]
			}
			if d := diffLines(got, want); d != "" {
				t.Error(d)
			}
		})
	}
}

// change does to the flash what a case says: ff:ADDRESS:LENGTH, xor:ADDRESS:VALUE,
// set:ADDRESS:HEX.
func change(t *testing.T, c *Chip, spec string) {
	t.Helper()
	if spec == "" {
		return
	}
	p := strings.Split(spec, ":")
	at, err := strconv.ParseInt(p[1], 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	if p[0] == "set" {
		data, err = hex.DecodeString(p[2])
	} else {
		var n int64
		n, err = strconv.ParseInt(p[2], 0, 32)
		switch p[0] {
		case "ff":
			data = bytes.Repeat([]byte{0xFF}, int(n))
		case "xor":
			old, _ := c.Flash(int(at), 1)
			data = []byte{old[0] ^ byte(n)}
		}
	}
	if err != nil || len(data) == 0 {
		t.Fatalf("change %q: %v", spec, err)
	}
	if err := c.SetFlash(int(at), data); err != nil {
		t.Fatal(err)
	}
}

// TestHelloESP32 boots the firmware as it comes: an ESP-IDF 5.2 bootloader without
// secure boot, table at 0x8000, unsigned app.
func TestHelloESP32(t *testing.T) {
	c := helloChip(t)
	before := c.Fuses()
	v := c.Boot()
	if !v.Started || v.Cause != CauseAppStarted || v.Lines[len(v.Lines)-1] != "Hello world!" {
		t.Fatalf("%s %q", v.Cause, v.Lines)
	}
	for _, want := range []string{
		"ESP-IDF v5.2.2-dirty 2nd stage bootloader", "compile time Jul 25 2024 16:23:50",
		"ho 8 tail 4 room 4", "SPI Flash Size : 2MB", "Loaded app from partition at offset 0x10000",
	} {
		if !contains(v.Lines, want) {
			t.Errorf("no %q in the log", want)
		}
	}
	if c.Fuses() != before {
		t.Error("fuses burnt")
	}
	corrupt := []byte{0}
	if err := c.SetFlash(0x10000+0x50, corrupt); err != nil {
		t.Fatal(err)
	}
	if v = c.Boot(); v.Started || v.Cause != CauseAppCorrupt {
		t.Errorf("changed app: %s", v.Cause)
	}
}
