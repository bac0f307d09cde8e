package simulator

import (
	"bytes"
	"regexp"

	"provision/internal/image"
)

// Messages of an ESP-IDF app that give its build options away. Source: ESP-IDF
// bootloader_support (flash_encrypt.c, secure_boot.c), esp_system cpu_start.
const (
	saysFixKey        = "should not be readable. Fixing.."
	saysModeRelease   = "Flash encryption mode is RELEASE"
	saysModeDevelop   = "Flash encryption mode is DEVELOPMENT (not secure)"
	saysProject       = "Project name:     %s"
	helloWorldProject = "hello_world"
)

// demoSays is what a demo app says when it runs: the text up to the line's end.
var demoSays = regexp.MustCompile(`provision-demo-says: ([^\n\x00]*)\n`)

// startApp is the start of the app: ESP-IDF's checks of the security fuses, and the
// first words of an app whose words are known.
func (b *boot) startApp(p image.Partition, img checkedImage) {
	if !b.chip.running() {
		return
	}
	b.verdict.Started, b.verdict.Cause = true, CauseAppStarted
	b.verdict.App = App{Label: p.Label, Offset: p.Offset}
	says := func(s string) bool { return bytes.Contains(img.bytes, []byte(s)) }
	var d *image.AppDescriptor
	if parsed, _ := image.Parse(img.bytes); parsed != nil {
		d = parsed.App
	}
	if d != nil {
		b.verdict.App.Project, b.verdict.App.Version = d.ProjectName, d.Version
		if says(saysProject) {
			b.appInformation(d)
		}
	}
	if !b.fixFuses(says) {
		return
	}
	if d != nil && d.ProjectName == helloWorldProject {
		b.line("Hello world!")
	}
	for _, m := range demoSays.FindAllSubmatch(img.bytes, -1) {
		b.line("%s", m[1])
	}
}

// appInformation is the block most apps print first.
func (b *boot) appInformation(d *image.AppDescriptor) {
	b.info(tagCPU, "Application information:")
	b.info(tagCPU, "Project name:     %s", d.ProjectName)
	b.info(tagCPU, "App version:      %s", d.Version)
	b.info(tagCPU, "Compile time:     %s %s", d.Date, d.Time)
	b.info(tagCPU, "ELF file SHA256:  %x...", d.ELFSHA256[:8])
	b.info(tagCPU, "ESP-IDF:          %s", d.IDFVersion)
}

// fixFuses is what an app with security options burns by itself when it finds it
// missing. It reports false when the chip stopped.
func (b *boot) fixFuses(says func(string) bool) bool {
	f := b.chip.efuse.fuses
	if says(image.MsgFreezesCounter) && f.absDone0() && f.encryptionOn() && f.wrDis()&4 == 0 && f.cryptCnt() != 0x7F {
		b.fail(tagEncrypt, "Flash encryption & Secure Boot together "+image.MsgFreezesCounter)
		if !b.burn(fuseWrDisCryptCnt) {
			return false
		}
	}
	if says(saysModeDevelop) || says(saysModeRelease) {
		b.encryptionMode()
	}
	if says(saysFixKey) && f.absDone0() {
		return b.fixKey()
	}
	return true
}

// encryptionMode prints what ESP-IDF calls the mode.
func (b *boot) encryptionMode() {
	f := b.chip.efuse.fuses
	closed := fuseDLEncrypt.or(fuseDLDecrypt).or(fuseDLCache)
	switch {
	case !f.encryptionOn():
	case (f.wrDis()&4 != 0 || f.cryptCnt() == 0x7F) && f.covers(0, closed[0]):
		b.info(tagEncrypt, saysModeRelease)
	default:
		b.warn(tagEncrypt, saysModeDevelop)
	}
}

// fixKey protects a Secure Boot V1 key that is still open.
func (b *boot) fixKey() bool {
	f := b.chip.efuse.fuses
	if f.blockHidden(2) && f.blockFrozen(2) {
		return true
	}
	b.info(tagEfuse, "Batch mode of writing fields is enabled")
	var want Fuses
	if !f.blockHidden(2) {
		b.warn(tagSecure, "eFuse BLOCK2 should not be readable. Fixing..")
		want = want.or(fuseRdDis2)
	}
	if !f.blockFrozen(2) {
		b.warn(tagSecure, "eFuse BLOCK2 should not be writeable. Fixing..")
		want = want.or(fuseWrDis2)
	}
	if !b.batch(want) {
		return false
	}
	b.info(tagSecure, "Fixed")
	return true
}
