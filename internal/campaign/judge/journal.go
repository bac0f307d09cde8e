package judge

import "slices"

// journal judges the order in which things were written down, which with intents()
// is the order in which they were done: no bit is in the chip without its intent,
// and no intent was written before what it depends on.
func (c *check) journal() {
	for i, b := range c.burns {
		if b.block == 1 || b.block == 2 {
			c.intentOfKey(b)
		} else {
			c.intentOfBlock0(b)
		}
		if i > 0 && !c.burns[i-1].observed {
			c.fail("I2", "%q was begun before it was known what %q did", b.step, c.burns[i-1].step)
		}
	}
}

// intentOfKey: the key was sealed before (I2), the flash was written and proved
// before (I1), and the block is one of the order's.
func (c *check) intentOfKey(b burnRow) {
	k := c.key(b.block)
	switch {
	case c.sealed == nil || k == nil || k.fingerprint != b.fingerprint:
		c.fail("I2", "%q names a key that was not sealed for this unit", b.step)
	case c.sealed.place >= b.place:
		c.fail("I2", "%q was begun before the key was sealed", b.step)
	}
	for _, offset := range c.u.Order.Regions {
		if offset != c.u.Order.HeldBack && !c.provedBefore(offset, b.place) {
			c.fail("I1", "%q was begun before the flash at %#x was proved", b.step, offset)
		}
	}
}

func (c *check) provedBefore(offset, place int64) bool {
	return slices.ContainsFunc(c.regions, func(g regionRow) bool { return g.offset == offset && g.place < place })
}

// unitEncrypts is the step in which the unit burns by itself.
const unitEncrypts = "let the unit encrypt itself"

// heldBackFrom reports whether an intent may come before the proof of a region that is
// held back: a plain bootloader gets its header when all is burnt that it would make up
// or burn by itself else, and when it is on record what it will burn.
func (c *check) heldBackFrom(b burnRow, offset int64) bool {
	return offset == c.u.Order.HeldBack && (b.bits[0]&cryptCnt == 0 || b.step == unitEncrypts)
}

// intentOfBlock0: a block is hidden only after it was compared, and frozen after it
// was hidden; features come after the locks of all keys and the proof of all flash;
// the door last of all (I3).
func (c *check) intentOfBlock0(b burnRow) {
	for block := 1; block <= 2; block++ {
		k := c.key(block)
		if b.bits[0]&(hides[block]|freezes[block]) != 0 && (k == nil || k.compared == 0 || k.compared >= b.place) {
			c.fail("I3", "%q was begun before BLOCK%d was on record as compared", b.step, block)
		}
		if b.bits[0]&freezes[block] != 0 && b.before[0]&hides[block] == 0 {
			c.fail("I3", "%q was begun before BLOCK%d was hidden", b.step, block)
		}
		locks := hides[block] | freezes[block]
		if enables(b.bits) && c.u.Order.wants(block) && b.before[0]&locks != locks {
			c.fail("I3", "%q was begun before BLOCK%d was locked", b.step, block)
		}
	}
	if enables(b.bits) {
		for _, offset := range c.u.Order.Regions {
			if !c.provedBefore(offset, b.place) && !c.heldBackFrom(b, offset) {
				c.fail("I3", "%q was begun before the flash at %#x was proved", b.step, offset)
			}
		}
	}
	if c.u.Order.HeldBack != 0 && b.step != unitEncrypts && isLate(b.bits) && !c.provedBefore(c.u.Order.HeldBack, b.place) {
		c.fail("I3", "%q was begun before the flash at %#x was proved", b.step, c.u.Order.HeldBack)
	}
	if c.u.Order.ByUnit && b.bits[0]&cryptCnt != 0 && !encrypts(b.before) && b.step != unitEncrypts {
		c.fail("I3", "%q means to burn FLASH_CRYPT_CNT, and the flash is plain", b.step)
	}
	if b.bits[0]&uartDis != 0 {
		c.doorLast(b.before, "was begun")
	}
	if c.u.Order.ByUnit && b.bits[6]&(dlDisable|jtagDis) != 0 && !encrypts(b.before) && b.step != unitEncrypts {
		c.fail("I3", "%q means to shut doors before the unit has encrypted itself", b.step)
	}
	if odd := without(b.bits, c.u.Order.Final); odd != (words{}) {
		c.fail("I2", "%q means to burn what was not ordered: %08x", b.step, odd)
	}
}

// isLate reports whether bits are among those that are burnt into a unit that is whole:
// the locks, what freezes other fuses, and the door.
func isLate(bits words) bool {
	const freezes = 0xFFFF &^ (wrDisBlock1 | wrDisBlock2 | wrDisCryptCnt)
	return bits[0]&(freezes|uartDis) != 0 || bits[6]&(dlDisable|jtagDis|consoleDis) != 0
}
