package flow_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"provision/internal/esptool"
)

// brittle is a port whose adapter fails at its N-th operation of one kind, and at every
// operation from then on. The unit keeps its power.
type brittle struct {
	esptool.Port
	kind  string // "lines", "baud", "deadline", "read" or "write"
	at    int    // 0: never
	count map[string]int
	gone  bool
}

var errAdapter = errors.New("input/output error")

func (p *brittle) fails(kind string) error {
	p.count[kind]++
	if p.gone = p.gone || kind == p.kind && p.count[kind] == p.at; p.gone {
		return errAdapter
	}
	return nil
}

func (p *brittle) SetLines(dtr, rts bool) error {
	if err := p.fails("lines"); err != nil {
		return err
	}
	return p.Port.SetLines(dtr, rts)
}

func (p *brittle) SetBaud(baud int) error {
	if err := p.fails("baud"); err != nil {
		return err
	}
	return p.Port.(interface{ SetBaud(int) error }).SetBaud(baud)
}

func (p *brittle) SetReadDeadline(t time.Time) error {
	if err := p.fails("deadline"); err != nil {
		return err
	}
	return p.Port.SetReadDeadline(t)
}

func (p *brittle) Read(b []byte) (int, error) {
	if err := p.fails("read"); err != nil {
		return 0, err
	}
	return p.Port.Read(b)
}

func (p *brittle) Write(b []byte) (int, error) {
	if err := p.fails("write"); err != nil {
		return 0, err
	}
	return p.Port.Write(b)
}

// TestAdapterFails: whatever the station was just asking of an adapter that fails, the
// unit is not to blame, and the next run finishes it.
func TestAdapterFails(t *testing.T) {
	t.Parallel()
	for _, p := range []policy{release, byUnit} {
		j := newJob(t, p)
		whole := &brittle{count: map[string]int{}}
		inBubble(t, func(t *testing.T) {
			r := newRig(t, p, j)
			r.port = func(port esptool.Port) esptool.Port { whole.Port = port; return whole }
			r.mustRun("PASS", "")
		})
		for kind, n := range map[string]int{"lines": 60, "baud": 20, "deadline": 4, "read": 4, "write": 4} {
			for _, at := range sample(numbers(whole.count[kind]), n) {
				t.Run(fmt.Sprintf("%s/%s %d", p.name, kind, at), func(t *testing.T) {
					t.Parallel()
					inBubble(t, func(t *testing.T) {
						r := newRig(t, p, j)
						r.port = func(port esptool.Port) esptool.Port {
							return &brittle{Port: port, kind: kind, at: at, count: map[string]int{}}
						}
						r.mustRun("ERROR", "E107")
						r.port = nil
						r.mustRun("PASS", "")
						r.mustBeSecured(false)
					})
				})
			}
		}
	}
}
