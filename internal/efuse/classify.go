package efuse

import (
	"errors"
	"fmt"
	"strings"
)

// Class is what a chip's fuses make of it for us.
type Class int

// The classes. Every chip is in exactly one.
const (
	Virgin          Class = iota + 1 // nothing that we burn is burnt
	OursPartial                      // ours, and there are burns left
	OursComplete                     // ours, and nothing is left
	ForeignSecured                   // not in our records, and somebody burnt fuses
	Contradictory                    // ours by the records, but the fuses say otherwise or leave no way on
	UnsupportedChip                  // never one for us
)

// String returns a stable word for the class.
func (c Class) String() string {
	switch c {
	case Virgin:
		return "virgin"
	case OursPartial:
		return "ours-partial"
	case OursComplete:
		return "ours-complete"
	case ForeignSecured:
		return "foreign-secured"
	case Contradictory:
		return "contradictory"
	case UnsupportedChip:
		return "unsupported"
	}
	return fmt.Sprintf("class %d", int(c))
}

// Expectation is what is known about a chip besides its fuses.
type Expectation struct {
	Known  bool   // our records hold burns, or the intent to burn, for this chip's MAC
	Goal   Goal   // of the policy; the zero Goal when only the state is asked for
	Proven Proven // from the records
}

// Verdict is a class and why.
type Verdict struct {
	Class     Class
	Reason    string // a sentence for people
	Cause     error  // what a contradictory or unsupported chip would be refused with
	Remaining []Burn // of a virgin or partial chip: as Preview gives them
}

// factoryMask is what may be set on a chip as the chip maker sells it, among the
// fuses that secure it: WR_DIS bits 3 to 6 differ from chip to chip, 9 and 11
// freeze nothing that we burn, and ROM BASIC is off on many chips (so it is in
// espefuse's own sample of a fresh one).
var factoryMask = [8]uint32{0: 0x7<<3 | 1<<6 | 1<<9 | 1<<11, 6: 1 << 2}

// securing is every fuse of BLOCK0 that secures a chip: those that we burn and those
// of the same kind that we do not.
var securing = join(burnable, [8]uint32{0: 0xFFFF | 0xF<<16, 6: 1 << 5})

// Classify says what a chip is. It is total: any words and any expectation have a
// class and a reason. have is as Read gives it; a chip whose MAC is invalid (see
// Words.MAC) is the caller's to refuse first, as is one that reads unstably.
//
// Known decides what to make of burnt fuses: fuses alone never make a chip ours.
// Firmware may be ahead of us (it burns locks and protection by itself when it
// boots); that is accepted as far as the goal can still be reached.
func Classify(have Words, e Expectation) Verdict {
	if v, ok := unsupported(have); ok {
		return v
	}
	marks := securityMarks(have)
	remaining, err := Preview(have, e.Goal, e.Proven)
	switch {
	case len(marks) > 0 && !e.Known:
		return Verdict{Class: ForeignSecured, Reason: "Not in our records, and " + list(marks) + "."}
	case err != nil && !e.Known:
		return Verdict{Class: UnsupportedChip, Reason: "Nothing is burnt, but the plan is not possible: " + err.Error() + ".", Cause: err}
	case err != nil:
		return Verdict{Class: Contradictory, Reason: "Ours by the records, but " + err.Error() + ".", Cause: err}
	case len(marks) == 0:
		return Verdict{Class: Virgin, Reason: "No key, lock or protection is burnt.", Remaining: remaining}
	case len(remaining) == 0:
		return Verdict{Class: OursComplete, Reason: "Ours, and every fuse of the plan is burnt."}
	}
	left := fmt.Sprintf("%d burns left; next is", len(remaining))
	if len(remaining) == 1 {
		left = "one burn left:"
	}
	return Verdict{Class: OursPartial, Reason: fmt.Sprintf("Ours, with %s %s.", left, remaining[0].Name()), Remaining: remaining}
}

// unsupported finds chips that are none for us whoever had them before.
func unsupported(have Words) (Verdict, bool) {
	err := supported(have)
	switch {
	case have[0][7] != 0:
		err = fmt.Errorf("BLOCK0 has an eighth word: %w", ErrShape)
	case err != nil:
	case have.Field("DIS_CACHE") != 0:
		err = fmt.Errorf("DIS_CACHE is set, the chip cannot run: %w", ErrUnsupported)
	}
	if err == nil {
		return Verdict{}, false
	}
	return Verdict{Class: UnsupportedChip, Reason: "Not a chip for this station: " + err.Error() + ".", Cause: err}, true
}

// securityMarks says, in words, what is burnt that a fresh chip does not have.
func securityMarks(have Words) (marks []string) {
	for block := 1; block <= 2; block++ {
		switch {
		case have.Hidden(block):
			marks = append(marks, fmt.Sprintf("BLOCK%d is hidden", block))
		case have[block] != [8]uint32{}:
			marks = append(marks, fmt.Sprintf("BLOCK%d holds bits", block))
		}
	}
	set := without(have[0], factoryMask)
	for i := range set {
		set[i] &= securing[i]
	}
	for _, name := range touched(0, set) {
		f := mustLookup(name)
		value := f.Value(Words{0: set})
		switch {
		case name == "RD_DIS" && value&^3 == 0: // told above
		case f.Len == 1:
			marks = append(marks, name+" is set")
		default:
			marks = append(marks, fmt.Sprintf("%s is %#x", name, f.Value(have)))
		}
	}
	return marks
}

// list joins phrases as a sentence does.
func list(phrases []string) string {
	last := len(phrases) - 1
	if last < 1 {
		return strings.Join(phrases, "")
	}
	return strings.Join(phrases[:last], ", ") + " and " + phrases[last]
}

// Uncertain reports whether a chip is contradictory only because one of its keys was
// hidden before anybody is known to have compared it.
func (v Verdict) Uncertain() bool { return errors.Is(v.Cause, ErrUnproven) }
