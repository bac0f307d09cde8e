package records

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"
)

func TestSealKeysRefuses(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	has := newExample(1)
	sealed := has.seal(t, s)
	e := newExample(2)
	u := e.reserve(t, s)
	twice := []Key{e.keys[0], {Purpose: "flash_encryption", Block: 3, Fingerprint: sum("x"), Bits: 256}}
	sameBlock := []Key{e.keys[0], {Purpose: "other", Block: 1, Fingerprint: sum("x"), Bits: 256}}
	tests := []struct {
		name            string
		run             string
		unit            int64
		keys            []Key
		working, escrow []byte
		want            error
	}{
		{"second key over a first", has.run, sealed.ID, e.keys, e.working, e.escrow, ErrKeysExist},
		{"key of another unit", e.run, u.ID, []Key{e.keys[1], has.keys[0]}, e.working, e.escrow, ErrKeyReused},
		{"no such run", "nobody", u.ID, e.keys, e.working, e.escrow, ErrNotFound},
		{"a run that has not reserved it", has.run, u.ID, e.keys, e.working, e.escrow, ErrTakenOver},
		{"no such unit", e.run, 99, e.keys, e.working, e.escrow, ErrNotFound},
		{"no keys", e.run, u.ID, nil, e.working, e.escrow, ErrInvalid},
		{"nothing sealed", e.run, u.ID, e.keys, nil, e.escrow, ErrInvalid},
		{"escrow without escrow", e.run, u.ID, e.keys, e.working, nil, ErrInvalid},
		{"no fingerprint", e.run, u.ID, []Key{{Purpose: "x", Block: 1, Bits: 256}}, e.working, e.escrow, ErrInvalid},
		{"one purpose twice", e.run, u.ID, twice, e.working, e.escrow, ErrInvalid},
		{"one block twice", e.run, u.ID, sameBlock, e.working, e.escrow, ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantErr(t, s.SealKeys(ctx, test.run, test.unit, test.keys, test.working, test.escrow, nil, noon), test.want)
		})
	}
	_, err := s.SealedKeys(ctx, u.ID)
	wantErr(t, err, ErrNotFound) // a refusal keeps nothing, not even half

	discard := newExample(3)
	discard.start(t, s)
	du := discard.unit()
	du.Custody = Discard
	du, err = s.Reserve(ctx, discard.run, du, noon)
	must(t, err)
	wantErr(t, s.SealKeys(ctx, discard.run, du.ID, discard.keys, discard.working, discard.escrow, nil, noon), ErrInvalid)
	must(t, s.SealKeys(ctx, discard.run, du.ID, discard.keys, discard.working, nil, nil, noon))
}

func TestSealedKeysComeBack(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	u := e.seal(t, s)
	got, err := s.SealedKeys(ctx, u.ID)
	must(t, err)
	want := SealedKeys{UnitID: u.ID, Keys: e.keys, Working: e.working, Escrow: e.escrow, IV: []byte("iv"), SealedAt: noon.Add(2 * time.Second)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("SealedKeys = %+v, want %+v", got, want)
	}
	must(t, s.MarkVerified(ctx, e.run, u.ID, "flash_encryption", noon.Add(time.Minute)))
	must(t, s.MarkVerified(ctx, e.run, u.ID, "flash_encryption", noon.Add(time.Hour)))
	wantErr(t, s.MarkVerified(ctx, e.run, u.ID, "nothing", noon), ErrNotFound)
	wantErr(t, s.MarkVerified(ctx, e.run, 99, "flash_encryption", noon), ErrNotFound)
	got, err = s.SealedKeys(ctx, u.ID)
	must(t, err)
	if !got.Keys[0].VerifiedAt.Equal(noon.Add(time.Minute)) || got.Keys[1].Verified() {
		t.Errorf("keys = %+v, want the first verified, at the first time", got.Keys)
	}
}

func TestIntendBurnRefuses(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e, other, bare := newExample(1), newExample(2), newExample(3)
	u := e.seal(t, s)
	other.seal(t, s)
	bareUnit := bare.reserve(t, s)
	good := BurnIntent{RunID: e.run, UnitID: u.ID, Step: "burn", Block: 1, KeyFingerprint: e.keys[0].Fingerprint, At: noon}
	tests := []struct {
		name string
		edit func(*BurnIntent)
		want error
	}{
		{"key words", func(b *BurnIntent) { b.Bits = Words{0, 0, 0, 0, 0, 0, 0, 1} }, ErrKeyWords},
		{"key words found", func(b *BurnIntent) { b.Before = Words{1} }, ErrKeyWords},
		{"key words in BLOCK2", func(b *BurnIntent) { b.Block, b.Bits = 2, Words{1} }, ErrKeyWords},
		{"no fingerprint", func(b *BurnIntent) { b.KeyFingerprint = "" }, ErrKeyNotSealed},
		{"key of the other block", func(b *BurnIntent) { b.KeyFingerprint = e.keys[1].Fingerprint }, ErrKeyNotSealed},
		{"key of another unit", func(b *BurnIntent) { b.KeyFingerprint = other.keys[0].Fingerprint }, ErrKeyNotSealed},
		{"unit without keys", func(b *BurnIntent) { b.UnitID, b.RunID = bareUnit.ID, bare.run }, ErrKeyNotSealed},
		{"fingerprint for BLOCK0", func(b *BurnIntent) { b.Block, b.Bits = 0, Words{1} }, ErrInvalid},
		{"no bits", func(b *BurnIntent) { b.Block, b.KeyFingerprint = 0, "" }, ErrInvalid},
		{"no such block", func(b *BurnIntent) { b.Block = 4 }, ErrInvalid},
		{"no such unit", func(b *BurnIntent) { b.UnitID = 99 }, ErrNotFound},
		{"no such run", func(b *BurnIntent) { b.RunID = "nobody" }, ErrNotFound},
		{"no time", func(b *BurnIntent) { b.At = time.Time{} }, ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := good
			test.edit(&b)
			_, err := s.IntendBurn(ctx, b)
			wantErr(t, err, test.want)
		})
	}
	if burns, err := s.Burns(ctx, u.ID); err != nil || len(burns) != 0 {
		t.Errorf("%d burns are kept of refusals alone, %v", len(burns), err)
	}
	id, err := s.IntendBurn(ctx, good)
	must(t, err)
	wantErr(t, s.ObserveBurn(ctx, Observation{BurnID: id, Words: Words{1}, OK: true, At: noon}), ErrKeyWords)
	wantErr(t, s.ObserveBurn(ctx, Observation{BurnID: 99, At: noon}), ErrNotFound)
	must(t, s.ObserveBurn(ctx, Observation{BurnID: id, At: noon}))
	wantErr(t, s.ObserveBurn(ctx, Observation{BurnID: id, OK: true, At: noon}), ErrObserved)
}

// TestKeyWordsAreRefusedByTheDatabaseToo: the code's check is not the only one.
func TestKeyWordsAreRefusedByTheDatabaseToo(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	u := newExample(1).seal(t, s)
	db := raw(t, s.Path())
	words := Words{1}.String()
	_, err := db.ExecContext(t.Context(), `INSERT INTO burns (run_id, unit_id, step, block, words_before, words_bits, intended_at)
		VALUES (1, ?, 'x', 1, ?, ?, ?)`, u.ID, words, words, noon.Format(timeLayout))
	if err == nil {
		t.Error("the words of a key block can be stored")
	}
}

func TestBurns(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	e := newExample(1)
	u := e.secure(t, s)
	cut, err := s.IntendBurn(t.Context(), BurnIntent{RunID: e.run, UnitID: u.ID, Step: "lock", Block: 0, Before: Words{1}, Bits: Words{2, 0xffffffff}, At: noon})
	must(t, err)
	burns, err := s.Burns(t.Context(), u.ID)
	must(t, err)
	if len(burns) != 4 {
		t.Fatalf("%d burns, want 4", len(burns))
	}
	if b := burns[0]; b.Before != nil || b.Bits != nil || b.After != nil || b.KeyFingerprint != e.keys[0].Fingerprint || !b.OK {
		t.Errorf("burn of a key = %+v, want its fingerprint and no words", b)
	}
	if b := burns[3]; b.ID != cut || !b.ObservedAt.IsZero() || b.OK || b.After != nil || *b.Bits != (Words{2, 0xffffffff}) || b.RunID != e.run {
		t.Errorf("burn that was cut = %+v", b)
	}
}

func TestCompleteRefuses(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := newExample(1)
	u := e.seal(t, s)
	done := Completion{UnitID: u.ID, RunID: e.run, At: noon}
	wantErr(t, s.Complete(ctx, done), ErrUnverified)
	for _, k := range e.keys {
		must(t, s.MarkVerified(ctx, e.run, u.ID, k.Purpose, noon))
	}
	bad := done
	bad.FinalWords = []BlockWords{{Block: 2, Words: Words{0, 5}}}
	wantErr(t, s.Complete(ctx, bad), ErrKeyWords)
	bad = done
	bad.RunID = "nobody"
	wantErr(t, s.Complete(ctx, bad), ErrNotFound)
	bad = done
	bad.At = time.Time{}
	wantErr(t, s.Complete(ctx, bad), ErrInvalid)
	if got, err := s.SealedKeys(ctx, u.ID); err != nil || len(got.Working) == 0 {
		t.Fatalf("a refusal destroyed the key: %v", err)
	}
	must(t, s.Complete(ctx, done))

	// From here on the unit is never written again.
	wantErr(t, s.Complete(ctx, done), ErrComplete)
	again := newExample(7)
	again.start(t, s)
	wantErr(t, s.SealKeys(ctx, again.run, u.ID, again.keys, again.working, again.escrow, nil, noon), ErrComplete)
	wantErr(t, s.MarkVerified(ctx, again.run, u.ID, e.keys[0].Purpose, noon), ErrComplete)
	_, err := s.IntendBurn(ctx, BurnIntent{RunID: again.run, UnitID: u.ID, Step: "x", Bits: Words{1}, At: noon})
	wantErr(t, err, ErrComplete)
	wantErr(t, s.SaveRegion(ctx, Region{RunID: again.run, UnitID: u.ID, Name: "app", Length: 1, FlashMD5: sum("x")[:32], VerifiedAt: noon}), ErrComplete)
}

// findBytes returns which of the database's files hold any of the 16-byte pieces of blob.
func findBytes(t *testing.T, path string, blob []byte) []string {
	t.Helper()
	var found []string
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		data, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		must(t, err)
		for i := 0; i+16 <= len(blob); i += 16 {
			if bytes.Contains(data, blob[i:i+16]) {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

// longCopies gives an example sealed keys that fill pages of their own and differ
// in every 16 bytes.
func longCopies(e example) example {
	e.working, e.escrow = nil, nil
	for i := range 300 {
		e.working = append(e.working, sum("working %d", i)...)
		e.escrow = append(e.escrow, sum("escrow %d", i)...)
	}
	return e
}

func TestCompleteLeavesNothingOfTheWorkingCopy(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]example{"short": newExample(1), "long": longCopies(newExample(1))} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			newExample(2).seal(t, s) // a neighbour on the same pages
			u := e.secure(t, s)
			if len(findBytes(t, s.Path(), e.working)) == 0 {
				t.Fatal("the sealed key is not even there before: the test looks in the wrong place")
			}
			must(t, s.Complete(t.Context(), Completion{UnitID: u.ID, RunID: e.run, At: noon}))
			if files := findBytes(t, s.Path(), e.working); files != nil {
				t.Errorf("the destroyed key is still in %v", files)
			}
			got, err := s.SealedKeys(t.Context(), u.ID)
			must(t, err)
			if got.Working != nil || !bytes.Equal(got.Escrow, e.escrow) || !got.DestroyedAt.Equal(noon) {
				t.Errorf("kept: %d bytes working, %d bytes escrow, destroyed %v", len(got.Working), len(got.Escrow), got.DestroyedAt)
			}
		})
	}
}

// lookUp begins a look-up that sees one view of the records until end is called.
func lookUp(t *testing.T, s *Store) (end func()) {
	t.Helper()
	reading, err := s.r.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	must(t, err)
	var n int
	must(t, reading.QueryRowContext(t.Context(), "SELECT count(*) FROM units").Scan(&n))
	return func() { must(t, reading.Rollback()) }
}

// TestScrubLeavesReadersAlone: a look-up under way holds old pages in the log. What
// remains there goes with the next write after it, whatever that is.
func TestScrubLeavesReadersAlone(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	ctx := t.Context()
	e := longCopies(newExample(1))
	u := e.secure(t, s)
	end := lookUp(t, s)
	wantErr(t, s.Complete(ctx, Completion{UnitID: u.ID, RunID: e.run, At: noon}), ErrNotScrubbed)
	if got, err := s.UnitByMAC(ctx, e.mac); err != nil || got.State != StateComplete {
		t.Errorf("state %s, %v; want complete all the same", got.State, err)
	}
	newExample(2).start(t, s)
	wantErr(t, s.Scrub(ctx), ErrNotScrubbed)
	if len(findBytes(t, s.Path(), e.working)) == 0 {
		t.Fatal("nothing was left to scrub: the test proves nothing")
	}
	end()
	newExample(3).start(t, s)
	if files := findBytes(t, s.Path(), e.working); files != nil {
		t.Errorf("the destroyed key is still in %v", files)
	}
}

// TestReaderStopsNobody: a backup is at work while every slot of the largest station
// comes to PASS. Were one of them to wait for it, with its turn to write, the others
// would wait longer than they may.
func TestReaderStopsNobody(t *testing.T) {
	t.Parallel()
	const slots = 24
	s := openTemp(t)
	exec(t, s.w, fmt.Sprintf("PRAGMA busy_timeout = %d", 2*turnLimit.Milliseconds()))
	var units []Unit
	for n := range slots {
		units = append(units, newExample(n).secure(t, s))
	}
	end := lookUp(t, s)
	var group sync.WaitGroup
	for n, u := range units {
		group.Go(func() {
			err := s.Complete(t.Context(), Completion{UnitID: u.ID, RunID: newExample(n).run, At: noon})
			if !errors.Is(err, ErrNotScrubbed) {
				t.Errorf("unit %d: %v, want %v", n, err, ErrNotScrubbed)
			}
		})
	}
	group.Wait()
	for _, u := range units {
		if got, err := s.UnitByMAC(t.Context(), u.MAC); err != nil || got.State != StateComplete {
			t.Errorf("%s is %s, %v; want complete", u.Serial, got.State, err)
		}
	}
	var wait any
	must(t, s.w.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&wait))
	if wait != busyTimeout.want {
		t.Errorf("for another program's lock it now waits %v ms, want %v", wait, busyTimeout.want)
	}
	end()
	must(t, s.Scrub(t.Context()))
}
