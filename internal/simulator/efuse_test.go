package simulator

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// host is a minimal client of the loader: registers through the wire.
type host struct {
	t *testing.T
	c *Chip
}

func newHost(t *testing.T, c *Chip) host {
	t.Helper()
	drain(t, c)
	return host{t, c}
}

// exchange sends one command and returns the reply; a silent chip fails the test.
func (h host) exchange(op byte, sum uint32, words ...uint32) []byte {
	h.t.Helper()
	return h.send(packet(op, sum, nil, words...))
}

// data sends one *_DATA command.
func (h host) data(op byte, seq uint32, data []byte) []byte {
	h.t.Helper()
	return h.send(dataPacket(op, seq, data))
}

// packet is a request: words, then data.
func packet(op byte, sum uint32, data []byte, words ...uint32) []byte {
	p := []byte{0, op}
	p = binary.LittleEndian.AppendUint16(p, uint16(4*len(words)+len(data)))
	p = binary.LittleEndian.AppendUint32(p, sum)
	for _, w := range words {
		p = binary.LittleEndian.AppendUint32(p, w)
	}
	return append(p, data...)
}

func dataPacket(op byte, seq uint32, data []byte) []byte {
	return packet(op, romChecksum(data), data, uint32(len(data)), seq, 0, 0)
}

func (h host) send(p []byte) []byte {
	h.t.Helper()
	writeAll(h.t, h.c, slipFrame(p))
	got := frames(drain(h.t, h.c))
	if len(got) == 0 || got[0][1] != p[1] {
		h.t.Fatalf("command %#x: %d replies", p[1], len(got))
	}
	return got[0]
}

// status is the error byte of a reply that carries n bytes of data, or ok.
func status(reply []byte, n int) (errNo byte, ok bool) {
	s := reply[packetHeader+n:]
	return s[1], s[0] == 0
}

func (h host) read(addr uint32) uint32 {
	h.t.Helper()
	return le32(h.exchange(opReadReg, 0, addr)[4:])
}

func (h host) write(addr, v uint32) {
	h.t.Helper()
	if _, ok := status(h.exchange(opWriteReg, 0, addr, v, 0xFFFFFFFF, 0), 0); !ok {
		h.t.Fatalf("write %#x refused", addr)
	}
}

// burn is the whole program sequence for the words, then a reload.
func (h host) burn(want Fuses) {
	h.t.Helper()
	h.timing()
	for b, words := range want {
		for w := range blockWords(b) {
			h.write(efuseBase+efuseWriteAt[b]+uint32(4*w), words[w])
		}
	}
	h.command(efuseOpProgram, efuseCmdPgm)
	h.command(efuseOpRead, efuseCmdRead)
}

func (h host) timing() {
	h.t.Helper()
	h.write(efuseBase+efuseDACConf, 80)
	h.write(efuseBase+efuseCLK, 160|255<<8|1<<16)
}

func (h host) command(op, cmd uint32) {
	h.t.Helper()
	h.write(efuseBase+efuseCONF, op)
	h.write(efuseBase+efuseCMD, cmd)
	for range 10 {
		if h.read(efuseBase+efuseCMD) == 0 {
			return
		}
	}
	h.t.Fatal("the eFuse command never ends")
}

// shown are all RDATA registers.
func (h host) shown() (f Fuses) {
	h.t.Helper()
	f.each(func(b, w int, v *uint32) { *v = h.read(efuseBase + efuseReadAt[b] + uint32(4*w)) })
	return f
}

// espefuse is testdata/espefuse.json: what Espressif's tool made of register images.
type espefuse struct {
	Origin string
	Cases  []struct {
		Name  string
		Start map[string][]string
		Steps []struct {
			Command string
			KeyFile *string `json:"key_file"`
			OK      bool
			After   map[string][]string
		}
	}
}

func fusesOf(t *testing.T, blocks map[string][]string) (f Fuses) {
	t.Helper()
	for b := range f {
		words := blocks[fmt.Sprintf("blk%d", b)]
		if len(words) != blockWords(b) {
			t.Fatalf("block %d has %d words", b, len(words))
		}
		for i, w := range words {
			v, err := strconv.ParseUint(w, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			f[b][i] = uint32(v)
		}
	}
	return f
}

// TestEspefuse reaches every state of the vectors through the registers: what a step
// adds is burnt, keys before their protection, and the registers then show what
// Espressif's tool saw. A step that was refused there changes nothing.
func TestEspefuse(t *testing.T) {
	v := load(t, "espefuse.json", func(v espefuse) bool { return len(v.Cases) == 0 || v.Origin == "" })
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			start := fusesOf(t, c.Start)
			chip := New(DefaultConfig(), WithDownloadMode())
			chip.efuse.fuses = start
			h := newHost(t, chip)
			before := start
			for _, s := range c.Steps {
				after := fusesOf(t, s.After)
				if s.OK {
					h.step(s.Command, s.KeyFile, before, after)
				}
				if got := h.shown(); got != after {
					t.Errorf("%s: registers show\n%08x, want\n%08x", s.Command, got, after)
				}
				before = after
			}
		})
	}
}

// step burns what one command of Espressif's tool burns.
func (h host) step(command string, key *string, before, after Fuses) {
	h.t.Helper()
	var data Fuses
	if key != nil {
		block, coded := keyBlock(h.t, command, unhex(h.t, *key), before.coding())
		data[block] = coded
	} else {
		for b := 1; b <= 3; b++ {
			data[b] = after.without(before)[b]
		}
	}
	if data != (Fuses{}) {
		h.burn(data)
	}
	h.burn(Fuses{0: after.without(before)[0]})
}

// keyBlock is the block and the words that a key command burns.
func keyBlock(t *testing.T, command string, key []byte, scheme CodingScheme) (int, [8]uint32) {
	t.Helper()
	block := 2
	if strings.Contains(command, "flash_encryption") {
		block = 1
	}
	raw := slices.Clone(key)
	if !strings.Contains(command, "v2") {
		slices.Reverse(raw)
	}
	if scheme == CodingThreeQuarters {
		return block, encodeThreeQuarters([24]byte(raw))
	}
	var words [8]uint32
	for i := range words {
		words[i] = le32(raw[4*i:])
	}
	return block, words
}

// TestHiddenKeysAreThere holds that a read-protected block keeps what was burnt.
func TestHiddenKeysAreThere(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	h := newHost(t, c)
	key := keyFuses(1, flashKey)
	h.burn(key)
	h.burn(fuseRdDis1.or(fuseWrDis1))
	if got := h.shown(); got[1] != ([8]uint32{}) {
		t.Errorf("hidden block shows %08x", got[1])
	}
	if got := c.Fuses(); got[1] != key[1] {
		t.Errorf("the metal holds %08x, want %08x", got[1], key[1])
	}
	h.burn(Fuses{1: {0xFFFFFFFF}})
	if got := c.Fuses(); got[1] != key[1] {
		t.Errorf("a write-protected block was burnt: %08x", got[1])
	}
}

// TestProgramTakesEverything burns what is in any WDATA register of any block.
func TestProgramTakesEverything(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	h := newHost(t, c)
	before := c.Fuses()
	want := Fuses{0: {6: 0x40}, 1: {3: 0x10}, 2: {7: 1 << 31}, 3: {0: 2}}
	h.burn(want)
	if got := c.Fuses(); got != before.or(want) {
		t.Errorf("fuses = %08x", got)
	}
	if c.Counters().Burns != 1 {
		t.Errorf("%d burns", c.Counters().Burns)
	}
}

// TestProtectionWaitsForReload holds that a protection bit acts from the next reload
// of the fuses on, not before.
func TestProtectionWaitsForReload(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	h := newHost(t, c)
	h.timing()
	h.write(efuseBase+efuseWriteAt[0], 1<<7|1<<16) // WR_DIS and RD_DIS of BLOCK1
	h.command(efuseOpProgram, efuseCmdPgm)
	h.write(efuseBase+efuseWriteAt[0], 0)
	h.write(efuseBase+efuseWriteAt[1], 0xABCD)
	h.command(efuseOpProgram, efuseCmdPgm)
	if got := c.Fuses()[1][0]; got != 0xABCD {
		t.Fatalf("BLOCK1 = %#x before the reload", got)
	}
	h.command(efuseOpRead, efuseCmdRead)
	h.write(efuseBase+efuseWriteAt[1], 0xFFFF)
	h.command(efuseOpProgram, efuseCmdPgm)
	if got := c.Fuses()[1][0]; got != 0xABCD {
		t.Errorf("BLOCK1 = %#x after the reload", got)
	}
}

// TestNothingBurnsByAccident tries commands without their op code, and with a program
// pulse that the clock does not fit.
func TestNothingBurnsByAccident(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	h := newHost(t, c)
	before := c.Fuses()
	h.write(efuseBase+efuseWriteAt[3], 1)
	h.command(efuseOpProgram, efuseCmdPgm) // timing registers at their reset values
	h.timing()
	h.command(efuseOpRead, efuseCmdPgm)
	h.command(0, efuseCmdPgm)
	h.command(efuseOpProgram, efuseCmdRead)
	h.write(efuseBase+efuseReadAt[3], 1)
	if got := c.Fuses(); got != before {
		t.Errorf("fuses = %08x", got)
	}
	h.command(efuseOpProgram, efuseCmdPgm)
	if got := c.Fuses()[3][0]; got != 1 {
		t.Errorf("BLOCK3 = %#x, want 1", got)
	}
}

// TestEveryWriteProtection sets each WR_DIS bit and tries every fuse: what froze is
// what the table of the technical reference says, and BLOCK1..3 by bits 7 to 9.
func TestEveryWriteProtection(t *testing.T) {
	all := Fuses{}
	all.each(func(b, w int, v *uint32) { *v = 0xFFFFFFFF })
	for bit := range 16 {
		want := all
		for w, mask := range frozenBy[bit] {
			want[0][w] &^= mask
		}
		if bit >= 7 && bit <= 9 {
			want[bit-6] = [8]uint32{}
		}
		if got := burnable(all, 1<<bit); got != want {
			t.Errorf("WR_DIS bit %d leaves %08x, want %08x", bit, got, want)
		}
	}
	if got := burnable(all, 0); got != all {
		t.Errorf("no protection leaves %08x", got)
	}
}

// TestReadProtection3 hides the fields that RD_DIS bit 3 hides, coding scheme too.
func TestReadProtection3(t *testing.T) {
	shown, _ := readable(fuse(0, 1<<19).or(fuse(3, 0xFFFF)).or(fuse(5, 0xFFFFFFFF)).or(fuse(6, 0xFFF)))
	if shown[0][3] != 0xBFFF || shown[0][5] != 0x0FFFFFFF || shown[0][6] != 0xBFC {
		t.Errorf("shown %08x", shown[0])
	}
}

// TestThreeQuarters is the worked example of the coding, there and back, and the
// warnings of damaged groups.
func TestThreeQuarters(t *testing.T) {
	var data [24]byte
	for i := range data {
		data[i] = byte(0x37 - i)
	}
	coded := encodeThreeQuarters(data)
	want := [8]uint32{0x34353637, 0x4b013233, 0x2e2f3031, 0x4c012c2d, 0x28292a2b, 0x41012627, 0x22232425, 0x28012021}
	if coded != want {
		t.Fatalf("coded %08x, want %08x", coded, want)
	}
	decoded, bad := decodeThreeQuarters(coded)
	if got := wordBytes(decoded); bad != 0 || [24]byte(got[:24]) != data || decoded[6] != 0 || decoded[7] != 0 {
		t.Errorf("decoded %x, warnings %#x", got, bad)
	}
	for i := range 32 {
		damaged := coded
		damaged[i/4] ^= 1 << (8 * (i % 4))
		if _, bad := decodeThreeQuarters(damaged); bad != 1<<(i/8) {
			t.Errorf("byte %d damaged: warnings %#x, want %#x", i, bad, 1<<(i/8))
		}
	}
}

// TestDecodeWarnings shows damage in DEC_STATUS, four bits for each block.
func TestDecodeWarnings(t *testing.T) {
	cfg := DefaultConfig()
	cfg.CodingScheme = CodingThreeQuarters
	c := New(cfg, WithDownloadMode())
	h := newHost(t, c)
	if got := h.read(efuseBase + efuseDecStatus); got != 0 {
		t.Errorf("blank chip warns %#x", got)
	}
	h.burn(Fuses{2: {0: 1}})
	if got := h.read(efuseBase + efuseDecStatus); got != 0x010 {
		t.Errorf("warnings %#x, want 0x10", got)
	}
}

// TestFusesOnlyGrow burns random words over and over: bits only go from 0 to 1.
func TestFusesOnlyGrow(t *testing.T) {
	c := New(DefaultConfig(), WithDownloadMode())
	h := newHost(t, c)
	seed := uint32(1)
	for range 8 {
		before := c.Fuses()
		var want Fuses
		want.each(func(b, w int, v *uint32) {
			seed = seed*1664525 + 1013904223
			*v = seed & (seed >> 3) & 0xFF0F00F0
		})
		want[0][0] &^= 0xFFFFF // leave the protection bits out
		h.burn(want)
		after := c.Fuses()
		if before.without(after) != (Fuses{}) {
			t.Fatalf("bits were cleared: %08x -> %08x", before, after)
		}
		if after != before.or(want) {
			t.Fatalf("burning %08x over %08x gave %08x", want, before, after)
		}
	}
}
