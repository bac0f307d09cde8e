package judge

import (
	"context"
	"math/bits"
	"slices"

	"provision/internal/simulator"
)

// verdict judges what was said at the end of a run: the records say the same, and
// it is true.
func (c *check) verdict(ctx context.Context, said Contact) error {
	c.sameOnRecord(said)
	switch said.Verdict {
	case "PASS", "DONE":
		if c.unit == nil || !c.unit.complete {
			c.fail("I6", "%s was shown, and the unit is not complete on record", said.Verdict)
		}
		if c.u.Unfit != "" || c.u.Stranger || secured(c.u.Origin) {
			c.fail("I6", "%s was shown for a part that can never have it", said.Verdict)
		}
	case "PARK", "FAIL", "ERROR":
		return c.reason(ctx, said)
	default:
		c.fail("I6", "the verdict is %q", said.Verdict)
	}
	return nil
}

// sameOnRecord holds what was shown against the row of the run. A run that never
// learnt the MAC is not among the rows, and one without records cannot say ERROR there.
func (c *check) sameOnRecord(said Contact) {
	i := slices.IndexFunc(c.runs, func(r runRow) bool { return r.run == said.Run })
	switch {
	case i < 0 && (said.Verdict == "PASS" || said.Verdict == "DONE"):
		c.fail("I6", "%s was shown, and the run is not on record", said.Verdict)
	case i >= 0 && c.runs[i].verdict != said.Verdict && !(said.NoRecords && said.Verdict == "ERROR"):
		c.fail("I6", "%s was shown, and %q is on record", said.Verdict, c.runs[i].verdict)
	}
}

// truths says for each code of a FAIL or PARK whether it is true. Codes that are not
// here must not come at all.
var truths = map[string]func(*check, Contact) bool{
	"E108": func(c *check, _ Contact) bool { return c.fuses[0][0]&uartDis != 0 },
	"E202": (*check).unfit,
	"E203": (*check).unfit,
	"E204": (*check).unfit,
	"E208": (*check).unfit,
	"E205": func(c *check, _ Contact) bool { return c.unit == nil && secured(c.u.Origin) },
	"E209": func(c *check, said Contact) bool {
		return c.unit != nil && c.unit.complete && said.Order != nil && said.Order.Final != c.u.Order.Final
	},
	"E301": func(c *check, _ Contact) bool { return c.u.Weak },
	"E302": func(c *check, _ Contact) bool { return c.u.Weak },
	"E303": func(c *check, _ Contact) bool { return c.contradictory() },
	"E304": func(c *check, _ Contact) bool { return c.uncertain() },
	"E401": (*check).badFlash,
	"E402": (*check).badFlash,
	"E403": (*check).badFlash,
	"E502": func(c *check, said Contact) bool { return c.unit != nil && c.unit.serial != said.Serial },
	"E701": func(c *check, _ Contact) bool { return c.refuses() },
	"E704": func(c *check, _ Contact) bool {
		return c.u.Order.ByUnit && !encrypts(c.fuses[0]) && (c.u.Worn || c.u.Weak || c.u.Noisy || c.u.Hangs)
	},
	"E702": func(c *check, _ Contact) bool { return c.u.Noisy || c.u.Hangs || c.refuses() },
	// ERROR: the station, the line, the scan. What the line does is not judged; the
	// station has no reason to be bad.
	"E501": nil,
	"E109": func(_ *check, said Contact) bool { return said.Swapped },
	"E813": func(c *check, said Contact) bool { return c.unit != nil && said.Order != nil },
	"E902": func(_ *check, said Contact) bool { return said.Interrupted },
	"E601": func(_ *check, said Contact) bool { return said.NoRecords },
	"E101": theLine, "E102": theLine, "E103": theLine, "E107": theLine,
}

func theLine(*check, Contact) bool { return true }

// reason judges the code of a run that did not pass. One that only repeats why the
// unit was parked before is as true as that was.
func (c *check) reason(ctx context.Context, said Contact) error {
	if c.parked != nil && c.parked.run != said.Run && c.parked.code == said.Code {
		return nil
	}
	if said.Code == "E501" {
		taken, err := c.source.serialTaken(ctx, said.Serial, c.mac)
		if err == nil && !taken {
			c.fail("I6", "%s E501, and no other unit has the serial number %s", said.Verdict, said.Serial)
		}
		return err
	}
	truth, known := truths[said.Code]
	if !known || !truth(c, said) {
		c.fail("I4", "%s %s is not true of this unit", said.Verdict, said.Code)
	}
	return nil
}

// unfit: the part has to be refused with exactly this code.
func (c *check) unfit(said Contact) bool { return c.u.Unfit == said.Code }

// badFlash: a worn cell, or a line on which an answer is misheard; the code's page
// asks for one more try then.
func (c *check) badFlash(Contact) bool { return c.u.Worn || c.u.Noisy }

// contradictory: the fuses do not fit the records. A clone lacks fuses that the unit
// on record has; an app froze the counter and with it the fuse that closes download
// mode; the counter was frozen while even; a block holds what is not its key.
func (c *check) contradictory() bool {
	w := c.fuses[0]
	final := c.u.Order.Final
	switch {
	case c.unit == nil:
		return false
	case c.unit.final != nil && missing(*c.unit.final, c.fuses):
		return true
	case frozenOdd(w) && final[0]&uartDis != 0 && w[0]&uartDis == 0:
		return true
	case w[0]&wrDisCryptCnt != 0 && bits.OnesCount32(w[0]&cryptCnt)%2 == 0 && final[0]&cryptCnt != 0:
		return true
	}
	for block := 1; block <= 2 && !c.unit.complete; block++ {
		key, why := c.openWorking(block)
		if c.fuses[block] != (words{}) && (why != "" || without(c.fuses[block], key) != (words{})) {
			return true
		}
	}
	return false
}

// missing reports whether fuses that were on record are not burnt.
func missing(final [4]words, have simulator.Fuses) bool {
	for block := range final {
		if without(final[block], have[block]) != (words{}) {
			return true
		}
	}
	return false
}

// uncertain: a key is hidden that nobody is known to have compared.
func (c *check) uncertain() bool {
	for block := 1; block <= 2; block++ {
		k := c.key(block)
		if c.fuses[0][0]&hides[block] != 0 && (k == nil || k.compared == 0) {
			return true
		}
	}
	return false
}

// refuses reports whether the unit, started on its own, does not run its app.
func (c *check) refuses() bool {
	twin := c.twin()
	defer twin.Close() // in memory, which cannot fail
	return twin.Boot().Cause != simulator.CauseAppStarted
}
