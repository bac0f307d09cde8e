package job

import (
	"errors"
	"fmt"

	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/secureboot"
)

// publicKey reads the key that apps are signed with.
func (b *builder) publicKey() {
	sb := b.job.Profile.SecureBoot
	if sb.Version == 0 || sb.PublicKey == "" {
		return
	}
	data, ok := b.read(sb.PublicKey, "public key")
	if !ok {
		return
	}
	if _, err := secureboot.ParseSigningKey(data); err == nil || errors.Is(err, secureboot.ErrEncryptedPEM) {
		b.fail(fault.BadProfile, sb.PublicKey, "this file holds the private key, and a station must not have it").Do =
			"Give the public half, and take this file off the station: provision secure extract-public-key --keyfile PRIVATE PUBLIC"
		return
	}
	pub, err := secureboot.ParsePublicKeyV1(data)
	if err != nil {
		b.fail(fault.BadProfile, sb.PublicKey, "not the public key of an ECDSA P-256 signing key: %v", err)
		return
	}
	b.pub = &pub
	b.job.Signer = pub.Fingerprint()
}

// parse reads an ESP32 image and says what is wrong with one that is not whole.
func (b *builder) parse(path, role string) ([]byte, *image.Image) {
	data, ok := b.read(path, role)
	if !ok {
		return nil, nil
	}
	im, err := image.Parse(data)
	if err == nil {
		b.revision(path, role, im)
		return data, im
	}
	encrypted, why := image.LooksEncrypted(data)
	switch {
	case encrypted && errors.Is(err, image.ErrNotImage):
		b.fail(fault.AlreadyCrypt, path, "the %s is already encrypted (%s)", role, why)
	case errors.Is(err, image.ErrChip):
		b.fail(fault.WrongTarget, path, "the %s cannot be used: %v", role, err)
	case encrypted:
		b.fail(fault.AlreadyCrypt, path, "the %s is damaged or already encrypted: %v (%s)", role, err, why)
	default:
		b.fail(fault.BadImage, path, "the %s is not a whole ESP32 image: %v", role, err)
	}
	return nil, nil
}

// revision finds images that no chip the profile accepts can run.
func (b *builder) revision(path, role string, im *image.Image) {
	u := b.job.Profile.Unit
	for rev := int(u.MinRevision); rev <= min(int(u.MaxRevision), newestRevision); rev++ {
		if im.RunsOn(rev) {
			b.job.images = append(b.job.images, im)
			return
		}
	}
	b.fail(fault.WrongTarget, path, "the %s runs on no chip revision that the profile accepts (%v to %v)", role, u.MinRevision, u.MaxRevision)
}

// newestRevision bounds the search for a revision an image runs on: major and
// minor are two digits together, and no classic ESP32 is newer than v3.x.
const newestRevision = 399

// wrongName is what to do about a good file in the wrong place.
const wrongName = "Correct the file's name in [images]."

// bootloader checks the second-stage bootloader: a whole image that fits below
// the table and holds the key it is to check the app with.
func (b *builder) bootloader() {
	p := b.job.Profile
	path := p.Images.Bootloader
	data, im := b.parse(path, "bootloader")
	if im == nil {
		return
	}
	if im.App != nil {
		b.fail(fault.BadImage, path, "this is an app (%s), not a bootloader", im.App.ProjectName).Do = wrongName
		return
	}
	room := int(p.Images.PartitionTableOffset) - BootloaderOffset
	if len(data) > room {
		b.fail(fault.DoesNotFit, path, "the bootloader (%d bytes) runs into the partition table at %#x: there is room for %d bytes; build both for a later table offset",
			len(data), p.Images.PartitionTableOffset, room)
		return
	}
	// The chip's digest ends with the image, and would not be that of a longer file.
	if p.SecureBoot.Version == 1 && !p.FlashEncryption.OnDevice && !erased(im.Trailing) {
		b.fail(fault.BadImage, path, "%d bytes follow the bootloader's image: Secure Boot V1 needs bootloader.bin as the build made it, with no signature and nothing else behind it",
			len(im.Trailing))
		return
	}
	b.verifyingBootloader(path, data)
	b.bootloaderBuiltFor(path, data)
	b.job.Bootloader = data[:im.Length]
	b.bootFlash = im.FlashSize.Bytes()
	b.bootEnd = BootloaderOffset + uint32(im.Length)
	b.job.FlashNeeds = max(b.job.FlashNeeds, im.FlashSize.Bytes())
	sum := b.keep("bootloader", path, data, im)
	b.learn(sum, BootloaderOffset, Facts{Bootloader: bootloaderFacts(data, im, b.pub)})
	b.region(Region{
		Name: "bootloader", Offset: BootloaderOffset, Data: pad(data), Encrypt: p.FlashEncryption.Enabled, Firmware: sum,
	})
}

// verifyingBootloader asks whether this bootloader will check the app, and with
// the right key.
func (b *builder) verifyingBootloader(path string, data []byte) {
	sb := b.job.Profile.SecureBoot
	if sb.Version == 0 || sb.PublicKey != "" && b.pub == nil {
		return // nothing to ask, or a key that could not be read, which is told already
	}
	found := secureboot.FindPublicKeys(data)
	switch {
	case b.pub != nil && secureboot.Contains(data, *b.pub):
	case len(found) > 0 && b.pub != nil:
		b.fail(fault.NoVerifyKey, path, "the bootloader checks apps with another key (%.16s) than the profile's (%.16s): it would refuse this app and every update",
			found[0].Key.Fingerprint(), b.pub.Fingerprint())
	case sb.AllowUnverifiedApp:
		b.warnf("The bootloader holds no app-verification key: it will run any app. Secure boot protects only the bootloader (allow_unverified_app = true).")
	default:
		b.fail(fault.NoVerifyKey, path, "the bootloader does not hold the app-verification key: it would run any app").Do =
			"Build it with Secure Boot V1 and this key, or say allow_unverified_app = true in [secure_boot]."
	}
}

// app checks the application and its signature, and puts it where a blank otadata
// starts it.
func (b *builder) app() {
	p := b.job.Profile
	path := p.Images.App
	data, im := b.parse(path, "app")
	if im == nil {
		return
	}
	if im.Bootloader != nil {
		b.fail(fault.BadImage, path, "this is a bootloader, not an app").Do = wrongName
		return
	}
	b.signature(path, data, im)
	b.appBuiltFor(path, data)
	part, ok := b.appPartition(path)
	if !ok {
		return
	}
	if len(data) > int(part.Size) {
		b.fail(fault.DoesNotFit, path, "the app (%d bytes) is larger than partition %s (%d bytes)", len(data), part.Label, part.Size)
		return
	}
	b.job.FlashNeeds = max(b.job.FlashNeeds, im.FlashSize.Bytes())
	sum := b.keep("app", path, data, im)
	b.learn(sum, part.Offset, Facts{App: appFacts(data, im, b.pub)})
	b.region(Region{
		Name: "app", Offset: part.Offset, Data: pad(data), Encrypt: p.FlashEncryption.Enabled, Firmware: sum,
	})
}

// signature checks what the bootloader will check: the block right behind the
// image, with the key of the profile.
func (b *builder) signature(path string, data []byte, im *image.Image) {
	if b.pub == nil {
		return
	}
	err := secureboot.VerifyBlockV1(data[:im.Length], im.Trailing, *b.pub)
	var unsigned *secureboot.NoSignatureError
	switch {
	case err == nil && len(im.Trailing) > secureboot.BlockLenV1 && !erased(im.Trailing[secureboot.BlockLenV1:]):
		b.warnf("%s: %d bytes follow the app's signature; the unit ignores them.", path, len(im.Trailing)-secureboot.BlockLenV1)
	case err == nil:
	case errors.As(err, &unsigned):
		b.fail(fault.AppUnsigned, path, "the app is not signed: %v", unsigned).Do =
			"Have it signed on the build machine: provision secure sign-data --keyfile KEY --output SIGNED APP"
	default:
		b.fail(fault.AppWrongKey, path, "the app was signed with another key than the profile's (%.16s), or changed after signing", b.pub.Fingerprint())
	}
}

// erased reports whether data is as erased flash.
func erased(data []byte) bool {
	for _, c := range data {
		if c != 0xFF {
			return false
		}
	}
	return true
}

// extras places further images.
func (b *builder) extras() {
	for i, x := range b.job.Profile.Images.Extra {
		role := fmt.Sprintf("extra image %d", i+1)
		data, ok := b.read(x.Path, role)
		if !ok {
			continue
		}
		r := Region{Name: role, Offset: x.Offset, Data: pad(data), Firmware: b.keep(role, x.Path, data, nil)}
		if x.Partition != "" {
			part, ok := b.job.Table.Find(x.Partition)
			if !ok {
				b.fail(fault.DoesNotFit, x.Path, "the partition table has no partition %q", x.Partition)
				continue
			}
			if len(data) > int(part.Size) {
				b.fail(fault.DoesNotFit, x.Path, "the file (%d bytes) is larger than partition %s (%d bytes)", len(data), part.Label, part.Size)
				continue
			}
			r.Name, r.Offset = part.Label, part.Offset
			r.Encrypt = part.Encrypted()
		}
		if x.Encrypt != nil {
			r.Encrypt = *x.Encrypt
		}
		r.Encrypt = r.Encrypt && b.job.Profile.FlashEncryption.Enabled
		if hidden, why := image.LooksEncrypted(data); hidden && r.Encrypt {
			b.fail(fault.AlreadyCrypt, x.Path, "the file is already encrypted (%s) and would be encrypted twice", why)
			continue
		}
		b.region(r)
	}
}

func (b *builder) region(r Region) { b.job.Regions = append(b.job.Regions, r) }
