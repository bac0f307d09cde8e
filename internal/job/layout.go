package job

import (
	"cmp"
	"slices"
	"strings"

	"provision/internal/fault"
	"provision/internal/image"
)

// maxFlash is how much flash the ROM can address: 24 bits.
const maxFlash = 16 << 20

// table reads the partition table, or builds it from CSV, and checks it.
func (b *builder) table() bool {
	p := b.job.Profile
	path := p.Images.PartitionTable
	data, ok := b.read(path, "partition table")
	if !ok {
		return false
	}
	binary := data
	var err error
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		b.job.Table, err = image.ParseCSV(string(data), b.flashLayout())
		if err == nil {
			binary, err = b.job.Table.Binary()
		}
	} else {
		b.job.Table, err = image.ParseTable(data)
	}
	if err != nil {
		b.badTable(path, data, err)
		return false
	}
	if !b.checkTable(path) {
		return false
	}
	sum := b.keep("partition-table", path, data, nil)
	b.learn(sum, p.Images.PartitionTableOffset, Facts{Table: tableFacts(binary[:min(len(binary), image.TableLen)])})
	b.region(Region{
		Name: "partition table", Offset: p.Images.PartitionTableOffset, Data: pad(binary), Encrypt: p.FlashEncryption.Enabled, Firmware: sum,
	})
	return true
}

func (b *builder) badTable(path string, data []byte, err error) {
	if hidden, why := image.LooksEncrypted(data); hidden {
		b.fail(fault.AlreadyCrypt, path, "the partition table is already encrypted (%s)", why)
		return
	}
	b.fail(fault.BadTable, path, "%v", err)
}

// flashLayout is what the table has to fit.
func (b *builder) flashLayout() image.Layout {
	p := b.job.Profile
	return image.Layout{
		TableOffset:  p.Images.PartitionTableOffset,
		FlashSize:    cmp.Or(p.Unit.FlashSize, maxFlash),
		SecureBootV1: p.SecureBoot.Version == 1,
	}
}

// checkTable holds the table against the flash and the rules of secure boot.
func (b *builder) checkTable(path string) bool {
	ok := true
	for _, f := range b.job.Table.Check(b.flashLayout()) {
		if f.Advice {
			b.warnf("%s: %v.", path, f)
			continue
		}
		b.fail(fault.BadTable, path, "%v", f)
		ok = false
	}
	for _, part := range b.job.Table.Partitions {
		b.job.FlashNeeds = max(b.job.FlashNeeds, uint32(min(part.End(), maxFlash)))
		if ok && b.bootFlash > 0 && part.End() > uint64(b.bootFlash) {
			// Not what the chip has: the size in the bootloader's own header
			// (ESP-IDF esp_partition_table_verify).
			b.fail(fault.BadTable, path, "partition %s ends at %#x, but the bootloader was built for %d MiB of flash and would refuse the table",
				part.Label, part.End(), b.bootFlash>>20).Do = "Build the bootloader for the flash that the units have, or make the partitions smaller."
			ok = false
		}
	}
	return ok
}

// appPartition is where the app goes: the partition that a blank otadata starts.
func (b *builder) appPartition(path string) (image.Partition, bool) {
	start, ok := b.job.Table.Factory()
	if slots := b.job.Table.OTASlots(); !ok && len(slots) > 0 {
		start, ok = slots[0], true
	}
	if !ok {
		b.fail(fault.DoesNotFit, path, "the partition table has no partition that could start this app: neither factory nor ota_0").Do =
			"Give the table an app partition, factory or ota_0, and build it again."
		return start, false
	}
	label := b.job.Profile.Images.AppPartition
	if label == "" || label == start.Label {
		return start, true
	}
	if _, exists := b.job.Table.Find(label); !exists {
		b.fail(fault.DoesNotFit, path, "the partition table has no partition %q", label).Do =
			"Correct app_partition in [images], or leave it out."
	} else {
		b.fail(fault.Unsupported, path, "a fresh unit starts partition %s, so the app has to go there, not to %s", start.Label, label)
	}
	return start, false
}

// blanks adds what has to read as erased when the firmware starts for the first
// time: otadata (ciphertext of 0xFF on an encrypted unit, or the bootloader reads
// noise) and NVS, unless a file was named for them. Where the unit encrypts itself, so
// has everything it will encrypt, also what such a file leaves of its partition: after
// a cut it would encrypt twice what it finds.
func (b *builder) blanks() {
	for _, part := range b.job.Table.Partitions {
		whole := part.Encrypted() && b.job.Profile.FlashEncryption.OnDevice
		wanted := part.Subtype == image.SubtypeOTAData || part.Subtype == image.SubtypeNVS || whole
		if part.Type != image.TypeData || !wanted {
			continue
		}
		named := b.within(part)
		if len(named) > 0 && !whole {
			continue
		}
		from := part.Offset
		for _, r := range named {
			b.blank(part, from, r.Offset)
			from = max(from, r.End())
		}
		b.blank(part, from, uint32(part.End()))
	}
}

// within are the regions that lie in part, by offset.
func (b *builder) within(part image.Partition) (list []Region) {
	for _, r := range b.job.Regions {
		if r.Offset < uint32(part.End()) && part.Offset < r.End() {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(x, y Region) int { return cmp.Compare(x.Offset, y.Offset) })
	return list
}

// blank has that piece of part read as erased, if it is one.
func (b *builder) blank(part image.Partition, from, to uint32) {
	if from >= to {
		return
	}
	b.region(Region{
		Name: "blank " + part.Label, Offset: from, Data: blank(to - from), Volatile: true,
		Encrypt: part.Encrypted() && b.job.Profile.FlashEncryption.Enabled,
	})
}

// layout sorts the regions and finds those that lie on each other or beyond the
// flash. Nothing of a profile can lie below the bootloader, where the digest goes.
func (b *builder) layout() {
	regions := b.job.Regions
	slices.SortStableFunc(regions, func(x, y Region) int { return cmp.Compare(x.Offset, y.Offset) })
	for i, r := range regions {
		if i > 0 && regions[i-1].End() > r.Offset {
			b.fail(fault.BadTable, "", "%s (%#x to %#x) and %s (%#x to %#x) overlap in flash",
				regions[i-1].Name, regions[i-1].Offset, regions[i-1].End(), r.Name, r.Offset, r.End())
		}
		if size := b.job.Profile.Unit.FlashSize; size != 0 && r.End() > size {
			b.fail(fault.BadTable, "", "%s ends at %#x, beyond the %d MiB of flash", r.Name, r.End(), size>>20)
		}
		b.job.FlashNeeds = max(b.job.FlashNeeds, r.End())
	}
	if size := b.job.Profile.Unit.FlashSize; size != 0 && b.job.FlashNeeds > size {
		b.fail(fault.BadTable, "", "the images are built for %d MiB of flash, the profile has %d MiB", b.job.FlashNeeds>>20, size>>20)
	}
}
