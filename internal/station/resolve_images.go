package station

import "slices"

// SectorSize is the smallest piece of flash that can be erased, in bytes.
const SectorSize = 0x1000

// The bootloader begins at 0x1000, so a table can lie no lower than one sector
// behind it. 0x8000 is ESP-IDF's CONFIG_PARTITION_TABLE_OFFSET default.
const (
	minTableOffset     = 0x2000
	defaultTableOffset = 0x8000
)

func (r *resolver) images(d *document) Images {
	im := Images{
		Bootloader:           r.file("images.bootloader", d.Images.Bootloader, "the second-stage bootloader's file"),
		PartitionTable:       r.file("images.partition_table", d.Images.PartitionTable, "the partition table's file (.bin or .csv)"),
		PartitionTableOffset: r.offset("images.partition_table_offset", or(d.Images.PartitionTableOffset, defaultTableOffset), minTableOffset),
		App:                  r.file("images.app", d.Images.App, "the signed app's file"),
		AppPartition:         d.Images.AppPartition,
	}
	r.label("images.app_partition", im.AppPartition)
	for i, e := range d.Images.Extra {
		at := element("images.extra", i)
		image := r.extra(at, e, im.PartitionTableOffset)
		r.apart(at, image, im)
		im.Extra = append(im.Extra, image)
	}
	return im
}

// extra checks one [[images.extra]]. Nothing of ours or of the user's belongs
// below the end of the partition table's sector except the bootloader.
func (r *resolver) extra(at string, e extra, table uint32) Extra {
	image := Extra{
		Path:      r.file(join(at, "path"), e.Path, "the file of this image"),
		Partition: e.Partition,
		Encrypt:   e.Encrypt,
	}
	switch {
	case e.Partition != "" && e.Offset != nil:
		r.add(ErrConflict, join(at, "offset"), "say either offset or partition, not both")
	case e.Partition == "" && e.Offset == nil:
		r.add(ErrMissing, join(at, "partition"), "say where this image goes: partition = a label, or offset = a number")
	case e.Offset != nil:
		image.Offset = r.offset(join(at, "offset"), *e.Offset, int64(table)+SectorSize)
	}
	r.label(join(at, "partition"), e.Partition)
	return image
}

// apart refuses an image that goes to the same place as another.
func (r *resolver) apart(at string, image Extra, im Images) {
	if image.Partition == "" {
		if slices.ContainsFunc(im.Extra, func(o Extra) bool { return o.Partition == "" && o.Offset == image.Offset }) {
			r.add(ErrConflict, join(at, "offset"), "two images go to %#x", image.Offset)
		}
		return
	}
	taken := image.Partition == im.AppPartition ||
		slices.ContainsFunc(im.Extra, func(o Extra) bool { return o.Partition == image.Partition })
	if taken {
		r.add(ErrConflict, join(at, "partition"), "two images go to partition %s", clip(image.Partition))
	}
}

// offset checks a place in flash. It returns 0 for one that is not allowed.
func (r *resolver) offset(key string, offset, lowest int64) uint32 {
	if offset%SectorSize != 0 || offset < lowest || offset >= maxFlash {
		r.add(ErrValue, key, "%#x is not allowed; write a multiple of %#x from %#x up to below %#x", offset, SectorSize, lowest, maxFlash)
		return 0
	}
	return uint32(offset)
}

// maxLabel is what a partition table has room for: 16 bytes, the last one zero.
const maxLabel = 15

func (r *resolver) label(key, label string) {
	if len(label) > maxLabel {
		r.add(ErrValue, key, "%s is longer than the %d characters that a partition's label has", clip(label), maxLabel)
	}
	r.plain(key, label)
}
