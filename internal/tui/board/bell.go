package board

import (
	"slices"
	"time"

	"provision/internal/shift"
)

// bell is a pattern of sounds. A more urgent one is larger: of several at once,
// that one is heard.
type bell int

const (
	silent   bell = iota
	once          // a unit asks for its label
	high          // PASS
	double        // FAIL
	repeated      // PARK, again and again until somebody comes
	alarm         // call the lead
)

// strokes is how often the terminal's bell is rung for a pattern.
var strokes = map[bell]int{once: 1, high: 1, double: 2, repeated: 3, alarm: 3}

const (
	betweenBells   = time.Second            // two patterns
	betweenStrokes = 200 * time.Millisecond // of one pattern: closer ones sound as one
	parkAgain      = 10 * time.Second
)

// ringer says when the terminal's bell is to be rung. It keeps one pattern, so that
// many slots at once are one sound.
type ringer struct {
	pending bell
	left    int       // strokes of the pattern that is being rung
	next    time.Time // no stroke before it
	parked  time.Time // when PARK was heard last
}

// want asks for a pattern.
func (r *ringer) want(b bell) { r.pending = max(r.pending, b) }

// ring reports whether the bell is to be rung once at now, for a station that looks
// like m.
func (r *ringer) ring(m model, now time.Time) bool {
	if m.alarming() && !m.hushed {
		if r.parked.IsZero() {
			r.parked = now // the first time it is heard with the event itself
		} else if now.Sub(r.parked) >= parkAgain {
			r.want(repeated)
		}
	} else {
		r.parked = time.Time{}
	}
	if now.Before(r.next) {
		return false
	}
	if r.left == 0 {
		if r.pending == silent {
			return false
		}
		if r.pending == repeated {
			r.parked = now
		}
		r.left, r.pending = strokes[r.pending], silent
	}
	r.left--
	r.next = now.Add(betweenStrokes)
	if r.left == 0 {
		r.next = now.Add(betweenBells)
	}
	return true
}

// due is when ring has something to do; zero: not before the next event.
func (r *ringer) due() time.Time {
	switch {
	case r.left > 0 || r.pending != silent:
		return r.next
	case !r.parked.IsZero():
		return r.parked.Add(parkAgain)
	}
	return time.Time{}
}

// alarming reports whether a unit that must be set aside is still in its slot.
func (m model) alarming() bool {
	return slices.ContainsFunc(m.slots, func(s slot) bool { return s.state == shift.Park && !s.gone })
}
