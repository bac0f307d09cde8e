package campaign

import (
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/internal/cputime"
)

const (
	speakEvery  = time.Minute
	lastMinutes = 3 * time.Minute // a batch needs far less, on a busy machine too
)

// progress hands out the batches of a campaign, and knows how far it is.
type progress struct {
	mu     sync.Mutex
	first  uint64
	next   uint64          // seed of the next batch
	end    uint64          // seed behind the last
	under  map[uint64]bool // first seeds of the batches under way
	until  time.Time       // no batch begins after that; zero: no limit
	all    *tally
	began  time.Time
	used   time.Duration // processor time when it began
	spoken time.Time
}

func newProgress(first, end uint64) *progress {
	now := time.Now()
	return &progress{first: first, next: first, end: end, under: map[uint64]bool{}, all: newTally(), began: now, used: cputime.Used(), spoken: now}
}

// batches gives the seeds from one to before another, to whoever asks.
func (p *progress) batches() iter.Seq2[uint64, uint64] {
	return func(yield func(uint64, uint64) bool) {
		for {
			from, to := p.take()
			if from == to || !yield(from, to) {
				return
			}
		}
	}
}

// take begins a batch; an empty one means that there is none left.
func (p *progress) take() (from, to uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, to = p.next, min(p.next+batch, p.end)
	if from == to || !p.until.IsZero() && time.Now().After(p.until) {
		return 0, 0
	}
	p.next, p.under[from] = to, true
	return from, to
}

// done counts a batch, and returns what is to be said now, if anything.
func (p *progress) done(from uint64, y *tally) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.under, from)
	p.all.join(y)
	if time.Since(p.spoken) < speakEvery {
		return ""
	}
	p.spoken = time.Now()
	return p.String()
}

// complete is the seed before which every unit is done.
func (p *progress) complete() uint64 {
	seed := p.next
	for from := range p.under {
		seed = min(seed, from)
	}
	return seed
}

// String says how far the campaign is, and where one that is cut has to go on.
func (p *progress) String() string {
	var b strings.Builder
	took, units := time.Since(p.began), float64(max(p.all.units, 1))
	fmt.Fprintf(&b, "%s: %d units done from seed %d on, all before seed %d, %d violations; %.1f a second, %.1f ms of processor time each",
		took.Round(time.Second), p.all.units, p.first, p.complete(), p.all.violations, units/took.Seconds(), (cputime.Used()-p.used).Seconds()*1e3/units)
	if left := p.complete(); left < p.end {
		fmt.Fprintf(&b, "; %s", p.goOn())
	}
	return b.String()
}

// goOn says how to go on from here.
func (p *progress) goOn() string {
	left := p.complete()
	return fmt.Sprintf("to go on: PROVISION_CAMPAIGN_FIRST=%d PROVISION_CAMPAIGN_UNITS=%d", left, p.end-left)
}

// unfinished says what is missing of a campaign that its deadline stopped; "" of one
// whose units are all done.
func (p *progress) unfinished() string {
	left := p.complete()
	if left == p.end {
		return ""
	}
	return fmt.Sprintf("stopped by its -timeout with %d of %d units done, all before seed %d; %s", p.all.units, p.end-p.first, left, p.goOn())
}

// TestProgress: batches cover the seeds once each, and one that is still under way is
// not passed over by what comes after it.
func TestProgress(t *testing.T) {
	p := newProgress(7, 7+2*batch+5)
	type seeds struct{ from, to uint64 }
	var got []seeds
	for from, to := range p.batches() {
		got = append(got, seeds{from, to})
	}
	if fmt.Sprint(got) != fmt.Sprint([]seeds{{7, 7 + batch}, {7 + batch, 7 + 2*batch}, {7 + 2*batch, 7 + 2*batch + 5}}) {
		t.Errorf("batches %v", got)
	}
	one := newTally()
	one.units = 1
	p.done(7+batch, one)
	if seed := p.complete(); seed != 7 {
		t.Errorf("all before seed %d, while the first batch is under way", seed)
	}
	p.done(7, one)
	if seed := p.complete(); seed != 7+2*batch || p.all.units != 2 {
		t.Errorf("all before seed %d, %d units", seed, p.all.units)
	}
	if text := p.unfinished(); text != "stopped by its -timeout with 2 of 125 units done, all before seed 127; to go on: PROVISION_CAMPAIGN_FIRST=127 PROVISION_CAMPAIGN_UNITS=5" {
		t.Errorf("with a batch left: %s", text)
	}
	if p.done(7+2*batch, one); p.complete() != p.end || p.unfinished() != "" {
		t.Errorf("all before seed %d at the end; %s", p.complete(), p.unfinished())
	}
	late := newProgress(1, 1000)
	late.until = time.Now().Add(-time.Second)
	for from := range late.batches() {
		t.Errorf("batch %d begins after the limit", from)
	}
}
