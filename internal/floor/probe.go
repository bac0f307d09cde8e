package floor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
)

// settleTime is how long a unit must sit still before it is worked on: contacts
// bounce, and a hand may still be on it.
const settleTime = 300 * time.Millisecond

// missesToGo is how many looks in a row have to find nothing before a unit that was
// worked on counts as gone: contacts that open for a moment do not take a verdict
// away.
const missesToGo = 2

// seen is the unit that a slot held when it was looked at last.
type seen struct {
	mac  string // "": none
	done bool   // it was worked on, and is left alone while it stays
}

// await waits, for as long as it takes, until a unit that is not done sits in the
// slot and has answered twice with the same MAC. That the last unit is out is told
// when it is seen; after that any unit will do.
func (f *Floor) await(ctx context.Context, s Slot, last seen) (mac string, err error) {
	trouble := fault.NoAnswer // an empty slot is no news
	misses := 0
	for {
		if err := f.rest(ctx, s); err != nil {
			return "", err
		}
		mac, err := f.probe(ctx, s)
		if err == nil {
			misses = 0
		}
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil && last.mac != "" && stillThere(err):
		case err != nil:
			if misses++; last.mac != "" && misses < missesToGo {
				break
			}
			if last.mac != "" {
				f.tell(Event{Kind: SlotEmpty, Slot: s.Number, MAC: last.mac})
			}
			last = seen{}
			trouble = f.say(s, trouble, err)
		case mac != last.mac || !last.done:
			if err := f.cfg.Sleep(ctx, settleTime); err != nil {
				return "", err
			}
			if again, err := f.probe(ctx, s); err == nil && again == mac {
				return mac, nil
			}
		}
		if err := f.cfg.Sleep(ctx, f.cfg.Poll); err != nil {
			return "", err
		}
	}
}

// rest waits while the slot is not to be watched.
func (f *Floor) rest(ctx context.Context, s Slot) error {
	for {
		wait := f.cfg.Orders.Rest(s.Number)
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stillThere reports whether err comes from a unit that sits in the slot and whose
// download mode was closed for ever: it can tell nothing more, and is not gone.
func stillThere(err error) bool {
	return fault.CodeOf(flow.AsFault(err, fault.NoAnswer)) == fault.DownloadDisabled
}

// say tells why nothing can be seen in a slot, each time that changes, and that the
// slot simply waits when that is over. It returns the code that was said last.
func (f *Floor) say(s Slot, last fault.Code, err error) fault.Code {
	code := fault.CodeOf(flow.AsFault(err, fault.NoAnswer))
	switch {
	case code == last:
	case code == fault.NoAnswer:
		f.tell(Event{Kind: SlotWaits, Slot: s.Number})
	default:
		page, _ := fault.Lookup(code)
		f.tell(Event{Kind: SlotFault, Slot: s.Number, Code: code, Text: page.Says, Do: page.Do})
	}
	return code
}

// errNoUnit is a slot in which nothing could be identified.
var errNoUnit = errors.New("no unit")

// probe asks what sits in the slot. It writes nothing.
func (f *Floor) probe(ctx context.Context, s Slot) (mac string, err error) {
	port, err := s.Open(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoUnit, err)
	}
	defer port.Close()
	dev, err := esptool.Connect(ctx, port, esptool.Config{Reset: s.Reset, Attempts: 2})
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoUnit, err)
	}
	chip, err := dev.Identify(ctx)
	if err != nil {
		return "", errors.Join(errNoUnit, err)
	}
	if !chip.MACCRCOK {
		return "", fault.New(fault.BadMAC, "identify", errNoUnit)
	}
	return net.HardwareAddr(chip.MAC[:]).String(), nil
}
