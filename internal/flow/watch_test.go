package flow_test

import (
	"encoding/binary"
	"fmt"

	"provision/internal/esptool"
	"provision/internal/simulator"
)

// What the watcher knows of the ROM's requests and of the eFuse controller's
// registers (Espressif "ESP32 Serial Protocol"; ESP32 TRM, "eFuse Controller"). It
// is told nothing by the code that sends them.
const (
	opFlashBegin = 0x02
	opFlashData  = 0x03
	opWriteReg   = 0x09
	opReadReg    = 0x0A

	regEfuseConf = 0x3FF5A0FC
	regEfuseCmd  = 0x3FF5A104
	confProgram  = 0x5A5A
	cmdProgram   = 2
)

// wdata is the first data register of each block, and how many there are.
var wdata = [4]struct{ at, n uint32 }{{0x3FF5A01C, 7}, {0x3FF5A098, 8}, {0x3FF5A0B8, 8}, {0x3FF5A0D8, 8}}

// watcher stands between the station and the unit and reads what the station sends.
// It speaks before the bytes go on: burning sees the station and the unit as they
// are just before a fuse is burnt.
type watcher struct {
	esptool.Port
	chip     *simulator.Chip
	burning  func(words simulator.Fuses) // a program command with these data registers
	reading  func(addr uint32)           // a register is about to be read; nil: nobody asks
	writing  func()                      // a block of flash is about to be written; nil: nobody asks
	starting func()                      // the unit is about to be started
	acts     []string                    // what was done to the unit, in order

	frame   []byte
	escaped bool
	data    simulator.Fuses
	conf    uint32
	rts     bool
}

// watch puts a watcher between a rig's station and its unit.
func (r *rig) watch() *watcher {
	w := &watcher{chip: r.chip}
	r.port = func(p esptool.Port) esptool.Port {
		w.Port = p
		return w
	}
	return w
}

func (w *watcher) SetBaud(baud int) error { return w.chip.SetBaud(baud) }

func (w *watcher) Write(p []byte) (int, error) {
	for _, b := range p {
		w.feed(b)
	}
	return w.Port.Write(p)
}

// feed takes one byte of SLIP.
func (w *watcher) feed(b byte) {
	const end, esc, escEnd, escEsc = 0xC0, 0xDB, 0xDC, 0xDD
	switch {
	case b == end:
		if len(w.frame) >= 8 {
			w.request(w.frame[1], w.frame[8:])
		}
		w.frame = w.frame[:0]
	case w.escaped:
		w.frame = append(w.frame, map[byte]byte{escEnd: end, escEsc: esc}[b])
	case b != esc:
		w.frame = append(w.frame, b)
	}
	w.escaped = b == esc && !w.escaped
}

func (w *watcher) request(op byte, body []byte) {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(body[4*i:]) }
	switch op {
	case opFlashBegin:
		w.act("flash %#x", word(3))
	case opFlashData:
		if w.writing != nil {
			w.writing()
		}
	case opReadReg:
		if w.reading != nil {
			w.reading(word(0))
		}
	case opWriteReg:
		for i := range len(body) / 16 {
			w.register(word(4*i), word(4*i+1))
		}
	}
}

func (w *watcher) register(addr, value uint32) {
	for block, r := range wdata {
		if addr >= r.at && addr < r.at+4*r.n {
			w.data[block][(addr-r.at)/4] = value
		}
	}
	switch {
	case addr == regEfuseConf:
		w.conf = value
	case addr == regEfuseCmd && value&cmdProgram != 0 && w.conf == confProgram:
		w.act("burn %s", burnt(w.data))
		if w.burning != nil {
			w.burning(w.data)
		}
	}
}

// burnt names what a program command burns: BLOCK0 by word and bits, a key block
// without its key.
func burnt(data simulator.Fuses) (name string) {
	for block, words := range data {
		for i, v := range words {
			switch {
			case v == 0:
			case block == 0:
				name += fmt.Sprintf("[%d] %08x", i, v)
			case name != fmt.Sprintf("BLOCK%d", block):
				name += fmt.Sprintf("BLOCK%d", block)
			}
		}
	}
	return name
}

// SetLines sees the unit being started: a reset with IO0 high.
func (w *watcher) SetLines(dtr, rts bool) error {
	if w.rts && !rts && !dtr {
		w.act("start")
		if w.starting != nil {
			w.starting()
		}
	}
	w.rts = rts
	return w.Port.SetLines(dtr, rts)
}

func (w *watcher) act(format string, args ...any) {
	w.acts = append(w.acts, fmt.Sprintf(format, args...))
}
