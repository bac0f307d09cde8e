package simulator

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"testing"
)

// attached is a host whose chip has its flash attached and sized.
func attached(t *testing.T, opts ...Option) host {
	t.Helper()
	h := newHost(t, New(DefaultConfig(), append(opts, WithDownloadMode())...))
	h.exchange(opSPIAttach, 0, 0, 0)
	h.exchange(opSetParams, 0, 0, 4<<20, 0x10000, 0x1000, 0x100, 0xFFFF)
	return h
}

// pattern is n bytes that differ from their neighbours.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

// writeFlash sends data in blocks of 0x400, as tools do; it returns the first error.
func (h host) writeFlash(at uint32, data []byte) (errNo byte, ok bool) {
	h.t.Helper()
	n := uint32(len(data)+0x3FF) / 0x400
	if e, ok := status(h.exchange(opFlashBegin, 0, uint32(len(data)), n, 0x400, at), 0); !ok {
		return e, false
	}
	for seq := range n {
		block := data[seq*0x400:]
		block = block[:min(len(block), 0x400)]
		if e, ok := status(h.data(opFlashData, seq, block), 0); !ok {
			return e, false
		}
	}
	return 0, true
}

func (h host) md5(at, n uint32) string {
	h.t.Helper()
	reply := h.exchange(opFlashMD5, 0, at, n, 0, 0)
	if e, ok := status(reply, 32); !ok {
		h.t.Fatalf("MD5: error %#x", e)
	}
	return string(reply[packetHeader:][:32])
}

func TestWriteFlash(t *testing.T) {
	h := attached(t)
	data := pattern(0x2800)
	if e, ok := h.writeFlash(0x3FD000, data); !ok {
		t.Fatalf("error %#x", e)
	}
	sum := md5.Sum(data)
	if got := h.md5(0x3FD000, uint32(len(data))); got != hex.EncodeToString(sum[:]) {
		t.Errorf("MD5 = %s", got)
	}
	got, err := h.c.Flash(0x3FD000, 0x3000)
	if err != nil || !bytes.Equal(got[:0x2800], data) || !bytes.Equal(got[0x2800:], bytes.Repeat([]byte{0xFF}, 0x800)) {
		t.Errorf("flash differs, %v", err)
	}
	reply := h.exchange(opReadFlash, 0, 0x3FD010, 64)
	if e, ok := status(reply, 64); !ok || !bytes.Equal(reply[packetHeader:][:64], data[0x10:0x50]) {
		t.Errorf("READ_FLASH_SLOW: error %#x", e)
	}
}

// TestFlashRefusals are commands the ROM does not do.
func TestFlashRefusals(t *testing.T) {
	blank := newHost(t, New(DefaultConfig(), WithDownloadMode()))
	h := attached(t)
	for _, v := range []struct {
		name  string
		reply []byte
		data  int // bytes of data in it
		want  byte
	}{
		{"flash not attached", blank.exchange(opFlashBegin, 0, 0x400, 1, 0x400, 0), 0, romFailed},
		{"MD5, flash not attached", blank.exchange(opFlashMD5, 0, 0, 16, 0, 0), 32, romReadFailed},
		{"beyond the flash", h.exchange(opFlashBegin, 0, 0x2000, 8, 0x400, 4<<20-0x1000), 0, romFailed},
		{"wrapping range", h.exchange(opFlashBegin, 0, 0xFFFFF000, 4, 0x400, 0x2000), 0, romFailed},
		{"MD5 beyond the flash", h.exchange(opFlashMD5, 0, 4<<20-1, 2, 0, 0), 32, romReadFailed},
		{"read too long", h.exchange(opReadFlash, 0, 0, 65), 64, romReadLength},
		{"data without a download", h.data(opMemData, 0, nil), 0, romBadMessage},
	} {
		if e, ok := status(v.reply, v.data); ok || e != v.want {
			t.Errorf("%s: ok %v, error %#x, want %#x", v.name, ok, e, v.want)
		}
	}
	h2 := newHost(t, New(DefaultConfig(), WithDownloadMode()))
	h2.exchange(opSPIAttach, 0, 0, 0)
	if e, ok := h2.writeFlash(2<<20-0x1000, pattern(0x2000)); ok || e != romFailed {
		t.Errorf("2 MiB crossed without SPI_SET_PARAMS: ok %v, error %#x", ok, e)
	}
}

// TestProgramOnlyClears writes twice to one place: bits that should be set again stay
// clear. The ROM's read-back notices unless the XOR over the block is as it was.
func TestProgramOnlyClears(t *testing.T) {
	h := attached(t)
	first := bytes.Repeat([]byte{0xF0}, 0x400)
	if e, ok := h.writeFlash(0x10000, first); !ok {
		t.Fatalf("error %#x", e)
	}
	again := func(at0 byte, rest byte) (byte, bool) {
		h.exchange(opFlashBegin, 0, 0, 1, 0x400, 0x10000) // size 0 erases nothing
		return status(h.data(opFlashData, 0, append([]byte{at0}, bytes.Repeat([]byte{rest}, 0x3FF)...)), 0)
	}
	for _, v := range []struct {
		name     string
		at0, all byte
		ok       bool
		holds    byte
	}{
		{"clearing bits", 0x50, 0xF0, true, 0x50},
		{"setting one bit", 0x51, 0xF0, false, 0x50},
		{"setting bits everywhere, XOR as it was", 0x5F, 0xFF, true, 0x50},
	} {
		e, ok := again(v.at0, v.all)
		if ok != v.ok || !ok && e != romVerifyFailed {
			t.Errorf("%s: ok %v, error %#x", v.name, ok, e)
		}
		if got, err := h.c.Flash(0x10000, 2); err != nil || got[0] != v.holds || got[1] != 0xF0 {
			t.Errorf("%s: flash holds %x, %v", v.name, got, err)
		}
	}
}

// TestDeflate sends compressed data in small blocks, then streams that are no good.
func TestDeflate(t *testing.T) {
	h := attached(t)
	data := pattern(100_000)
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write(data)
	w.Close()
	send := func(stream []byte, size uint32) (byte, bool) {
		n := uint32(len(stream)+0x3FF) / 0x400
		if e, ok := status(h.exchange(opDeflateBegin, 0, size, n, 0x400, 0x20000), 0); !ok {
			return e, false
		}
		for seq := range n {
			block := stream[seq*0x400:]
			if e, ok := status(h.data(opDeflateData, seq, block[:min(len(block), 0x400)]), 0); !ok {
				return e, false
			}
		}
		return 0, true
	}
	if e, ok := send(packed.Bytes(), uint32(len(data))); !ok {
		t.Fatalf("error %#x", e)
	}
	if got, err := h.c.Flash(0x20000, len(data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("flash differs, %v", err)
	}
	wrongSum := bytes.Clone(packed.Bytes())
	wrongSum[len(wrongSum)-1] ^= 1
	if e, ok := send(wrongSum, uint32(len(data))); ok || e != romBadAdler {
		t.Errorf("wrong adler32: ok %v, error %#x", ok, e)
	}
	if e, ok := send([]byte("no stream at all"), 50_000); ok || e != romBadDeflate {
		t.Errorf("garbage: ok %v, error %#x", ok, e)
	}
}

// TestSPIRegisters reads the JEDEC id the way tools do, before and after the flash is
// attached, and sets status registers, which survive a power cycle.
func TestSPIRegisters(t *testing.T) {
	h := newHost(t, New(DefaultConfig(), WithDownloadMode()))
	if got := h.spi(flashRDID, 24, nil); got != 0xFFFFFF {
		t.Errorf("id without flash = %#06x", got)
	}
	h.exchange(opSPIAttach, 0, 0, 0)
	if got := h.spi(flashRDID, 24, nil); got != 0x1640EF {
		t.Errorf("id = %#06x, want 1640ef", got)
	}
	h.spi(flashWRSR1, 0, []uint32{0x1C})
	if got := h.spi(flashRDSR1, 8, nil); got != 0 {
		t.Errorf("status written without write enable: %#x", got)
	}
	h.spi(flashWREN, 0, nil)
	h.spi(flashWRSR1, 0, []uint32{0x1C})
	h.c.PowerCycle()
	drain(t, h.c)
	h.exchange(opSPIAttach, 0, 0, 0)
	if got := h.spi(flashRDSR1, 8, nil); got != 0x1C {
		t.Errorf("status = %#x, want 0x1c", got)
	}
	if e, ok := h.writeFlash(0, append(pattern(0x3FF), 0)); ok || e != romVerifyFailed {
		t.Errorf("protected flash: ok %v, error %#x", ok, e)
	}
}

// spi is one user-defined transaction: a command, 8 bits out or some bits in.
func (h host) spi(command byte, bitsIn uint32, out []uint32) uint32 {
	h.t.Helper()
	user := uint32(spiUserCommand)
	if bitsIn > 0 {
		user |= spiUserMISO
		h.write(spi1Base+spiMISODLen, bitsIn-1)
	}
	h.write(spi1Base+spiW0, 0)
	if out != nil {
		user |= spiUserMOSI
		h.write(spi1Base+spiMOSIDLen, 7)
		h.write(spi1Base+spiW0, out[0])
	}
	h.write(spi1Base+spiUSER, user)
	h.write(spi1Base+spiUSER2, 0x70000000|uint32(command))
	h.write(spi1Base+spiCMD, spiCmdUSR)
	if h.read(spi1Base+spiCMD) != 0 {
		h.t.Fatal("SPI transaction never ends")
	}
	return h.read(spi1Base + spiW0)
}

// TestMemory loads RAM and reads it back; a jump leaves the chip silent until reset.
func TestMemory(t *testing.T) {
	c := New(DefaultConfig())
	for _, s := range []struct{ dtr, rts bool }{{false, true}, {true, false}, {false, false}} {
		if err := c.SetLines(s.dtr, s.rts); err != nil {
			t.Fatal(err)
		}
	}
	h := newHost(t, c)
	h.exchange(opMemBegin, 0, 8, 1, 8, 0x40080001)
	if e, ok := status(h.data(opMemData, 0, []byte{1, 2, 3, 4, 5, 6, 7, 8}), 0); !ok {
		t.Fatalf("error %#x", e)
	}
	if a, b := h.read(0x40080000), h.read(0x40080004); a != 0x03020100 || b != 0x07060504 {
		t.Errorf("RAM = %#x %#x", a, b)
	}
	h.exchange(opMemEnd, 0, 1, 0)
	if !answered(t, c) {
		t.Error("MEM_END with stay left the loader")
	}
	h.exchange(opMemEnd, 0, 0, 0x40080000)
	if answered(t, c) {
		t.Error("the loader answers after a jump")
	}
	if err := c.SetLines(true, false); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct{ dtr, rts bool }{{false, true}, {true, false}} {
		if err := c.SetLines(s.dtr, s.rts); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, c)
	if !answered(t, c) {
		t.Error("no loader after a reset")
	}
}

// TestWriteRegMask changes some bits of a register, and several registers in one
// command.
func TestWriteRegMask(t *testing.T) {
	h := newHost(t, New(DefaultConfig(), WithDownloadMode()))
	const a, b = 0x3FFB0000, 0x3FFB0004
	h.exchange(opWriteReg, 0,
		a, 0x11111111, 0xFFFFFFFF, 0,
		b, 0x22222222, 0xFFFFFFFF, 0,
		a, 0xABCD0000, 0x00FF0000, 0)
	if x, y := h.read(a), h.read(b); x != 0x11CD1111 || y != 0x22222222 {
		t.Errorf("registers = %#x %#x", x, y)
	}
	before := h.read(chipMagicAddr)
	h.write(chipMagicAddr, 0)
	if h.read(chipMagicAddr) != before {
		t.Error("the mask ROM was written")
	}
}

// TestFlashEndReboots asks for a reboot: the straps stay as they were latched.
func TestFlashEndReboots(t *testing.T) {
	h := attached(t)
	writeAll(t, h.c, slipFrame(packet(opFlashEnd, 0, nil, 0)))
	if got := drain(t, h.c); !bytes.Contains(got, []byte("rst:0x3 (SW_RESET),boot:0xf")) {
		t.Errorf("the chip said %q", got)
	}
	if !answered(t, h.c) {
		t.Error("no loader")
	}
}

// TestSectors: what is not erased is copied as it is, and makes another chip's flash
// the same.
func TestSectors(t *testing.T) {
	c := New(DefaultConfig())
	for _, at := range []int{0x2FFE, 0x10000, c.FlashSize() - 2} {
		if err := c.SetFlash(at, []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SetFlash(0x20000, erasedSector); err != nil {
		t.Fatal(err)
	}
	var at []int
	for _, s := range c.Sectors() {
		at = append(at, s.Offset)
		flash, err := c.Flash(s.Offset, norSector)
		if err != nil || !bytes.Equal(flash, s.Data) {
			t.Errorf("sector %#x differs (%v)", s.Offset, err)
		}
	}
	if want := []int{0x2000, 0x10000, c.FlashSize() - norSector}; !slices.Equal(at, want) {
		t.Errorf("sectors at %#x, want %#x", at, want)
	}
	other := New(DefaultConfig())
	if err := errors.Join(other.SetFlash(0x40000, []byte{0}), other.SetFlashFrom(c), c.SetFlash(0x10000, []byte{9})); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[int][]byte{0x2FFE: {1, 2}, 0x10000: {1, 2}, 0x40000: {0xFF}} {
		if got, err := other.Flash(from, len(want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the other has %x at %#x (%v), want %x", got, from, err, want)
		}
	}
	small := DefaultConfig()
	small.FlashSize /= 2
	if err := New(small).SetFlashFrom(c); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("into a smaller chip: %v", err)
	}
}
