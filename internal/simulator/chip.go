package simulator

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrPowerCut is what the port gives after an injected power cut, until PowerCycle
// or a new Open. It matches io.EOF.
var ErrPowerCut = fmt.Errorf("virtual chip has lost its power: %w", io.EOF)

// ErrUnplugged is what the port gives after the cable was pulled, until Replug. It
// matches io.EOF.
var ErrUnplugged = fmt.Errorf("cable of the virtual chip was pulled: %w", io.EOF)

// mode is what the chip's processor is busy with.
type mode int

const (
	modeOff     mode = iota // no power: never used yet, or cut
	modeReset               // EN held low
	modeLoader              // the ROM's serial loader
	modeBasic               // the ROM's BASIC prompt
	modeRunning             // flash boot: bootloader, app, or the ROM's refusal
	modeHung                // until the next reset
)

// Chip is one virtual ESP32 with its board, seen from the host's end of the serial
// cable: Read, Write, Close, SetReadDeadline, SetLines and SetBaud are the port.
// The chip gets its power when the port is first used; with normal straps it then
// boots what its flash holds, with whatever that burns. All methods may be called
// from several goroutines.
type Chip struct {
	mu   sync.Mutex
	wake chan struct{} // closed when a waiting Read should look again; nil: none waits

	board     board
	efuse     efuseController
	nor       norFlash
	spi       spiController
	words     map[uint32]uint32 // RAM and registers that only remember
	loader    *loader
	mode      mode
	basicLine []byte // typed at the BASIC prompt so far
	strap     uint8  // as latched at the last rise of EN

	line   line
	port   portState
	faults *injector
	pace   *pacer
	store  *store // nil: kept in memory only
	booted *boot  // the last one
	plain  decrypted

	rollback bool // its firmware has CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE, though the binary does not show it

	random io.Reader
	broken error // the files cannot be written any more
}

// board is what is soldered: facts that are neither fuses nor flash content.
type board struct {
	crystalMHz     int
	apbDate        uint32
	clockErrorPPM  int
	bootStraps     uint8
	downloadStraps uint8
	slowEN         bool // a capacitor at EN, as most boards have
	download       bool // IO0 tied low
}

// Option changes how a Chip is opened.
type Option func(*Chip)

// WithDownloadMode ties IO0 low: every reset enters the loader, as for a chip that
// is served to clients without reset lines.
func WithDownloadMode() Option { return func(c *Chip) { c.board.download = true } }

// WithFaults hurts the chip on purpose.
func WithFaults(f Faults) Option { return func(c *Chip) { c.faults = newInjector(f) } }

// WithPacing makes the line and the chip as slow as real ones.
func WithPacing(p Pacing) Option { return func(c *Chip) { c.pace = newPacer(p) } }

// WithRandom gives the chip its noise source: keys and vectors that firmware makes
// on the device come from it. Without it they come from crypto/rand.
func WithRandom(r io.Reader) Option { return func(c *Chip) { c.random = r } }

// WithoutENCapacitor leaves out the capacitor at EN. Lines that pass through "both
// asserted" then restart the chip before IO0 is low, the classic race.
func WithoutENCapacitor() Option { return func(c *Chip) { c.board.slowEN = false } }

// New makes a chip that lives in memory. It panics on a Config that Create refuses.
func New(cfg Config, opts ...Option) *Chip {
	cfg, err := cfg.normal()
	if err != nil {
		panic("simulator: " + err.Error())
	}
	var flash norFlash
	flash.blank(cfg.FlashSize)
	return newChip(boardFacts(cfg), cfg.factoryFuses(), flash, nil, opts)
}

func blankFlash(size uint32) []byte { return bytes.Repeat([]byte{0xFF}, int(size)) }

// newChip puts a chip together and applies the options. Its power is still off.
func newChip(facts facts, fuses Fuses, flash norFlash, st *store, opts []Option) *Chip {
	c := &Chip{
		board:  facts.board(),
		words:  map[uint32]uint32{},
		line:   line{chipBaud: bootBaud, hostBaud: bootBaud},
		faults: newInjector(Faults{}),
		store:  st,
		random: rand.Reader,
	}
	c.board.slowEN = true
	c.nor = flash
	c.nor.id, c.nor.status, c.nor.stuck = uint32(facts.FlashID), uint32(facts.FlashStatus), map[uint32]byte{}
	c.efuse = efuseController{fuses: fuses, apbMHz: facts.CrystalMHz}
	for _, o := range opts {
		o(c)
	}
	c.connect()
	return c
}

// connect joins the parts: faults act on flash and fuses, changes go to the files.
func (c *Chip) connect() {
	c.spi.flash = &c.nor
	c.efuse.weak = c.faults.weak()
	c.efuse.burning = c.faults.burning
	c.efuse.changed = func(f Fuses) { c.keep(c.store.saveFuses(f)) }
	c.nor.erasing = c.faults.erasing
	c.nor.programming = c.faults.programming
	c.nor.changed = c.saveFlash
	c.nor.statusChanged = func() { c.keep(c.store.saveStatus(c.nor.status)) }
	for _, at := range c.faults.faults.WornSectors {
		c.nor.wear(at)
	}
	c.efuse.reset()
	c.spi.reset()
	c.loader = newLoader(c)
}

// saveFlash keeps n bytes of flash that have changed.
func (c *Chip) saveFlash(off uint32, n int) {
	if c.store != nil {
		c.keep(c.store.saveFlash(off, c.nor.read(off, n)))
	}
}

// keep remembers the first failure to store a change: from then on the port fails,
// for a chip that forgets would be worse than none.
func (c *Chip) keep(err error) {
	if err != nil && c.broken == nil {
		c.broken = err
	}
}

// alive says whether the chip still has power and its files.
func (c *Chip) alive() bool { return c.mode != modeOff && c.broken == nil }

// cutPower is the injected power cut. What is already on its way to the host
// arrives; nothing follows.
func (c *Chip) cutPower() {
	c.mode = modeOff
	c.port.failed = ErrPowerCut
	c.efuse.reset()
	c.notify()
}

// powerOn gives the chip its power if it has never had any.
func (c *Chip) powerOn() {
	if c.mode != modeOff || c.port.failed != nil {
		return
	}
	c.mode = modeReset
	if c.line.enHigh() {
		c.start(resetPowerOn)
	}
}

// PowerCycle takes the power away and gives it back, with the lines as they are.
// It also ends what an injected power cut began.
func (c *Chip) PowerCycle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode = modeOff
	if errors.Is(c.port.failed, ErrPowerCut) {
		c.port.failed = nil
	}
	c.port.out = nil
	c.line.pending = 0
	c.powerOn()
	c.notify()
}

// Replug puts the cable back that an injected fault pulled.
func (c *Chip) Replug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.port.failed, ErrUnplugged) {
		c.port.failed = nil
	}
	c.notify()
}

// hang stops the processor until the next reset.
func (c *Chip) hang() { c.mode = modeHung }
