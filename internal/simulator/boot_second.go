package simulator

import (
	"fmt"

	"provision/internal/image"
)

// secondStage is the ESP-IDF bootloader: identify, read the partition table, choose
// an app, check it, start it. Source of the order and the words: ESP-IDF 5.1
// bootloader_init.c, bootloader_utility.c.
func (b *boot) secondStage(loaded bootloader) {
	b.loaded, b.features = loaded, featuresOf(loaded.bytes)
	b.features.rollback = b.features.rollback || b.chip.rollback
	if !b.introduce() {
		b.loops()
		return
	}
	table, ok := b.partitionTable()
	if !ok {
		b.fail(tagBoot, "load partition table error!")
		b.loops()
		return
	}
	b.table = table
	b.bootOneOf(table)
}

// introduce prints what the bootloader is and finds.
func (b *boot) introduce() bool {
	f, h := b.features, b.loaded.header
	b.clock = 25
	b.info(tagBoot, "ESP-IDF %s 2nd stage bootloader", f.IDFVersion)
	if f.Compiled != "" {
		b.info(tagBoot, "compile time %s", f.Compiled)
	}
	if f.Unicore {
		b.warn(tagBoot, "Unicore bootloader")
	} else {
		b.info(tagBoot, "Multicore bootloader")
	}
	major, minor := revision(b.chip.efuse.fuses, b.chip.board.apbDate)
	b.info(tagBoot, "chip revision: v%d.%d", major, minor)
	if !b.runsHere(h, false) {
		b.end(CauseWrongChip)
		return false
	}
	b.info(tagBootChip, "SPI Speed      : %s", h.FlashFreq)
	b.info(tagBootChip, "SPI Mode       : %s", h.FlashMode)
	b.info(tagBootChip, "SPI Flash Size : %s", h.FlashSize)
	b.info(tagBoot, "Enabling RNG early entropy source...")
	return true
}

// runsHere checks chip and revision of an image header; the newest revision only for
// apps.
func (b *boot) runsHere(h header, app bool) bool {
	if h.Chip != image.ESP32 {
		b.fail(tagBootCheck, "mismatch chip ID, expected %d, found %d", image.ESP32, uint16(h.Chip))
		return false
	}
	major, minor := revision(b.chip.efuse.fuses, b.chip.board.apbDate)
	rev := uint16(major*100 + minor)
	complain := func(relation string, bound uint16) bool {
		b.fail(tagBootCheck, "Image requires chip rev %s v%d.%d, but chip is v%d.%d", relation, bound/100, bound%100, major, minor)
		return false
	}
	if rev < h.MinRev {
		return complain(">=", h.MinRev)
	}
	if app && h.MaxRev != 0 && h.MaxRev != 0xFFFF && rev > h.MaxRev {
		return complain("<=", h.MaxRev)
	}
	return true
}

// Indices the bootloader uses beside the numbers of OTA slots.
const (
	factoryIndex = -1
	invalidIndex = -99
)

// bootOneOf goes through the apps in the bootloader's order until one starts: from
// the selected slot down to the factory app, then the slots above, then a test app.
func (b *boot) bootOneOf(t bootTable) {
	selected := b.selectApp(t)
	if selected == invalidIndex {
		b.loops()
		return
	}
	var order []int
	for i := selected; i >= factoryIndex; i-- {
		order = append(order, i)
	}
	for i := selected + 1; i < t.slots; i++ {
		order = append(order, i)
	}
	for _, i := range order {
		p, ok := t.app(i)
		if !ok {
			continue
		}
		if b.tryApp(t, p, i) {
			return
		}
		b.fail(tagBoot, "%s is not bootable", indexName(i))
	}
	if t.test != nil && b.tryApp(t, *t.test, invalidIndex) {
		return
	}
	b.end(CauseNoApp)
	b.fail(tagBoot, "No bootable app partitions in the partition table")
	b.loops()
}

func indexName(i int) string {
	if i == factoryIndex {
		return "Factory app partition"
	}
	return fmt.Sprintf("OTA app partition slot %d", i)
}

// tryApp loads one app and starts it. It reports true when the bootloader is done:
// the app runs, or the chip has reset or stopped for good.
func (b *boot) tryApp(t bootTable, p image.Partition, index int) bool {
	if b.features.antiRollback && !b.recentEnough(p) {
		return !b.chip.running()
	}
	img, ok := b.checkImage(int(p.Offset), p.Size, true)
	if !ok {
		return !b.chip.running()
	}
	b.info(tagBoot, "Loaded app from partition at offset %#x", p.Offset)
	if index == invalidIndex {
		b.warn(tagBoot, "Falling back to test app as only bootable partition")
	} else if !b.noteSlot(t, index) {
		return true
	}
	if done, ok := b.enableSecurity(t); !ok {
		return done
	}
	b.info(tagBoot, "Disabling RNG early entropy source...")
	b.startApp(p, img)
	return true
}
