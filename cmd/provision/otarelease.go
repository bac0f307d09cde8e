package main

import (
	"fmt"
	"strings"

	"provision/internal/fleet"
	"provision/internal/image"
	"provision/internal/job"
)

// A released file: what it is called, and where it goes.
type releasedFile struct {
	Role   string  `json:"role"`
	File   string  `json:"file"`
	Size   int     `json:"size"`
	SHA256 string  `json:"sha256"`
	Offset *uint32 `json:"flash_offset,omitempty"` // of the factory set
	data   []byte
}

// files are those of the release, the manifest left out.
func (r *release) files() ([]releasedFile, error) {
	name := r.name()
	if r.update.image.Scheme() != 0 {
		name += "-signed"
	}
	table, err := r.job.Table.Binary()
	if err != nil {
		return nil, err
	}
	running, _ := fleet.DeviceOfJob(r.job).Running.Get()
	part, _ := r.job.Table.Find(running)
	file := func(role, name string, data []byte, offset *uint32) releasedFile {
		return releasedFile{role, name, len(data), sha256Hex(data), offset, data}
	}
	at := func(offset uint32) *uint32 { return &offset }
	return []releasedFile{
		file("factory bootloader", "factory-bootloader.bin", r.job.Bootloader, at(job.BootloaderOffset)),
		file("factory partition table", "factory-partition-table.bin", table, at(r.profile.Images.PartitionTableOffset)),
		file("factory app", "factory-app-"+name+".bin", r.signed, at(part.Offset)),
		file("update", "ota-"+name+"-plain.bin", r.signed, nil),
	}, nil
}

// name is project and version in characters that every file system and URL takes.
func (r *release) name() string {
	clean := func(s, otherwise string) string {
		s = strings.Trim(strings.Map(func(c rune) rune {
			if c < 0x80 && plainWord.MatchString(string(c)) && c != '/' && c != ':' && c != '%' {
				return c
			}
			return '-'
		}, s), "-.")
		if s == "" {
			return otherwise
		}
		return s
	}
	return clean(r.update.facts.Project, "app") + "-" + clean(r.update.facts.Version, "0")
}

// manifest says what a release is.
type manifest struct {
	Project       string         `json:"project"`
	Version       string         `json:"version"`
	IDF           string         `json:"idf_version"`
	Chip          string         `json:"chip"`
	SecureVersion uint32         `json:"secure_version"`
	SecureBoot    int            `json:"secure_boot"`
	Signer        string         `json:"signer,omitempty"`
	Encrypted     bool           `json:"encrypted"`
	EncryptedWhy  string         `json:"encrypted_why"`
	Update        string         `json:"update"` // file name
	SlotSize      uint32         `json:"slot_size"`
	Slots         []manifestSlot `json:"slots"`
	Files         []releasedFile `json:"files"`
	Station       string         `json:"station"`
	ProfileSHA256 string         `json:"profile_sha256"`
	MadeBy        string         `json:"made_by"`
}

type manifestSlot struct {
	Label  string `json:"label"`
	Offset uint32 `json:"offset"`
	Size   uint32 `json:"size"`
}

func (r *release) manifest(files []releasedFile) manifest {
	m := manifest{
		Project: r.update.facts.Project, Version: r.update.facts.Version, IDF: r.update.facts.IDF, Chip: image.ESP32.String(),
		SecureBoot: r.update.image.Scheme(), Signer: r.job.Signer,
		EncryptedWhy: "Updates are published in plain: each unit encrypts what it writes with its own flash key.",
		Update:       files[len(files)-1].File, Files: files,
		Station: r.profile.Station.Name, ProfileSHA256: r.job.ProfileSHA256(), MadeBy: "provision " + version(),
	}
	if app := r.update.image.App(); app != nil {
		m.SecureVersion = app.SecureVersion
	}
	for _, s := range r.job.Table.OTASlots() {
		m.Slots = append(m.Slots, manifestSlot{s.Label, s.Offset, s.Size})
		if m.SlotSize == 0 || s.Size < m.SlotSize {
			m.SlotSize = s.Size
		}
	}
	return m
}

// jobDocument is a job for AWS IoT Jobs. Its form is the device's own affair, but for
// the placeholder, which AWS replaces when a device asks for the document; this is
// the one that AWS's jobs agent takes. Sources: AWS IoT developer guide, "Managing
// jobs", "Presigned URLs"; aws-iot-device-sdk-js, jobs-agent.js.
func (r *release) jobDocument(update releasedFile) any {
	type object = map[string]any
	return object{
		"operation":   "install",
		"packageName": r.update.facts.Project,
		"autoStart":   "true",
		"files": []object{{
			"fileName":    update.File,
			"fileVersion": r.update.facts.Version,
			"fileSource":  object{"url": fmt.Sprintf("${aws:iot:s3-presigned-url:%s/%s}", r.url, update.File)},
			"checksum":    object{"inline": object{"value": update.SHA256}, "hashAlgorithm": "SHA256"},
		}},
	}
}
