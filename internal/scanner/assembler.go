package scanner

import (
	"slices"
	"time"
)

// Assembler puts characters together to scans and keys. Its calls must come in
// the order of their times, from one goroutine. A terminal often delivers a whole
// scan in one read: equal times are normal.
//
// Characters are held until it is clear whose they are:
//   - MinLength characters with gaps of at most MaxGap, or the prefix, begin a
//     scan. It goes on over gaps of up to Pause and ends with a terminator.
//   - Fewer, and then nothing for MaxGap or a terminator, are keys.
//   - A scan whose terminator does not come within Pause is Broken, and what
//     trickles in after it is dropped until it has been quiet for another Pause:
//     the late end of a barcode must not press keys.
//   - Without a prefix, a scan that begins less than Pause after a key is Broken:
//     that key may have been its first character.
//   - What follows a terminator within MaxGap was not typed by hand: it is the LF
//     after CR (dropped), the next scan, or a line of a paste that is too short
//     for a scan (Broken).
//   - One character over and over, without an end, is a key held down: it counts
//     once, for its first press, and is no Broken.
type Assembler struct {
	cfg    Config
	prefix rune // 0: none

	phase    phase
	text     []rune    // holding: as typed; scanning: cleaned
	known    int       // holding: characters of text that can be seen
	follows  bool      // text came right after a terminator: it is not keys
	prefixed bool      // scanning: the prefix came
	headless bool      // text came soon after a key: it is not a whole scan
	last     time.Time // of the last character
	quiet    time.Time // draining: over after this time

	lastKey time.Time // when the last character that became a key was typed
	lastEnd time.Time // of the last terminator
}

type phase int

const (
	idle     phase = iota
	holding        // characters that may be keys or the beginning of a scan
	scanning       // certainly a scan
	draining       // the rest of a scan that is lost
)

// New returns an Assembler. The error is ErrConfig.
func New(cfg Config) (*Assembler, error) {
	cfg, prefix, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Assembler{cfg: cfg, prefix: prefix}, nil
}

// Rune takes a character that was read at a time. CR, LF and Tab are terminators.
func (a *Assembler) Rune(r rune, at time.Time) []Event {
	if terminator(r) {
		return a.end(r, at)
	}
	events := a.expire(at)
	if a.prefix != 0 && r == a.prefix {
		return a.begin(at, events)
	}
	if a.phase == idle {
		a.phase, a.text, a.known = holding, nil, 0
		a.follows = within(a.lastEnd, at, a.cfg.MaxGap)
		a.headless = within(a.lastKey, at, a.cfg.Pause)
	}
	switch a.phase {
	case holding:
		events = a.hold(r, at, events)
	case scanning:
		events = a.add(r, at, events)
	case draining:
		a.quiet = at.Add(a.cfg.Pause)
	}
	a.last = at
	return events
}

// Enter takes a terminator that the terminal reports as the Enter key.
func (a *Assembler) Enter(at time.Time) []Event { return a.end(EnterKey, at) }

// Tick tells the time; it must be called when Due says so. Calling it at other
// times does no harm.
func (a *Assembler) Tick(at time.Time) []Event {
	if due, waits := a.Due(); !waits || at.Before(due) {
		return nil
	}
	return a.overdue(nil)
}

// Due returns when Tick has to be called, and false when nothing is waited for.
func (a *Assembler) Due() (time.Time, bool) {
	switch a.phase {
	case holding:
		return a.last.Add(a.cfg.MaxGap), true
	case scanning:
		return a.last.Add(a.cfg.Pause), true
	}
	return time.Time{}, false
}

// expire does what a Tick before the time at would have done, should none have come.
func (a *Assembler) expire(at time.Time) []Event {
	var events []Event
	if due, waits := a.Due(); waits && at.After(due) {
		events = a.overdue(events)
	}
	if a.phase == draining && at.After(a.quiet) {
		a.phase = idle
	}
	return events
}

// overdue ends what was waited for in vain.
func (a *Assembler) overdue(events []Event) []Event {
	if a.phase == holding {
		a.phase = idle
		return a.release(events)
	}
	return a.lose(a.last.Add(2*a.cfg.Pause), events)
}

// begin starts a scan with its prefix; what came before it had no end.
func (a *Assembler) begin(at time.Time, events []Event) []Event {
	switch a.phase {
	case holding:
		events = a.release(events)
	case scanning:
		if len(a.text) > 0 {
			events = append(events, Broken{string(a.text)})
		}
	}
	a.phase, a.text, a.prefixed, a.headless = scanning, nil, true, false
	a.last = at
	return events
}

// hold adds a character that may be a key. With enough of them it is a scan.
func (a *Assembler) hold(r rune, at time.Time, events []Event) []Event {
	a.text = append(a.text, r)
	if kept(r) {
		a.known++
	}
	enough := a.known >= a.cfg.MinLength
	if !enough && len(a.text) <= MaxLength {
		return events
	}
	a.phase, a.text, a.prefixed = scanning, cleaned(a.text), false
	if !enough { // hardly anything of it can be seen
		return a.lose(at.Add(a.cfg.Pause), events)
	}
	return events
}

// add adds a character to a scan.
func (a *Assembler) add(r rune, at time.Time, events []Event) []Event {
	if !kept(r) {
		return events
	}
	if len(a.text) == MaxLength {
		return a.lose(at.Add(a.cfg.Pause), events)
	}
	a.text = append(a.text, r)
	return events
}

// end takes a terminator; key is what it is when nobody scans.
func (a *Assembler) end(key rune, at time.Time) []Event {
	events := a.expire(at)
	was := a.phase
	a.phase = idle
	switch {
	case was == idle && within(a.lastEnd, at, a.cfg.MaxGap): // the LF after CR
	case was == idle:
		events = append(events, enter(key))
	case was == holding && a.follows:
		events = a.release(events)
	case was == holding:
		events = append(a.release(events), enter(key))
	case was == scanning && (a.headless || len(a.text) == 0):
		events = append(events, Broken{string(a.text)})
	case was == scanning:
		events = append(events, Scan{string(a.text)})
	}
	a.lastEnd, a.lastKey = at, time.Time{}
	return events
}

// release gives back what was held: keys, when a hand can have typed them.
func (a *Assembler) release(events []Event) []Event {
	if a.follows {
		if text := cleaned(a.text); len(text) > 0 {
			events = append(events, Broken{string(text)})
		}
		return events
	}
	for _, r := range a.text {
		events = append(events, Key{r})
	}
	a.lastKey = a.last
	return events
}

// lose gives up a scan; what comes until it was quiet after a time belongs to it.
func (a *Assembler) lose(quiet time.Time, events []Event) []Event {
	a.phase, a.quiet = draining, quiet
	if !a.prefixed && heldDown(a.text) {
		return events
	}
	return append(events, Broken{string(a.text)})
}

// heldDown reports whether text is what a key sends that is held down.
func heldDown(text []rune) bool {
	return len(text) > 0 && !slices.ContainsFunc(text, func(r rune) bool { return r != text[0] })
}

// enter is the key of a terminator.
func enter(r rune) Event {
	if r == '\n' {
		r = EnterKey
	}
	return Key{r}
}

// within reports whether at is no later than d after t, and t is a time at all.
func within(t, at time.Time, d time.Duration) bool {
	return !t.IsZero() && at.Sub(t) <= d
}
