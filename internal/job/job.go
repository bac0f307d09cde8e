package job

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"provision/internal/efuse"
	"provision/internal/fault"
	"provision/internal/image"
	"provision/internal/secureboot"
	"provision/internal/station"
)

// Flash geometry of the classic ESP32.
const (
	BootloaderOffset = secureboot.BootloaderOffset
	SectorSize       = secureboot.SectorLen
)

// Job is a checked profile.
type Job struct {
	Profile    *station.Profile
	Bootloader []byte // the image in the file; the Secure Boot V1 digest is over it
	Table      image.Table
	Regions    []Region // what goes into flash, by offset; without the digest sector
	Firmware   []Firmware
	Facts      []FileFacts // what bootloader, table and app are, for the records
	Signer     string      // fingerprint of the app-signing key; empty: apps are not verified
	FlashNeeds uint32      // bytes of flash that the images and the table need at least
	Conversion *Conversion // what the unit does to its flash by itself; nil: the station encrypts, or nobody
	Warnings   []string

	images []*image.Image  // bootloader and app: what chip revisions they run on
	order  map[string]bool // serial numbers that belong to the job, upper case; nil: all do
}

// Region is a piece of flash as a plain file would have it, in whole sectors.
type Region struct {
	Name     string
	Offset   uint32
	Data     []byte // padded with 0xFF to whole sectors
	Encrypt  bool   // goes through the flash encryption
	Firmware string // SHA-256 of the file it comes from; empty: blank
	// Volatile regions belong to the firmware from its first start on: they are
	// written and verified before that, and left alone after it.
	Volatile bool
}

// End is the offset behind the region.
func (r Region) End() uint32 { return r.Offset + uint32(len(r.Data)) }

// Firmware is one file as records keep it.
type Firmware struct {
	Role                  string // "bootloader", "partition-table", "app", or the extra's name
	Path                  string
	SHA256                string
	Size                  int
	Project, Version, IDF string // from the descriptor; empty without one
}

// Problem is one thing that keeps a job from being.
type Problem struct {
	Code fault.Code
	File string // the file it is about; empty for the profile as a whole
	Text string
	Do   string // what to do, where more can be said than the code's page does
}

func (p *Problem) Error() string {
	if p.File == "" {
		return p.Text
	}
	return p.File + ": " + p.Text
}

// Action is what to do about it.
func (p *Problem) Action() string {
	page, _ := fault.Lookup(p.Code)
	return cmp.Or(p.Do, page.Do)
}

// Problems is every Problem of a profile, in the order they were found.
type Problems []*Problem

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems as faults: the code of the first is that of all.
func (ps Problems) Unwrap() []error {
	out := make([]error, len(ps))
	for i, p := range ps {
		out[i] = &fault.Fault{Code: p.Code, Cause: p}
	}
	return out
}

// ProfileSHA256 is the digest of the profile file, in hex.
func (j *Job) ProfileSHA256() string { return hex.EncodeToString(j.Profile.SHA256[:]) }

// Goal is what the policy wants of the fuses of a chip of that revision. The keys
// are the unit's and stay unknown here.
func (j *Job) Goal(rev efuse.Revision) efuse.Goal {
	p := j.Profile
	g := efuse.Goal{
		Revision:        rev,
		SecureBootV1:    p.SecureBoot.Version == 1,
		FlashEncryption: p.FlashEncryption.Enabled,
		CryptCount:      p.FlashEncryption.CryptCount(),
		CryptConfig:     p.FlashEncryption.CryptConfig,
		Locks:           p.Lock.Burn,
		Freeze:          p.Lock.Freeze,
		UARTDownloadDis: p.Lock.UARTDownloadDis,
		ByUnit:          p.FlashEncryption.OnDevice,
	}
	if j.Conversion != nil {
		g.UnitBurns = j.Conversion.Burns
	}
	return g
}

// RunsOn reports whether bootloader and app accept a chip of that revision
// (major*100 + minor).
func (j *Job) RunsOn(rev int) bool {
	for _, im := range j.images {
		if !im.RunsOn(rev) {
			return false
		}
	}
	return true
}

// New reads and checks everything the profile names. The error is a Problems with
// everything that was found wrong.
func New(p *station.Profile) (*Job, error) {
	b := &builder{job: &Job{Profile: p}}
	b.build()
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.job, nil
}

// builder collects a job and what is wrong with it.
type builder struct {
	job      *Job
	problems Problems
	pub      *secureboot.PublicKeyV1

	bootFlash uint32 // bytes of flash the bootloader believes in; 0: there is no bootloader
	bootEnd   uint32 // where its image ends in flash
}

// fail notes what is wrong, in one line.
func (b *builder) fail(code fault.Code, file, format string, args ...any) *Problem {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	p := &Problem{Code: code, File: file, Text: text}
	b.problems = append(b.problems, p)
	return p
}

func (b *builder) warnf(format string, args ...any) {
	b.job.Warnings = append(b.job.Warnings, fmt.Sprintf(format, args...))
}

func (b *builder) build() {
	b.policy()
	b.recipients()
	b.order()
	b.publicKey()
	b.bootloader()
	if b.table() {
		b.app()
		b.extras()
		b.blanks()
		b.layout()
		b.conversion()
	}
}

// read returns a file's bytes, or notes why it has none.
func (b *builder) read(path, role string) ([]byte, bool) {
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err // the path is said already
		}
		p := b.fail(fault.FileMissing, path, "the %s cannot be read: %v", role, err)
		if errors.Is(err, fs.ErrPermission) {
			p.Do = "Make it readable for this user."
		}
	case len(data) == 0:
		b.fail(fault.BadImage, path, "the %s is an empty file", role)
	default:
		return data, true
	}
	return nil, false
}

// keep notes a file for the records and returns its SHA-256.
func (b *builder) keep(role, path string, data []byte, im *image.Image) string {
	sum := sha256.Sum256(data)
	f := Firmware{Role: role, Path: path, SHA256: hex.EncodeToString(sum[:]), Size: len(data)}
	if im != nil && im.App != nil {
		f.Project, f.Version, f.IDF = im.App.ProjectName, im.App.Version, im.App.IDFVersion
	}
	if im != nil && im.Bootloader != nil {
		f.IDF = im.Bootloader.IDFVersion
	}
	b.job.Firmware = append(b.job.Firmware, f)
	return f.SHA256
}

// pad fills data with 0xFF to whole sectors.
func pad(data []byte) []byte {
	out := make([]byte, (len(data)+SectorSize-1)/SectorSize*SectorSize)
	for i := copy(out, data); i < len(out); i++ {
		out[i] = 0xFF
	}
	return out
}

// blank returns n bytes as erased flash has them.
func blank(n uint32) []byte { return bytes.Repeat([]byte{0xFF}, int(n)) }
