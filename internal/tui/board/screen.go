package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"provision/internal/catalog"
	"provision/internal/flow"
	"provision/internal/mailbox"
	"provision/internal/people"
	"provision/internal/scanner"
	"provision/internal/shift"
	"provision/internal/tui/noquery"
)

// Bubble Tea is initialised by now.
func init() { noquery.Restore() }

// Config is everything the screen needs from outside.
type Config struct {
	Out io.Writer // a terminal
	In  io.Reader // its keyboard, and the scanner that plays one

	Words *catalog.Catalog // to begin with; a key changes the language

	// Events begins to call sink with every event of the station, one at a time, and
	// returns what ends that. sink never waits.
	Events func(sink func(shift.Event)) (stop func())

	// Send passes on what a person asks for. It must not wait.
	Send func(shift.Intent)

	Now func() time.Time

	Mono    bool           // no colours, whatever the terminal can do
	ASCII   bool           // no lines and blocks
	Quiet   bool           // no bell
	Scanner scanner.Config // how a scanner that plays keyboard is set up

	// Tips are shown on the page of keys as they are: what is special about this
	// station, such as the badges and the PIN of one to practise on.
	Tips []string

	// Width and Height are used until the terminal tells its size; 0: 80x24.
	Width, Height int
}

// patience is how long a terminal may take to show the last state.
const patience = 2 * time.Second

// Run shows the station on the whole screen until the shift has ended, ctx ends or
// the terminal goes away, and puts the terminal back as it was. A terminal that
// takes no output delays neither events nor keys. The error says why the screen
// ended when it was not the end of the shift.
func Run(ctx context.Context, cfg Config) error {
	keys, err := scanner.New(cfg.Scanner)
	if err != nil {
		return fmt.Errorf("screen: %w", err)
	}
	var program *tea.Program
	ready := make(chan struct{})
	out := newOutlet(cfg.Out, func() { <-ready; go program.Send(redrawMsg{}) })
	clock := time.AfterFunc(tickIdle, func() { <-ready; program.Send(tickMsg{}) })
	defer clock.Stop()
	wake := func(d time.Duration) { clock.Reset(d) }
	program = tea.NewProgram(newScreen(cfg, keys, out, wake),
		tea.WithContext(ctx), tea.WithOutput(out.writer()), tea.WithInput(cfg.In),
		tea.WithAltScreen(), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))
	close(ready)
	events := mailbox.New(program.Send)
	stop := cfg.Events(func(ev shift.Event) { events.Put(eventMsg(ev)) })
	last, err := program.Run()
	stop()
	events.Close()
	out.close(patience)
	switch s, ok := last.(screen); {
	case ok && s.model.finished:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, tea.ErrProgramKilled) || err != nil:
		return fmt.Errorf("screen: %w", err)
	}
	return nil
}

// framesPerSecond bounds how often the terminal is written to: a verdict is there
// within 50 ms.
const framesPerSecond = 25

type (
	eventMsg  shift.Event
	tickMsg   struct{}
	redrawMsg struct{} // output was lost
)

// How often the screen looks at the clock.
const (
	tickMoving = 250 * time.Millisecond
	tickSlow   = time.Second // something counts seconds
	tickIdle   = 30 * time.Second
)

// screen is the Bubble Tea side of the model: messages become events, keys and
// scans; the model becomes text.
type screen struct {
	model  model
	words  words
	lk     look
	keys   *scanner.Assembler
	ringer *ringer
	out    io.Writer           // for the bell
	wake   func(time.Duration) // sends the next tickMsg after a time, instead of at the time before
	cfg    Config

	width, height int
	frame         string    // as it was drawn last
	due           time.Time // of the next tick; zero: none is set
}

func newScreen(cfg Config, keys *scanner.Assembler, out io.Writer, wake func(time.Duration)) screen {
	s := screen{
		words: cfg.Words, lk: look{palette{cfg.Mono}, cfg.ASCII}, keys: keys,
		ringer: &ringer{}, out: out, wake: wake, cfg: cfg,
		width: cfg.Width, height: cfg.Height,
	}
	if s.width == 0 || s.height == 0 {
		s.width, s.height = 80, 24
	}
	s.model.now = cfg.Now()
	s.model.touched = s.model.now
	s.model.lang = cfg.Words.Lang()
	s.model.tips = cfg.Tips
	s.draw()
	return s
}

func (s screen) Init() tea.Cmd { return nil }

// Update takes a message. What changes what a person must do is drawn at once; how
// far a run is waits for the next tick.
func (s screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	now := s.cfg.Now()
	draw := true
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case eventMsg:
		s.model = s.model.apply(shift.Event(msg))
		draw = !frequent(shift.Event(msg))
	case tickMsg:
		s.due = time.Time{}
		s.model = s.model.tick(now)
		s = s.take(s.keys.Tick(now))
	case tea.KeyMsg:
		s.model = s.model.tick(now)
		s = s.key(msg, now)
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 { // 0: a terminal that does not know
			s.width, s.height = msg.Width, msg.Height
		}
	case redrawMsg:
		s.model = s.model.tick(now)
		cmd = tea.ClearScreen
	default:
		draw = false
	}
	s.bells(now)
	if draw {
		s.draw()
	}
	if s.model.finished {
		return s, tea.Quit
	}
	s.timer(now)
	return s, cmd
}

// frequent reports whether ev only moves a bar.
func frequent(ev shift.Event) bool {
	return ev.State == "" && ev.Run != "" && ev.Kind != flow.RunFinished
}

func (s *screen) draw() { s.frame = s.model.render(s.width, s.height, s.lk, s.words) }

func (s screen) View() string { return s.frame }

// bells rings what is due.
func (s *screen) bells(now time.Time) {
	s.ringer.want(s.model.bell)
	s.model.bell = silent
	if s.ringer.ring(s.model, now) && !s.cfg.Quiet {
		_, _ = s.out.Write([]byte{'\a'})
	}
}

// timer sets the next tick, when it is needed sooner than the one that is set.
func (s *screen) timer(now time.Time) {
	due := s.next(now)
	if s.due.IsZero() || due.Before(s.due) {
		s.due = due
		s.wake(max(due.Sub(now), time.Millisecond))
	}
}

// next is when something on the screen changes by itself.
func (s screen) next(now time.Time) time.Time {
	due := now.Add(tickIdle)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	if s.model.moving() {
		sooner(now.Add(tickMoving))
	}
	if s.model.scan != nil {
		sooner(s.model.scan.until)
	}
	if s.model.trouble != nil {
		sooner(s.model.troubled)
	}
	if s.model.view != floorView || s.model.asking != (prompt{}) {
		sooner(s.model.touched.Add(idleAfter))
	}
	if s.model.counting() {
		sooner(now.Add(tickSlow))
	}
	sooner(s.ringer.due())
	if t, waits := s.keys.Due(); waits {
		sooner(t.Add(time.Millisecond))
	}
	return due
}

// key takes a key: characters may be a scan, the others cannot.
func (s screen) key(msg tea.KeyMsg, now time.Time) screen {
	switch msg.Type {
	case tea.KeyRunes, tea.KeySpace:
		for _, r := range msg.Runes {
			s = s.take(s.keys.Rune(r, now))
		}
		return s
	case tea.KeyEnter, tea.KeyTab, tea.KeyCtrlJ:
		return s.take(s.keys.Enter(now))
	}
	if key, ok := special[msg.Type]; ok {
		return s.press(key)
	}
	if msg.Type >= 0 && msg.Type < ' ' { // a control character: a prefix, or part of a barcode
		return s.take(s.keys.Rune(rune(msg.Type), now))
	}
	return s
}

var special = map[tea.KeyType]rune{
	tea.KeyEsc: keyEsc, tea.KeyUp: keyUp, tea.KeyDown: keyDown, tea.KeyPgUp: keyPageUp, tea.KeyPgDown: keyPageDown,
	tea.KeyBackspace: keyBackspace, tea.KeyDelete: keyBackspace, tea.KeyCtrlC: keyInterrupt,
}

// take does what came of characters.
func (s screen) take(events []scanner.Event) screen {
	for _, ev := range events {
		switch ev := ev.(type) {
		case scanner.Scan:
			s = s.scanned(ev.Text)
		case scanner.Broken:
			s = s.broken()
		case scanner.Key:
			s = s.press(ev.Rune)
		}
	}
	return s
}

// scanned is a text that came as fast as a scanner sends it. On the look-up line it is
// looked up. While a PIN is asked for it may be that, from quick fingers: it is never
// sent as a scan, because the station shows what was scanned. A badge that is read
// instead is the station's to know.
func (s screen) scanned(text string) screen {
	switch {
	case s.model.pin != nil && errors.Is(people.WeakPIN(text), people.ErrPINForm):
		return s.broken()
	case s.model.pin != nil:
		s.model.typed, s.model.refuse = "", false // what was typed before is not part of it
		s.cfg.Send(shift.Intent{Kind: shift.PINGiven, Text: text})
	case s.model.asking.kind == lookup:
		s.model = s.model.unasked()
		s.cfg.Send(shift.Intent{Kind: shift.Lookup, Text: text})
	default:
		s.cfg.Send(shift.Intent{Kind: shift.Scanned, Text: text})
	}
	s.model.touched, s.model.hushed = s.model.now, true
	return s
}

// broken tells that a scan cannot be used, and forgets what there is of a PIN: a part
// of it may have been in that.
func (s screen) broken() screen {
	note := "scan.broken"
	if s.model.pin != nil {
		s.model.typed, note = "", "pin.again"
	}
	s.model = s.model.say(note)
	s.model.bell = max(s.model.bell, double)
	return s
}

// press does what a key stands for.
func (s screen) press(key rune) screen {
	m, intents := s.model.press(key)
	m.scroll = min(m.scroll, m.mostScroll(s.width, s.height, s.words))
	s.model = m
	for _, in := range intents {
		s.cfg.Send(in)
	}
	if m.lang != s.words.Lang() {
		if other, err := catalog.Load(m.lang); err == nil {
			s.words = other
		}
	}
	return s
}
