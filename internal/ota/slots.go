package ota

import (
	"fmt"
	"slices"

	"provision/internal/image"
)

// slot is where an update would be written.
type slot struct {
	known        bool
	label        string
	offset, size uint32
	index        int // of ota_0, ota_1, ...
}

// target is what the partition table and the running partition say about where the
// next update goes.
type target struct {
	slots   []slot // those it may be; one, when the running partition decides it
	count   int    // slots that otadata can choose from: those numbered without a gap
	reasons []Reason
	late    []Reason // met after all that concerns the image
	missing []string
}

// findTarget is esp_ota_get_next_update_partition: the OTA slot after the running
// one, or the first.
func findTarget(d Device) (t target) {
	table, known := d.Table.Get()
	if !known {
		t.missing = append(t.missing, "its partition table: whether it has two OTA slots and otadata, and how large the slots are")
		t.slots = []slot{{}}
		return t
	}
	slots := table.OTASlots()
	if len(slots) == 0 {
		t.slots = []slot{{}}
		t.reasons = append(t.reasons, Reason{
			Code: NoSlot, By: AtBegin, Error: errNotFound,
			Says:  "The unit's partition table has no OTA slot to write an update to.",
			Lines: []string{failLine(tagHTTPS, "Passive OTA partition not found")},
			Do:    "Only a unit made with a table that has ota_0, ota_1 and otadata can be updated; this one cannot.",
		})
	}
	for t.count < len(slots) && int(slots[t.count].Subtype) == image.SubtypeOTA0+t.count {
		t.count++
	}
	t.choose(d, table, slots)
	t.otaData(table, slots)
	return t
}

// Never are the reasons for which units with that partition table accept no update,
// whatever the image; none where some may.
func Never(table image.Table) []Reason {
	t := findTarget(Device{Table: Known(table)})
	return append(t.reasons, t.late...)
}

// choose settles which slots it may be.
func (t *target) choose(d Device, table image.Table, slots []image.Partition) {
	running, known := d.Running.Get()
	if _, ok := table.Find(running); !ok {
		known = false // not in this table: says nothing
	}
	at := slices.IndexFunc(slots, func(p image.Partition) bool { return p.Label == running })
	_, factory := table.Factory()
	switch {
	case len(slots) == 0:
	case len(slots) == 1 && (known && at == 0 || !known && !factory):
		t.slots = []slot{newSlot(slots[0])}
		t.reasons = append(t.reasons, Reason{
			Code: NoSecondSlot, By: AtBegin, Error: errConflict,
			Says:  fmt.Sprintf("The unit's only OTA slot, %s, is the one it runs from, so there is nowhere to write the update.", slots[0].Label),
			Lines: []string{failLine(tagHTTPS, "esp_ota_begin failed (%s)", errConflict)},
			Do:    "Only a unit made with a second OTA slot in its partition table can be updated over the air.",
		})
	case len(slots) == 1 && !known:
		t.slots = []slot{newSlot(slots[0])}
		t.missing = append(t.missing, "which partition it runs from: from its only OTA slot it cannot be updated, from factory it can")
	case known:
		t.slots = []slot{newSlot(slots[(at+1)%len(slots)])} // of factory, at is -1
	default:
		for _, p := range slots {
			t.slots = append(t.slots, newSlot(p))
		}
	}
}

func newSlot(p image.Partition) slot {
	return slot{known: true, label: p.Label, offset: p.Offset, size: p.Size, index: int(p.Subtype) - image.SubtypeOTA0}
}

// otaData is what selecting the new slot needs.
func (t *target) otaData(table image.Table, slots []image.Partition) {
	if _, ok := table.OTAData(); ok || len(slots) == 0 {
		return
	}
	t.late = append(t.late, Reason{
		Code: NoOTAData, By: AtSwitch, Error: errNotFound,
		Says:  "The unit's partition table has no otadata partition, so it cannot be told to start the new slot.",
		Lines: []string{failLine(tagOTA, "not found otadata"), failLine(tagHTTPS, "esp_ota_set_boot_partition failed! err=0x105")},
		Do:    "Only a unit made with an otadata partition (data, ota, 0x2000) can be updated over the air.",
	})
}

// selectable is what esp_ota has against a slot that it has written: it counts the
// slots from ota_0 on, up to the first number that is missing.
func (t *target) selectable(s slot) []Reason {
	if !s.known || s.index < t.count || len(t.late) > 0 {
		return nil // without otadata it does not come so far
	}
	return []Reason{{
		Code: SlotGap, By: AtSwitch, Error: errArgument,
		Says: fmt.Sprintf("The unit's partition table leaves out ota_%d, so it cannot be told to start %s: slots are counted from ota_0 on, without a gap.",
			t.count, s.label),
		Lines: []string{failLine(tagHTTPS, "esp_ota_set_boot_partition failed! err=0x102")},
		Do:    "Only a unit made with a table that numbers its slots ota_0, ota_1 and so on can be updated over the air.",
	}}
}
