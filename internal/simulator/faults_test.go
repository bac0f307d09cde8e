package simulator

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"os"
	"reflect"
	"testing"
	"time"
)

func parse(t *testing.T, spec string) Faults {
	t.Helper()
	f, err := ParseFaults(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCutWireEverywhere cuts the power after every byte of a short session. What
// crossed before the cut arrives, what follows does not, and the chip answers again
// after a power cycle.
func TestCutWireEverywhere(t *testing.T) {
	whole := New(DefaultConfig(), WithDownloadMode())
	banner := drain(t, whole)
	writeAll(t, whole, readMagic)
	session := append(bytes.Clone(banner), drain(t, whole)...)
	total := whole.Counters().Wire
	if want := uint64(len(session) + len(readMagic)); total != want {
		t.Fatalf("%d wire bytes counted, want %d", total, want)
	}
	for n := range total {
		c := New(DefaultConfig(), WithDownloadMode(), WithFaults(Faults{CutWire: []uint64{n}}))
		var got []byte
		var err error
		got = append(got, readUntilError(t, c, len(banner), &err)...)
		if err == nil {
			_, err = c.Write(readMagic)
			got = append(got, readUntilError(t, c, len(session)-len(got), &err)...)
		}
		if !errors.Is(err, ErrPowerCut) || !errors.Is(err, io.EOF) {
			t.Fatalf("cut after %d bytes: error %v", n, err)
		}
		if !bytes.HasPrefix(session, got) {
			t.Fatalf("cut after %d bytes: read %q", n, got)
		}
		if c.Counters().Wire != n {
			t.Fatalf("cut after %d bytes: %d crossed", n, c.Counters().Wire)
		}
		c.PowerCycle()
		drain(t, c)
		if !answered(t, c) {
			t.Fatalf("cut after %d bytes: no answer after a power cycle", n)
		}
	}
}

// readUntilError reads up to n bytes; an error ends it.
func readUntilError(t *testing.T, c *Chip, n int, err *error) []byte {
	t.Helper()
	if e := c.SetReadDeadline(time.Now().Add(10 * time.Second)); e != nil {
		t.Fatal(e)
	}
	buf := make([]byte, n)
	k, e := io.ReadFull(c, buf)
	if e != nil {
		// ReadFull turns an end in the middle into its own error: ask the chip again.
		_, *err = c.Read(buf[:1])
	}
	return buf[:k]
}

// TestCutBurn programs some of the bits of one burn and no others.
func TestCutBurn(t *testing.T) {
	want := Fuses{1: {0: 0xF, 7: 0x80000001}}
	for mask, left := range map[string][8]uint32{
		"0x0": {}, "0x3f": {0: 0xF, 7: 0x80000001}, "0x15": {0: 0x5, 7: 1}, "0x20": {7: 0x80000000},
	} {
		c := New(DefaultConfig(), WithDownloadMode(), WithFaults(parse(t, "cut-burn:2:"+mask)))
		h := newHost(t, c)
		h.burn(Fuses{3: {1}})
		h.timing()
		for w, v := range want[1] {
			h.write(efuseBase+efuseWriteAt[1]+uint32(4*w), v)
		}
		h.write(efuseBase+efuseWriteAt[3], 0)
		h.write(efuseBase+efuseCONF, efuseOpProgram)
		writeAll(t, c, slipFrame(packet(opWriteReg, 0, nil, efuseBase+efuseCMD, efuseCmdPgm, 0xFFFFFFFF, 0)))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrPowerCut) {
			t.Errorf("mask %s: read after the burn = %v", mask, err)
		}
		if got := c.Fuses()[1]; got != left {
			t.Errorf("mask %s left %08x, want %08x", mask, got, left)
		}
		c.PowerCycle()
		if got := newHost(t, c).shown()[1]; got != left {
			t.Errorf("mask %s: registers show %08x", mask, got)
		}
	}
}

// TestCutBurnBySeed takes the same bits for the same seed.
func TestCutBurnBySeed(t *testing.T) {
	changing := make([]fuseBit, 200)
	for i := range changing {
		changing[i] = fuseBit{1, i}
	}
	left := func(spec string) []fuseBit {
		taken, cut := newInjector(parse(t, spec)).burning(changing)
		if !cut {
			t.Fatalf("%s does not cut", spec)
		}
		return taken
	}
	a, again, b := left("cut-burn:1:7"), left("cut-burn:1:7"), left("cut-burn:1:8")
	if !reflect.DeepEqual(a, again) || reflect.DeepEqual(a, b) || len(a) == 0 || len(a) == len(changing) {
		t.Errorf("seed 7 takes %d and %d bits, seed 8 %d", len(a), len(again), len(b))
	}
}

func TestWeakFuse(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode(), WithFaults(parse(t, "weak-bit:3:33:3")))
	h := newHost(t, c)
	for try := 1; try <= 3; try++ {
		h.burn(Fuses{3: {1: 3}})
		want := uint32(1)
		if try == 3 {
			want = 3
		}
		if got := h.shown()[3][1]; got != want {
			t.Errorf("after %d programs: %#x, want %#x", try, got, want)
		}
	}
}

func TestWornSector(t *testing.T) {
	h := attached(t, WithFaults(parse(t, "worn-sector:0x10123")))
	if e, ok := h.writeFlash(0x10000, bytes.Repeat([]byte{0xFF}, 0x400)); ok || e != romVerifyFailed {
		t.Errorf("ok %v, error %#x", ok, e)
	}
	if e, ok := h.writeFlash(0x10000, bytes.Repeat([]byte{0xFE}, 0x400)); !ok {
		t.Errorf("data that leaves the cell alone: error %#x", e)
	}
}

// TestCutFlash cuts the power half-way through an erase and a page.
func TestCutFlash(t *testing.T) {
	for _, v := range []struct {
		spec             string
		old, erased, cut int // bytes from 0x10000 that hold the old content, FF, the new content
	}{
		{"cut-erase:3", 0x800, 0x800, 0},
		{"cut-program:6", 0, 0x1000 - 0x180, 0x180},
	} {
		h := attached(t, WithFaults(parse(t, v.spec)))
		if err := h.c.SetFlash(0x10000, bytes.Repeat([]byte{0x11}, 0x1000)); err != nil {
			t.Fatal(err)
		}
		if e, ok := h.writeFlash(0x20000, bytes.Repeat([]byte{0x33}, 0x400)); !ok { // erase 1, pages 1 to 4
			t.Fatalf("error %#x", e)
		}
		writeAll(t, h.c, slipFrame(packet(opFlashBegin, 0, nil, 0x2000, 8, 0x400, 0xF000))) // erases 2 and 3
		if v.cut > 0 {
			drain(t, h.c)
			h.exchange(opFlashBegin, 0, 0x400, 1, 0x400, 0x10000)
			writeAll(t, h.c, slipFrame(dataPacket(opFlashData, 0, bytes.Repeat([]byte{0x22}, 0x400)))) // pages 5 to 8
		}
		h.c.forgetOutput()
		if _, err := h.c.Read(make([]byte, 1)); !errors.Is(err, ErrPowerCut) {
			t.Errorf("%s: read = %v", v.spec, err)
		}
		got, err := h.c.Flash(0x10000, 0x1000)
		if err != nil {
			t.Fatal(err)
		}
		if a, b, c := bytes.Count(got, []byte{0x11}), bytes.Count(got, []byte{0xFF}), bytes.Count(got, []byte{0x22}); a != v.old || b != v.erased || c != v.cut {
			t.Errorf("%s: %#x old, %#x erased, %#x new; want %#x, %#x, %#x", v.spec, a, b, c, v.old, v.erased, v.cut)
		}
	}
}

// TestNoise holds that each kind of noise does its kind of damage, and the same for
// the same seed.
func TestNoise(t *testing.T) {
	run := func(spec string) []byte {
		c := New(DefaultConfig(), WithDownloadMode(), WithFaults(parse(t, spec)))
		return drain(t, c)
	}
	clean := run("")
	for _, v := range []struct {
		spec    string
		shorter int // sign of the change in length
	}{
		{"lose:0.2:1", -1}, {"garble:0.2:1", 0}, {"dup:0.2:1", 1},
	} {
		a, again := run(v.spec), run(v.spec)
		if !bytes.Equal(a, again) {
			t.Errorf("%s: not the same twice", v.spec)
		}
		if bytes.Equal(a, clean) || bytes.Equal(a, run(v.spec[:len(v.spec)-1]+"2")) {
			t.Errorf("%s: no damage, or the same for every seed", v.spec)
		}
		if sign := compare(len(a), len(clean)); sign != v.shorter {
			t.Errorf("%s: %d bytes, clean %d", v.spec, len(a), len(clean))
		}
	}
}

func compare(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestNoiseToChip damages requests too.
func TestNoiseToChip(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	drain(t, c)
	c.faults = newInjector(parse(t, "lose:1:1"))
	if answered(t, c) {
		t.Error("a request arrived over a dead line")
	}
}

func TestLate(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode(), WithFaults(parse(t, "late:1:1:30")))
	begin := time.Now()
	if err := c.SetReadDeadline(begin.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("early read = %d, %v", n, err)
	}
	if err := c.SetReadDeadline(begin.Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 30*time.Millisecond {
		t.Errorf("the byte came after %v", took)
	}
}

func TestHang(t *testing.T) {
	c := New(DefaultConfig(), WithFaults(parse(t, "hang:300")))
	for _, s := range []struct{ dtr, rts bool }{{false, true}, {true, false}, {false, false}} {
		if err := c.SetLines(s.dtr, s.rts); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, c)
	for i := 0; answered(t, c); i++ {
		if i > 20 {
			t.Fatal("never hangs")
		}
	}
	if answered(t, c) {
		t.Error("a hung chip answers")
	}
	for _, s := range []struct{ dtr, rts bool }{{false, true}, {true, false}, {false, false}} {
		if err := c.SetLines(s.dtr, s.rts); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, c)
	if !answered(t, c) {
		t.Error("a reset does not help")
	}
}

// TestUnplug pulls the cable: the port is dead, the chip keeps its power and RAM.
func TestUnplug(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	h := newHost(t, c)
	h.write(0x3FFB0000, 0xABCD)
	c.faults.faults.Unplug = []uint64{c.Counters().Wire + 5}
	c.faults.lookAhead()
	if n, err := c.Write(readMagic); n != 5 && !errors.Is(err, ErrUnplugged) {
		t.Errorf("write = %d, %v", n, err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrUnplugged) || !errors.Is(err, io.EOF) {
		t.Errorf("read = %v", err)
	}
	if err := c.SetLines(false, true); !errors.Is(err, ErrUnplugged) {
		t.Errorf("lines = %v", err)
	}
	c.Replug()
	writeAll(t, c, []byte{slipEnd}) // ends the half of a frame that arrived
	if got := h.read(0x3FFB0000); got != 0xABCD {
		t.Errorf("RAM = %#x", got)
	}
}

// TestCutDuringFirstBoot cuts the power inside every burn, erase and page of a first
// boot that enables everything, and boots again until it is through or refuses for
// good. Never does a cut lose a fuse that was burnt before.
func TestCutDuringFirstBoot(t *testing.T) {
	b := newBench(t)
	fresh := func(f Faults) *Chip {
		return b.chip([]Option{WithFaults(f), WithRandom(bytes.NewReader(pattern(1 << 16)))},
			region{bootloaderAt, b.bootloader}, tableRegion(t, recordedTable, singleTable), region{recordedApp, b.signed})
	}
	whole := fresh(Faults{})
	if v := whole.Boot(); !v.Started {
		t.Fatalf("%s %q", v.Cause, v.Lines)
	}
	n := whole.Counters()
	if n.Burns != 2 || n.Erases != 1 || n.Programs != 1 {
		t.Fatalf("first boot does %+v", n)
	}
	for _, f := range []Faults{
		{CutBurn: []CutBurn{{Burn: 1, Mask: new(big.Int)}}},
		{CutBurn: []CutBurn{{Burn: 2, Mask: new(big.Int)}}},
		{CutBurn: []CutBurn{{Burn: 1, Seed: 3}}},
		{CutBurn: []CutBurn{{Burn: 2, Mask: big.NewInt(1<<16 - 1)}}},
		{CutErase: []int{1}},
		{CutProgram: []int{1}},
		{CutWire: []uint64{2000}},
	} {
		c := fresh(f)
		if v := c.Boot(); v.Started || v.Cause != CausePowerLost {
			t.Errorf("%+v: %s", f, v.Cause)
		}
		before := c.Fuses()
		v := c.Boot()
		if !v.Started || !c.Fuses().absDone0() || before.without(c.Fuses()) != (Fuses{}) {
			t.Errorf("%+v: second boot %s %q", f, v.Cause, v.Lines)
		}
	}
}

func TestParseFaults(t *testing.T) {
	got := parse(t, "cut-wire:1200 cut-wire:0x10,unplug:3 hang:7,cut-burn:3:0x1ff cut-burn:4:99 cut-erase:2 cut-program:5 "+
		"lose:0.5:1 garble:0.25:2 dup:1:3 late:0:4:20 weak-bit:2:255 weak-bit:0:1:4 marginal-bit:1:17 worn-sector:0x8000 late-flash:1")
	want := Faults{
		CutWire: []uint64{1200, 16}, Unplug: []uint64{3}, Hang: []uint64{7},
		CutBurn:  []CutBurn{{Burn: 3, Mask: big.NewInt(0x1FF)}, {Burn: 4, Seed: 99}},
		CutErase: []int{2}, CutProgram: []int{5},
		Lose: Noise{0.5, 1}, Garble: Noise{0.25, 2}, Duplicate: Noise{1, 3}, Late: Noise{0, 4}, LateBy: 20 * time.Millisecond,
		WeakBits: []WeakBit{{Block: 2, Bit: 255}, {Block: 0, Bit: 1, Programs: 4}, {Block: 1, Bit: 17, Marginal: true}}, WornSectors: []uint32{0x8000},
		LateFlash: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults = %+v\nwant %+v", got, want)
	}
	for _, bad := range []string{
		"cut-wire", "cut-wire:", "cut-wire:x", "cut-wire:-1", "cut-wire:1:2", "explode:1", "lose:1.5:1", "lose:NaN:1", "lose:0.5",
		"cut-burn:1", "cut-burn:1:0xzz", "cut-burn:1:mask", "weak-bit:4:1", "weak-bit:1:256", "worn-sector:0x1000000", "late:0.1:1:99999999",
	} {
		if f, err := ParseFaults(bad); !errors.Is(err, ErrFaultSpec) {
			t.Errorf("%q = %+v, %v", bad, f, err)
		}
	}
}
