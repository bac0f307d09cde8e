package judge

import (
	"provision/internal/keys"
)

// purposes name the key of each block as it was sealed.
var purposes = [3]string{1: keys.FlashEncryption, 2: keys.SecureBootV1}

// wants reports whether the unit is to have a key in a block.
func (o Order) wants(block int) bool {
	return block == 1 && o.Encryption || block == 2 && o.SecureBoot
}

// intents holds every bit that is burnt against the intents on record (I2).
func (c *check) intents() {
	intended := c.byFirmware()
	for _, b := range c.burns {
		if b.block == 0 {
			intended = join(intended, b.bits)
		}
	}
	if odd := without(c.extra[0], intended); odd != (words{}) {
		c.fail("I2", "BLOCK0 has bits that nobody meant to burn: %08x", odd)
	}
	if c.extra[3] != (words{}) {
		c.fail("I2", "BLOCK3 has bits that nobody meant to burn")
	}
	for block := 1; block <= 2; block++ {
		if c.extra[block] != (words{}) && !c.intendedKey(block) {
			c.fail("I2", "BLOCK%d holds bits, and no intent to burn its key is on record", block)
		}
	}
}

func (c *check) intendedKey(block int) bool {
	k := c.key(block)
	for _, b := range c.burns {
		if k != nil && b.block == block && b.fingerprint == k.fingerprint {
			return true
		}
	}
	return false
}

// byFirmware are the bits that firmware may have burnt by itself: an app freezes an
// odd counter once Secure Boot is on (ESP-IDF flash_encrypt.c). What a bootloader burns
// that encrypts the flash has its intent before it is startable, and no other is
// startable before ABS_DONE_0, from which on it burns nothing (secure_boot_v1/secure_boot.c).
func (c *check) byFirmware() (w words) {
	if encrypts(c.fuses[0]) && c.fuses[0][6]&absDone0 != 0 {
		w[0] |= wrDisCryptCnt
	}
	return w
}

// locked reports whether a key block is hidden and frozen.
func (c *check) locked(block int) bool {
	return c.fuses[0][0]&hides[block] != 0 && c.fuses[0][0]&freezes[block] != 0
}

// keyBlocks holds what is in the key blocks against the keys on record: it is theirs
// (I4: never a second key over a first), no other chip has it (I7), and while the
// unit is unfinished the station can open the key (I2, I4).
func (c *check) keyBlocks() {
	for block := 1; block <= 2; block++ {
		if c.extra[block] == (words{}) {
			continue
		}
		if !c.u.Order.wants(block) {
			c.fail("I4", "BLOCK%d holds something, and the order has no use for it", block)
		}
		if c.unit == nil || !c.unit.complete {
			c.sealedKey(block)
		}
		if c.wholeKey(block) {
			if other, ok := c.inChips[c.fuses[block]]; ok && other != c.mac {
				c.fail("I7", "BLOCK%d holds the key of %s", block, other)
			}
			c.inChips[c.fuses[block]] = c.mac
		}
	}
}

// wholeKey reports whether a block holds the key on record, every bit of it.
func (c *check) wholeKey(block int) bool {
	k := c.key(block)
	return k != nil && keys.Fingerprint(purposes[block], keys.NewSecret(keyOf(c.fuses[block]))) == k.fingerprint
}

// sealedKey checks that the station can open a key that has every bit of a block.
func (c *check) sealedKey(block int) {
	key, why := c.openWorking(block)
	switch {
	case why != "":
		c.fail("I4", "BLOCK%d holds bits, and %s", block, why)
	case without(c.fuses[block], key) != (words{}):
		c.fail("I4", "BLOCK%d holds bits that are not of the sealed key", block)
	}
}

// openWorking opens the station's copy of the key of a block, or says why it cannot.
func (c *check) openWorking(block int) (key words, why string) {
	if c.unit == nil || c.sealed == nil || c.sealed.working == nil {
		return key, "the station holds no key for it"
	}
	opened, err := keys.OpenUnit(c.station, c.sealed.working, c.unit.id, c.mac)
	if err != nil {
		return key, "the station's copy of its key does not open: " + err.Error()
	}
	defer opened.Wipe()
	secret, ok := opened.Key(purposes[block])
	if !ok {
		return key, "there is no sealed key for it"
	}
	return wordsOf(secret.Reveal()), ""
}

// protections: a block is hidden or frozen only with its whole key in it and that on
// record (I3), and nothing is enabled before every key is locked.
func (c *check) protections() {
	for block := 1; block <= 2; block++ {
		if c.extra[0][0]&(hides[block]|freezes[block]) == 0 {
			continue
		}
		if k := c.key(block); k == nil || k.compared == 0 {
			c.fail("I3", "BLOCK%d is protected, and its key is not on record as compared", block)
		}
		if !c.wholeKey(block) {
			c.fail("I3", "BLOCK%d is protected, and does not hold the key on record", block)
		}
	}
	for block := 1; block <= 2; block++ {
		if enables(c.extra[0]) && c.u.Order.wants(block) && !c.locked(block) {
			c.fail("I3", "a feature is switched on, and BLOCK%d is not locked", block)
		}
	}
	if c.extra[0][0]&uartDis != 0 {
		c.doorLast(c.fuses[0], "is burnt")
	}
}

// doorLast: UART_DOWNLOAD_DIS comes after everything else of the order.
func (c *check) doorLast(have words, what string) {
	missing := without(c.u.Order.Final, have)
	missing[0] &^= uartDis
	if frozenOdd(have) {
		missing[0] &^= cryptCnt
	}
	if missing != (words{}) {
		c.fail("I3", "UART_DOWNLOAD_DIS %s before %08x", what, missing)
	}
}
