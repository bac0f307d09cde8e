package shift_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/esptool"
	"provision/internal/fixture"
	"provision/internal/floor"
	"provision/internal/shift"

	mathrand "math/rand/v2"
)

// goodSlots is how many good units stand beside the bad ones.
const goodSlots = 21

// slowest puts a unit into each of the first goodSlots slots, lets spoil do what it
// wants with the slots after them, and returns how long the slowest good unit took
// from its insertion to PASS.
func slowest(t *testing.T, spoil func(r *rig, slot int) fixture.Lesson) time.Duration {
	const slots = goodSlots + 3
	var deck []fixture.Lesson
	for range goodSlots {
		deck = append(deck, fixture.Good)
	}
	r := newRig(t, sequence, slots)
	for slot := goodSlots + 1; slot <= slots && spoil != nil; slot++ {
		deck = append(deck, spoil(r, slot))
	}
	r.fix = fixture.New(fixture.Config{Slots: slots, Deck: deck, Random: mathrand.NewPCG(1, 2), Pacing: fixture.Pace()})
	for i := range r.cfg.Floor.Slots {
		slot := &r.cfg.Floor.Slots[i]
		slot.Open = r.fix.Open(slot.Number)
		if spoil != nil && slot.Number == slots {
			slot.Open = flapping(slot.Open)
		}
	}
	r.cfg.Hands = nil
	r.start()
	began := time.Now()
	for slot := 1; slot <= slots && (spoil != nil || slot <= goodSlots); slot++ {
		r.fix.Insert(slot)
	}
	r.until("all good units pass", func() bool {
		for slot := 1; slot <= goodSlots; slot++ {
			if r.state(slot) != shift.Pass {
				return false
			}
		}
		return true
	})
	var last time.Time
	for _, ev := range r.events {
		if ev.Kind == floor.SlotVerdict && ev.Slot <= goodSlots && ev.Time.After(last) {
			last = ev.Time
		}
	}
	return last.Sub(began)
}

// flapping is a contact that opens every other time it is looked at.
func flapping(open func(context.Context) (esptool.Port, error)) func(context.Context) (esptool.Port, error) {
	n := 0
	return func(ctx context.Context) (esptool.Port, error) {
		if n++; n%2 == 0 {
			return nil, fmt.Errorf("contact open: %w", esptool.ErrPortMissing)
		}
		return open(ctx)
	}
}

// TestBadNeighbours: a hung, a babbling and a flapping unit delay none of the 21 good
// ones beside them. The time is the bubble's, so it holds what slots wait for, and
// nothing of how busy the machine is.
func TestBadNeighbours(t *testing.T) {
	if testing.Short() {
		t.Skip("works 45 units")
	}
	var alone, beside time.Duration
	synctest.Test(t, func(t *testing.T) { alone = slowest(t, nil) })
	synctest.Test(t, func(t *testing.T) {
		beside = slowest(t, func(r *rig, slot int) fixture.Lesson {
			return map[int]fixture.Lesson{goodSlots + 1: fixture.Hung, goodSlots + 2: fixture.Babbling, goodSlots + 3: fixture.Good}[slot]
		})
	})
	t.Logf("the slowest of %d good units: %v alone, %v beside bad ones", goodSlots, alone, beside)
	if beside > alone+alone/20 {
		t.Errorf("bad neighbours delay good units: %v instead of %v", beside, alone)
	}
}
