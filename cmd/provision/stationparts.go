package main

import (
	"context"
	"errors"
	"os"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flow"
	"provision/internal/label"
	"provision/internal/scanner"
	"provision/internal/shift"
	"provision/internal/station"
)

// labels is where a station's labels go, and what they look like.
type labels struct {
	printer  *label.Printer
	template *label.Template
}

// openLabels reads the template and opens the printer of a profile; nil when it has
// none. A printer that is switched off is no mistake: the self-test tells.
func openLabels(p *station.Profile) (*labels, error) {
	if p.Label.Printer == "" {
		return nil, nil
	}
	template, err := labelTemplate(p)
	if err != nil {
		return nil, advise(err, "Correct "+p.Label.Template+".")
	}
	printer, err := label.Open(p.Label.Printer)
	if err != nil {
		return nil, fault.New(fault.BadProfile, "", err)
	}
	return &labels{printer, template}, nil
}

// labelTemplate is what a profile's labels look like.
func labelTemplate(p *station.Profile) (*label.Template, error) {
	if p.Label.Template == "" {
		return label.Default(), nil
	}
	text, err := os.ReadFile(p.Label.Template)
	if err != nil {
		return nil, fault.New(fault.FileMissing, "", systemCause(err))
	}
	template, err := label.Parse(string(text))
	if err != nil {
		return nil, fault.New(fault.BadProfile, "", err)
	}
	return template, nil
}

// scannerName is where scans come from, for the screen's last line.
func scannerName(p *station.Profile) string {
	if p.Scanner.Device == "" {
		return "keyboard"
	}
	return p.Scanner.Device
}

// scannerRetry is how long a scanner that went away is left alone.
const scannerRetry = 3 * time.Second

// readScanner passes on what a scanner on a port of its own reads, until ctx ends.
// One that is pulled out is taken up again when it is back.
func readScanner(ctx context.Context, device string, s *shift.Shift) {
	there := func(ok bool) {
		if ctx.Err() == nil { // else the station has let go of it
			s.Machine(shift.MachineFacts{Name: shift.ScannerMachine, OK: ok})
		}
	}
	for ctx.Err() == nil {
		port, err := openPort(ctx, device)
		if !errors.Is(err, esptool.ErrPortBusy) { // the self-test may be looking at it
			there(err == nil)
		}
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = port.Close() })
			for ev, err := range scanner.Lines(port) {
				if scan, ok := ev.(scanner.Scan); ok && err == nil {
					s.Do(shift.Intent{Kind: shift.Scanned, Text: scan.Text})
				}
			}
			there(false)
			if stop() {
				_ = port.Close()
			}
		}
		if sleep(ctx, scannerRetry) != nil {
			return
		}
	}
}

// machinePeriod is how often the disk and the printer are looked at between units.
const machinePeriod = time.Minute

// watchMachines tells how the disk and the printer are, until ctx ends. A printer that
// cannot say how it is counts as well until a label does not come out.
func (t selfTest) watchMachines(ctx context.Context, s *shift.Shift) {
	for sleep(ctx, machinePeriod) == nil {
		if h, err := t.store.Check(ctx); ctx.Err() == nil {
			s.Machine(shift.MachineFacts{Name: shift.DiskMachine, OK: err == nil && !flow.LowSpace(h.FreeBytes), Text: flow.Space(h.FreeBytes)})
		}
		if t.printer == nil {
			continue
		}
		if st, err := t.printer.Status(ctx); ctx.Err() == nil && (err != nil || st.Known) {
			s.Machine(shift.MachineFacts{Name: shift.PrinterMachine, OK: err == nil && st.Ready})
		}
	}
}
