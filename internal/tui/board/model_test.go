package board

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	"provision/internal/flow"
	"provision/internal/shift"
)

// TestApplyIsPure: no event changes a model that was there before it.
func TestApplyIsPure(t *testing.T) {
	var models []model
	var pictures []string
	m := scene(t, "floor-12")
	for i, ev := range day(200) {
		models, pictures = append(models, m), append(pictures, picture(m))
		if i%2 == 0 {
			m = m.apply(ev)
		} else {
			m = m.apply(ev).tick(ev.Time)
			m, _ = m.press('c')
		}
	}
	for i := range models {
		if got := picture(models[i]); got != pictures[i] {
			t.Fatalf("model %d was changed by a later event:\n%s\n%s", i, pictures[i], got)
		}
	}
}

func picture(m model) string { return fmt.Sprintf("%+v %+v", m.slots, m.checks) }

// day is n events of a station with 12 slots, of all kinds.
func day(n int) []shift.Event {
	at := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	var out []shift.Event
	for i := 0; len(out) < n; i++ {
		slot, serial := i%12+1, fmt.Sprintf("AB-%06d", i)
		at = at.Add(time.Second)
		put := func(ev shift.Event) {
			ev.Time, ev.Slot = at, slot
			out = append(out, ev)
		}
		put(shift.Event{Event: flow.Event{Kind: "slot.unit", MAC: "24:0a:c4:00:00:01"}, State: shift.Scan})
		put(shift.Event{Event: flow.Event{Kind: shift.ScanRead}, Scan: &shift.ScanFacts{Text: serial, Meaning: "serial", OK: true}})
		put(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Run: serial, Serial: serial}, State: shift.Run})
		for p := range 8 {
			put(progress(slot, float64(p*12), at))
		}
		put(shift.Event{Event: flow.Event{Kind: flow.BurnIntended, Run: serial}, State: shift.Hold})
		put(shift.Event{Event: flow.Event{Kind: flow.BootLine, Run: serial, Text: "I (31) boot: ESP-IDF"}})
		put(shift.Event{Event: flow.Event{Kind: shift.CheckLine}, Check: &shift.CheckFacts{Name: "check.disk", State: "ok", Text: serial}})
		put(shift.Event{Event: flow.Event{Kind: shift.PageShown}, Page: &shift.Page{Kind: "record", Facts: []shift.Fact{{Key: "record.serial", Text: serial}}}})
		put(shift.Event{Event: flow.Event{Kind: shift.Trouble, Code: "E605", Text: serial}})
		put(shift.Event{Event: flow.Event{Kind: "slot.verdict", Verdict: "PASS", Serial: serial}, State: shift.Pass})
		put(shift.Event{Event: flow.Event{Kind: shift.LabelPrinted}, Label: &shift.LabelFacts{Serial: serial}})
		put(shift.Event{Event: flow.Event{Kind: shift.CountsMade}, Counts: &shift.Counts{In: i, Slots: []shift.SlotCounts{{Slot: slot, Trend: "PPPP"}}}})
	}
	return out[:n]
}

// TestADayNeedsNoMoreThanAnHour: 200,000 events leave a model as large as 5,000 do.
func TestADayNeedsNoMoreThanAnHour(t *testing.T) {
	m := scene(t, "floor-12")
	sizes := map[int]int{}
	events := day(5000)
	for i := range 200_000 {
		if i == 5000 || i == 199_999 {
			sizes[i] = weight(reflect.ValueOf(m))
		}
		m = m.apply(events[i%len(events)])
	}
	if sizes[199_999] > sizes[5000]+1024 || sizes[5000] > 64<<10 {
		t.Errorf("the model weighs %v bytes", sizes)
	}
	runtime.KeepAlive(m)
}

// weight is about how many bytes hang on v.
func weight(v reflect.Value) int {
	n := int(v.Type().Size())
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() {
			n += weight(v.Elem())
		}
	case reflect.String:
		n += v.Len()
	case reflect.Slice:
		for i := range v.Cap() {
			n += weight(v.Slice(0, v.Cap()).Index(i))
		}
	case reflect.Struct:
		n = 0
		for i := range v.NumField() {
			n += weight(v.Field(i))
		}
	}
	return n
}

// TestTimeLeft: seconds are rounded up, run down without events, and never reach
// zero before the run does.
func TestTimeLeft(t *testing.T) {
	at := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	s := slot{work: flow.Progress{Remaining: 11.2}, worked: at, began: at}
	for after, want := range map[time.Duration]int{0: 12, 250 * time.Millisecond: 11, 1300 * time.Millisecond: 10, time.Minute: 1} {
		if got := s.left(at.Add(after)); got != want {
			t.Errorf("after %v: %d s left, want %d", after, got, want)
		}
	}
	if got := s.elapsed(at.Add(61900 * time.Millisecond)); got != 61 {
		t.Errorf("%d s elapsed", got)
	}
	s.ended = at.Add(20 * time.Second)
	if got := s.elapsed(at.Add(time.Hour)); got != 20 {
		t.Errorf("a run that is over goes on: %d s", got)
	}
}

// TestOtherUnitsLabel: a label that comes out when the next unit sits in the slot
// says nothing of that one.
func TestOtherUnitsLabel(t *testing.T) {
	for _, late := range []string{shift.LabelPrinted, shift.LabelFailed, shift.LabelClosed, shift.LabelWrong} {
		m := scene(t, "state-PASS")
		send := func(ev shift.Event) { m = m.apply(ev) }
		label := shift.Event{Event: flow.Event{Kind: late, Slot: 1, Serial: "AB-000123"}, Label: &shift.LabelFacts{Serial: "AB-000123", Due: 1}}
		send(shift.Event{Event: flow.Event{Kind: "slot.empty", Slot: 1}})
		send(shift.Event{Event: flow.Event{Kind: "slot.unit", Slot: 1, MAC: "24:0a:c4:00:00:02"}})
		if s := m.slots[0]; s.state != shift.Pass || s.serial != "AB-000123" {
			t.Fatalf("the verdict went before there was another: %+v", s)
		}
		send(label)
		send(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Slot: 1, Run: "R2"}, State: shift.Run})
		send(label)
		if s := m.slots[0]; s.serial != "" || s.stage != "" || s.mac != "24:0a:c4:00:00:02" || m.due != 1 {
			t.Errorf("%s: the next unit is %+v", late, s)
		}
	}
}

// TestSecondRunOfAUnit: the floor tries once more by itself; the unit keeps its
// number.
func TestSecondRunOfAUnit(t *testing.T) {
	m := scene(t, "state-RUN")
	m = m.apply(shift.Event{Event: flow.Event{Kind: flow.RunStarted, Slot: 1, Run: "R2"}})
	if s := m.slots[0]; s.serial != "AB-000123" || s.steps != 0 || s.state != shift.Run {
		t.Errorf("%+v", s)
	}
}

// TestScanUncoversTheFloor: who scans is at work, and sees the slots again once the
// scan was shown; the answer to a refused one comes after the refusal.
func TestScanUncoversTheFloor(t *testing.T) {
	scan := func(m model, ok bool) model {
		return m.apply(shift.Event{Event: flow.Event{Kind: shift.ScanRead, Code: "E501"}, Scan: &shift.ScanFacts{Text: "AB-1", Meaning: "serial", OK: ok}})
	}
	m := scan(scene(t, "page-record"), true)
	if m = m.tick(m.now.Add(bannerFor)); m.view != floorView || m.scan != nil {
		t.Errorf("view %d, scan %v", m.view, m.scan)
	}
	m = scan(scene(t, "page-record"), false).apply(shift.Event{Event: flow.Event{Kind: shift.PageShown}, Page: &shift.Page{Kind: "record"}})
	if m.scan == nil {
		t.Error("the refusal is gone as soon as the record is there")
	}
	if m = m.tick(m.now.Add(bannerFor)); m.view != pageView {
		t.Error("the record does not follow")
	}
}

// TestCountIsNoNews: that one more unit of the job is made takes no verdict out of the
// line of the last event; another job does.
func TestCountIsNoNews(t *testing.T) {
	job := func(id string) shift.Event {
		return shift.Event{Event: flow.Event{Kind: shift.JobSet}, Job: &shift.JobFacts{ID: id}}
	}
	m := alone(shift.Run).apply(job("J-1")).apply(shift.Event{Event: flow.Event{Slot: 1, Kind: "slot.verdict"}, State: shift.Pass})
	if m = m.apply(job("J-1")); m.last.state != shift.Pass {
		t.Errorf("the last event is %+v", m.last)
	}
	if m = m.apply(job("J-2")); m.last.name != "J-2" {
		t.Errorf("the last event is %+v", m.last)
	}
}

// TestPutAway: the station closes what is open with a page that is none, and an
// explanation of nothing is the help.
func TestPutAway(t *testing.T) {
	m := scene(t, "page-record").apply(shift.Event{Event: flow.Event{Kind: shift.PageShown}})
	if m.page != nil || m.view != floorView {
		t.Error("the page is still there")
	}
	m = m.apply(shift.Event{Event: flow.Event{Kind: shift.PageShown}, Page: &shift.Page{Kind: "none"}})
	if m.view != helpView {
		t.Error("no help")
	}
}

// TestWallClock: events bring their times in UTC; people read those of their place.
func TestWallClock(t *testing.T) {
	m := scene(t, "floor-4")
	m = m.tick(m.now.In(time.FixedZone("here", 2*60*60)))
	m = m.apply(shift.Event{Event: flow.Event{Kind: shift.Disarmed, Time: m.now.Add(time.Second).UTC()}})
	if got := (painter{m, mono, texts(t, "en")}).since(); got != "08:00" {
		t.Errorf("the shift began at %s", got)
	}
}

// TestStepsAreCounted: a step of the plan that is found done counts, and the last
// one is the number that was promised.
func TestStepsAreCounted(t *testing.T) {
	s := slot{number: 1}
	send := func(ev flow.Event) { s = s.apply(shift.Event{Event: ev}) }
	send(flow.Event{Kind: flow.RunStarted})
	for _, name := range []string{"connect", "identify"} {
		send(flow.Event{Kind: flow.StepStarted, Step: name})
	}
	send(flow.Event{Kind: flow.PlanMade, Plan: &flow.Plan{Regions: make([]flow.PlannedRegion, 2), Burns: make([]flow.PlannedBurn, 3), Boot: "ready"}})
	for _, name := range []string{"keys", "write a", "burn 1", "burn 2", "burn 3", "verify", "boot check", "record"} {
		send(flow.Event{Kind: flow.StepStarted, Step: name})
	}
	send(flow.Event{Kind: flow.StepSkipped, Step: "write b"})
	if s.steps != s.total || s.total != 11 {
		t.Errorf("step %d of %d", s.steps, s.total)
	}
}
