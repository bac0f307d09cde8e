package simulator

// Registers of the eFuse controller, offsets from efuseBase. Source: ESP32 TRM,
// "eFuse Controller"; ESP-IDF soc/esp32 efuse_reg.h.
const (
	efuseBase = 0x3FF5A000
	efuseEnd  = 0x3FF5A200

	efuseCLK       = 0x0F8
	efuseCONF      = 0x0FC
	efuseCMD       = 0x104
	efuseIntRaw    = 0x108
	efuseIntSt     = 0x10C
	efuseIntEna    = 0x110
	efuseIntClr    = 0x114
	efuseDACConf   = 0x118
	efuseDecStatus = 0x11C
	efuseDate      = 0x1FC

	efuseOpProgram = 0x5A5A // value of CONF that lets CMD bit 1 act
	efuseOpRead    = 0x5AA5 // value of CONF that lets CMD bit 0 act
	efuseCmdRead   = 1
	efuseCmdPgm    = 2

	efuseClkReset  = 0x00014052 // EN, SEL1 64, SEL0 82
	efuseDACReset  = 40
	efuseDateValue = 0x16042600
)

// efuseReadAt and efuseWriteAt are the offsets of the first RDATA and WDATA
// register of each block.
var (
	efuseReadAt  = [4]uint32{0x000, 0x038, 0x058, 0x078}
	efuseWriteAt = [4]uint32{0x01C, 0x098, 0x0B8, 0x0D8}
)

// efuseController is the register side of the fuses: what software sees, and the
// only way in. The fuses themselves change in burn alone.
type efuseController struct {
	fuses     Fuses  // the metal
	shown     Fuses  // RDATA, as of the last reload
	decStatus uint32 // as of the last reload
	wrDis     uint32 // write protection in force: as of the last reload
	wdata     Fuses
	clk, conf uint32
	dac       uint32
	intRaw    uint32
	intEna    uint32
	running   uint32 // command bits still to be seen once in CMD
	apbMHz    int    // in the loader the APB clock is the crystal

	weak  map[fuseBit]*weakness
	loads int // of the fuses, so far
	// burning is asked at each program pulse that would change something: which
	// of the bits take, and whether the power goes in the middle of it.
	burning func(changing []fuseBit) (taken []fuseBit, cut bool)
	changed func(Fuses) // the metal has changed: keep it
}

// weakness is what keeps a fuse from giving way.
type weakness struct {
	pulses   int  // it still needs
	marginal bool // once pulsed, it shows at every other load
	struck   bool
}

// fuseBit names one fuse.
type fuseBit struct {
	Block, Bit int // Bit counts from the LSB of word 0
}

// reset is what EN or power does: registers to their reset values, then the
// hardware loads the fuses.
func (e *efuseController) reset() {
	e.wdata = Fuses{}
	e.clk, e.conf, e.dac = efuseClkReset, 0, efuseDACReset
	e.intRaw, e.intEna, e.running = 0, 0, 0
	e.reload()
}

// reload makes the protection bits effective and refreshes RDATA.
func (e *efuseController) reload() {
	sensed := e.sense()
	e.shown, e.decStatus = readable(sensed)
	e.wrDis = sensed.wrDis()
}

// sense is the fuses as a load finds them.
func (e *efuseController) sense() Fuses {
	e.loads++
	sensed := e.fuses
	for f, w := range e.weak {
		if w.marginal && w.struck && e.loads%2 == 0 {
			sensed[f.Block][f.Bit/32] |= 1 << (f.Bit % 32)
		}
	}
	return sensed
}

// readReg reads the register at an offset from efuseBase.
func (e *efuseController) readReg(off uint32) uint32 {
	if b, w, ok := efuseWord(efuseReadAt, off); ok {
		return e.shown[b][w]
	}
	if b, w, ok := efuseWord(efuseWriteAt, off); ok {
		return e.wdata[b][w]
	}
	switch off {
	case efuseCLK:
		return e.clk
	case efuseCONF:
		return e.conf
	case efuseCMD:
		v := e.running // a command shows as running in the first poll after it
		e.running = 0
		return v
	case efuseIntRaw:
		return e.intRaw
	case efuseIntSt:
		return e.intRaw & e.intEna
	case efuseIntEna:
		return e.intEna
	case efuseDACConf:
		return e.dac
	case efuseDecStatus:
		return e.decStatus
	case efuseDate:
		return efuseDateValue
	}
	return 0
}

// writeReg writes the register at an offset from efuseBase. It reports that the
// power went in the middle of a program pulse.
func (e *efuseController) writeReg(off, v uint32) (cut bool) {
	if b, w, ok := efuseWord(efuseWriteAt, off); ok {
		e.wdata[b][w] = v
		return false
	}
	switch off {
	case efuseCLK:
		e.clk = v
	case efuseCONF:
		e.conf = v & 0xFFFF
	case efuseCMD:
		return e.command(v)
	case efuseIntEna:
		e.intEna = v
	case efuseIntClr:
		e.intRaw &^= v
	case efuseDACConf:
		e.dac = v
	}
	return false
}

// command starts what CMD and CONF together ask for; anything else is ignored.
func (e *efuseController) command(v uint32) (cut bool) {
	switch {
	case v == efuseCmdPgm && e.conf == efuseOpProgram:
		e.running = efuseCmdPgm
		e.intRaw |= efuseCmdPgm
		if !e.timingSane() {
			return false // the pulse is too short or too weak: no bit takes (assumed, not recorded)
		}
		return e.program()
	case v == efuseCmdRead && e.conf == efuseOpRead:
		e.running = efuseCmdRead
		e.intRaw |= efuseCmdRead
		e.reload()
	}
	return false
}

// program burns whatever is non-zero in any WDATA register of any block and not
// write-protected as of the last reload. Bits already set see another pulse.
func (e *efuseController) program() (cut bool) {
	var changing []fuseBit
	pulsed := burnable(e.wdata, e.wrDis)
	fresh := pulsed.without(e.fuses)
	fresh.each(func(block, word int, v *uint32) {
		for bit := range 32 {
			if *v>>bit&1 != 0 {
				changing = append(changing, fuseBit{block, 32*word + bit})
			}
		}
	})
	if len(changing) == 0 {
		return false
	}
	taken, cut := e.burning(changing)
	for _, f := range taken {
		if w := e.weak[f]; w != nil && w.pulses > 1 {
			w.pulses--
			w.struck = true
			continue
		}
		e.fuses[f.Block][f.Bit/32] |= 1 << (f.Bit % 32)
	}
	e.changed(e.fuses)
	return cut
}

// timingSane says whether the program pulse is formed for the APB clock, within
// the slack between what Espressif's tools use at 26, 40 and 80 MHz.
func (e *efuseController) timingSane() bool {
	want := map[int][3]uint32{26: {250, 255, 52}, 40: {160, 255, 80}, 80: {80, 128, 100}}[e.apbMHz]
	have := [3]uint32{e.clk & 0xFF, e.clk >> 8 & 0xFF, e.dac & 0xFF}
	for i, w := range want {
		if have[i] < w*4/5 || have[i] > w*5/4 {
			return false
		}
	}
	return true
}

// efuseWord finds the block and word that the register at off holds, given where
// each block's registers start.
func efuseWord(starts [4]uint32, off uint32) (block, word int, ok bool) {
	for b, start := range starts {
		if n := uint32(blockWords(b)); off >= start && off < start+4*n {
			return b, int(off-start) / 4, true
		}
	}
	return 0, 0, false
}
