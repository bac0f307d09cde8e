package efuse

import (
	"fmt"
	"slices"
	"strings"
)

// Stage is a Burn's place in the order of a plan. A later stage is never burnt
// before an earlier one.
type Stage int

// The stages. The first three come once for BLOCK1, then once for BLOCK2.
const (
	StageKey          Stage = iota + 1 // a key into its block
	StageHide                          // read-protect that block
	StageProtect                       // write-protect that block
	StageCryptConfig                   // FLASH_CRYPT_CONFIG
	StageSecureBoot                    // ABS_DONE_0
	StageEncryption                    // FLASH_CRYPT_CNT
	StageLocks                         // download-mode, JTAG and console locks
	StageFreeze                        // WR_DIS groups whose fields are final
	StageDownloadMode                  // UART_DOWNLOAD_DIS
)

// stageNames are stable: records keep them.
var stageNames = map[Stage]string{
	StageKey: "key", StageHide: "hide", StageProtect: "protect", StageCryptConfig: "crypt-config",
	StageSecureBoot: "secure-boot", StageEncryption: "encryption", StageLocks: "locks",
	StageFreeze: "freeze", StageDownloadMode: "download-mode",
}

// String returns a stable word for the stage.
func (s Stage) String() string {
	if name, ok := stageNames[s]; ok {
		return name
	}
	return fmt.Sprintf("stage %d", int(s))
}

// burnable is every bit of BLOCK0 that a burn may ever hold: no factory field, no
// bit without a known meaning, none of RD_DIS bits 2 and 3, and of WR_DIS neither
// bit 0 (it would freeze RD_DIS) nor bit 1 (WR_DIS itself).
var burnable = [8]uint32{
	0: 1<<2 | 1<<3 | 1<<7 | 1<<8 | 1<<10 | 1<<12 | 1<<13 | 1<<14 | 1<<15 | // WR_DIS
		1<<16 | 1<<17 | // RD_DIS of BLOCK1 and BLOCK2
		0x7F<<20 | 1<<27, // FLASH_CRYPT_CNT, UART_DOWNLOAD_DIS
	5: 0xF << 28,                                      // FLASH_CRYPT_CONFIG
	6: 1<<2 | 1<<3 | 1<<4 | 1<<6 | 1<<7 | 1<<8 | 1<<9, // locks, ABS_DONE_0
}

// Burn is one irreversible act: bits of one block, in one program command. Only
// Plan and Preview make one.
type Burn struct {
	stage    Stage
	block    int       // the block that is programmed
	keyBlock int       // the key block it is about, 0: none
	bits     [8]uint32 // of BLOCK0; not used by StageKey
	key      KeyBlock  // StageKey: what the block is to hold; StageHide: what it must hold
	needs    [8]uint32 // bits of BLOCK0 that are set before this burn
	chip     chipID    // the one it was planned for
	waits    error     // why it cannot be executed as it stands; nil: it can
	byUnit   bool      // the unit's firmware burns it, never the station
	crypted  bool      // only on a chip whose FLASH_CRYPT_CNT is odd
	weak     Words     // bits that are known to be half burnt
}

// Stage returns the burn's place in the order.
func (b Burn) Stage() Stage { return b.stage }

// Block returns the block that is programmed.
func (b Burn) Block() int { return b.block }

// KeyBlock returns the key block that is filled, hidden or frozen; 0 for burns that
// are not about a key block.
func (b Burn) KeyBlock() int { return b.keyBlock }

// Waits returns why the burn, from Preview, cannot be executed before planning
// again: ErrNoKey, ErrUnproven or ErrPlain. It is nil when Execute takes it.
func (b Burn) Waits() error { return b.waits }

// Striking returns the burn for a chip of which some loads of the fuses showed the bits of
// weak and others did not (Reload). Execute gives those of them that are the burn's a
// pulse even if each of its own loads shows them.
func (b Burn) Striking(weak Words) Burn {
	b.weak = weak
	return b
}

// ByUnit reports whether it is the unit's own firmware that burns this, when it has
// encrypted the flash. Execute never does.
func (b Burn) ByUnit() bool { return b.byUnit }

// Name is short and unique within a plan: "BLOCK1 key", "FLASH_CRYPT_CNT".
func (b Burn) Name() string {
	if b.byUnit {
		return "FLASH_CRYPT_CNT by the unit"
	}
	switch b.stage {
	case StageKey, StageHide, StageProtect:
		return fmt.Sprintf("BLOCK%d %s", b.keyBlock, b.stage)
	case StageLocks, StageFreeze:
		return b.stage.String()
	}
	return strings.Join(b.Fields(), " ")
}

// Fields names the fields that get a bit, in table order. For StageHide and
// StageProtect that is RD_DIS or WR_DIS.
func (b Burn) Fields() []string {
	if b.stage == StageKey {
		return []string{fmt.Sprintf("BLOCK%d", b.block)}
	}
	return touched(b.block, b.bits)
}

// Bits returns the bits to be set, word 0 first, and true; for a key, which is no
// business of a log, false.
func (b Burn) Bits() ([8]uint32, bool) { return b.bits, b.stage != StageKey }

// Count is the number of bits of a burn other than a key; 0 for a key.
func (b Burn) Count() int { return count(b.bits) }

// String is the name.
func (b Burn) String() string { return b.Name() }

// Permanent says in one sentence what is true for ever after the burn.
func (b Burn) Permanent() string {
	switch b.stage {
	case StageKey:
		return sentence(mustLookup(b.Fields()[0]).Irrevocably)
	case StageHide:
		return fmt.Sprintf("Software can never read BLOCK%d again.", b.keyBlock)
	case StageProtect:
		return fmt.Sprintf("BLOCK%d can never change again.", b.keyBlock)
	case StageFreeze:
		return fmt.Sprintf("These can never change again: %s.", strings.Join(frozenFields(b.bits), ", "))
	}
	var parts []string
	for _, name := range b.Fields() {
		if says := mustLookup(name).Irrevocably; says != "" {
			parts = append(parts, says)
		}
	}
	return sentence(strings.Join(parts, "; "))
}

// sentence makes one of a phrase.
func sentence(phrase string) string {
	if phrase == "" {
		return ""
	}
	return strings.ToUpper(phrase[:1]) + phrase[1:] + ", for ever."
}

// frozenFields names the fields of BLOCK0 that WR_DIS bits freeze, but for WR_DIS.
func frozenFields(bits [8]uint32) (names []string) {
	for _, f := range esp32 {
		if f.Block == 0 && f.WrDis != none && bits[0]>>f.WrDis&1 == 1 {
			names = append(names, f.Name)
		}
	}
	return slices.Clip(names)
}
