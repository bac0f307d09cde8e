package simulator

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSlipAtOnce: bytes taken at once give the frames that they give one by one,
// whatever is among them.
func TestSlipAtOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		wire := make([]byte, random.IntN(2*rxCapacity))
		for i := range wire {
			wire[i] = byte(random.Uint32())
			if random.IntN(60) == 0 {
				wire[i] = [...]byte{slipEnd, slipEsc, slipEscEnd, slipEscEsc}[random.IntN(4)]
			}
		}
		if random.IntN(3) == 0 { // one long frame, longer than the ROM's buffer
			wire = append([]byte{slipEnd}, bytes.Repeat([]byte{0x55}, rxCapacity+9)...)
			wire = append(wire, slipEnd)
		}
		var one, many slipReader
		var want, got [][]byte
		for _, b := range wire {
			if p, err := one.feed(b); p != nil || err != nil {
				want = append(want, bytes.Clone(p))
			}
		}
		for at := 0; at < len(wire); {
			end := at + 1 + random.IntN(len(wire)-at)
			if k := many.plain(wire[at:end]); k > 0 {
				at += k
				continue
			}
			if p, err := many.feed(wire[at]); p != nil || err != nil {
				got = append(got, bytes.Clone(p))
			}
			at++
		}
		if !bytes.Equal(bytes.Join(got, []byte("|")), bytes.Join(want, []byte("|"))) || len(got) != len(want) {
			t.Fatalf("%d frames of %d bytes at once, %d one by one", len(got), len(wire), len(want))
		}
	}
}
