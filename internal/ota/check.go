package ota

import (
	"fmt"
	"slices"
	"strings"

	"provision/internal/image"
)

// Check says whether a unit of which d is known would accept the file as an update,
// and if not, every reason that can be seen. It is Read(data).Check(d).
func Check(data []byte, d Device) Report { return Read(data).Check(d) }

// Check says whether a unit of which d is known would accept the image.
//
// Where d does not tell which slot the update would go to and the answer depends on
// it, the answer is Unknown.
func (im *Image) Check(d Device) Report {
	t := findTarget(d)
	first := im.checkSlot(d, t, t.slots[0])
	for _, s := range t.slots[1:] {
		other := im.checkSlot(d, t, s)
		if other.Verdict != first.Verdict {
			return Report{Verdict: Unknown, Missing: append(slices.Clone(first.Missing), "which partition it runs from: its slots differ")}
		}
		first.blur(other)
	}
	return first
}

// blur puts a '?' for each digit of a line that is another one in the other slot.
func (r *Report) blur(other Report) {
	if len(r.Reasons) != len(other.Reasons) {
		return
	}
	for i := range r.Reasons {
		mine, theirs := r.Reasons[i].Lines, other.Reasons[i].Lines
		for j := range min(len(mine), len(theirs)) {
			mine[j] = blurred(mine[j], theirs[j])
		}
	}
}

func blurred(a, b string) string {
	if len(a) != len(b) {
		return a
	}
	out := []byte(a)
	for i := range out {
		if out[i] != b[i] {
			out[i] = '?'
		}
	}
	return string(out)
}

// check is one image, one unit and one slot.
type check struct {
	im   *Image
	d    Device
	slot slot
	view slotView
	Report
}

func (c *check) add(r Reason) { c.Reasons = append(c.Reasons, r) }

func (c *check) miss(fact string) {
	if !slices.Contains(c.Missing, fact) {
		c.Missing = append(c.Missing, fact)
	}
}

func (c *check) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// checkSlot asks everything, in the order in which the unit does.
func (im *Image) checkSlot(d Device, t target, s slot) Report {
	c := &check{im: im, d: d, slot: s}
	c.Reasons = slices.Clone(t.reasons)
	c.Missing = slices.Clone(t.missing)
	c.view = slotView{file: im.data, slot: s, crypt: d.FlashEncryption, cipher: d.FlashKey}
	switch {
	case len(im.data) == 0 || im.data[0] != image.Magic:
		c.notImage()
	case !im.begins:
		c.cutShort()
	default:
		c.image()
	}
	c.size()
	c.Reasons = append(c.Reasons, t.late...)
	c.Reasons = append(c.Reasons, t.selectable(s)...)
	return c.settle()
}

// settle orders the reasons and draws the conclusion.
func (c *check) settle() Report {
	slices.SortStableFunc(c.Reasons, func(a, b Reason) int { return int(a.By) - int(b.By) })
	switch {
	case len(c.Reasons) > 0:
		c.Reasons[0].First = true
		c.Verdict = Refused
		if c.Reasons[0].By == AtBoot {
			c.Verdict = FallsBack
		}
	case len(c.Missing) > 0:
		c.Verdict = Unknown
	default:
		c.Verdict = Accepted
	}
	return c.Report
}

// size holds the file against the slot.
func (c *check) size() {
	if !c.slot.known || len(c.im.data) <= int(c.slot.size) {
		return
	}
	r := Reason{
		Code: TooLarge, By: AtWrite, Error: errSize,
		Says:  fmt.Sprintf("The file has %d bytes, and the unit's slot %s has room for %d.", len(c.im.data), c.slot.label, c.slot.size),
		Lines: []string{failLine(tagHTTPS, "Error: esp_ota_write failed! err=0x104")},
		Do:    "Make the app smaller: the size of the slots of a unit in the field cannot be changed.",
	}
	if length := c.im.Length(); length > 0 {
		length += signatureRoom(length, c.im.Scheme())
		if length <= int(c.slot.size) {
			r.Says = fmt.Sprintf("The file has %d bytes, %d of them behind the image and its signature, and the unit's slot %s has room for %d.",
				len(c.im.data), len(c.im.data)-length, c.slot.label, c.slot.size)
			r.Do = "Publish the image and its signature alone: what a transport or a tool puts behind them must not be written to the slot."
		}
	}
	c.add(r)
}

// image goes through what begins as one.
func (c *check) image() {
	ours := c.header()
	length, ok := c.walk()
	if !ok {
		c.ciphertextByChance()
		return
	}
	c.fits(length)
	c.origin(length)
	if length > len(c.im.data) {
		return
	}
	c.secureVersion()
	if c.isBootloader() {
		c.mistaken()
	} else if ours {
		c.loads()
	}
}

// at is an offset in the image as the unit prints it, an address in flash.
func (c *check) at(off int, format string) string {
	if !c.slot.known {
		return "0x????????"
	}
	return fmt.Sprintf(format, c.offset(off))
}

// offset is an address in flash; where the slot is not known, one that is as good.
func (c *check) offset(off int) uint32 { return c.slot.offset + uint32(off) }

// header checks chip and revision.
func (c *check) header() (ok bool) {
	h := c.im.header
	ours, known := c.d.Chip.Get()
	if !known {
		c.miss("which chip it is")
	} else if h.Chip != ours {
		c.add(Reason{
			Code: WrongChip, By: AtEnd, Error: errValidate,
			Says:  fmt.Sprintf("The image is for %v, and the unit is %v.", h.Chip, ours),
			Lines: []string{failLine(tagCommon, "mismatch chip ID, expected %d, found %d", uint16(ours), uint16(h.Chip))},
			Do:    "Build the app for the chip of the unit (idf.py set-target).",
			Why:   c.overHTTPS(),
		})
		return false
	}
	c.revision(h)
	return true
}

// revision checks both bounds; the newest counts only where it is set.
func (c *check) revision(h header) {
	rev, known := c.d.Revision.Get()
	bounded := h.MaxRev != 0 && h.MaxRev != 0xFFFF
	if !known {
		if h.MinRev > 0 || bounded && h.MaxRev < newestKnown {
			c.miss(fmt.Sprintf("its chip revision: the image runs on v%d.%d and later%s", h.MinRev/100, h.MinRev%100, upTo(h)))
		}
		return
	}
	if h.MinRev == 0 && rev < int(h.MinRevMajor)*100 {
		c.note("The image names revision v%d.0 as the oldest in an old field only; bootloaders before ESP-IDF 5.0 go by that and would not start it.", h.MinRevMajor)
	}
	refuse := func(code Code, word, relation string, bound uint16, do string) {
		c.add(Reason{
			Code: code, By: AtEnd, Error: errValidate, Do: do,
			Says: fmt.Sprintf("The image needs chip revision v%d.%d or %s, and the unit has v%d.%d.", bound/100, bound%100, word, rev/100, rev%100),
			Lines: []string{failLine(tagCommon, "Image requires chip rev %s v%d.%d, but chip is v%d.%d",
				relation, bound/100, bound%100, rev/100, rev%100)},
		})
	}
	if rev < int(h.MinRev) {
		refuse(ChipTooOld, "later", ">=", h.MinRev, "Build with a lower CONFIG_ESP32_REV_MIN, or leave this unit out.")
	}
	if bounded && rev > int(h.MaxRev) {
		refuse(ChipTooNew, "earlier", "<=", h.MaxRev, "Build with an ESP-IDF that knows this revision, or leave this unit out.")
	}
}

// newestKnown is what ESP-IDF writes as the newest revision of this chip: no bound
// that an existing unit could exceed.
const newestKnown = 399

func upTo(h header) string {
	if h.MaxRev == 0 || h.MaxRev >= newestKnown {
		return ""
	}
	return fmt.Sprintf(", up to v%d.%d", h.MaxRev/100, h.MaxRev%100)
}

// ciphertextByChance tells of ciphertext that happens to begin with the magic byte,
// as one in 256 does: it explains whatever else is wrong.
func (c *check) ciphertextByChance() {
	if slices.ContainsFunc(c.Reasons, func(r Reason) bool { return r.Code == Encrypted }) || c.im.parsed != nil {
		return
	}
	c.ciphertext(&Reason{By: AtEnd, Error: errValidate})
}

// fits checks that the image with the signature the unit wants fits the slot.
func (c *check) fits(length int) {
	full := length + signatureRoom(length, slices.Min(c.d.schemes()))
	if !c.slot.known || full <= int(c.slot.size) || len(c.im.data) > int(c.slot.size) {
		return // the file alone may be too large: that is told by size
	}
	c.add(Reason{
		Code: TooLarge, By: AtEnd, Error: errValidate,
		Says:  fmt.Sprintf("With its signature the image takes %d bytes, and the unit's slot %s has room for %d.", full, c.slot.label, c.slot.size),
		Lines: []string{failLine(tagImage, "Image length %d doesn't fit in partition length %d", full, c.slot.size)},
		Do:    "Make the app smaller: the size of the slots of a unit in the field cannot be changed.",
	})
}

// mistaken recognises a bootloader.
func (c *check) mistaken() {
	start, n := c.im.parsed.Segments[0].Address, uint32(len(c.im.parsed.Segments[0].Data))
	c.add(Reason{
		Code: BootloaderImage, By: AtBoot,
		Says: "This is a bootloader, not an app.",
		Lines: []string{
			failLine(tagImage, "Segment 0 0x%08x-0x%08x invalid: %s", start, start+n, "overlaps bootloader data"),
			failLine(tagBoot, "OTA app partition slot %d is not bootable", c.slot.index),
		},
		Do: "Publish the app: in the build folder it has the project's name. Nothing replaces a bootloader over the air.",
	})
}

// isBootloader tells by the descriptor, or by what only bootloaders have: a first
// segment in the memory where a running bootloader keeps its own data.
func (c *check) isBootloader() bool {
	p := c.im.parsed
	return p != nil && len(p.Segments) > 0 && p.App == nil && clobbers(p.Segments[0].Address, uint32(len(p.Segments[0].Data))) != ""
}

// secureVersion is anti-rollback.
func (c *check) secureVersion() {
	burnt, known := c.d.SecureVersion.Get()
	app := c.im.App()
	switch {
	case app == nil && (burnt > 0 || is(c.d.AntiRollback, true)):
		c.add(Reason{
			Code: NoDescriptor, By: AtSwitch, Error: errNotFound,
			Says:  "The unit has anti-rollback, and the image does not tell its secure version: it has no app descriptor.",
			Lines: []string{failLine(tagHTTPS, "esp_ota_set_boot_partition failed! err=0x105")},
			Do:    "Build the app with an ESP-IDF that writes the app descriptor (v3.2 and later).",
		})
	case is(c.d.AntiRollback, false) && burnt == 0:
	case !known && (app == nil || app.SecureVersion < mostSecureVersion):
		c.miss("its secure version (SECURE_VERSION in BLOCK3)")
	case app == nil:
		c.miss("whether it has anti-rollback: the image has no app descriptor, which that needs")
	case app.SecureVersion < uint32(burnt):
		c.add(Reason{
			Code: OldSecureVersion, By: AtSwitch, Error: errOldVer,
			Says: fmt.Sprintf("The image has secure version %d, and the unit accepts %d and later: it would be a step back behind a security fix.", app.SecureVersion, burnt),
			Lines: []string{failLine(tagOTA, "This a new partition can not be booted due to a secure version is lower than stored in efuse. "+
				"Partition will be erased."), failLine(tagHTTPS, "esp_ota_set_boot_partition failed! err=0x1504")},
			Do: fmt.Sprintf("Build with CONFIG_BOOTLOADER_APP_SECURE_VERSION=%d or higher.", burnt),
		})
	}
}

const mostSecureVersion = 32 // bits there are to burn

// loads checks where segments go to, as only the bootloader does.
func (c *check) loads() {
	for i, s := range c.im.parsed.Segments {
		n := uint32(len(s.Data))
		why := badLoad(s.Address, n)
		if why == "" {
			continue
		}
		c.add(Reason{
			Code: BadLoadAddress, By: AtBoot,
			Says: fmt.Sprintf("Segment %d of the image is to be loaded where an app cannot be: the file is not an app for this chip.", i),
			Lines: []string{
				failLine(tagImage, "Segment %d 0x%08x-0x%08x invalid: %s", i, s.Address, s.Address+n, why),
				failLine(tagBoot, "OTA app partition slot %d is not bootable", c.slot.index),
			},
			Do: strings.Replace(rebuild, "Take the file", "Take the app", 1),
		})
		return // the bootloader stops at the first
	}
}
