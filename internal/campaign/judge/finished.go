package judge

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"slices"

	"provision/internal/keys"
	"provision/internal/simulator"
)

// finished is a unit as it was when it was first seen to be complete.
type finished struct {
	fuses simulator.Fuses
	flash uint64
}

var seed = maphash.MakeSeed()

// complete judges a unit that is complete on record: against everything PASS
// promises the first time (I6), and afterwards that it was not written again (I5).
func (c *check) complete() {
	now := finished{c.fuses, c.digest()}
	if then := c.u.finished; then != nil {
		if now.fuses != then.fuses {
			c.fail("I5", "fuses of a finished unit were burnt")
		}
		if now.flash != then.flash {
			c.fail("I5", "the flash of a finished unit was written")
		}
		return
	}
	c.u.finished = &now
	c.finalFuses()
	c.flashOnRecord()
	c.starts("I6")
	c.custody()
	passes := 0
	for _, r := range c.runs {
		if r.verdict == "PASS" {
			passes++
		}
	}
	if passes != 1 {
		c.fail("I6", "the unit is complete, and %d runs are on record as PASS", passes)
	}
}

// digest is over all flash but the region that is the firmware's own.
func (c *check) digest() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	from, to := c.u.Order.Volatile, c.u.Order.Volatile
	for _, g := range c.regions {
		if g.offset == from {
			to += g.length
		}
	}
	for _, s := range c.u.Chip.Sectors() { // regions begin and end with sectors
		if at := int64(s.Offset); at < from || at >= to {
			maphash.WriteComparable(&h, at)
			h.Write(s.Data) // never fails
		}
	}
	return h.Sum64()
}

// finalFuses compares the true fuses with the order and with those on record, and
// both key blocks with the keys on record.
func (c *check) finalFuses() {
	want := join(c.u.Origin[0], c.u.Order.Final)
	if frozenOdd(c.fuses[0]) && encrypts(want) && want[0]&cryptCnt == cryptCnt {
		want[0] = want[0]&^cryptCnt | c.fuses[0][0]&cryptCnt | wrDisCryptCnt
	}
	if c.fuses[0] != want {
		c.fail("I6", "PASS, and BLOCK0 is %08x instead of %08x", c.fuses[0], want)
	}
	for block := 1; block <= 2; block++ {
		if !c.u.Order.wants(block) {
			continue
		}
		if !c.locked(block) {
			c.fail("I6", "PASS, and BLOCK%d is not locked", block)
		}
		if !c.wholeKey(block) {
			c.fail("I6", "PASS, and BLOCK%d does not hold the key on record", block)
		}
	}
	if c.unit.final == nil || *c.unit.final != [4]words(readable(c.fuses)) {
		c.fail("I6", "PASS, and the fuses on record are not those of the chip")
	}
	for _, b := range c.burns {
		if !b.observed {
			c.fail("I6", "PASS, and nobody looked at what %q did", b.step)
		}
	}
}

// flashOnRecord compares the flash with its digests on record.
func (c *check) flashOnRecord() {
	for _, offset := range c.u.Order.Regions {
		i := slices.IndexFunc(c.regions, func(g regionRow) bool { return g.offset == offset })
		switch {
		case i < 0:
			c.fail("I6", "PASS, and nothing is on record of the flash at %#x", offset)
		case offset != c.u.Order.Volatile:
			c.region(c.regions[i])
		}
	}
}

func (c *check) region(g regionRow) {
	data, err := c.u.Chip.Flash(int(g.offset), int(g.length))
	if err != nil {
		c.fail("I6", "PASS, and the flash on record at %#x is not in the chip: %v", g.offset, err)
		return
	}
	m, s := md5.Sum(data), sha256.Sum256(data)
	if hex.EncodeToString(m[:]) != g.md5 || hex.EncodeToString(s[:]) != g.sha256 {
		c.fail("I6", "PASS, and the flash at %#x is not what is on record", g.offset)
	}
}

// starts powers a copy of the unit on its own: the ordered app runs, and nothing is
// burnt any more.
func (c *check) starts(invariant string) {
	twin := c.twin()
	defer twin.Close() // in memory, which cannot fail
	v := twin.Boot()
	if v.Cause != simulator.CauseAppStarted || v.App.Project != c.u.Order.Project {
		c.fail(invariant, "the unit does not start: %s", v.Cause)
	}
	if twin.Fuses() != c.fuses {
		c.fail(invariant, "the finished unit burns fuses by itself")
	}
}

// twin is another chip with the same fuses and flash, which nothing disturbs.
func (c *check) twin() *simulator.Chip {
	twin := simulator.New(c.u.Config)
	err := twin.SetFlashFrom(c.u.Chip)
	if err == nil {
		err = twin.Preburn(c.fuses)
	}
	if err != nil {
		panic("judge: no copy of the chip: " + err.Error())
	}
	return twin
}

// custody: the station's copy of the keys is gone, and the owner has one only where
// that was ordered, with the keys that are in the chip.
func (c *check) custody() {
	if c.sealed == nil || c.sealed.working != nil {
		c.fail("I6", "PASS, and the station's copy of the keys was not destroyed")
		return
	}
	if !c.u.Order.Escrow {
		if c.sealed.escrow != nil {
			c.fail("I6", "PASS, and keys that were to be discarded are kept")
		}
		return
	}
	opened, err := keys.OpenUnit(c.owner, c.sealed.escrow, c.unit.id, c.mac)
	if err != nil {
		c.fail("I6", "PASS, and the owner cannot open the kept keys: %v", err)
		return
	}
	defer opened.Wipe()
	for block := 1; block <= 2; block++ {
		key, ok := opened.Key(purposes[block])
		if ok != c.u.Order.wants(block) || ok && wordsOf(key.Reveal()) != c.fuses[block] {
			c.fail("I6", "PASS, and the kept key of BLOCK%d is not the one in the chip", block)
		}
	}
}
