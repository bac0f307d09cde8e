package main

import (
	"os"
	"strings"

	"provision/internal/fault"
	"provision/internal/fleet"
	"provision/internal/job"
	"provision/internal/ota"
	"provision/internal/station"
)

// newJob is job.New, and whether the units of the job can be updated over the air, and
// will accept the update that their profile plans next. The error is a job.Problems, as
// job.New's is.
func newJob(p *station.Profile) (*job.Job, error) {
	j, err := job.New(p)
	if err != nil {
		return nil, err
	}
	if p.OTA.NextImage != "" {
		if problem := nextUpdate(j, p.OTA.NextImage); problem != nil {
			return nil, job.Problems{problem}
		}
		return j, nil
	}
	for _, r := range ota.Never(j.Table) {
		j.Warnings = append(j.Warnings, "No unit of this profile can ever be updated over the air. "+r.Says)
	}
	return j, nil
}

// nextUpdate says why the units of the job would not accept the file at path. Where
// that cannot be told of all of them, it is a warning.
func nextUpdate(j *job.Job, path string) *job.Problem {
	data, err := os.ReadFile(path)
	if err != nil {
		return &job.Problem{Code: fault.FileMissing, File: path, Text: "the next update cannot be read: " + systemCause(err).Error()}
	}
	r := fleet.CheckJob(j, ota.Read(data))
	if r.Verdict == ota.Unknown {
		j.Warnings = append(j.Warnings, path+": it cannot be told whether every unit would accept this update: not known is "+strings.Join(r.Missing, "; ")+".")
	}
	if len(r.Reasons) == 0 {
		return nil
	}
	first := r.Reasons[0]
	return &job.Problem{
		Code: updateCodes[first.Code], File: path, Do: first.Do,
		Text: "the units would not accept this update: " + clause(first.Says),
	}
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

// updateCodes are the published codes of all reasons for which an update is refused.
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
	ota.SlotGap:          fault.BadTable,
	ota.WrongChip:        fault.WrongTarget,
	ota.ChipTooOld:       fault.WrongTarget,
	ota.ChipTooNew:       fault.WrongTarget,
	ota.OldSecureVersion: fault.WrongTarget,
	ota.Empty:            fault.BadImage,
	ota.NotImage:         fault.BadImage,
	ota.PartitionTable:   fault.BadImage,
	ota.BootloaderImage:  fault.BadImage,
	ota.Truncated:        fault.BadImage,
	ota.BadSegments:      fault.BadImage,
	ota.BadChecksum:      fault.BadImage,
	ota.BadHash:          fault.BadImage,
	ota.BadLoadAddress:   fault.BadImage,
	ota.NoDescriptor:     fault.BadImage,
}
