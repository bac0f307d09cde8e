package shift_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/demo"
	"provision/internal/esptool"
	"provision/internal/fault"
	"provision/internal/fixture"
	"provision/internal/floor"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/keys"
	"provision/internal/label"
	"provision/internal/people"
	"provision/internal/records"
	"provision/internal/shift"
	"provision/internal/station"
)

// sequence is a station that counts its own serial numbers; scans is one whose
// labels bring them.
const (
	common = `
[station]
name = "LINE-1"
[images]
bootloader = "bootloader.bin"
partition_table = "partition-table.bin"
app = "app-signed.bin"
[secure_boot]
version = 1
public_key = "app-public.pem"
[flash_encryption]
mode = "host"
policy = "release"
[boot_check]
expect = "demo app: ready"
`
	sequence = `
[unit]
serial = { pattern = "^SN-[0-9]{6}$", source = "sequence", prefix = "SN-", next = "000001" }
`
	scans = `
[unit]
serial = { pattern = "^SN-[0-9]{6}$", source = "scan" }
`
)

// firmware is the demo's build folder, made once.
var firmware = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "shift-test-")
	if err == nil {
		err = demo.Write(dir)
	}
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := firmware(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// rig is a station at work on a virtual fixture, and a person in front of it.
type rig struct {
	t     *testing.T
	fix   *fixture.Fixture
	store *records.Store
	cfg   shift.Config
	s     *shift.Shift
	dir   string

	mu     sync.Mutex
	events []shift.Event
	states map[int]shift.State
	log    map[int][]string // the states of each slot, one after the other
	over   chan error
	ended  bool
	runs   int
}

// lockedReader is a random source for several slots.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newRig prepares a station; start opens it.
func newRig(t *testing.T, profile string, slots int, deck ...fixture.Lesson) *rig {
	t.Helper()
	dir, err := firmware()
	must(t, err)
	r := &rig{t: t, dir: dir, states: map[int]shift.State{}, log: map[int][]string{}, over: make(chan error, 1)}
	work := t.TempDir()
	j := r.job(profile, "line.toml")
	r.store, err = records.Open(t.Context(), filepath.Join(work, "records.db"))
	must(t, err)
	id, err := keys.CreateIdentity(filepath.Join(work, "identity.txt"))
	must(t, err)
	r.fix = fixture.New(fixture.Config{Slots: slots, Deck: deck, Random: mathrand.NewPCG(1, 2)})
	r.cfg = shift.Config{
		Facts:   shift.ShiftFacts{Station: "LINE-1", Mode: shift.Live},
		Records: r.store,
		Floor: floor.Config{
			Run: flow.Config{
				Job: j, Identity: id, Operator: "system", Version: "test", Now: time.Now,
				Rand: &lockedReader{r: mathrand.NewChaCha8([32]byte{7})},
			},
			RunID: r.runID, Poll: 300 * time.Millisecond, Sleep: sleep,
		},
		Armed: true, Sink: r.see,
		Hands: watching{r.fix.Hands(time.After, nil), r.fix},
	}
	t.Cleanup(func() {
		if r.s != nil && !r.ended {
			r.s.Do(shift.Intent{Kind: shift.QuitNow})
			<-r.over
		}
		must(t, r.store.Close())
	})
	for n := 1; n <= slots; n++ {
		r.cfg.Floor.Slots = append(r.cfg.Floor.Slots, floor.Slot{Number: n, Port: fmt.Sprint("slot", n), Reset: esptool.ResetClassic, Open: r.fix.Open(n)})
	}
	return r
}

func (r *rig) job(profile, name string) *job.Job {
	r.t.Helper()
	p, err := station.Parse([]byte(common+profile), filepath.Join(r.dir, name))
	must(r.t, err)
	j, err := job.New(p)
	must(r.t, err)
	return j
}

func (r *rig) runID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs++
	return fmt.Sprint("run-", r.runs)
}

// start opens the station.
func (r *rig) start() {
	r.t.Helper()
	s, err := shift.New(r.cfg)
	must(r.t, err)
	r.s = s
	go func() { r.over <- s.Run(r.t.Context()) }()
	r.until("the shift begins", func() bool { return r.count(shift.ShiftStarted) == 1 })
}

// end closes the station.
func (r *rig) end() {
	r.t.Helper()
	r.s.Do(shift.Intent{Kind: shift.Quit})
	if err := <-r.over; err != nil {
		r.t.Errorf("the shift ended with %v", err)
	}
	r.ended = true
}

// watching are hands that rest: they only tell the fixture what became of its units.
type watching struct {
	hands *fixture.Hands
	fix   *fixture.Fixture
}

func (w watching) Toggle(slot int) { go w.fix.Toggle(slot) }
func (w watching) Auto(on bool)    { w.hands.Auto(on) }
func (w watching) Saw(slot int, st shift.State, gone bool) {
	w.hands.Saw(slot, string(st), gone)
}

func (r *rig) see(ev shift.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	if ev.State != "" {
		r.states[ev.Slot] = ev.State
		r.log[ev.Slot] = append(r.log[ev.Slot], string(ev.State))
	}
}

// until waits for something to happen, a few minutes of the bubble's time.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	for range 3000 {
		synctest.Wait()
		if cond() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var last []string
	for _, ev := range r.events[max(0, len(r.events)-12):] {
		last = append(last, fmt.Sprintf("%d %s %s %s %s", ev.Slot, ev.Kind, ev.State, ev.Code, ev.Text))
	}
	r.t.Fatalf("waited in vain until %s; states %v; the last events:\n%s", what, r.states, strings.Join(last, "\n"))
}

func (r *rig) state(slot int) shift.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[slot]
}

// becomes waits until a slot has a state.
func (r *rig) becomes(slot int, st shift.State) {
	r.t.Helper()
	r.until(fmt.Sprintf("slot %d is %s", slot, st), func() bool { return r.state(slot) == st })
}

// count is how many events of a kind there were.
func (r *rig) count(kind string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range r.events {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// last is the last event of a kind.
func (r *rig) last(kind string) (last shift.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range r.events {
		if ev.Kind == kind {
			last = ev
		}
	}
	return last
}

// scan reads a code and waits for what it meant.
func (r *rig) scan(text string) shift.Event {
	r.t.Helper()
	time.Sleep(3 * time.Second) // not a code read twice
	n := r.count(shift.ScanRead)
	r.s.Do(shift.Intent{Kind: shift.Scanned, Text: text})
	r.until("the scan of "+text+" is read", func() bool { return r.count(shift.ScanRead) > n })
	return r.last(shift.ScanRead)
}

func (r *rig) do(kind shift.IntentKind, slot int, text string) {
	r.s.Do(shift.Intent{Kind: kind, Slot: slot, Text: text})
	synctest.Wait()
}

// replace takes the unit out of a slot, waits until that was seen, and puts in the
// next.
func (r *rig) replace(slot int) {
	r.t.Helper()
	r.out(slot)
	r.fix.Insert(slot)
}

func (r *rig) out(slot int) {
	r.t.Helper()
	n := r.count(floor.SlotEmpty)
	r.fix.Remove(slot)
	r.until(fmt.Sprintf("slot %d is seen empty", slot), func() bool { return r.count(floor.SlotEmpty) > n })
}

const pin = "7391"

// hire adds people to the records.
func (r *rig) hire() {
	r.t.Helper()
	hash, err := people.HashPIN(pin, rand.Reader)
	must(r.t, err)
	for _, p := range []records.Person{
		{Name: "Ann", Role: records.RoleOperator, Badge: people.BadgeDigest("ann")},
		{Name: "Cleo", Role: records.RoleLead, Badge: people.BadgeDigest("cleo"), PIN: hash},
		{Name: "Eve", Role: records.RoleEngineer, Badge: people.BadgeDigest("eve"), PIN: hash},
	} {
		p.Active, p.At, p.By = true, time.Now(), "test"
		must(r.t, r.store.SavePerson(r.t.Context(), p))
	}
}

// lead signs Cleo in.
func (r *rig) lead() { r.t.Helper(); r.signIn("cleo") }

// signIn signs somebody in who has a PIN.
func (r *rig) signIn(badge string) {
	r.t.Helper()
	n := r.count(shift.PersonIn)
	r.scan("BADGE-" + badge)
	r.until("a PIN is asked for", func() bool { return r.last(shift.PINAsked).Person != nil })
	r.do(shift.PINGiven, 0, pin)
	r.until(badge+" is in", func() bool { return r.count(shift.PersonIn) > n })
}

// decide asks for an act and gives the reason.
func (r *rig) decide(kind shift.IntentKind, slot int, reason string) {
	r.t.Helper()
	n := r.count(shift.ChoiceAsked)
	r.do(kind, slot, "")
	r.until("a reason is asked for", func() bool { return r.count(shift.ChoiceAsked) > n })
	if c := r.last(shift.ChoiceAsked).Choice; !slices.Contains(c.Keys, reason) {
		r.t.Fatalf("%s offers %q, not %q", kind, c.Keys, reason)
	}
	r.do(shift.Choose, 0, reason)
}

// virtualPrinter keeps what it is given.
type virtualPrinter struct {
	mu     sync.Mutex
	labels [][]byte
	broken error
}

func (p *virtualPrinter) Print(_ context.Context, zpl []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	p.labels = append(p.labels, slices.Clone(zpl))
	return nil
}

func (p *virtualPrinter) codes() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.labels {
		out = append(out, label.Codes(l)...)
	}
	return out
}

// acts are the acts of a kind on record.
func (r *rig) acts(kind string) []records.Act {
	r.t.Helper()
	acts, err := r.store.Acts(r.t.Context(), records.ActFilter{Kind: kind})
	must(r.t, err)
	return acts
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

// jobsOf finds jobs by their id.
func jobsOf(jobs ...*job.Job) func(context.Context, string) (*job.Job, error) {
	return func(_ context.Context, id string) (*job.Job, error) {
		for _, j := range jobs {
			if j.Profile.Job.ID == id {
				return j, nil
			}
		}
		return nil, fault.New(fault.FileMissing, "", fmt.Errorf("no job %s", id))
	}
}

// checks is a self-test of two lines.
func checks(_ context.Context, tell func(shift.CheckFacts, ...shift.Fault)) {
	tell(shift.CheckFacts{Name: "check.disk", State: "ok", Text: "120 GB"})
	tell(shift.CheckFacts{Name: "check.printer", State: "bad"}, shift.Fault{Code: fault.PrinterFailed})
}
