package shift_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/fault"
	"provision/internal/fixture"
	"provision/internal/flow"
	"provision/internal/shift"
)

// TestOneUnitAfterTheOther: insertion starts a unit, the verdict stays until the
// unit is out and the next one is there.
func TestOneUnitAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		if ev := r.last("slot.verdict"); ev.Serial != "SN-000001" {
			t.Errorf("the verdict is about %q, want SN-000001", ev.Serial)
		}
		time.Sleep(time.Minute)
		if st := r.state(1); st != shift.Pass || r.runs != 1 {
			t.Errorf("a minute later the slot is %s after %d runs; want PASS after 1", st, r.runs)
		}
		r.out(1)
		if st := r.state(1); st != shift.Pass {
			t.Errorf("with the unit out the slot is %s; the verdict stays until the next unit", st)
		}
		r.fix.Insert(1)
		r.becomes(1, shift.Run)
		r.becomes(1, shift.Pass)
		want := []string{"READY", "RUN", "HOLD", "PASS", "RUN", "HOLD", "PASS"}
		if !slices.Equal(r.log[1], want) {
			t.Errorf("the slot went through %v, want %v", r.log[1], want)
		}
		if c := r.last(shift.CountsMade).Counts; c == nil || c.In != 2 || c.First != 2 || c.FPY != 1 || c.Slots[0].Trend != "PP" {
			t.Errorf("the counters are %+v", c)
		}
		if j := r.last(shift.JobSet).Job; j.Made != 2 {
			t.Errorf("%d units of the job are made, want 2", j.Made)
		}
		r.end()
	})
}

// TestFinishedUnitIsGreeted: a unit that passed before is told so and not written.
func TestFinishedUnitIsGreeted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1, fixture.Good, fixture.Finished)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Pass)
		r.replace(1)
		r.becomes(1, shift.Done)
		if ev := r.last("slot.verdict"); ev.Serial != "SN-000001" || r.count(flow.BurnIntended) == 0 {
			t.Errorf("greeted as %q", ev.Serial)
		}
		r.end()
	})
}

// TestUnitGoesUnanswered: a unit may be taken out at the very moment at which its slot
// is asked again, which a scan, a verdict elsewhere or a badge does. The slot must not
// go on asking for the label of a unit that is gone.
func TestUnitGoesUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scans, 2)
		r.start()
		for step := range 8 { // of a look at a slot and the wait for the next
			r.fix.Insert(1)
			r.becomes(1, shift.Scan)
			r.scan("SLOT-2")
			time.Sleep(time.Duration(step) * 100 * time.Millisecond)
			r.fix.Remove(1)
			r.s.Do(shift.Intent{Kind: shift.Scanned, Text: fmt.Sprintf("SN-%06d", step)}) // every slot is asked again
			r.becomes(1, shift.Ready)
		}
		r.end()
	})
}

// TestNotArmed: nothing is started before a lead has said so, with badge, PIN and a
// look at what is permanent; one PIN is for one act.
func TestNotArmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.hire()
		r.cfg.Armed = false
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Lock)
		if ev := r.last("slot.idle"); ev.Code != fault.NotArmed {
			t.Errorf("the slot waits because of %q, want E812", ev.Code)
		}
		r.do(shift.Arm, 0, "")
		if ev := r.last(shift.Trouble); ev.Code != fault.NotAllowed {
			t.Errorf("arming without a lead: %q, want E906", ev.Code)
		}
		r.scan("BADGE-ann")
		r.do(shift.Arm, 0, "")
		if r.count(shift.ChoiceAsked) != 0 {
			t.Error("an operator was asked to confirm the arming")
		}
		r.lead()
		r.decide(shift.Arm, 0, "reason.job_yes")
		permanent := 0
		for _, f := range r.last(shift.ChoiceAsked).Choice.Facts {
			if f.Key == "record.permanent" {
				permanent++
			}
		}
		if permanent == 0 {
			t.Error("the lead was not shown what is permanent")
		}
		r.becomes(1, shift.Pass)
		r.do(shift.Exclude, 1, "")
		if n := r.count(shift.ChoiceAsked); n != 1 {
			t.Errorf("%d questions: the PIN was for one act", n)
		}
		acts := r.acts("arm")
		if len(acts) != 1 || acts[0].Person != "Cleo" || acts[0].Reason != "reason.job_yes" {
			t.Errorf("on record is %+v", acts)
		}
		r.end()
	})
}

// TestLeadIsTimeBoxed: two minutes at most, one without a sign of them.
func TestLeadIsTimeBoxed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.hire()
		r.start()
		r.lead()
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if ev := r.last(shift.PersonOut); ev.Person == nil || ev.Person.Name != "Cleo" {
			t.Errorf("after 90 idle seconds: %+v", ev)
		}
		r.do(shift.Exclude, 1, "")
		if ev := r.last(shift.Trouble); ev.Code != fault.NotAllowed {
			t.Errorf("an act after that: %q, want E906", ev.Code)
		}
		r.end()
	})
}

// TestSlotStops: three units in a row that fail in one slot put it out of use; the
// verdict of the third stays in sight until it is out.
func TestSlotStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 2, fixture.Foreign)
		r.hire()
		r.start()
		r.fix.Insert(1)
		for n := 1; ; n++ {
			r.until("the unit is judged", func() bool { return r.count("slot.verdict") == n })
			if n == 3 {
				break
			}
			r.replace(1)
		}
		if st := r.state(1); st != shift.Park {
			t.Errorf("the third foreign unit shows as %s", st)
		}
		r.out(1)
		r.becomes(1, shift.Lock)
		r.fix.Insert(1)
		time.Sleep(10 * time.Second)
		if n := r.count(flow.RunStarted); n != 3 {
			t.Errorf("%d runs: the stopped slot started another", n)
		}
		r.lead()
		r.decide(shift.Unlock, 1, "reason.fixture_cleaned")
		r.until("it works again", func() bool { return r.count(flow.RunStarted) > 3 })
		r.until("that unit is judged", func() bool { return r.count("slot.verdict") == 4 })
		if r.count(shift.StationLocked) != 0 {
			t.Error("one bad slot stopped the whole station")
		}
		r.end()
	})
}

// TestStationStops: failures in a row in several slots stop the station; a lead
// unlocks it.
func TestStationStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 3, fixture.Foreign, fixture.Foreign, fixture.Foreign, fixture.Good)
		r.hire()
		r.start()
		for slot := 1; slot <= 3; slot++ {
			r.fix.Insert(slot)
		}
		r.until("the station locks", func() bool { return r.count(shift.StationLocked) == 1 })
		if ev := r.last(shift.StationLocked); ev.Code != fault.StationStopped {
			t.Errorf("locked because of %q, want E905", ev.Code)
		}
		r.replace(1)
		r.becomes(1, shift.Lock)
		r.lead()
		r.decide(shift.Unlock, 0, "reason.material_changed")
		r.becomes(1, shift.Pass)
		r.end()
	})
}

// TestUsedUpAttempts: a unit that fails again and again is set aside, and stays so
// until a lead lets it go on.
func TestUsedUpAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1, fixture.WornCell)
		r.hire()
		r.start()
		r.fix.Insert(1)
		for n := 1; n <= 3; n++ {
			r.until("the unit is judged", func() bool { return r.count("slot.verdict") == n })
			want := shift.Redo
			if n == 3 {
				want = shift.Park
			}
			if st := r.state(1); st != want {
				t.Fatalf("after attempt %d the slot is %s, want %s", n, st, want)
			}
			if n < 3 {
				r.replace(1)
			}
		}
		mac := r.last("slot.verdict").MAC
		if _, err := r.store.ParkingOf(t.Context(), mac); err != nil {
			t.Errorf("the unit is not parked: %v", err)
		}
		r.lead()
		r.decide(shift.Release, 1, "reason.retest_agreed")
		r.until("it is released", func() bool { return r.count(shift.UnitReleased) == 1 })
		if _, err := r.store.ParkingOf(t.Context(), mac); err == nil {
			t.Error("the unit is still parked")
		}
		r.end()
	})
}

// TestExcludedSlot is not looked at, and works again when it is taken in.
func TestExcludedSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 2)
		r.hire()
		r.start()
		r.lead()
		r.decide(shift.Exclude, 2, "reason.contacts_replaced")
		r.becomes(2, shift.Off)
		r.fix.Insert(2)
		time.Sleep(10 * time.Second)
		if n := r.count(flow.RunStarted); n != 0 {
			t.Errorf("%d runs in an excluded slot", n)
		}
		r.lead()
		r.decide(shift.Exclude, 2, "reason.other")
		r.becomes(2, shift.Pass)
		r.end()
	})
}

// TestQuitWaits: the station closes when the unit at work has its verdict, and
// starts no other.
func TestQuitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 2)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Run)
		r.do(shift.Quit, 0, "")
		r.fix.Insert(2)
		must(t, <-r.over)
		if st := r.state(1); st != shift.Pass {
			t.Errorf("the unit at work ended as %s", st)
		}
		if r.runs != 1 || r.count(shift.ShiftEnded) != 1 {
			t.Errorf("%d runs, %d ends", r.runs, r.count(shift.ShiftEnded))
		}
		r.ended = true
	})
}

// TestQuitNow interrupts the unit at work; the next shift finishes it.
func TestQuitNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sequence, 1)
		r.start()
		r.fix.Insert(1)
		r.becomes(1, shift.Hold)
		r.do(shift.QuitNow, 0, "")
		<-r.over
		if n := r.count("slot.verdict"); n != 1 || r.last("slot.verdict").Code != fault.Interrupted && r.state(1) != shift.Pass {
			t.Errorf("interrupted: %+v", r.last("slot.verdict"))
		}
		began := r.last(shift.ShiftStarted).Shift.Began
		time.Sleep(time.Minute)
		r.events = nil
		r.over = make(chan error, 1)
		r.start()
		if again := r.last(shift.ShiftStarted).Shift; !again.Began.Equal(began) {
			t.Errorf("the shift began anew at %v; it began at %v", again.Began, began)
		}
		r.until("the unit is finished", func() bool { return r.state(1) == shift.Pass || r.state(1) == shift.Done })
		r.end()
	})
}
