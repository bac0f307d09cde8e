package shift

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"provision/internal/floor"
	"provision/internal/job"
	"provision/internal/label"
	"provision/internal/mailbox"
	"provision/internal/people"
	"provision/internal/records"
	"provision/internal/scanner"
)

// Printer prints labels.
type Printer interface {
	Print(ctx context.Context, zpl []byte) error
}

// Hands put virtual units in and take them out. Their methods return at once.
type Hands interface {
	Toggle(slot int)
	Auto(on bool)
	Saw(slot int, state State, gone bool) // a slot has a new state, or its unit is out
}

// Config is everything a shift needs from outside.
type Config struct {
	Facts ShiftFacts // Began, Open, Slots and SerialBy are filled in here
	// Records are the shift's, and every run's.
	Records *records.Store
	// Floor is the slots and what every run gets; Run.Job is the first job, and the
	// clock and the operator are Run's too. Orders, Sink, Result and Run.Records are
	// the shift's own.
	Floor    floor.Config
	Armed    bool                                                       // from the start, by whoever started the program
	Jobs     func(ctx context.Context, id string) (*job.Job, error)     // finds and checks the job of a traveller; nil: there is no other
	Printer  Printer                                                    // nil: no labels
	Template *label.Template                                            // of the labels
	SelfTest func(ctx context.Context, tell func(CheckFacts, ...Fault)) // checks the station; nil: nothing to check
	Hands    Hands                                                      // nil: units are real
	Sink     func(Event)                                                // called by one at a time; may be slow
}

// Shift is a station at work. Everything it knows is behind mu; what takes long
// (records, PINs, printers) is done without it.
type Shift struct {
	cfg    Config
	store  *records.Store
	events *mailbox.Box[func()] // what is told, in order
	slow   *mailbox.Box[func()] // look-ups, badges: in the order they were asked
	prints *mailbox.Box[func()] // labels: a hung printer delays only labels
	tests  *mailbox.Box[func()] // self-tests, which take seconds

	mu      sync.Mutex
	ctx     context.Context // of questions to the records: they are answered to the end
	work    context.Context // ends when the station closes
	paper   context.Context // of labels: a hung printer does not keep the station open
	hurry   context.CancelFunc
	stop    context.CancelCauseFunc
	slots   map[int]*slot
	changed chan struct{} // closed, and made anew, when something changed that a waiting slot asks about
	over    chan struct{} // closed when the shift ends and nobody is at work
	quit    bool

	job      *job.Job
	facts    JobFacts
	armed    bool
	locked   *lock           // nil: the station works
	failed   map[string]bool // units that failed since the last PASS, by MAC
	failedIn map[int]bool    // slots they failed in

	desk     *people.Desk
	asked    records.Person // whose PIN is asked for
	choice   *choice
	router   *scanner.Router
	twice    *scanner.Duplicates
	pending  []pending               // serial numbers that wait for a unit
	target   int                     // slot that the next serial number is for; 0: none was named
	unspent  []binding               // serial numbers of units that could not be begun
	due      []labelDue              // labels that are to be scanned back, the oldest first
	looking  bool                    // the next scan is looked up
	machines map[string]MachineFacts // as they were told last
	auto     bool                    // virtual units come and go by themselves
}

// lock is why the whole station waits for a lead.
type lock struct{ Fault }

// New prepares a shift. Nothing happens before Run.
func New(cfg Config) (*Shift, error) {
	if cfg.Records != nil { // a nil *Store in the interface would not be nil
		cfg.Floor.Run.Records = cfg.Records
	}
	s := &Shift{
		cfg: cfg, store: cfg.Records, slots: map[int]*slot{}, job: cfg.Floor.Run.Job, armed: cfg.Armed,
		ctx: context.Background(), work: context.Background(), paper: context.Background(), stop: func(error) {}, hurry: func() {},
		changed: make(chan struct{}), over: make(chan struct{}), failed: map[string]bool{}, failedIn: map[int]bool{},
		twice: scanner.NewDuplicates(), machines: map[string]MachineFacts{},
	}
	for _, place := range cfg.Floor.Slots {
		s.slots[place.Number] = &slot{number: place.Number}
	}
	var err error
	if s.router, err = routerOf(s.job.Profile, s.job.Profile.CheckSerial); err != nil {
		return nil, err
	}
	s.desk = newDesk(s.job.Profile)
	do := func(f func()) { f() }
	s.events, s.slow, s.prints, s.tests = mailbox.New(do), mailbox.New(do), mailbox.New(do), mailbox.New(do)
	return s, nil
}

// Run works until somebody ends the shift or ctx ends; then running units stop as a
// run does. Every event has been told when it returns.
func (s *Shift) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.mu.Lock()
	s.ctx, s.work, s.stop = context.WithoutCancel(ctx), work, stop
	s.paper, s.hurry = context.WithCancel(s.ctx)
	defer s.hurry()
	s.leave() // somebody may have been quicker
	s.mu.Unlock()
	if err := s.begin(work); err != nil {
		s.close()
		return err
	}
	var clock sync.WaitGroup
	clock.Go(func() { s.watchClock(work) })
	cfg := s.cfg.Floor
	cfg.Orders, cfg.Sink, cfg.Result = s, s.fromFloor, nil
	err := floor.Work(work, cfg)
	stop(nil)
	clock.Wait()
	s.close()
	return err
}

// close finishes what was asked for, and tells that the shift has ended.
func (s *Shift) close() {
	<-s.tests.Close()
	<-s.slow.Close()
	printed := s.prints.Close()
	late, done := context.WithTimeout(s.ctx, printTime)
	defer done()
	select {
	case <-printed:
	case <-late.Done():
		s.hurry() // labels that did not come out stay due
		<-printed
	}
	s.tell(Event{Event: floor.Event{Kind: ShiftEnded}})
	<-s.events.Close()
}

// Answered waits until everything that was asked so far is answered and told; not
// for units at work. It returns early when ctx ends.
func (s *Shift) Answered(ctx context.Context) {
	done := make(chan struct{})
	s.slow.Put(func() {
		s.slow.Put(func() { // behind what the first answers asked in turn
			s.events.Put(func() { close(done) })
		})
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// tickPeriod is how often time-outs are looked at: people do not count faster.
const tickPeriod = time.Second

func (s *Shift) watchClock(ctx context.Context) {
	for s.cfg.Floor.Sleep(ctx, tickPeriod) == nil {
		s.mu.Lock()
		s.timeOut(s.now())
		s.mu.Unlock()
	}
}

// now is not in UTC: that would take the monotonic reading off, and a clock that is
// set back would keep a lead signed in. What is told and recorded is in UTC.
func (s *Shift) now() time.Time { return s.cfg.Floor.Run.Now() }

// tell passes an event on.
func (s *Shift) tell(ev Event) {
	if ev.Time.IsZero() {
		ev.Time = s.now().UTC()
	}
	s.events.Put(func() { s.cfg.Sink(ev) })
}

// wake makes every waiting slot ask again. The caller holds mu.
func (s *Shift) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// numbers are the slots, ascending.
func (s *Shift) numbers() []int { return slices.Sorted(maps.Keys(s.slots)) }
