package shift_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/fault"
	"provision/internal/fixture"
	"provision/internal/floor"
	"provision/internal/scanner"
	"provision/internal/shift"
)

// TestInsertThenScan and the other way round: the order is free.
func TestInsertThenScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Scan)
		began := time.Now()
		if ev := r.scan("SN-000041"); !ev.Scan.OK || ev.Slot != 1 || ev.Scan.Meaning != "serial" {
			t.Errorf("the scan was read as %+v for slot %d", ev.Scan, ev.Slot)
		}
		r.becomes(1, shift.Run)
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("from scan to run: %v", took)
		}
		r.becomes(1, shift.Pass)
		if serial := r.last(floor.SlotVerdict).Serial; serial != "SN-000041" {
			t.Errorf("the unit became %q", serial)
		}
		r.end()
	})
}

func TestScanThenInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 2)
		r.start()
		r.scan("SN-000001")
		r.scan("SLOT-2")
		if ev := r.scan("SN-000002"); ev.Slot != 2 {
			t.Errorf("the number goes to slot %d, want 2", ev.Slot)
		}
		r.fix.Insert(2)
		r.becomes(2, shift.Pass)
		if serial := r.last(floor.SlotVerdict).Serial; serial != "SN-000002" {
			t.Errorf("slot 2 became %q, want its own number", serial)
		}
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		if serial := r.last(floor.SlotVerdict).Serial; serial != "SN-000001" {
			t.Errorf("slot 1 became %q", serial)
		}
		r.end()
	})
}

// TestRefusedScans: what is wrong with a number is found before any unit is touched.
func TestRefusedScans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Scan)
		if ev := r.scan("SN-41"); ev.Scan.OK || ev.Code != fault.ScanUnknown {
			t.Errorf("a malformed number: %+v %s", ev.Scan, ev.Code)
		}
		if ev := r.scan("SLOT-9"); ev.Scan.OK || ev.Code != fault.ScanUnknown {
			t.Errorf("a slot that is not there: %+v %s", ev.Scan, ev.Code)
		}
		r.scan("SN-000041")
		r.becomes(1, shift.Pass)
		r.replace(1)
		r.becomes(1, shift.Scan)
		if ev := r.scan("SN-000041"); ev.Scan.OK || ev.Code != fault.SerialUsed || ev.Slot != 1 {
			t.Errorf("a number that is used: %+v %s", ev.Scan, ev.Code)
		}
		r.until("the earlier unit is shown", func() bool { return r.count(shift.PageShown) == 1 })
		if p := r.last(shift.PageShown).Page; p.Kind != "record" || p.Title != "SN-000041" {
			t.Errorf("shown is %+v", p)
		}
		if st := r.state(1); st != shift.Scan {
			t.Errorf("the slot is %s; it still asks", st)
		}
		r.end()
	})
}

// TestKeyboardLayout: the barcode that shows whether scanner and computer agree about
// the keyboard, as they are and as a German keyboard would have it.
func TestKeyboardLayout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1)
		r.start()
		if ev := r.scan(scanner.LayoutTest); !ev.Scan.OK || ev.Scan.Meaning != "layout" {
			t.Errorf("read as %+v", ev.Scan)
		}
		if ev := r.scan("LAZOUTßZy-zYß0123456789"); ev.Scan.OK || ev.Text != "layout.yz_swapped" {
			t.Errorf("read as %+v, %q", ev.Scan, ev.Text)
		}
		r.end()
	})
}

// TestDoubleScan: a code that is read twice at once is one.
func TestDoubleScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1)
		r.start()
		r.scan("SN-000007")
		r.do(shift.Scanned, 0, "SN-000007")
		time.Sleep(time.Second)
		r.do(shift.Scanned, 0, "SN-000007 ")
		if n := r.count(shift.ScanRead); n != 1 {
			t.Errorf("%d scans were read, want 1", n)
		}
		if ev := r.scan("SN-000007"); ev.Scan.OK {
			t.Error("a number that waits already was taken a second time")
		}
		r.end()
	})
}

// TestOrder: only the numbers of the job's list are taken.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1)
		writeFile(t, r.dir+"/order.txt", "# job 7\nSN-000001\nSN-000002\n")
		r.cfg.Floor.Run.Job = r.job(scans+"[job]\nid = \"J7\"\norder = \"order.txt\"\n", "j7.toml")
		r.start()
		if ev := r.scan("SN-000003"); ev.Scan.OK || ev.Code != fault.NotInOrder {
			t.Errorf("a number of another job: %+v %s", ev.Scan, ev.Code)
		}
		if ev := r.scan("SN-000002"); !ev.Scan.OK {
			t.Errorf("a number of this job: %s", ev.Code)
		}
		r.end()
	})
}

// TestQuota: the job ends when its units are made.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.cfg.Floor.Run.Job = r.job(sequence+"[job]\nid = \"J1\"\nquota = 1\n", "j1.toml")
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		r.replace(1)
		r.becomes(1, shift.Lock)
		if ev := r.last(floor.SlotIdle); ev.Code != fault.QuotaEmpty {
			t.Errorf("the slot waits because of %q, want E506", ev.Code)
		}
		r.end()
	})
}

// TestForeignUnitKeepsItsLabel: the number of a unit that could not be begun is not
// spent; the same unit has it when it is put in again.
func TestLabelStaysWithItsUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 1, fixture.Cable)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Scan)
		r.scan("SN-000055")
		r.until("it is judged", func() bool { return r.count(floor.SlotVerdict) == 1 })
		r.replace(1)
		r.becomes(1, shift.Pass)
		if serial := r.last(floor.SlotVerdict).Serial; serial != "SN-000055" || slices.Contains(r.log[1][2:], "SCAN") {
			t.Errorf("put in again it became %q; the slot went through %v", serial, r.log[1])
		}
		r.end()
	})
}

// TestSignIn: where operators sign in, nothing starts before one has.
func TestSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.cfg.Floor.Run.Job = r.job(sequence+"[people]\nsign_in = \"badge\"\n", "badge.toml")
		r.hire()
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Lock)
		if ev := r.scan("BADGE-nobody"); ev.Scan.OK || ev.Code != fault.NotAllowed {
			t.Errorf("a stranger's badge: %+v %s", ev.Scan, ev.Code)
		}
		if ev := r.scan("BADGE-ann"); !ev.Scan.OK || ev.Scan.Text != "Ann" {
			t.Errorf("a badge: %+v", ev.Scan)
		}
		r.becomes(1, shift.Pass)
		runs, err := r.store.UnitBySerial(t.Context(), "SN-000001")
		must(t, err)
		found, err := r.store.Lookup(t.Context(), runs.MAC)
		must(t, err)
		if who := found[0].Runs[0].Operator; who != "Ann" {
			t.Errorf("the run is recorded under %q, want Ann", who)
		}
		r.end()
	})
}

// TestWrongPIN costs nothing but the try.
func TestWrongPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.hire()
		r.start()
		r.scan("BADGE-cleo")
		r.until("a PIN is asked for", func() bool { return r.count(shift.PINAsked) == 1 })
		r.do(shift.PINGiven, 0, "0000")
		r.until("it is refused", func() bool { return r.count(shift.PINRefused) == 1 })
		r.do(shift.PINGiven, 0, pin)
		r.until("the lead is in", func() bool { return r.count(shift.PersonIn) == 1 })
		r.end()
	})
}

// TestJobChange: a traveller is read and checked, and a lead confirms it; the unit
// at work is finished under the old job.
func TestJobChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		next := r.job(`
[job]
id = "J2"
revision = "B"
[records]
database = "provision.db"
[unit]
serial = { pattern = "^XX-[0-9]{4}$", source = "sequence", prefix = "XX-", next = "0001" }
`, "j2.toml")
		r.hire()
		r.cfg.Jobs = jobsOf(next)
		r.start()
		if ev := r.scan("JOB-J2"); ev.Scan.OK || ev.Code != fault.NotAllowed {
			t.Errorf("without a lead: %+v %s", ev.Scan, ev.Code)
		}
		r.lead()
		if ev := r.scan("JOB-J3"); ev.Scan.OK || ev.Code != fault.FileMissing {
			t.Errorf("a job that is not there: %+v %s", ev.Scan, ev.Code)
		}
		r.fix.Insert(1)
		r.becomes(1, shift.Run)
		r.scan("JOB-J2")
		r.until("it is asked", func() bool { return r.count(shift.ChoiceAsked) == 1 })
		r.do(shift.Choose, 0, "reason.job_yes")
		r.until("the job is another", func() bool { j := r.last(shift.Armed).Job; return j != nil && j.ID == "J2" })
		r.becomes(1, shift.Pass)
		if serial := r.last(floor.SlotVerdict).Serial; serial != "SN-000001" {
			t.Errorf("the unit at work became %q", serial)
		}
		r.replace(1)
		r.until("the next one is judged", func() bool { return r.count(floor.SlotVerdict) == 2 })
		if serial := r.last(floor.SlotVerdict).Serial; serial != "XX-0001" {
			t.Errorf("the next unit became %q", serial)
		}
		if acts := r.acts("job"); len(acts) != 2 || acts[0].Person != "Cleo" || acts[0].Subject != "J2" {
			t.Errorf("on record is %+v", acts)
		}
		r.end()
	})
}
