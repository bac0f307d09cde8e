package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// facts is chip.json: what is neither a fuse nor flash content.
type facts struct {
	FlashID        hexWord `json:"flash_id"`     // first byte of RDID in bits 7:0
	FlashStatus    hexWord `json:"flash_status"` // status registers 1..3 from the low byte up
	CrystalMHz     int     `json:"crystal_mhz"`
	APBCtrlDate    hexWord `json:"apb_ctrl_date"` // bit 31 is part of the revision
	BootStraps     hexWord `json:"boot_straps"`
	DownloadStraps hexWord `json:"download_straps"`
	ClockErrorPPM  int     `json:"clock_error_ppm"`
}

// hexWord is written as "0x12ab".
type hexWord uint32

// MarshalText implements encoding.TextMarshaler.
func (h hexWord) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint32(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler; decimal is understood too.
func (h *hexWord) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	*h = hexWord(n)
	return err
}

// boardFacts are the facts of a complete Config.
func boardFacts(c Config) facts {
	return facts{
		FlashID:        hexWord(c.FlashID),
		FlashStatus:    hexWord(c.FlashStatus),
		CrystalMHz:     c.CrystalMHz,
		APBCtrlDate:    hexWord(c.apbDate()),
		BootStraps:     hexWord(c.BootStraps),
		DownloadStraps: hexWord(c.DownloadStraps),
		ClockErrorPPM:  c.ClockErrorPPM,
	}
}

// guessFacts are the facts of a chip that comes with fuses and flash only: the
// default ones, with the revision the two revision fuses stand for.
func guessFacts(f Fuses, flashSize uint32) facts {
	c := DefaultConfig()
	c.FlashID = defaultFlashID(flashSize)
	c.RevMajor = 0
	if f[0][3]>>15&1 != 0 && f[0][5]>>20&1 != 0 {
		c.RevMajor = 3
	}
	return boardFacts(c)
}

func (f facts) board() board {
	return board{
		crystalMHz:     f.CrystalMHz,
		apbDate:        uint32(f.APBCtrlDate),
		clockErrorPPM:  f.ClockErrorPPM,
		bootStraps:     uint8(f.BootStraps),
		downloadStraps: uint8(f.DownloadStraps),
	}
}

func (f facts) marshal() ([]byte, error) {
	b, err := json.MarshalIndent(f, "", "  ")
	return append(b, '\n'), err
}

// parseFacts is strict: an unknown key is a mistake worth hearing of.
func parseFacts(b []byte) (facts, error) {
	var f facts
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if f.CrystalMHz != 26 && f.CrystalMHz != 40 {
		return f, fmt.Errorf("%w: crystal_mhz %d, know 26 and 40", ErrConfig, f.CrystalMHz)
	}
	return f, nil
}
