package station

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// resolver turns a document into a Profile: defaults, absolute file names, and a
// finding for every value that is not allowed. It goes on after a finding, so
// that one look at the messages is enough; a profile with findings is thrown away.
type resolver struct {
	*findings
	dir  string // folder of the profile, absolute
	base string // name of the profile in it
}

func (r *resolver) profile(d *document) *Profile {
	p := &Profile{
		Station:         r.station(d),
		Link:            r.link(d),
		Unit:            r.unit(d),
		Images:          r.images(d),
		SecureBoot:      r.secureBoot(d),
		FlashEncryption: r.flashEncryption(d),
		Records:         r.records(d),
		BootCheck:       r.bootCheck(d),
		OTA:             r.ota(d),
		Job:             r.job(d),
		People:          r.people(d),
		Scanner:         r.scanner(d),
		Label:           r.labels(d),
		Screen:          r.screen(d),
	}
	p.Keys = r.custody(d, p.Records)
	p.Lock = r.lock(d, p)
	r.combinations(d, p)
	return p
}

func (r *resolver) station(d *document) Station {
	s := Station{Name: d.Station.Name, Site: d.Station.Site, Line: d.Station.Line, Armed: d.Station.Armed}
	if s.Name == "" {
		r.add(ErrMissing, "station.name", "give the station a name: it is written into every record")
	}
	r.plain("station.name", s.Name)
	r.plain("station.site", s.Site)
	r.plain("station.line", s.Line)
	return s
}

func (r *resolver) records(d *document) Records {
	return Records{Database: r.optionalFile("records.database", d.Records.Database, "provision.db")}
}

func (r *resolver) ota(d *document) OTA {
	if d.OTA.NextImage == nil {
		return OTA{}
	}
	return OTA{NextImage: r.file("ota.next_image", *d.OTA.NextImage, "the update that is planned next, or take the line out")}
}

// combinations refuses what is legal key by key and wrong together.
func (r *resolver) combinations(d *document, p *Profile) {
	if d.SecureBoot.Version != nil && d.FlashEncryption.Mode != nil && p.SecureBoot.Version == 0 && !p.FlashEncryption.Enabled {
		r.add(ErrConflict, "secure_boot.version",
			`is 0 and flash_encryption.mode is "off": this profile would secure nothing; enable one of the two, or use esptool to put plain images on a board`)
	}
	if p.Link.Reset == ResetNone && p.BootCheck != nil {
		r.add(ErrConflict, "boot_check",
			`needs a station that can start the chip, and link.reset is "none"; take the section out, or connect the reset lines`)
	}
	if p.Link.Reset == ResetNone && p.FlashEncryption.OnDevice {
		r.add(ErrConflict, "flash_encryption.mode",
			`is "device", which needs a station that can start the chip, and link.reset is "none"; write "host", or connect the reset lines`)
	}
	r.apartFromUnits("scanner.device", p.Scanner.Device, p.Link)
	r.apartFromUnits("label.printer", p.Label.Printer, p.Link)
	if p.Label.Printer != "" && p.Label.Printer == p.Scanner.Device {
		r.add(ErrConflict, "label.printer", "is the port of the scanner; it needs one of its own")
	}
}

// oneOf returns the value written, or the default when none is. A value that is
// neither allowed nor among the planned ones is refused; so is a planned one, with
// its own sentence.
func oneOf[T ~string](r *resolver, key string, written *string, fallback T, allowed []T, planned map[string]string) T {
	if written == nil {
		return fallback
	}
	if slices.Contains(allowed, T(*written)) {
		return T(*written)
	}
	if why, ok := planned[*written]; ok {
		r.add(ErrUnsupported, key, "%s is not supported by this version: %s", clip(*written), why)
		return fallback
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = fmt.Sprintf("%q", string(a))
	}
	r.add(ErrValue, key, "%s is not known; write %s", clip(*written), strings.Join(names, " or "))
	return fallback
}

// file returns an absolute name for a required file.
func (r *resolver) file(key, name, what string) string {
	if name == "" {
		r.add(ErrMissing, key, "name %s", what)
		return ""
	}
	return r.absolute(key, name)
}

// optionalFile is a file that has a default name.
func (r *resolver) optionalFile(key string, written *string, fallback string) string {
	if written == nil {
		return filepath.Join(r.dir, fallback)
	}
	if *written == "" {
		r.add(ErrValue, key, "is empty; name a file, or take the line out for %s", fallback)
	}
	return r.absolute(key, *written)
}

// absolute makes a name relative to the profile's folder absolute.
func (r *resolver) absolute(key, name string) string {
	if strings.ContainsFunc(name, unicode.IsControl) {
		r.add(ErrValue, key, "%s is not a file name", clip(name))
	}
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(r.dir, name)
}

// maxText bounds names that end up in records and on screens.
const maxText = 64

// plain refuses a name that would break a line on a screen or in an export.
func (r *resolver) plain(key, text string) {
	if len(text) > maxText {
		r.add(ErrValue, key, "is longer than %d bytes", maxText)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.add(ErrValue, key, "%s holds a character that cannot be printed", clip(text))
	}
}

// clip quotes a value for a message, cut to a length that keeps it readable.
func clip(s string) string {
	const most = 48
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// whole returns the whole number written, or the default when none is. One outside
// of lowest to highest is refused.
func (r *resolver) whole(key string, written *int64, fallback, lowest, highest int) int {
	n := or(written, int64(fallback))
	if n < int64(lowest) || n > int64(highest) {
		r.add(ErrValue, key, "%d is not allowed; write a whole number from %d to %d", n, lowest, highest)
		return fallback
	}
	return int(n)
}

// or returns the value written, or the default when none is.
func or[T any](written *T, fallback T) T {
	if written == nil {
		return fallback
	}
	return *written
}
