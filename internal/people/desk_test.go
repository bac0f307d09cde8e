package people

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	morning = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

	anna = Person{"anna", Operator}
	bo   = Person{"bo", Operator}
	cleo = Person{"cleo", Lead}
	cora = Person{"cora", Lead}
	dana = Person{"dana", Engineer}

	load    = Action{Name: "load", Needs: Operator}
	help    = Action{Name: "help"}
	unlock  = Action{Name: "unlock", Needs: Lead}
	details = Action{Name: "details", Needs: Engineer, Reading: true}
	history = Action{Name: "history", Needs: Lead, Reading: true}
	erase   = Action{Name: "erase", Needs: Engineer}
)

// act is what happens at the desk; what it answers, if anything, is in the text.
type act func(d *Desk, now time.Time) string

func badge(p Person) act {
	return func(d *Desk, now time.Time) string { d.Badge(p, now); return "" }
}

func use(a Action) act {
	return func(d *Desk, now time.Time) string {
		g, err := d.Use(a, now)
		switch {
		case errors.Is(err, ErrNobody):
			return "nobody"
		case errors.Is(err, ErrNeedsMore):
			return "needs more"
		case err != nil || g.Action != a || !g.At.Equal(now):
			return fmt.Sprintf("%+v, %v", g, err)
		}
		return "by " + g.By.Name
	}
}

func result(name string, right bool) act {
	return func(d *Desk, now time.Time) string { d.PINResult(name, right, now); return "" }
}

// pin is typed and checked at once.
func pin(name string, right bool) act {
	return func(d *Desk, now time.Time) string {
		if s := typed(d, now); s != "check "+name {
			return s
		}
		d.PINResult(name, right, now)
		return ""
	}
}

func typed(d *Desk, now time.Time) string {
	p, ok := d.PINGiven(now)
	if !ok {
		return "not looked at"
	}
	return "check " + p.Name
}

func signOut(d *Desk, now time.Time) string { d.SignOut(now); return "" }
func giveUp(d *Desk, now time.Time) string  { d.GiveUpPIN(now); return "" }
func touch(d *Desk, now time.Time) string   { d.Touch(now); return "" }
func nothing(*Desk, time.Time) string       { return "" }

// step happens at a time after the morning began. want is the answer of the act, if
// it has one, and the changes since the step before, as changeText tells them; who
// is who is signed in afterwards.
type step struct {
	at   time.Duration
	do   act
	want string
	who  string
}

const (
	s = time.Second
	m = time.Minute
)

func TestDesk(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"an operator for a shift", []step{
			{0, use(load), "nobody", ""},
			{0, use(help), "by ", ""},
			{1 * s, badge(anna), "in anna 10h0m1s", "anna"},
			{2 * m, use(load), "by anna", "anna"},
			{2 * m, use(unlock), "needs more", "anna"},
			{600 * m, nothing, "", "anna"},
			{601 * m, nothing, "out anna time_up", ""},
		}},
		{"badge again, from then on", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{60 * m, badge(anna), "in anna 11h0m0s", "anna"},
			{660 * m, nothing, "out anna time_up", ""},
		}},
		{"another operator", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{1 * m, badge(bo), "out anna replaced, in bo 10h1m0s", "bo"},
			{2 * m, signOut, "out bo asked", ""},
			{2 * m, signOut, "", ""},
		}},
		{"a badge without a role", []step{
			{0, badge(Person{Name: "eve"}), "", ""},
		}},
		{"a lead, for one act", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{10 * s, badge(cleo), "pin.wanted cleo 40s", "anna"},
			{15 * s, use(unlock), "needs more", "anna"},
			{20 * s, pin("cleo", true), "pin.closed cleo, in cleo 1m20s", "cleo"},
			{25 * s, use(load), "by cleo", "cleo"},
			{25 * s, use(history), "by cleo", "cleo"},
			{25 * s, use(details), "needs more", "cleo"},
			{30 * s, use(unlock), "by cleo, out cleo used, in anna resumed 10h0m0s", "anna"},
			{31 * s, use(unlock), "needs more", "anna"},
		}},
		{"an engineer reads as long as the elevation lasts", []step{
			{0, badge(dana), "pin.wanted dana 30s", ""},
			{1 * s, pin("dana", true), "pin.closed dana, in dana 1m1s", "dana"},
			{50 * s, use(details), "by dana", "dana"},
			{100 * s, use(details), "by dana", "dana"},
			{119 * s, touch, "", "dana"},
			{121 * s, use(details), "nobody, out dana time_up", ""},
		}},
		{"an engineer may do what a lead may, once", []step{
			{0, badge(dana), "pin.wanted dana 30s", ""},
			{1 * s, pin("dana", true), "pin.closed dana, in dana 1m1s", "dana"},
			{2 * s, use(unlock), "by dana, out dana used", ""},
			{3 * s, use(erase), "nobody", ""},
		}},
		{"a lead who went away", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{0, badge(cleo), "pin.wanted cleo 30s", "anna"},
			{0, pin("cleo", true), "pin.closed cleo, in cleo 1m0s", "cleo"},
			{40 * s, touch, "", "cleo"},
			{99 * s, nothing, "", "cleo"},
			{100 * s, use(unlock), "needs more, out cleo idle, in anna resumed 10h0m0s", "anna"},
		}},
		{"a lead signs out before the operator does", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{0, badge(cleo), "pin.wanted cleo 30s", "anna"},
			{0, pin("cleo", true), "pin.closed cleo, in cleo 1m0s", "cleo"},
			{1 * s, signOut, "out cleo asked, in anna resumed 10h0m0s", "anna"},
			{2 * s, signOut, "out anna asked", ""},
		}},
		{"the operator's shift ends behind the lead", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{600*m - 5*s, badge(cleo), "pin.wanted cleo 10h0m25s", "anna"},
			{600*m - 5*s, pin("cleo", true), "pin.closed cleo, in cleo 10h0m55s", "cleo"},
			{600*m + 1*s, nothing, "", "cleo"},
			{600*m + 2*s, use(unlock), "by cleo, out cleo used, out anna time_up", ""},
		}},
		{"an operator's badge ends an elevation", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{0, badge(cleo), "pin.wanted cleo 30s", "anna"},
			{0, pin("cleo", true), "pin.closed cleo, in cleo 1m0s", "cleo"},
			{1 * s, badge(bo), "out cleo replaced, out anna replaced, in bo 10h0m1s", "bo"},
			{2 * s, use(unlock), "needs more", "bo"},
		}},
		{"another lead", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{0, pin("cleo", true), "pin.closed cleo, in cleo 1m0s", "cleo"},
			{5 * s, badge(cora), "pin.wanted cora 35s", "cleo"},
			{6 * s, pin("cora", true), "pin.closed cora, out cleo replaced, in cora 1m6s", "cora"},
		}},
		{"the same lead again, two minutes more", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{0, pin("cleo", true), "pin.closed cleo, in cleo 1m0s", "cleo"},
			{50 * s, badge(cleo), "pin.wanted cleo 1m20s", "cleo"},
			{51 * s, pin("cleo", true), "pin.closed cleo, in cleo 1m51s", "cleo"},
		}},
		{"the PIN comes too late", []step{
			{0, badge(anna), "in anna 10h0m0s", "anna"},
			{0, badge(cleo), "pin.wanted cleo 30s", "anna"},
			{30 * s, typedAct, "not looked at, pin.closed cleo", "anna"},
		}},
		{"the PIN is given up", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{1 * s, giveUp, "pin.closed cleo", ""},
			{1 * s, giveUp, "", ""},
			{2 * s, typedAct, "not looked at", ""},
		}},
		{"another badge instead of the PIN", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{1 * s, badge(cora), "pin.closed cleo, pin.wanted cora 31s", ""},
			{2 * s, badge(anna), "pin.closed cora, in anna 10h0m2s", "anna"},
			{3 * s, typedAct, "not looked at", "anna"},
		}},
		{"a check that takes long", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{29 * s, typedAct, "check cleo", ""},
			{29 * s, typedAct, "not looked at", ""},
			{35 * s, result("cleo", true), "pin.closed cleo, in cleo 1m35s", "cleo"},
		}},
		{"results that nobody waits for", []step{
			{0, result("cleo", true), "", ""},
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{0, result("cleo", true), "", ""},
			{1 * s, typedAct, "check cleo", ""},
			{1 * s, result("cora", true), "", ""},
			{2 * s, giveUp, "pin.closed cleo", ""},
			{3 * s, badge(cleo), "pin.wanted cleo 33s", ""},
			{4 * s, result("cleo", true), "", ""},
			{5 * s, pin("cleo", true), "pin.closed cleo, in cleo 1m5s", "cleo"},
		}},
		{"a right PIN after two wrong ones", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{1 * s, pin("cleo", false), "pin.refused cleo", ""},
			{25 * s, pin("cleo", false), "pin.refused cleo", ""},
			{54 * s, pin("cleo", true), "pin.closed cleo, in cleo 1m54s", "cleo"},
			{55 * s, badge(cleo), "pin.wanted cleo 1m25s", "cleo"},
			{55 * s, pin("cleo", false), "pin.refused cleo", "cleo"},
			{56 * s, pin("cleo", false), "pin.refused cleo", "cleo"},
		}},
		{"three wrong ones", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{0, pin("cleo", false), "pin.refused cleo", ""},
			{0, pin("cleo", false), "pin.refused cleo", ""},
			{0, pin("cleo", false), "pin.closed cleo, pin.refused cleo 30s", ""},
			{1 * s, typedAct, "not looked at", ""},
			{29 * s, badge(cleo), "pin.refused cleo 30s", ""},
			{29 * s, badge(cora), "pin.wanted cora 59s", ""},
			{30 * s, badge(cleo), "pin.closed cora, pin.wanted cleo 1m0s", ""},
			{30 * s, pin("cleo", false), "pin.closed cleo, pin.refused cleo 1m30s", ""},
			{90 * s, badge(cleo), "pin.wanted cleo 2m0s", ""},
			{90 * s, pin("cleo", false), "pin.closed cleo, pin.refused cleo 3m30s", ""},
			{210 * s, badge(cleo), "pin.wanted cleo 4m0s", ""},
			{210 * s, pin("cleo", true), "pin.closed cleo, in cleo 4m30s", "cleo"},
			{211 * s, badge(cleo), "pin.wanted cleo 4m1s", "cleo"},
			{211 * s, pin("cleo", false), "pin.refused cleo", "cleo"},
		}},
		{"wrong ones count though they are given up meanwhile", []step{
			{0, badge(cleo), "pin.wanted cleo 30s", ""},
			{0, pin("cleo", false), "pin.refused cleo", ""},
			{0, pin("cleo", false), "pin.refused cleo", ""},
			{1 * s, typedAct, "check cleo", ""},
			{1 * s, giveUp, "pin.closed cleo", ""},
			{2 * s, badge(cleo), "pin.wanted cleo 32s", ""},
			{3 * s, result("cleo", false), "", ""},
			{4 * s, typedAct, "not looked at, pin.closed cleo, pin.refused cleo 33s", ""},
		}},
	} {
		t.Run(c.name, func(t *testing.T) { follow(t, c.steps) })
	}
}

func typedAct(d *Desk, now time.Time) string { return typed(d, now) }

// due returns when something is over, and false when nothing is waited for.
func (d *Desk) due() (time.Time, bool) {
	var due time.Time
	soonest := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	if d.prompt != nil {
		soonest(d.prompt.until)
	}
	if d.above != nil {
		soonest(d.top().Until)
	} else if d.below != nil {
		soonest(d.below.Until)
	}
	return due, !due.IsZero()
}

// follow does the steps twice: with Ticks when something is over, and with none before
// the step.
func follow(t *testing.T, steps []step) {
	t.Helper()
	for _, ticks := range []bool{true, false} {
		d := NewDesk(Config{})
		for i, st := range steps {
			now := morning.Add(st.at)
			for due, waits := d.due(); ticks && waits && !due.After(now); due, waits = d.due() {
				d.Tick(due)
			}
			answer := st.do(d, now)
			if d.Tick(now); d.Who(now).Name != st.who {
				t.Fatalf("step %d at %v, ticks %v: %q is signed in, want %q", i, st.at, ticks, d.Who(now).Name, st.who)
			}
			got := strings.Join(slices.DeleteFunc(append([]string{answer}, texts(d.Changes())...), func(s string) bool { return s == "" }), ", ")
			if got != st.want {
				t.Fatalf("step %d at %v, ticks %v:\ngot  %s\nwant %s", i, st.at, ticks, got, st.want)
			}
		}
	}
}

// texts tells changes in short, with times since the morning.
func texts(changes []Change) []string {
	var out []string
	for _, c := range changes {
		words := []string{string(c.Kind), c.Person.Name}
		if c.Why != "" {
			words = append(words, string(c.Why))
		}
		if !c.Until.IsZero() {
			words = append(words, c.Until.Sub(morning).String())
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

func TestWaitsAreBounded(t *testing.T) {
	var tr tries
	var last time.Duration
	for i := range 100 {
		tr = tr.failed(morning)
		wait := max(0, tr.next.Sub(morning))
		if wait < last || wait > maxWait {
			t.Fatalf("wrong PIN %d: wait %v after %v", i+1, wait, last)
		}
		last = wait
	}
	if last != maxWait {
		t.Errorf("the longest wait is %v", last)
	}
}

// TestWhoNeedsNoTick: whose time is over is not signed in, whether told or not.
func TestWhoNeedsNoTick(t *testing.T) {
	d := NewDesk(Config{Shift: time.Hour})
	d.Badge(anna, morning)
	d.Badge(cleo, morning)
	pin("cleo", true)(d, morning)
	for after, want := range map[time.Duration]Session{
		0:                {cleo, morning.Add(time.Minute)},
		59 * time.Second: {cleo, morning.Add(time.Minute)},
		time.Minute:      {anna, morning.Add(time.Hour)},
		time.Hour:        {},
	} {
		if got := d.Who(morning.Add(after)); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
}

func TestPINAsked(t *testing.T) {
	d := NewDesk(Config{PINEntry: 10 * time.Second})
	if p, ok := d.PINAsked(morning); ok {
		t.Errorf("asked: %v", p)
	}
	d.Badge(cleo, morning)
	if p, ok := d.PINAsked(morning.Add(9 * time.Second)); !ok || p != cleo {
		t.Errorf("asked: %v, %v", p, ok)
	}
	if p, ok := d.PINAsked(morning.Add(10 * time.Second)); ok { // no Tick yet
		t.Errorf("asked, too late: %v", p)
	}
}

// FuzzDesk does anything at any pace: nobody is elevated without a right PIN that
// was asked for, nor longer than the elevation, and what is due passes.
func FuzzDesk(f *testing.F) {
	f.Add([]byte{0x00, 0x01, 0x05, 0x07, 0x09})
	f.Add([]byte{0x01, 0x05, 0x08, 0x25, 0x48, 0x65, 0x88})
	f.Fuzz(func(t *testing.T, script []byte) {
		d, now := NewDesk(Config{}), morning
		var proved time.Time // when the last right PIN came; zero: used up
		checking, name := false, ""
		for _, b := range script {
			now = now.Add([]time.Duration{0, time.Second, 20 * time.Second, 29 * time.Second, 31 * time.Second, 61 * time.Second, 3 * time.Minute, 11 * time.Hour}[b>>5])
			switch b & 0x1F {
			case 0, 1, 2, 3, 4:
				d.Badge([]Person{anna, bo, cleo, cora, dana}[b&0x1F], now)
			case 5, 6:
				if p, ok := d.PINGiven(now); ok {
					if checking {
						t.Fatal("two PINs are looked at")
					}
					checking, name = true, p.Name
				}
			case 7, 8:
				d.PINResult(name, b&1 == 1, now)
				if checking && b&1 == 1 {
					proved = now
				}
				checking = false
			case 9:
				if g, err := d.Use(unlock, now); err == nil {
					if proved.IsZero() || now.Sub(proved) >= 2*time.Minute || !g.By.Role.Allows(Lead) {
						t.Fatalf("granted to %v, %v after the PIN", g.By, now.Sub(proved))
					}
					proved = time.Time{}
				}
			case 10:
				d.SignOut(now)
			case 11:
				d.GiveUpPIN(now)
			case 12:
				d.Touch(now)
			default:
				d.Tick(now)
			}
			if who := d.Who(now); who.Role.Elevated() && (proved.IsZero() || now.Sub(proved) >= 2*time.Minute) {
				t.Fatalf("%v is elevated", who)
			}
		}
		for range 10 {
			if due, waits := d.due(); waits {
				d.Tick(due)
			}
		}
		if due, waits := d.due(); waits {
			t.Fatalf("still waits until %v", due)
		}
	})
}
