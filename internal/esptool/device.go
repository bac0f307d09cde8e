package esptool

import (
	"context"
	"errors"
	"time"
)

// Causes for which talking to the chip fails.
var (
	ErrNoAnswer         = errors.New("no answer from the chip")
	ErrGarbled          = errors.New("bytes arrive but make no sense")
	ErrNotDownloadMode  = errors.New("chip is not in download mode")
	ErrDownloadDisabled = errors.New("download mode is disabled by fuse (UART_DOWNLOAD_DIS)")
	ErrWrongChip        = errors.New("not a classic ESP32")
	ErrOtherChip        = errors.New("not the chip that the session began with")
	ErrNoReply          = errors.New("the command was not answered")    // it may or may not have been carried out
	ErrLinkLost         = errors.New("the chip stopped answering")      // Reconnect may help
	ErrUnstable         = errors.New("two reads of the same differ")    // the line or the chip
	ErrBaud             = errors.New("link does not work at this baud") // reset and Reconnect
)

// initialBaud is the speed of the ROM's boot log and of the first SYNC.
const initialBaud = 115200

// ResetMode says how the lines put the chip into download mode.
type ResetMode string

const (
	ResetClassic ResetMode = "classic" // reset, then IO0 low while EN rises; the default
	ResetTight   ResetMode = "tight"   // the same, led in through both lines asserted
	ResetNone    ResetMode = "none"    // a person or a jig has done it
)

// Clock is time from outside, so that a run can be replayed.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or earlier with the cause when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// systemClock is the Clock of the operating system.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Config is what Connect needs to know. The zero value works.
type Config struct {
	Reset    ResetMode        // "" means ResetClassic
	Bauds    []int            // speeds to try after SYNC, in order; none: stay at 115200
	Attempts int              // resets to try; 0 means 7; 3 s end it in any case
	Clock    Clock            // nil: the system's
	Trace    func(TraceEvent) // nil: none
	Warn     func(string)     // one sentence for the log; nil: dropped
}

// TraceEvent is one command as it went over the line. It carries no payload:
// registers and data may hold keys.
type TraceEvent struct {
	Command string        // Espressif's name: READ_REG
	Size    int           // bytes of the request body
	Took    time.Duration // from sending to the answer
	Err     error         // nil: answered and accepted
}

// Stats counts what the line cost. It only grows over the life of a Device.
type Stats struct {
	Commands   int // requests sent, repeats included, SYNC not
	Resyncs    int // times the link had to be brought back in step
	Resends    int // requests sent again because an answer was lost or bad
	Reconnects int // resets into download mode after the first
	Garbled    int // frames that were no reply
	BytesIn    int64
	BytesOut   int64
}

// flashState is how the SPI flash was attached: what Reconnect has to repeat.
type flashState struct {
	pins     uint32 // pin word of SPI_ATTACH
	size     uint32 // bytes; 0 until AttachFlash
	attached bool   // SPI_ATTACH has been sent since the last reset
}

// Device is an ESP32 in download mode behind a Port. It is not safe for concurrent
// use. Cancelling the context of a call ends it at once; the next call finds the
// link suspect and brings it back in step first.
type Device struct {
	port  Port
	cfg   Config
	clock Clock
	reset ResetMode // as in cfg, or ResetNone when the port has no lines

	baud      int       // of the host side, and of the chip as far as we know
	inStep    bool      // no answer is outstanding
	busyUntil time.Time // an abandoned command may keep the chip busy until then
	dec       decoder
	in        []byte     // received and not yet decoded
	buf       [4096]byte // backs in
	out       []byte     // the frame being sent, reused
	payload   []byte     // the packet in it, reused
	tail      []byte     // last bytes received, kept while connecting
	listening bool       // keep tail
	printed   []byte     // received by Console and not yet delivered

	mac     *macWords // of the chip the session began with; nil: not read yet
	doubted bool      // a SYNC was needed: another chip may have answered it
	asking  bool      // SameChip is under way

	crystalHz  uint32 // as measured when the loader was reached last
	crystalMHz int    // the one that means; 0: none
	flash      flashState
	stats      Stats
}

// newDevice fills in the defaults of cfg.
func newDevice(port Port, cfg Config) *Device {
	d := &Device{port: port, cfg: cfg, clock: cfg.Clock, reset: cfg.Reset, baud: initialBaud}
	if d.clock == nil {
		d.clock = systemClock{}
	}
	if d.reset == "" {
		d.reset = ResetClassic
	}
	if d.cfg.Attempts <= 0 {
		d.cfg.Attempts = defaultAttempts
	}
	return d
}

// Stats returns the counters so far.
func (d *Device) Stats() Stats { return d.stats }

// Baud returns the speed of the link.
func (d *Device) Baud() int { return d.baud }

// CanReset reports whether the chip can be reset over the lines: whether Run and
// a Reconnect with a reset are possible.
func (d *Device) CanReset() bool { return d.reset != ResetNone }

// Close closes the port. The chip stays in download mode.
func (d *Device) Close() error { return d.port.Close() }

// warn hands one sentence to the log.
func (d *Device) warn(text string) {
	if d.cfg.Warn != nil {
		d.cfg.Warn(text)
	}
}
