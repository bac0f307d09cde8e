package fleet

import (
	"provision/internal/image"
	"provision/internal/job"
	"provision/internal/ota"
)

// DeviceOfJob is what every unit that the profile makes will be when it leaves the
// line, having started once. Its chip revision is known where only one will do.
func DeviceOfJob(j *job.Job) ota.Device {
	lowest, highest := revisions(j)
	if lowest == highest {
		return deviceOfJob(j, lowest)
	}
	return deviceOfJob(j, ota.Fact[int]{})
}

// CheckJob says whether every unit that the profile makes will accept the image. Of
// the revisions that the job accepts, the lowest and the highest decide: where they
// differ, the answer is Unknown.
func CheckJob(j *job.Job, img *ota.Image) ota.Report {
	lowest, highest := revisions(j)
	low := img.Check(deviceOfJob(j, lowest))
	if high := img.Check(deviceOfJob(j, highest)); low.Verdict != high.Verdict {
		return img.Check(deviceOfJob(j, ota.Fact[int]{}))
	}
	return low
}

// What the eFuses of an ESP32 can say of its revision (ESP-IDF efuse_ll.h).
const maxMajor, maxMinor = 3, 3

// revisions are the lowest and the highest chip revision that the profile and its
// firmware accept; unknown where no chip has one.
func revisions(j *job.Job) (lowest, highest ota.Fact[int]) {
	unit := j.Profile.Unit
	for major := range maxMajor + 1 {
		for minor := range maxMinor + 1 {
			rev := major*100 + minor
			if rev < int(unit.MinRevision) || rev > int(unit.MaxRevision) || !j.RunsOn(rev) {
				continue
			}
			if _, found := lowest.Get(); !found {
				lowest = ota.Known(rev)
			}
			highest = ota.Known(rev)
		}
	}
	return lowest, highest
}

func deviceOfJob(j *job.Job, revision ota.Fact[int]) ota.Device {
	p := j.Profile
	var carries job.Facts
	var appAt uint32
	for _, f := range j.Facts {
		switch {
		case f.Facts.Bootloader != nil:
			carries.Bootloader = f.Facts.Bootloader
		case f.Facts.Table != nil:
			carries.Table = f.Facts.Table
		case f.Facts.App != nil:
			carries.App, appAt = f.Facts.App, f.Offset
		}
	}
	f := fuses{known: true, secureBoot: p.SecureBoot.Version, encryption: p.FlashEncryption.Enabled}
	part := partitionAt(j.Table, appAt)
	if carries.App != nil && part.IsOTAApp() {
		// The first start from an OTA slot burns them (ESP-IDF bootloader_utility.c,
		// set_actual_ota_seq); one from factory does not.
		f.secureVersion = int(carries.App.SecureVersion)
	}
	d := device(revision, f, carries)
	if part.Label != "" {
		d.Running = ota.Known(part.Label)
	}
	return d
}

func partitionAt(t image.Table, offset uint32) image.Partition {
	for _, p := range t.Apps() {
		if p.Offset == offset {
			return p
		}
	}
	return image.Partition{}
}
