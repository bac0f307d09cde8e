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
// would accept it, on the oldest and on the newest chip they may have.
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
	d, im := b.job.Device(), ota.Read(data)
	d.Revision = ota.Known(int(p.Unit.MinRevision))
	oldest := im.Check(d)
	d.Revision = ota.Known(int(min(p.Unit.MaxRevision, newestRevision)))
	newest := im.Check(d)
	switch {
	case rejects(oldest) && rejects(newest):
		b.refuseNext(path, newest.Reasons[0])
	case rejects(oldest):
		b.warnNext(path, oldest, p.Unit.MinRevision)
	case rejects(newest):
		b.warnNext(path, newest, p.Unit.MaxRevision)
	case oldest.Verdict == ota.Unknown:
		b.warnf("%s: it cannot be told whether the units would accept this update: not known is %s.", path, strings.Join(oldest.Missing, "; "))
	}
}

func rejects(r ota.Report) bool { return r.Verdict == ota.Refused || r.Verdict == ota.FallsBack }

func (b *builder) refuseNext(path string, r ota.Reason) {
	code := cmp.Or(updateCodes[r.Code], fault.BadImage)
	b.fail(code, path, "the units would not accept this update: %s", clause(r.Says)).Do = r.Do
}

func (b *builder) warnNext(path string, r ota.Report, rev station.Revision) {
	b.warnf("%s: units with a chip of revision %v would not accept this update: %s.", path, rev, clause(r.Reasons[0].Says))
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
