package board

import (
	"strconv"
	"strings"

	"provision/internal/shift"
)

// footer is what the station's machines say, what happened last, and the keys.
func (p painter) footer(a area) {
	y := 0
	if a.h > 2 {
		p.rule(a, 0)
		y = 1
	}
	if a.h == 1 {
		if said := p.saying(); said.st != plain {
			p.row(a, 0, []span{said}, nil)
			return
		}
		p.keyRow(a, 0)
		return
	}
	said := p.saying()
	if p.trouble != nil && width(said.text) > a.w {
		// The keys can wait: what to do is told as a whole.
		for i, text := range wrap(said.text, a.w) {
			a.line(y+i, said.st, text, p.lk)
		}
		return
	}
	p.row(a, y, []span{said}, p.machineSpans())
	p.keyRow(a, y+1)
}

// saying is the line that changes: a remark of the screen, else a trouble of the
// station, else the last event.
func (p painter) saying() span {
	switch {
	case p.notice != "":
		return span{bold, p.tx.Text(p.notice), 0}
	case p.trouble != nil:
		return span{amber | bold, p.reasonText(p.trouble), 0}
	}
	return span{plain, p.lastText(), 0}
}

// reasonText is a reason in one line: what it is called and what to do. Where there
// is nothing to do but to know why, the station's own sentence says it: one of the
// catalogue, or an English one; in other languages the name of the code has to do.
func (p painter) reasonText(r *reason) string {
	if r.code == "" {
		return strings.TrimSpace(r.text + " " + r.do)
	}
	name, _, do := p.tx.Fault(r.code)
	head := string(r.code) + " " + name
	switch {
	case r.do != "" || r.text == "":
		return head + ": " + do
	case p.tx.Has(r.text):
		return p.tx.Text(r.text)
	case p.tx.Lang() == "en":
		return head + ": " + r.text
	}
	return head
}

// lastText is the last event in a few words.
func (p painter) lastText() string {
	h := p.last
	n := strconv.Itoa(h.slot)
	switch h.kind {
	case "":
		return ""
	case "state":
		out := p.tx.Text("last.state", "n", n, "word", p.tx.Text("state."+string(h.state)))
		for _, more := range []string{h.serial, string(h.code)} {
			if more != "" {
				out += " " + more
			}
		}
		return out
	}
	return p.tx.Text("last."+h.kind, "name", h.name, "serial", h.serial, "n", n)
}

// machineSpans are the labels that are open and the machines beside the slots: those
// that somebody has to see to stand out, and the others give way to them.
func (p painter) machineSpans() []span {
	scanner, printer := p.facts.Scanner, p.tx.Text("foot.no_printer")
	if scanner == "keyboard" {
		scanner = p.tx.Text("foot.keyboard")
	}
	scanner = p.tx.Text("foot.scanner", "name", scanner)
	if p.facts.Printer != "" {
		printer = p.tx.Text("foot.printer", "name", p.facts.Printer)
	}
	disk := p.machine(shift.DiskMachine).Text
	if disk != "" {
		disk = p.tx.Text("foot.disk", "free", disk)
	}
	var out []span
	if p.due > 0 {
		out = append(out, span{blue | bold, p.tx.Text("foot.labels", "n", strconv.Itoa(p.due)), 1})
	}
	for _, m := range []struct {
		name, text string
		drop       int
	}{{shift.ScannerMachine, scanner, 2}, {shift.PrinterMachine, printer, 3}, {shift.DiskMachine, disk, 4}} {
		if p.machine(m.name).OK {
			out = append(out, span{dim, m.text, m.drop})
		} else {
			out = append(out, span{amber | bold | inverse, " " + p.tx.Text("foot.bad_"+m.name) + " ", 0})
		}
	}
	return out
}

// keyRow shows the keys that the person who is signed in can use, as many as fit.
func (p painter) keyRow(a area, y int) {
	x := 0
	for _, k := range p.offers() {
		hint := p.tx.Text(k.hint)
		if x+2+width(hint) > a.w {
			continue
		}
		x = a.put(x, y, bold, string(k.key))
		x = a.put(x+1, y, dim, hint) + 2
	}
}
