package label

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// hostStatus asks a printer how it is. The end of the line is for printers that read
// by the line; ZPL ignores it.
const hostStatus = "~HS\r\n"

// The answer is three strings between STX and ETX, each with CR and LF behind it.
const (
	stx       = '\x02'
	etx       = '\x03'
	maxAnswer = 512 // bytes; 82 are usual
)

// Status is how a printer says it is.
type Status struct {
	Ready      bool // Known, and none of the others
	PaperOut   bool
	RibbonOut  bool
	HeadOpen   bool // the cover is open, the print head up
	Paused     bool
	BufferFull bool
	Known      bool // it answered; else all others are false
}

// String returns what a person has to know.
func (s Status) String() string {
	var list []string
	for _, c := range []struct {
		is   bool
		text string
	}{
		{!s.Known, "not known"},
		{s.Ready, "ready"},
		{s.PaperOut, "paper is out"},
		{s.RibbonOut, "ribbon is out"},
		{s.HeadOpen, "cover is open"},
		{s.Paused, "paused"},
		{s.BufferFull, "too many labels are waiting"},
	} {
		if c.is {
			list = append(list, c.text)
		}
	}
	return strings.Join(list, ", ")
}

// Status asks the printer how it is. A file or device that does not answer is not
// Known, without an error; many printers behind USB never do. On the network silence
// is ErrSilent: according to Zebra some models do not answer while paper or ribbon is
// out or the cover is open. An answer that is not a status is ErrReply. Else the
// errors and the patience are those of Print.
func (p *Printer) Status(ctx context.Context) (Status, error) {
	if err := p.takeTurn(ctx); err != nil {
		return Status{}, err
	}
	var answer []byte
	var err error
	if p.address == "" {
		answer, err = p.askFile(ctx)
	} else {
		answer, err = p.askNetwork(ctx)
		p.endTurn()
	}
	if err != nil || len(answer) == 0 {
		return Status{}, err
	}
	s, err := parseStatus(answer)
	if err != nil {
		return Status{}, p.fail(ErrReply, err)
	}
	return s, nil
}

// readAnswer reads until the third ETX and returns what came, with the error that
// ended it earlier.
func readAnswer(r io.Reader) ([]byte, error) {
	var answer []byte
	chunk := make([]byte, 128)
	for bytes.Count(answer, []byte{etx}) < 3 && len(answer) < maxAnswer {
		n, err := r.Read(chunk)
		answer = append(answer, chunk[:n]...)
		if err != nil {
			return answer, err
		}
	}
	return answer, nil
}

// statusFields says how many values each string of an answer has.
var statusFields = [3]int{12, 11, 2}

// parseStatus reads the answer to ~HS (ZPL II Programming Guide, "~HS"). The first
// string: 1 paper out, 2 paused, 5 buffer full; the second: 2 head up, 3 ribbon out;
// counted from 0.
func parseStatus(answer []byte) (Status, error) {
	var v [3][]string
	rest := string(bytes.TrimSuffix(answer, []byte("\r\n")))
	for i, want := range statusFields {
		line, after, found := strings.Cut(rest, string(etx))
		if !found || line == "" || line[0] != stx {
			return Status{}, fmt.Errorf("string %d of the answer %q is not between STX and ETX", i+1, answer)
		}
		v[i] = strings.Split(line[1:], ",")
		if len(v[i]) != want {
			return Status{}, fmt.Errorf("string %d of the answer %q has %d values, not %d", i+1, answer, len(v[i]), want)
		}
		for _, value := range v[i] {
			if value == "" || len(value) > 8 || strings.Trim(value, "0123456789") != "" {
				return Status{}, fmt.Errorf("the answer %q holds %q where a number of up to 8 digits belongs", answer, value)
			}
		}
		if rest = after; i < 2 {
			if rest, found = strings.CutPrefix(after, "\r\n"); !found {
				return Status{}, fmt.Errorf("string %d of the answer %q has no end of line", i+1, answer)
			}
		}
	}
	if rest != "" {
		return Status{}, fmt.Errorf("the answer %q has something behind its end", answer)
	}
	return flags(v[0], v[1])
}

func flags(first, second []string) (Status, error) {
	s := Status{Known: true, Ready: true}
	for _, f := range []struct {
		text string
		flag *bool
	}{
		{first[1], &s.PaperOut}, {first[2], &s.Paused}, {first[5], &s.BufferFull},
		{second[2], &s.HeadOpen}, {second[3], &s.RibbonOut},
	} {
		switch f.text {
		case "0":
		case "1":
			*f.flag, s.Ready = true, false
		default:
			return Status{}, errors.New("a flag of the answer is " + f.text + ", neither 0 nor 1")
		}
	}
	return s, nil
}
