package efuse

import (
	"fmt"
	"math/bits"
)

// FieldState is one field as a chip has it.
type FieldState struct {
	Field
	Raw      string // the value in hex; "" when hidden, or a key
	Text     string // what the value means, in plain words
	Readable bool   // software can read it
	Writable bool   // bits of it can still be burnt
}

// Summary says what every field holds, in table order. It never shows what is in a
// key block.
func Summary(w Words) []FieldState {
	states := make([]FieldState, len(esp32))
	for i, f := range esp32 {
		states[i] = FieldState{
			Field:    f,
			Raw:      f.raw(w),
			Text:     f.text(w),
			Readable: !f.Hidden(w),
			Writable: !f.Frozen(w),
		}
	}
	return states
}

// raw is the field's value in hex, where it may be shown.
func (f Field) raw(w Words) string {
	switch {
	case f.Hidden(w) || f.Block == 1 || f.Block == 2:
		return ""
	case f.Len > 64:
		return fmt.Sprintf("%08x", w[f.Block])
	}
	return fmt.Sprintf("%#x", f.Value(w))
}

// text says in plain words what the field's value means.
func (f Field) text(w Words) string {
	if f.Hidden(w) {
		return "hidden, not blank: software cannot read it"
	}
	if f.Len > 64 {
		return f.blockText(w)
	}
	v := f.Value(w)
	switch f.Name {
	case "WR_DIS":
		return choose(v == 0, "nothing is write-protected", fmt.Sprintf("write-protected groups: bits %v", setBits(v)))
	case "RD_DIS":
		return choose(v == 0, "nothing is hidden", fmt.Sprintf("hidden: bits %v", setBits(v)))
	case "FLASH_CRYPT_CNT":
		return cryptCountText(w)
	case "FLASH_CRYPT_CONFIG":
		return choose(v == CryptConfig, "the whole key is tweaked with the address", "not all of the key is tweaked with the address")
	case "MAC":
		return macText(w)
	case "CODING_SCHEME":
		return Scheme(v).String()
	case "SECURE_VERSION":
		return fmt.Sprintf("version %d", bits.OnesCount64(v))
	case "ADC_VREF":
		return fmt.Sprintf("%d mV", adcVref(v))
	}
	if f.Len == 1 {
		return choose(v == 1, f.Meaning, "not burnt (burnt would mean: "+f.Meaning+")")
	}
	return f.Meaning
}

// blockText is text for a whole block.
func (f Field) blockText(w Words) string {
	switch {
	case w[f.Block] == [8]uint32{}:
		return "blank"
	case f.Block == 3:
		return "in use"
	}
	return "in use, and anybody can read it"
}

// cryptCountText tells whether flash encryption is on, and whether that can change.
func cryptCountText(w Words) string {
	f := mustLookup("FLASH_CRYPT_CNT")
	left := f.Len - bits.OnesCount64(f.Value(w))
	final := f.Frozen(w) || left == 0
	switch on := encrypts(w); {
	case on && final:
		return "flash encryption is on for ever"
	case on:
		return fmt.Sprintf("flash encryption is on, with %d of 3 chances left to switch it off", left/2)
	case final:
		return "flash encryption is off for ever"
	case left < f.Len:
		return "flash encryption was on and is switched off"
	}
	return "flash encryption is off"
}

// macText is the factory MAC, or what is wrong with it.
func macText(w Words) string {
	mac, err := w.MAC()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
}

// adcVref returns the reference in mV: sign and magnitude, in steps of 7 mV from
// 1100 mV (ESP-IDF, esp_adc_cal).
func adcVref(v uint64) int {
	step := 7 * int(v&0xF)
	if v&0x10 != 0 {
		return 1100 - step
	}
	return 1100 + step
}

// setBits lists the positions of the bits that are set.
func setBits(v uint64) (positions []int) {
	for ; v != 0; v &= v - 1 {
		positions = append(positions, bits.TrailingZeros64(v))
	}
	return positions
}

// choose picks one of two texts.
func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
