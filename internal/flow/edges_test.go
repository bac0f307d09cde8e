package flow_test

import (
	"bytes"
	"slices"
	"testing"

	"provision/internal/simulator"
)

// edgePolicies are those of units that lose their power at the edges of what crosses the
// wire: one for what the station does to all, one for what only units do that encrypt
// themselves.
var edgePolicies = []policy{release, byUnit}

// TestPowerCutAtEdges cuts the power before the last byte of each request, which is then
// not carried out, and before the first and the last byte of its answer: then it was, and
// the station does not know.
func TestPowerCutAtEdges(t *testing.T) {
	t.Parallel()
	for _, p := range edgePolicies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			var asked, first, last []uint64
			for _, s := range c.frames(t) {
				asked = append(asked, s.asked-1)
				if s.to > s.asked {
					first, last = append(first, s.asked), append(last, s.to-1)
				}
			}
			c.each(t, "no last byte of a request", share(p, 12, cutsAt(asked)))
			c.each(t, "no answer", share(p, 12, cutsAt(first)))
			c.each(t, "no last byte of an answer", share(p, 12, cutsAt(last)))
		})
	}
}

// TestPowerCutWhilePrinting cuts the power in what the unit prints at each start, into
// its loader or its firmware, which burns and writes between its lines: behind the first
// byte, behind each line, and before the last byte.
func TestPowerCutWhilePrinting(t *testing.T) {
	t.Parallel()
	for _, p := range edgePolicies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newCampaign(t, p)
			_, prints := c.metered(t)
			var marks []uint64
			for _, s := range prints {
				marks = append(marks, s.marks(t)...)
			}
			c.each(t, "printing", share(p, 12, cutsAt(marks)))
		})
	}
}

// marks are where what the unit prints at a start is cut.
func (s printing) marks(t *testing.T) []uint64 {
	t.Helper()
	if !bytes.HasPrefix(s.text, []byte("ets J")) { // the ROM's first words
		t.Fatalf("at wire byte %d the unit prints %q", s.from, s.text)
	}
	marks := []uint64{s.from + 1}
	for i, b := range s.text {
		if b == '\n' {
			marks = append(marks, s.from+uint64(i)+1)
		}
	}
	// What follows the last byte is a frame, and cut as one.
	marks = slices.DeleteFunc(marks, func(at uint64) bool { return at >= s.to-1 })
	return append(marks, s.to-1)
}

func cutsAt(marks []uint64) (faults []simulator.Faults) {
	for _, at := range marks {
		faults = append(faults, simulator.Faults{CutWire: []uint64{at}})
	}
	return faults
}
