package memory_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"provision/internal/campaign/judge"
	"provision/internal/campaign/memory"
	"provision/internal/flow"
	"provision/internal/keys"
	"provision/internal/records"
)

// refusals are all that the records export, by name. True: random calls must bring it
// up; the others are about files, or calls that no run makes.
var refusals = map[string]struct {
	err  error
	seen bool
}{
	"ErrSerialUsed": {records.ErrSerialUsed, true}, "ErrMACKnown": {records.ErrMACKnown, true}, "ErrParked": {records.ErrParked, true},
	"ErrNotParked": {records.ErrNotParked, true}, "ErrComplete": {records.ErrComplete, true}, "ErrNotFound": {records.ErrNotFound, true},
	"ErrInvalid": {records.ErrInvalid, true}, "ErrKeysExist": {records.ErrKeysExist, true}, "ErrKeyReused": {records.ErrKeyReused, true},
	"ErrKeyNotSealed": {records.ErrKeyNotSealed, true}, "ErrUnverified": {records.ErrUnverified, true}, "ErrKeyWords": {records.ErrKeyWords, true},
	"ErrRunExists": {records.ErrRunExists, true}, "ErrRunFinished": {records.ErrRunFinished, true}, "ErrTakenOver": {records.ErrTakenOver, true},
	"ErrObserved": {records.ErrObserved, true}, "ErrSequence": {records.ErrSequence, true}, "ErrBurnt": {records.ErrBurnt, true},
	"canceled": {context.Canceled, true},

	"ErrReadOnly": {records.ErrReadOnly, false}, "ErrFull": {records.ErrFull, false}, "ErrBusy": {records.ErrBusy, false},
	"ErrCorrupt": {records.ErrCorrupt, false}, "ErrNewer": {records.ErrNewer, false}, "ErrNotDatabase": {records.ErrNotDatabase, false},
	"ErrTampered": {records.ErrTampered, false}, "ErrNotScrubbed": {records.ErrNotScrubbed, false}, "ErrNotComplete": {records.ErrNotComplete, false},
	"ErrBadgeUsed": {records.ErrBadgeUsed, false}, "ErrTooMany": {records.ErrTooMany, false}, "ErrNotDurable": {records.ErrNotDurable, false},
}

// TestRefusals: no error of the records is missing above.
func TestRefusals(t *testing.T) {
	files, err := filepath.Glob("../../records/*.go")
	must(t, err)
	declared := regexp.MustCompile(`(?m)^(?:var |\t)(Err\w+) += (?:errors|fmt)\.`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			found++
			if _, ok := refusals[string(m[1])]; !ok {
				t.Errorf("%s of %s is not compared", m[1], file)
			}
		}
	}
	if found != len(refusals)-1 { // one is not the records' own
		t.Errorf("%d errors are declared, %d are compared", found, len(refusals)-1)
	}
}

// books are records in both ways of keeping them, and a judge at each.
type books struct {
	t      testing.TB
	path   string
	file   *records.Store
	disk   *memory.Disk
	memory *memory.Store
	judges [2]*judge.Judge
	happen map[string]int // how often each error and each call that succeeded was seen
}

func openBooks(t testing.TB, happen map[string]int) *books {
	t.Helper()
	dir := t.TempDir()
	if fast, err := os.MkdirTemp("/dev/shm", "same-"); err == nil { // what a sync promises is not compared here
		t.Cleanup(func() { os.RemoveAll(fast) })
		dir = fast
	}
	id, err := keys.CreateIdentity(filepath.Join(dir, "identity.txt"))
	must(t, err)
	b := &books{t: t, path: filepath.Join(dir, "records.db"), disk: memory.NewDisk(), happen: happen}
	b.open()
	b.judges[0], err = judge.Open(b.path, id, id)
	must(t, err)
	b.judges[1] = judge.OpenMemory(b.disk, id, id)
	t.Cleanup(func() {
		for _, j := range b.judges {
			must(t, j.Close())
		}
		b.close()
	})
	return b
}

func (b *books) open() {
	b.t.Helper()
	var err error
	b.file, err = records.Open(context.Background(), b.path)
	must(b.t, err)
	b.memory = b.disk.Open()
}

func (b *books) close() {
	b.t.Helper()
	must(b.t, b.file.Close())
	must(b.t, b.memory.Close())
}

// call is one call of the records, with all it is given.
type call struct {
	name string
	args []any // to tell it by
	do   func(context.Context, flow.Records) (any, error)
}

func (c call) String() string { return fmt.Sprintf("%s(%+v)", c.name, c.args) }

// The cases of a call that must be among those that succeed, too.
var specials = []string{"a key is burnt", "a unit with keys is complete", "an escrow is kept", "a finished unit is released", "a unit changes hands"}

// special is the case that a call which succeeded is one of; "": none.
func (c call) special(disk *memory.Disk) (name string) {
	disk.Look(func(r *memory.Rows) {
		switch c.name {
		case "IntendBurn":
			if r.Burns[len(r.Burns)-1].KeyFingerprint != "" {
				name = "a key is burnt"
			}
		case "Complete":
			for _, k := range r.Sealed {
				if k.UnitID == c.args[0].(records.Completion).UnitID && k.Working == nil {
					name = "a unit with keys is complete"
				}
			}
		case "SealKeys":
			if r.Sealed[len(r.Sealed)-1].Escrow != nil {
				name = "an escrow is kept"
			}
		case "Release":
			for _, u := range r.Units {
				if u.ID == r.Parkings[len(r.Parkings)-1].UnitID && u.State == records.StateComplete {
					name = "a finished unit is released"
				}
			}
		case "Reserve":
			last := r.Runs[len(r.Runs)-1].UnitID
			for _, run := range r.Runs[:len(r.Runs)-1] {
				if last != 0 && run.UnitID == last && run.FinishedAt.IsZero() {
					name = "a unit changes hands"
				}
			}
		}
	})
	return name
}

// both makes a call in both, and compares what comes of it.
func (b *books) both(ctx context.Context, c call) (any, error) {
	b.t.Helper()
	want, wantErr := c.do(ctx, b.file)
	got, gotErr := c.do(ctx, b.memory)
	if text := differ(gotErr, wantErr); text != "" {
		b.t.Fatalf("%v: memory says %v, SQLite %v: %s", c, gotErr, wantErr, text)
	}
	if !reflect.DeepEqual(got, want) {
		b.t.Fatalf("%v: memory gives\n%#v, SQLite\n%#v", c, got, want)
	}
	for name, r := range refusals {
		if errors.Is(wantErr, r.err) {
			b.happen[name]++
		}
	}
	if wantErr == nil {
		b.happen[c.name]++
		b.happen[c.special(b.disk)]++
	}
	return want, wantErr
}

// differ says in what two errors are not the same to a program; "": in nothing.
func differ(a, b error) string {
	if (a == nil) != (b == nil) {
		return "one is none"
	}
	for name, r := range refusals {
		if errors.Is(a, r.err) != errors.Is(b, r.err) {
			return name
		}
	}
	return differAs[*records.MACKnownError](a, b) + differAs[*records.SerialUsedError](a, b) + differAs[*records.ParkedError](a, b)
}

func differAs[E error](a, b error) string {
	var x, y E
	if errors.As(a, &x) != errors.As(b, &y) || !reflect.DeepEqual(x, y) {
		return fmt.Sprintf("%T: %+v, %+v", x, x, y)
	}
	return ""
}

// sameRows compares what a judge sees of some MACs, and how far the ledger is.
func (b *books) sameRows(after call, macs []string) {
	b.t.Helper()
	for _, mac := range macs {
		want, err := b.judges[0].Read(b.t.Context(), mac)
		must(b.t, err)
		got, err := b.judges[1].Read(b.t.Context(), mac)
		must(b.t, err)
		if !reflect.DeepEqual(got, want) {
			b.t.Fatalf("after %v: of %s the judge sees\n%+v in memory, in SQLite\n%+v", after, mac, got, want)
		}
	}
}

// health is Check without what only files have.
func health(ctx context.Context, r flow.Records) (any, error) {
	h, err := r.Check(ctx)
	h.FreeBytes, h.Head.Hash = 0, records.Hash{}
	if err != nil {
		h = records.Health{}
	}
	return h, err
}

// TestSame makes random calls, from seeds, most of them as a run would make them: the
// same comes of them in SQLite and in memory, and leaves the same rows.
func TestSame(t *testing.T) {
	happen := map[string]int{}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { live(t, seed, happen) })
	}
	if seeds < 10 || t.Failed() {
		return
	}
	for name, r := range refusals {
		if r.seen && happen[name] == 0 {
			t.Errorf("%s never happened", name)
		}
	}
	for _, name := range append(callNames(), specials...) {
		if happen[name] == 0 {
			t.Errorf("no %s ever succeeded", name)
		}
	}
}

// callNames are the methods of flow.Records.
func callNames() []string {
	var names []string
	of := reflect.TypeFor[flow.Records]()
	for i := range of.NumMethod() {
		names = append(names, of.Method(i).Name)
	}
	return names
}

const callsOfSeed = 300

func live(t *testing.T, seed uint64, happen map[string]int) {
	b := openBooks(t, happen)
	m := newMuddle(seed)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for n := range callsOfSeed {
		ctx := t.Context()
		if m.oneIn(40) {
			ctx = canceled
		}
		c := m.call()
		result, err := b.both(ctx, c)
		m.learn(c, result, err)
		b.sameRows(c, m.macs)
		if n == callsOfSeed/2 {
			b.refuseClosed(m)
		}
	}
	b.both(t.Context(), call{name: "Check", do: health})
	report, err := b.file.Verify(t.Context())
	if err != nil || report.Head.N == 0 {
		t.Errorf("the ledger of the database at the end: %+v, %v", report.Head, err)
	}
}

// refuseClosed closes the records for some calls, all of which fail, and opens them
// again: nothing is gone.
func (b *books) refuseClosed(m *muddle) {
	b.t.Helper()
	b.close()
	for range 20 {
		c := m.call()
		if _, err := b.both(b.t.Context(), c); err == nil {
			b.t.Fatalf("%v succeeds in records that are closed", c)
		}
	}
	b.open()
	b.sameRows(call{name: "Open"}, m.macs)
}

// TestHandedOut: what is handed in and out can be changed without changing a row.
func TestHandedOut(t *testing.T) {
	b := openBooks(t, map[string]int{})
	s, ctx, at := b.memory, t.Context(), time.Unix(1e9, 0)
	working, goal := []byte("sealed"), []byte(`{"a":1}`)
	must(t, s.StartRun(ctx, records.Run{ID: "r", StartedAt: at}))
	u, err := s.Reserve(ctx, "r", records.Unit{MAC: "24:0a:c4:00:00:01", Serial: "S", Custody: records.Discard, Goal: goal}, at)
	must(t, err)
	must(t, s.SealKeys(ctx, "r", u.ID, []records.Key{{Purpose: "p", Block: 1, Fingerprint: fingerprint(1), Bits: 256}}, working, nil, nil, at))
	_, err = s.IntendBurn(ctx, records.BurnIntent{RunID: "r", UnitID: u.ID, Step: "s", Bits: records.Words{1}, At: at})
	must(t, err)
	sealed, err := s.SealedKeys(ctx, u.ID)
	must(t, err)
	burns, err := s.Burns(ctx, u.ID)
	must(t, err)
	for _, text := range [][]byte{working, goal, u.Goal, sealed.Working} {
		text[0] = '!'
	}
	burns[0].Bits[0], sealed.Keys[0].Bits = 99, 0
	again, err := s.UnitByMAC(ctx, u.MAC)
	must(t, err)
	sealedAgain, err := s.SealedKeys(ctx, u.ID)
	must(t, err)
	burnsAgain, err := s.Burns(ctx, u.ID)
	must(t, err)
	if string(again.Goal) != `{"a":1}` || string(sealedAgain.Working) != "sealed" || sealedAgain.Keys[0].Bits != 256 || burnsAgain[0].Bits[0] != 1 {
		t.Errorf("a row was changed from outside: %s, %s, %+v, %+v", again.Goal, sealedAgain.Working, sealedAgain.Keys, burnsAgain)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
