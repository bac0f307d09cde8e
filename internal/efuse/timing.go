package efuse

import (
	"fmt"
	"time"
)

// Timing is how the controller's clocks are set for programming. Only TimingFor
// makes a usable one.
type Timing struct {
	clk   uint32        // CLK [15:0]
	dac   uint32        // DAC_CONF [7:0]
	limit time.Duration // for one command of the controller
}

// commandLimit bounds one program or read command. Silicon needs a few
// milliseconds, emulators 100 ms, espefuse gives up after 250 ms; the rest is for
// slow lines.
const commandLimit = 2 * time.Second

// TimingFor returns the timing for a chip in its ROM loader, where the APB clock is
// the crystal: 26 or 40 MHz, else ErrCrystal (0: it is not known). Values: ESP32
// TRM, "eFuse Programming Timing".
func TimingFor(crystalMHz int) (Timing, error) {
	switch crystalMHz {
	case 0:
		return Timing{}, fmt.Errorf("crystal is not known: %w", ErrCrystal)
	case 26:
		return Timing{clk: 255<<8 | 250, dac: 52, limit: commandLimit}, nil
	case 40:
		return Timing{clk: 255<<8 | 160, dac: 80, limit: commandLimit}, nil
	}
	return Timing{}, fmt.Errorf("crystal of %d MHz: %w", crystalMHz, ErrCrystal)
}

// setting is the part of a register that the timing decides.
type setting struct{ addr, mask, value uint32 }

func (t Timing) registers() [2]setting {
	return [2]setting{{regDacConf, 0xFF, t.dac}, {regClk, 0xFFFF, t.clk}}
}
