package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/flashcrypt"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/label"
	"provision/internal/people"
	"provision/internal/records"
	"provision/internal/secureboot"
	"provision/internal/shift"
	"provision/internal/station"
)

// selfTest checks a station before its first unit, and whenever somebody asks. It
// touches no unit: a port is only opened and closed again.
type selfTest struct {
	profile *station.Profile
	store   *records.Store
	slots   []floor.Slot
	printer *label.Printer // nil: no labels
	virtual bool           // the ports are virtual and never missing
	now     func() time.Time

	tell func(shift.CheckFacts, ...shift.Fault)
}

// States of a line of the self-test.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkBad  = "bad"
)

// checkTime bounds the whole self-test: nobody waits a minute for it.
const checkTime = 45 * time.Second

func (t selfTest) run(ctx context.Context, tell func(shift.CheckFacts, ...shift.Fault)) {
	t.tell = tell
	ctx, done := context.WithTimeout(ctx, checkTime)
	defer done()
	for _, check := range []func(context.Context){t.database, t.openUnits, t.keysAndImages, t.people, t.ports, t.scanner, t.labels} {
		if ctx.Err() != nil {
			return // the station closes, or it took too long
		}
		check(ctx)
	}
}

func (t selfTest) line(name, state, format string, args ...any) {
	t.tell(shift.CheckFacts{Name: "check." + name, State: state, Text: fmt.Sprintf(format, args...)})
}

func (t selfTest) bad(name string, code fault.Code, err error) {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	t.wrong(shift.CheckFacts{Name: "check." + name, State: checkBad, Text: text}, code)
}

// wrong tells a line with the code whose page says what to do about it.
func (t selfTest) wrong(line shift.CheckFacts, code fault.Code) {
	page, _ := fault.Lookup(code)
	t.tell(line, shift.Fault{Code: code, Text: page.Says, Do: page.Do})
}

func (t selfTest) database(ctx context.Context) {
	began := t.now()
	h, err := t.store.Check(ctx)
	took := t.now().Sub(began)
	if err != nil {
		t.bad("database", fault.CodeOf(flow.AsFault(err, fault.Database)), err)
		return
	}
	t.line("database", checkOK, "%d", h.Head.N)
	t.synced(took)
	state := checkOK
	if flow.LowSpace(h.FreeBytes) {
		state = checkWarn
	}
	t.line("disk", state, "%s", flow.Space(h.FreeBytes))
	if h.LatestAt.After(began.Add(flow.ClockTolerance)) {
		t.bad("clock", fault.ClockWrong, fmt.Errorf("%s, latest run %s", began.Format("15:04"), h.LatestAt.Local().Format("2006-01-02 15:04")))
		return
	}
	t.line("clock", checkOK, "%s", began.Local().Format("2006-01-02 15:04"))
}

// synced tells how long a commit took to reach the disk, and warns where it does not
// reach one (there only virtual units are worked on), or nobody can say so.
func (t selfTest) synced(took time.Duration) {
	if err := durable(t.store.Path()); err != nil {
		t.line("sync", checkWarn, "%v", err)
		return
	}
	if why := doubt(t.store.Path()); why != "" && !allVirtual(portsOf(t.slots)) {
		t.line("sync", checkWarn, "%s", why)
		return
	}
	t.line("sync", checkOK, "%d ms", took.Milliseconds())
}

// keysAndImages checks the algorithms against their known answers, the identity
// that seals keys, and that the files of the job are still what was loaded.
func (t selfTest) keysAndImages(context.Context) {
	if err := errors.Join(flashcrypt.SelfTest(), secureboot.SelfTest()); err != nil {
		t.bad("algorithms", fault.Internal, err)
	} else {
		t.line("algorithms", checkOK, "")
	}
	if _, err := keys.LoadIdentity(t.profile.Keys.Identity); err != nil {
		t.bad("keys", fault.KeySafety, err)
	} else if err := durable(t.profile.Keys.Identity); err != nil && !allVirtual(portsOf(t.slots)) {
		t.line("keys", checkWarn, "%v", err)
	} else {
		t.line("keys", checkOK, "")
	}
	j, problems, err := checkedJob(t.profile)
	switch {
	case err != nil:
		t.bad("images", fault.CodeOf(err), err)
	case len(problems) > 0:
		t.bad("images", fault.CodeOf(problems), problems)
	default:
		t.line("images", checkOK, "%s", t.profile.Job.ID)
		t.signer(j)
	}
}

// signer tells whose signature the units will look for, by the start of the key's
// fingerprint. That the app carries it was checked with the images.
func (t selfTest) signer(j *job.Job) {
	for _, f := range j.Facts {
		if app := f.Facts.App; app != nil && app.Signer != "" {
			t.line("signer", checkOK, "%.16s", app.Signer)
			return
		}
	}
	if t.profile.SecureBoot.Version > 0 {
		t.line("signer", checkWarn, "")
	}
}

// people warns where nobody could unlock the station.
func (t selfTest) people(ctx context.Context) {
	list, err := t.store.People(ctx)
	if err != nil {
		t.bad("people", fault.Database, err)
		return
	}
	leads := 0
	for _, p := range list {
		if role, err := people.ParseRole(string(p.Role)); err == nil && p.Active && role.Allows(people.Lead) {
			leads++
		}
	}
	if leads == 0 {
		t.line("people", checkWarn, "provision people add NAME --role lead --badge CODE")
		return
	}
	t.line("people", checkOK, "%d", len(list))
}

// ports opens the port of every slot once. Where one does not open, the line works with
// the others: that is bad only where none does. A port that is busy belongs to a slot
// that is being looked at. One of another machine is not tried: its server may reset
// the unit whenever somebody comes or goes, and lets nobody in while the slot is in use.
func (t selfTest) ports(ctx context.Context) {
	if t.virtual {
		t.line("ports", checkOK, "%d", len(t.slots))
		return
	}
	slots := slices.DeleteFunc(slices.Clone(t.slots), func(s floor.Slot) bool { return isRemote(s.Port) })
	var missing []int
	var why error // of the first
	for i, err := range tryPorts(ctx, slots) {
		s := slots[i]
		switch {
		case err == nil, errors.Is(err, esptool.ErrPortBusy):
		case isVirtual(s.Port) && errors.Is(err, esptool.ErrPortMissing): // made blank with the first run
		default:
			missing = append(missing, s.Number)
			why = cmp.Or(why, err)
		}
	}
	state := checkWarn
	switch len(missing) {
	case 0:
		t.line("ports", checkOK, "%d", len(slots))
		return
	case len(t.slots):
		state = checkBad
	}
	text := "port does not open: slot " + strings.Trim(strings.ReplaceAll(fmt.Sprint(missing), " ", ", "), "[]")
	t.wrong(shift.CheckFacts{Name: "check.ports", State: state, Text: text, Slots: missing}, fault.CodeOf(flow.AsFault(why, fault.PortMissing)))
}

// tryPorts opens the port of every slot once and closes it again, all at the same time:
// a host that does not answer delays no other. It returns what went wrong at each.
func tryPorts(ctx context.Context, slots []floor.Slot) []error {
	errs := make([]error, len(slots))
	var all sync.WaitGroup
	for i, s := range slots {
		all.Go(func() {
			port, err := s.Open(ctx)
			if err == nil {
				_ = port.Close() // it opened, which is all that was asked
			}
			errs[i] = err
		})
	}
	all.Wait()
	return errs
}

// scanner opens the scanner's port as the one that reads it does. A port that is busy
// is being read.
func (t selfTest) scanner(ctx context.Context) {
	device := t.profile.Scanner.Device
	if device == "" {
		return // the keyboard: whoever reads this has one
	}
	port, err := openPort(ctx, device)
	switch {
	case err == nil:
		_ = port.Close()
	case !errors.Is(err, esptool.ErrPortBusy):
		t.wrong(shift.CheckFacts{Name: "check.scanner", State: checkBad, Text: device}, fault.CodeOf(flow.AsFault(err, fault.PortMissing)))
		return
	}
	t.line("scanner", checkOK, "%s", device)
}

func (t selfTest) labels(ctx context.Context) {
	if t.printer == nil {
		return
	}
	st, err := t.printer.Status(ctx)
	switch {
	case err != nil:
		t.bad("printer", fault.PrinterFailed, err)
	case !st.Known:
		t.line("printer", checkOK, "")
	case !st.Ready:
		t.bad("printer", fault.PrinterFailed, errors.New(printerTrouble(st)))
	default:
		t.line("printer", checkOK, "")
	}
}

// printerTrouble says what a printer complains about.
func printerTrouble(st label.Status) string {
	var out []string
	for _, c := range []struct {
		on   bool
		text string
	}{{st.PaperOut, "no paper"}, {st.RibbonOut, "no ribbon"}, {st.HeadOpen, "cover open"}, {st.Paused, "paused"}, {st.BufferFull, "memory full"}} {
		if c.on {
			out = append(out, c.text)
		}
	}
	return strings.Join(out, ", ")
}

// openUnits lists what was begun and not finished, each with its next action: the units
// that go on when they are put in, then those that wait for a person.
func (t selfTest) openUnits(ctx context.Context) {
	units, err := flow.Unfinished(ctx, t.store)
	if err != nil {
		t.bad("open_units", fault.Database, err)
		return
	}
	open, parked := openAndParked(units)
	t.units("open_units", open)
	if len(parked) > 0 {
		t.units("parked_units", parked)
	}
}

// units is a line about units that somebody has to see to.
func (t selfTest) units(name string, units []flow.Outlook) {
	state := checkOK
	if len(units) > 0 {
		state = checkWarn
	}
	t.tell(shift.CheckFacts{Name: "check." + name, State: state, Text: fmt.Sprint(len(units)), Units: units})
}
