package floor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"provision/internal/esptool"
)

// settleTime is how long a unit must sit still before it is worked on: contacts
// bounce, and a hand may still be on it.
const settleTime = 300 * time.Millisecond

// await waits, for as long as it takes, until a unit other than gone sits in the
// slot and has answered twice with the same MAC. gone is the unit that was worked
// on before; once the slot was seen empty, any unit will do.
func (f *Floor) await(ctx context.Context, s Slot, gone string) (mac string, err error) {
	for {
		mac, err := f.probe(ctx, s)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil:
			if gone != "" {
				f.tell(Event{Kind: UnitGone, Slot: s.Number, MAC: gone})
			}
			gone = ""
		case mac != gone:
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

// errNoUnit is a slot in which nothing could be identified. Why does not matter
// here: an empty slot, an unplugged adapter and a busy port all mean waiting.
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
	if err != nil || !chip.MACCRCOK {
		return "", errors.Join(errNoUnit, err)
	}
	return net.HardwareAddr(chip.MAC[:]).String(), nil
}
