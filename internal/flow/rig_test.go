package flow_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"provision/internal/esptool"
	"provision/internal/flow"
	"provision/internal/job"
	"provision/internal/records"
	"provision/internal/simulator"
)

// rig is a station with one unit in its only slot. The unit lives in memory, the
// records in a file.
type rig struct {
	t      testing.TB
	policy policy
	job    *job.Job
	store  *records.Store
	chip   *simulator.Chip
	blank  simulator.Fuses // as the chip came
	keys   *keySource
	serial string
	port   func(esptool.Port) esptool.Port // puts something between the station and the unit; nil: nothing
	sink   func(flow.Event)                // sees every event; nil: nobody
	dryRun bool

	runs     int
	intruder *sql.DB      // another program at the records
	failed   bool         // a run ended as FAIL, and was allowed to be repeated
	events   []flow.Event // of the last run
}

// inBubble runs f where time passes only while everybody waits: resets and hung
// chips cost nothing, and a slow machine changes no outcome.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// smallChip is the chip of most tests: the smallest flash the firmware is built for.
func smallChip() simulator.Config {
	cfg := simulator.DefaultConfig()
	cfg.FlashSize = 2 << 20
	return cfg
}

// newRig makes a station for j and puts a blank unit into it.
func newRig(t testing.TB, p policy, j *job.Job, opts ...simulator.Option) *rig {
	t.Helper()
	return newRigWith(t, p, j, smallChip(), opts...)
}

func newRigWith(t testing.TB, p policy, j *job.Job, cfg simulator.Config, opts ...simulator.Option) *rig {
	t.Helper()
	r := &rig{t: t, policy: p, job: j, keys: newKeySource(1), serial: "SN-0001"}
	r.insert(cfg, opts...)
	store, err := records.Open(t.Context(), filepath.Join(t.TempDir(), "provision.db"))
	check(t, err)
	r.store = store
	t.Cleanup(func() { check(t, r.store.Close()) })
	return r
}

// insert puts another blank unit into the slot.
func (r *rig) insert(cfg simulator.Config, opts ...simulator.Option) {
	r.chip = simulator.New(cfg, append([]simulator.Option{simulator.WithRandom(rand.NewChaCha8([32]byte{9}))}, opts...)...)
	r.blank = r.chip.Fuses()
}

// config is a run's, complete but for what a test changes.
func (r *rig) config() flow.Config {
	r.runs++
	return flow.Config{
		Job: r.job, Records: r.store, Identity: identity(),
		Open:     func(context.Context) (esptool.Port, error) { return r.open(), nil },
		PortName: "test", Slot: 1, Serial: r.serial, Operator: "tester", DryRun: r.dryRun,
		RunID: fmt.Sprintf("run-%d", r.runs), Version: "test", Now: time.Now, Rand: r.keys,
		Sink: func(ev flow.Event) {
			r.events = append(r.events, ev)
			if r.sink != nil {
				r.sink(ev)
			}
		},
	}
}

// open is the port of the slot. Closing it leaves the unit where it is.
func (r *rig) open() esptool.Port {
	var p esptool.Port = lasting{r.chip}
	if r.port != nil {
		p = r.port(p)
	}
	return p
}

// lasting is a port whose unit stays in the fixture when it is closed.
type lasting struct{ *simulator.Chip }

func (lasting) Close() error { return nil }

// run takes the unit from first contact to verdict.
func (r *rig) run() flow.Result { return r.runContext(r.t.Context()) }

func (r *rig) runContext(ctx context.Context) flow.Result {
	r.t.Helper()
	r.events = nil
	return flow.Run(ctx, r.config())
}

// mustRun is run with a verdict that is known beforehand. code is "" for PASS and DONE.
func (r *rig) mustRun(verdict, code string) flow.Result {
	r.t.Helper()
	res := r.run()
	if res.Verdict != verdict || string(res.Code) != code {
		r.t.Fatalf("run ended as %s %s (%v), want %s %s", res.Verdict, res.Code, res.Err, verdict, code)
	}
	return res
}

// unit is the row of the unit in the slot; nil without one.
func (r *rig) unit() *records.Unit {
	r.t.Helper()
	u, err := r.store.UnitByMAC(r.t.Context(), r.mac())
	if errors.Is(err, records.ErrNotFound) {
		return nil
	}
	check(r.t, err)
	return &u
}

func (r *rig) mac() string {
	m := r.chip.MAC()
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// burns are the burns on record for the unit in the slot.
func (r *rig) burns() []records.Burn {
	r.t.Helper()
	u := r.unit()
	if u == nil {
		return nil
	}
	burns, err := r.store.Burns(r.t.Context(), u.ID)
	check(r.t, err)
	return burns
}

// keySource is the station's random source. It remembers what it gave, so that a
// test knows every key.
type keySource struct {
	random *rand.ChaCha8
	given  [][]byte
}

func newKeySource(seed byte) *keySource {
	return &keySource{random: rand.NewChaCha8([32]byte{seed})}
}

// Read gives bytes; a key is one call.
func (k *keySource) Read(p []byte) (int, error) {
	n, err := k.random.Read(p)
	k.given = append(k.given, append([]byte(nil), p...))
	return n, err
}

// keys are the 32-byte keys given so far.
func (k *keySource) keys() (out [][]byte) {
	for _, b := range k.given {
		if len(b) == 32 {
			out = append(out, b)
		}
	}
	return out
}
