package job

import (
	"os"
	"strings"

	"provision/internal/fault"
	"provision/internal/station"
)

// order reads the list of serial numbers that belong to the job, when the profile
// names one.
func (b *builder) order() {
	p := b.job.Profile
	if p.Job.Order == "" {
		return
	}
	data, ok := b.read(p.Job.Order, "list of serial numbers")
	if !ok {
		return
	}
	b.job.order = map[string]bool{}
	for _, serial := range lines(data) {
		if err := p.CheckSerial(serial); err != nil {
			b.fail(fault.SerialForm, p.Job.Order, "%v", err)
			return
		}
		b.job.order[strings.ToUpper(serial)] = true
	}
}

// Orders reports whether a serial number belongs to the job, in upper or lower case:
// every one does when the profile names no list.
func (j *Job) Orders(serial string) bool {
	return j.order == nil || j.order[strings.ToUpper(serial)]
}

// SerialList returns the serial numbers of the profile's list in its order, used or
// not, read anew at each call; none when they come from elsewhere. Errors are those of
// os.ReadFile.
func (j *Job) SerialList() ([]string, error) {
	rule := j.Profile.Unit.Serial
	if rule.Source != station.SourceList {
		return nil, nil
	}
	data, err := os.ReadFile(rule.File)
	return lines(data), err
}

// byteOrderMark is what a spreadsheet writes before its first line.
const byteOrderMark = "\ufeff"

// lines are the lines of a list of serial numbers that hold one.
func lines(data []byte) (out []string) {
	for line := range strings.Lines(strings.TrimPrefix(string(data), byteOrderMark)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
