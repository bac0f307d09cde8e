package board

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/flow"
	"provision/internal/people"
	"provision/internal/shift"
)

// rig is a screen on a terminal that is none: what it writes is kept, keys come
// through a pipe, and time is the bubble's.
type rig struct {
	t     *testing.T
	out   transcript
	keys  *io.PipeWriter
	tell  func(shift.Event)
	mu    sync.Mutex
	asked []shift.Intent
	looks atomic.Int64 // at the clock: one for each message
	ended chan error
	quit  context.CancelCauseFunc
}

// transcript is what was written. While it is blocked, writers wait.
type transcript struct {
	mu      sync.Mutex
	text    strings.Builder
	blocked chan struct{} // not nil: until it is closed
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	blocked := w.blocked
	w.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// start runs a screen in the bubble of the test and shows it a scene of 8 slots.
func start(t *testing.T, blocked chan struct{}) *rig {
	r := &rig{t: t, ended: make(chan error, 1)}
	r.out.blocked = blocked
	in, keys := io.Pipe()
	r.keys = keys
	ctx, quit := context.WithCancelCause(t.Context())
	r.quit = quit
	cfg := Config{
		Out: &r.out, In: in, Words: texts(t, "en"), Mono: true,
		Events: func(sink func(shift.Event)) func() { r.tell = sink; return func() {} },
		Send: func(in shift.Intent) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.asked = append(r.asked, in)
		},
		Now: func() time.Time { r.looks.Add(1); return time.Now() },
	}
	go func() { r.ended <- Run(ctx, cfg); keys.Close() }()
	synctest.Wait()
	r.tell(shift.Event{
		Event: flow.Event{Kind: shift.ShiftStarted, Time: time.Now()},
		Shift: &shift.ShiftFacts{Station: "S", Mode: shift.Live, Slots: []int{1, 2, 3, 4, 5, 6, 7, 8}, Scanner: "keyboard"},
	})
	r.tell(shift.Event{Event: flow.Event{Kind: shift.Armed}, Job: &shift.JobFacts{ID: "J", Armed: true}})
	r.slot(3, shift.Ready)
	r.sleep(time.Second)
	return r
}

// sent is all that was asked of the station.
func (r *rig) sent() []shift.Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

func (r *rig) slot(n int, s shift.State) {
	r.tell(shift.Event{Event: flow.Event{Kind: "slot.verdict", Slot: n, Time: time.Now(), Serial: "AB-000123"}, State: s})
}

// sleep lets time pass, and everything happen that it brings.
func (r *rig) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// shows reports whether the terminal was given s since it had n bytes.
func (r *rig) shows(s string, since int) bool {
	return strings.Contains(bare(r.out.String()[since:]), s)
}

// close ends the shift and waits for the screen.
func (r *rig) close() error {
	r.tell(shift.Event{Event: flow.Event{Kind: shift.ShiftEnded}})
	return <-r.ended
}

// TestVerdictIsSeenAtOnce, through the real program.
func TestVerdictIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		for _, s := range []shift.State{shift.Run, shift.Hold, shift.Pass, shift.Fail, shift.Park} {
			before := len(r.out.String())
			r.slot(3, s)
			r.sleep(100 * time.Millisecond)
			if word := texts(t, "en").Text("state." + string(s)); !r.shows(word, before) {
				t.Errorf("%s is not there after 100 ms", word)
			}
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestTerminalIsPutBack: the screen ends with the shift, and leaves the terminal as
// it was: on its own screen, with its cursor.
func TestTerminalIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		if err := r.close(); err != nil {
			t.Error(err)
		}
		got := r.out.String()
		for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h", "\x1b[?2004h": "\x1b[?2004l"} {
			if !strings.Contains(got, on) || strings.LastIndex(got, off) < strings.LastIndex(got, on) {
				t.Errorf("%q is not taken back", on)
			}
		}
	})
}

// TestScansAndKeys: a burst of characters is one scan, from any view; single ones
// are keys; half a scan is neither.
func TestScansAndKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		enter := func(s string) {
			if _, err := io.WriteString(r.keys, s); err != nil {
				t.Fatal(err)
			}
			r.sleep(300 * time.Millisecond)
		}
		enter("AB-000124\r")
		enter("h")
		enter("?")
		enter("AB-000125\r")
		before := len(r.out.String())
		enter("AB-0001")
		want := []shift.Intent{{Kind: shift.Scanned, Text: "AB-000124"}, {Kind: shift.History}, {Kind: shift.Scanned, Text: "AB-000125"}}
		if !slices.Equal(r.sent(), want) {
			t.Errorf("sent %v", r.sent())
		}
		if !r.shows("The scan was cut short", before) {
			t.Error("half a scan is not told")
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestFastFingers: a PIN typed as fast as a scanner is a PIN, and a code scanned onto
// the look-up line is looked up.
func TestFastFingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		enter := func(s string) {
			if _, err := io.WriteString(r.keys, s); err != nil {
				t.Fatal(err)
			}
			r.sleep(300 * time.Millisecond)
		}
		r.tell(shift.Event{Event: flow.Event{Kind: shift.PINAsked}, Person: &shift.PersonFacts{Name: "Cleo", Role: "lead"}})
		r.sleep(300 * time.Millisecond)
		enter("2468\r")
		r.tell(shift.Event{Event: flow.Event{Kind: shift.PINClosed}})
		r.sleep(300 * time.Millisecond)
		enter("/")
		enter("AB-000124\r")
		want := []shift.Intent{{Kind: shift.PINGiven, Text: "2468"}, {Kind: shift.Lookup, Text: "AB-000124"}}
		if !slices.Equal(r.sent(), want) {
			t.Errorf("sent %v, want %v", r.sent(), want)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestQuickPIN: while a PIN is asked for, nothing that comes in a burst is shown or
// sent as a scan, whatever it is made of.
func TestQuickPIN(t *testing.T) {
	long := strings.Repeat("x7", people.MaxPIN/2)
	for _, c := range []struct {
		name string
		keys []string // each a burst
		want []shift.Intent
	}{
		{"letters and digits", []string{"ab12cd\r"}, []shift.Intent{{Kind: shift.PINGiven, Text: "ab12cd"}}},
		{"a badge", []string{"BADGE-C1\r"}, []shift.Intent{{Kind: shift.PINGiven, Text: "BADGE-C1"}}},
		{"a badge after half a PIN", []string{"1", "BADGE-C1\r"}, []shift.Intent{{Kind: shift.PINGiven, Text: "BADGE-C1"}}},
		{"the longest", []string{long + "\r"}, []shift.Intent{{Kind: shift.PINGiven, Text: long}}},
		{"too long for a PIN", []string{long + "1\r", "q", "w", "1", "2", "\r"}, []shift.Intent{{Kind: shift.PINGiven, Text: "qw12"}}},
		{"cut short", []string{"1", "ab12cd", "q", "w", "1", "2", "\r"}, []shift.Intent{{Kind: shift.PINGiven, Text: "qw12"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, nil)
				r.tell(shift.Event{Event: flow.Event{Kind: shift.PINAsked}, Person: &shift.PersonFacts{Name: "Cleo", Role: "lead"}})
				r.sleep(300 * time.Millisecond)
				before := len(r.out.String())
				for _, k := range c.keys {
					if _, err := io.WriteString(r.keys, k); err != nil {
						t.Fatal(err)
					}
					r.sleep(400 * time.Millisecond)
					if shown := strings.TrimRight(k, "\r"); len(shown) > 1 && r.shows(shown[:4], before) {
						t.Errorf("%.10q is shown", shown)
					}
				}
				if got := r.sent(); !slices.Equal(got, c.want) {
					t.Errorf("sent %v, want %v", got, c.want)
				}
				if err := r.close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestLanguageKey: the whole screen changes its language at once.
func TestLanguageKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		before := len(r.out.String())
		if _, err := io.WriteString(r.keys, "L"); err != nil {
			t.Fatal(err)
		}
		r.sleep(200 * time.Millisecond)
		if !r.shows("EINLEGEN", before) {
			t.Error("it does not speak German")
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestQuietScreen: an idle screen looks at the clock every thirty seconds and writes
// nothing; one with units at work looks four times a second.
func TestQuietScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		looks, wrote := r.looks.Load(), len(r.out.String())
		r.sleep(10 * time.Minute)
		if n := r.looks.Load() - looks; n > 21 {
			t.Errorf("an idle screen woke %d times in ten minutes", n)
		}
		if n := len(r.out.String()) - wrote; n > 0 {
			t.Errorf("an idle screen wrote %d bytes: %q", n, r.out.String()[wrote:])
		}
		r.slot(3, shift.Run)
		r.sleep(time.Second)
		looks = r.looks.Load()
		r.sleep(10 * time.Second)
		if n := r.looks.Load() - looks; n < 38 || n > 41 {
			t.Errorf("a running screen woke %d times in ten seconds", n)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestProgressIsDrawnByTheTick: however many events a run tells, the terminal gets
// four frames a second.
func TestProgressIsDrawnByTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.slot(3, shift.Run)
		r.sleep(time.Second)
		frames := strings.Count(r.out.String(), "\x1b[H")
		for i := range 1000 {
			r.tell(progress(3, float64(i)/10, time.Now()))
			r.sleep(10 * time.Millisecond)
		}
		if n := strings.Count(r.out.String(), "\x1b[H") - frames; n > 42 {
			t.Errorf("%d frames in ten seconds", n)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestBellIsHeard through the program's own output.
func TestBellIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.slot(3, shift.Fail)
		r.sleep(900 * time.Millisecond)
		if n := strings.Count(r.out.String(), "\a"); n != 2 {
			t.Errorf("FAIL rang %d times", n)
		}
		r.slot(4, shift.Park)
		r.sleep(31 * time.Second)
		if n := strings.Count(r.out.String(), "\a"); n != 2+4*3 {
			t.Errorf("with PARK for 31 s it rang %d times", n)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestStalledTerminal: a terminal that takes no output delays neither keys nor the
// end, and shows everything once it takes output again.
func TestStalledTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stall := make(chan struct{})
		r := start(t, nil)
		r.out.mu.Lock()
		r.out.blocked = stall // from now on: what the screen begins with was taken
		r.out.mu.Unlock()
		r.slot(3, shift.Run)
		for i := range 2000 { // far more frames than are kept
			r.slot(3, []shift.State{shift.Run, shift.Fail}[i%2])
			r.sleep(50 * time.Millisecond)
		}
		if _, err := io.WriteString(r.keys, "h"); err != nil {
			t.Fatal(err)
		}
		r.sleep(200 * time.Millisecond)
		if !slices.Equal(r.sent(), []shift.Intent{{Kind: shift.History}}) {
			t.Errorf("sent %v", r.sent())
		}
		r.slot(3, shift.Pass)
		r.sleep(time.Second)
		r.out.mu.Lock()
		r.out.blocked = nil
		r.out.mu.Unlock()
		close(stall)
		r.sleep(time.Second)
		got := r.out.String()
		if len(got) > mostPending+mostPending/8 {
			t.Errorf("%d bytes were kept", len(got))
		}
		const clear = "\x1b[2J" // once at the start, and then because output was lost
		last := bare(got[strings.LastIndex(got, clear):])
		if strings.Count(got, clear) != 2 || !strings.Contains(last, "PASS") || strings.Count(last, "OFF") != 7 {
			t.Error("it is not drawn anew")
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		stall := make(chan struct{})
		r := start(t, stall)
		began := time.Now()
		if err := r.close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > patience+time.Second {
			t.Errorf("a terminal that hangs held the end up for %v", took)
		}
		close(stall)
	})
}

// TestTerminalGoesAway: the screen ends with an error, and hangs nowhere.
func TestTerminalGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.keys.CloseWithError(syscall.EIO)
		if err := <-r.ended; !errors.Is(err, syscall.EIO) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		why := errors.New("the station was told to stop")
		r.quit(why)
		if err := <-r.ended; !errors.Is(err, why) {
			t.Errorf("ended with %v", err)
		}
		if got := r.out.String(); !strings.Contains(got, "\x1b[?1049l") {
			t.Error("the terminal is not put back")
		}
	})
}
