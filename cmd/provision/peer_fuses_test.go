package main

import (
	"testing"
	"time"

	"provision/internal/efuse"
	"provision/internal/esptool"
)

// TestRealROMFuses does every burn of a release policy on a blank chip, real or emulated,
// with the registers alone: for emulators whose ROM cannot write flash.
func TestRealROMFuses(t *testing.T) {
	port, err := esptool.Open(t.Context(), peer(t, envROM, "the port of a blank ESP32 in download mode that may be burnt")[0], 115200)
	must(t, err)
	defer port.Close()
	dev, err := esptool.Connect(t.Context(), port, esptool.Config{Reset: esptool.ResetNone})
	must(t, err)
	chip, err := dev.Identify(t.Context())
	must(t, err)
	timing, err := efuse.TimingFor(chip.CrystalMHz)
	must(t, err)
	keys := map[int]efuse.KeyBlock{}
	for block := 1; block <= 2; block++ {
		var words [8]uint32
		for i := range words {
			words[i] = 0x9E3779B9 * uint32(8*block+i)
		}
		keys[block] = efuse.NewKeyBlock(words)
	}
	goal := efuse.Goal{
		Revision:     efuse.Revision{Major: chip.Revision.Major, Minor: chip.Revision.Minor},
		SecureBootV1: true, FlashEncryption: true, CryptCount: efuse.CryptCountRelease, CryptConfig: efuse.CryptConfig,
		Block1: keys[1], Block2: keys[2],
		Locks:  []string{"JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"},
		Freeze: []string{"DIS_CACHE", "FLASH_CRYPT_CONFIG", "ABS_DONE_0"},
	}
	have, err := efuse.Read(t.Context(), dev)
	must(t, err)
	var proven efuse.Proven
	burns := 0
	for ; ; burns++ {
		plan, err := efuse.Plan(have, goal, proven)
		must(t, err)
		if len(plan) == 0 {
			break
		}
		began := time.Now()
		have, err = efuse.Execute(t.Context(), dev, timing, plan[0])
		must(t, err)
		t.Logf("%s: %v", plan[0].Name(), time.Since(began).Round(time.Millisecond))
		if plan[0].Stage() == efuse.StageKey {
			proof, err := efuse.Compare(have, plan[0].Block(), keys[plan[0].Block()])
			must(t, err)
			proven = proven.And(proof)
		}
	}
	if burns != 11 {
		t.Errorf("%d burns, want 11: was the chip blank?", burns)
	}
	again, marginal, err := efuse.Reload(t.Context(), dev, timing, 0, 1, 2)
	must(t, err)
	if again.Bytes() != have.Bytes() || marginal != (efuse.Words{}) {
		t.Error("sensed anew, the fuses are not what was read after the last burn")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
