package job

import (
	"cmp"
	"slices"
	"strings"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/ota"
	"provision/internal/secureboot"
	"provision/internal/station"
)

// Device is what the files and the profile tell of every finished unit of the job,
// as an update will find it: before the first one, so that it runs the app that it
// was made with. The chip's revision is not told, since units differ in it.
func (j *Job) Device() ota.Device {
	p := j.Profile
	d := ota.Device{
		Chip:            ota.Known(image.ESP32),
		SecureBoot:      ota.Known(p.SecureBoot.Version),
		FlashEncryption: ota.Known(p.FlashEncryption.Enabled),
		Table:           ota.Known(j.Table),
	}
	f := image.FindBootloaderFeatures(j.Bootloader)
	if f.ChecksApps || !f.Silent {
		d.ChecksApps = ota.Known(f.ChecksApps)
	}
	if keys := j.verificationKeys(); f.ChecksApps && len(keys) > 0 {
		d.Trusts = ota.Known(keys)
	}
	for _, r := range j.Regions {
		if r.Name == appRegion {
			d.Running = ota.Known(labelAt(j.Table, r.Offset))
		}
	}
	if im, _ := image.Parse(j.app); im != nil && im.App != nil {
		// An app has a secure version above 0 only in a build with anti-rollback,
		// whose first start burns it.
		d.SecureVersion = ota.Known(int(im.App.SecureVersion))
	}
	return d
}

// verificationKeys are the keys that the bootloader checks apps with. One that holds
// the profile's holds it to use it.
func (j *Job) verificationKeys() (fingerprints []string) {
	for _, k := range secureboot.FindPublicKeys(j.Bootloader) {
		fingerprints = append(fingerprints, k.Key.Fingerprint())
	}
	if j.Signer != "" && slices.Contains(fingerprints, j.Signer) {
		return []string{j.Signer}
	}
	return fingerprints
}

// appRegion is the name of the region that the app is in.
const appRegion = "app"

func labelAt(t image.Table, offset uint32) string {
	for _, p := range t.Apps() {
		if p.Offset == offset {
			return p.Label
		}
	}
	return ""
}

// nextImage asks of the update that is planned next whether the units of the job
// would accept it.
func (b *builder) nextImage() {
	p := b.job.Profile
	path := p.OTA.NextImage
	if path == "" {
		return
	}
	data, ok := b.read(path, "next update")
	if !ok || len(b.problems) > 0 {
		return // what is wrong with the units' own files comes first
	}
	switch r := b.job.Judge(ota.Read(data)); r.Verdict {
	case ota.Accepted:
	case ota.Unknown:
		b.warnf("%s: it cannot be told whether every unit would accept this update: not known is %s.", path, strings.Join(r.Missing, "; "))
	default:
		first := r.Reasons[0]
		b.fail(cmp.Or(updateCodes[first.Code], fault.BadImage), path, "the units would not accept this update: %s", clause(first.Says)).Do = first.Do
	}
}

// Judge says what the finished units of the job would make of an update: on the
// oldest and on the newest chip that the profile accepts, and if these differ, that
// it depends.
func (j *Job) Judge(im *ota.Image) ota.Report {
	p, d := j.Profile, j.Device()
	on := func(rev station.Revision) ota.Report {
		d.Revision = ota.Known(int(rev))
		return im.Check(d)
	}
	oldest, newest := on(p.Unit.MinRevision), on(min(p.Unit.MaxRevision, newestRevision))
	if oldest.Verdict == newest.Verdict {
		return newest
	}
	return im.Check(j.Device())
}

// clause makes a sentence the end of another one.
func clause(sentence string) string {
	sentence = strings.TrimSuffix(sentence, ".")
	for _, article := range []string{"The ", "This ", "With "} {
		if strings.HasPrefix(sentence, article) {
			return strings.ToLower(article[:1]) + sentence[1:]
		}
	}
	return sentence
}

// updateCodes are the published codes of the reasons for which an update is refused;
// where none is nearer it is a bad image.
var updateCodes = map[ota.Code]fault.Code{
	ota.NotSigned:        fault.AppUnsigned,
	ota.WrongVersion:     fault.AppWrongKey,
	ota.OtherKey:         fault.AppWrongKey,
	ota.ChangedSigned:    fault.AppWrongKey,
	ota.MovedSignature:   fault.AppWrongKey,
	ota.Encrypted:        fault.AlreadyCrypt,
	ota.TooLarge:         fault.DoesNotFit,
	ota.NoSlot:           fault.BadTable,
	ota.NoSecondSlot:     fault.BadTable,
	ota.NoOTAData:        fault.BadTable,
	ota.WrongChip:        fault.WrongTarget,
	ota.ChipTooOld:       fault.WrongTarget,
	ota.ChipTooNew:       fault.WrongTarget,
	ota.OldSecureVersion: fault.WrongTarget,
}
