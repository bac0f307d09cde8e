package efuse

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

var errLost = errors.New("reply lost")

// fakeChip is an eFuse controller that obeys physics: fuses only go from 0 to 1,
// one program command burns whatever any WDATA register holds, protection and
// contents take effect on a reload. Its protection groups are written down here a
// second time, not taken from the field table.
type fakeChip struct {
	t        testing.TB
	fuses    Words // what is burnt, as stored (BLOCK1 to 3 coded)
	rdata    Words // what the last reload showed
	wdata    Words
	regs     map[uint32]uint32
	mhz      int
	busy     int // polls for which a command is still running
	busyFor  int // polls that a command takes
	hung     bool
	lax      bool // commands of a session that began with another chip do nothing
	programs int  // program commands that were carried out

	weak     map[[3]int]int                 // block, word, bit: programs it still shrugs off
	marginal map[[3]int]int                 // bit that is 0 on every n-th reload
	stray    map[int]Words                  // bits that program number n burns besides
	cut      func(program int, bits *Words) // called before fuses change; may clear bits
	reloads  int

	accesses int
	fault    func(n int, write bool, addr uint32) (lost, done bool)
	burnt    []Words // the data of each program command
}

func newFake(t testing.TB) *fakeChip {
	return &fakeChip{t: t, regs: map[uint32]uint32{regClk: 0x4052, regDacConf: 40, regConf: confRead}, mhz: 40, busyFor: 2}
}

// powerOn sets the fuses and loads them, as a reset does.
func (f *fakeChip) powerOn(w Words) *fakeChip {
	f.fuses, f.wdata = w, Words{}
	f.reload()
	return f
}

func (f *fakeChip) ReadReg(ctx context.Context, addr uint32) (uint32, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	v := f.get(addr)
	if lost, _ := f.injected(false, addr); lost {
		return 0, errLost
	}
	return v, nil
}

func (f *fakeChip) WriteReg(ctx context.Context, addr, value uint32) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	lost, done := f.injected(true, addr)
	if !lost || done {
		f.set(addr, value)
	}
	if lost {
		return errLost
	}
	return nil
}

func (f *fakeChip) injected(write bool, addr uint32) (lost, done bool) {
	f.accesses++
	if f.fault == nil {
		return false, false
	}
	return f.fault(f.accesses, write, addr)
}

// locate finds the block and word of a data register.
func locate(base [4]uint32, addr uint32) (block, word int, ok bool) {
	for b := range base {
		if addr >= base[b] && addr < base[b]+4*uint32(blockLen(b)) {
			return b, int(addr-base[b]) / 4, true
		}
	}
	return 0, 0, false
}

func (f *fakeChip) get(addr uint32) uint32 {
	if b, i, ok := locate(readBase, addr); ok {
		return f.rdata[b][i]
	}
	if b, i, ok := locate(writeBase, addr); ok {
		return f.wdata[b][i]
	}
	if addr != regCmd {
		return f.regs[addr]
	}
	if f.busy > 0 || f.hung {
		f.busy--
		return f.regs[regCmd]
	}
	return 0
}

func (f *fakeChip) set(addr, value uint32) {
	if b, i, ok := locate(writeBase, addr); ok {
		f.wdata[b][i] = value
		return
	}
	if addr != regCmd {
		f.regs[addr] = value
		return
	}
	if f.busy > 0 {
		f.t.Errorf("command %d while one is running", value)
	}
	f.regs[regCmd], f.busy = value, f.busyFor
	switch {
	case value == cmdRead && f.regs[regConf] == confRead:
		f.reload()
	case value == cmdProgram && f.regs[regConf] == confProgram:
		f.program()
	case !f.lax:
		f.t.Errorf("command %d with operation code %#x", value, f.regs[regConf])
	}
}

// program burns the data registers.
func (f *fakeChip) program() {
	want := map[int][3]uint32{26: {250, 255, 52}, 40: {160, 255, 80}}[f.mhz]
	if got := [3]uint32{f.regs[regClk] & 0xFF, f.regs[regClk] >> 8 & 0xFF, f.regs[regDacConf] & 0xFF}; got != want {
		f.t.Errorf("programming with timing %v, want %v", got, want)
	}
	f.programs++
	data := f.wdata
	f.burnt = append(f.burnt, data)
	if f.cut != nil {
		f.cut(f.programs, &data)
	}
	for b := range data {
		data[b] = without(data[b], f.writeProtected(b))
	}
	for at, left := range f.weak {
		if data[at[0]][at[1]]>>at[2]&1 == 1 && left > 0 {
			data[at[0]][at[1]] &^= 1 << at[2]
			f.weak[at]--
		}
	}
	for b := range data {
		f.fuses[b] = join(join(f.fuses[b], data[b]), f.stray[f.programs][b])
	}
}

// writeProtected is what WR_DIS, as last loaded, keeps from changing.
func (f *fakeChip) writeProtected(block int) (bits [8]uint32) {
	groups := []Words{
		0: {0: {0: 0x000F0000}}, 1: {0: {0: 0x0000FFFF}}, 2: {0: {0: 0x0FF00000}},
		3:  {0: {1: ^uint32(0), 2: 0x00FFFFFF, 3: 0x0000000B, 5: 0x00C00000}},
		4:  {0: {4: 0x00001FFF}},
		5:  {0: {4: 0x0001C000}},
		6:  {0: {5: 0x000FFFFF}},
		7:  {1: allBits},
		8:  {2: allBits},
		9:  {3: allBits},
		10: {0: {3: 0x00004000, 5: 0xF0000000, 6: 0x00000403}},
		12: {0: {6: 0x10}}, 13: {0: {6: 0x20}}, 14: {0: {6: 0x40}}, 15: {0: {6: 0x384}},
	}
	for bit, group := range groups {
		if f.rdata[0][0]>>bit&1 == 1 {
			bits = join(bits, group[block])
		}
	}
	return bits
}

var allBits = [8]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}

// reload makes the read registers follow the fuses.
func (f *fakeChip) reload() {
	f.reloads++
	seen := f.fuses
	for at, n := range f.marginal {
		if f.reloads%n == 0 {
			seen[at[0]][at[1]] &^= 1 << at[2]
		}
	}
	for b := 1; b < 4; b++ {
		if seen[0][6]&3 == 1 {
			data, _ := decodeThreeQuarters(seen[b])
			seen[b] = [8]uint32{}
			for i, v := range data {
				seen[b][i/4] |= uint32(v) << (i % 4 * 8)
			}
		}
		if seen[0][0]>>(15+b)&1 == 1 {
			seen[b] = [8]uint32{}
		}
	}
	if seen[0][0]>>19&1 == 1 {
		seen[0][3] &^= 0x4000
		seen[0][5] &^= 0xF0000000
		seen[0][6] &^= 0x403
	}
	f.rdata = seen
}

// batchFake writes many registers at once, as the ROM loader does.
type batchFake struct {
	*fakeChip
	batches int
}

func (f *batchFake) WriteRegs(ctx context.Context, addrs, values []uint32) error {
	f.batches++
	for i, addr := range addrs {
		if addr == regCmd {
			return fmt.Errorf("command in a batch")
		}
		if err := f.WriteReg(ctx, addr, values[i]); err != nil {
			return err
		}
	}
	return nil
}

func timing40(t testing.TB) Timing {
	t.Helper()
	timing, err := TimingFor(40)
	if err != nil {
		t.Fatal(err)
	}
	return timing
}
