package campaign

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"provision/internal/campaign/judge"
	"provision/internal/flow"
	"provision/internal/simulator"
)

// bite is a unit that was worked on as it should be, and something that is then made
// wrong with it: the judge has to say so.
type bite struct {
	name  string
	order int
	until func(flow.Event) bool // the run is killed there; nil: it passes
	seen  bool                  // the judge has looked once before
	wrong func(*victim)
	said  judge.Contact // the verdict that is claimed; zero: none
	want  string        // the invariant, and a piece of what is said
}

// The orders of the bites.
const (
	toRelease    = 0
	toBeClosed   = 2
	underEscrow  = 3
	secureBootV1 = 7
)

// victim is what the wrong is done to.
type victim struct {
	*bench
	*life
}

// burn blows fuses behind everybody's back.
func (v *victim) burn(block, word int, bits uint32) {
	var f simulator.Fuses
	f[block][word] = bits
	check(v.bench.t, v.unit.Chip.Preburn(f))
}

// doctor changes the records behind everybody's back, without their rules.
func (v *victim) doctor(statements ...string) {
	t := v.bench.t
	db, err := sql.Open("sqlite", "file://"+v.books.(*onDisk).path())
	check(t, err)
	defer db.Close() // what it wrote is committed
	db.SetMaxOpenConns(1)
	var names []string
	rows, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'trigger'")
	check(t, err)
	for rows.Next() {
		var name string
		check(t, rows.Scan(&name))
		names = append(names, "DROP TRIGGER "+name)
	}
	check(t, rows.Err())
	for _, s := range append(names, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// loosely makes a table without its constraints, so that a row can be there twice.
func loosely(table string, statements ...string) func(*victim) {
	return func(v *victim) {
		v.doctor(append([]string{
			"CREATE TABLE loose AS SELECT * FROM " + table, "DROP TABLE " + table, "ALTER TABLE loose RENAME TO " + table,
		}, statements...)...)
	}
}

func inRecords(statements ...string) func(*victim) {
	return func(v *victim) { v.doctor(statements...) }
}

func inFuses(block, word int, bits uint32) func(*victim) {
	return func(v *victim) { v.burn(block, word, bits) }
}

// inFlash clears the bits of some bytes.
func inFlash(at int) func(*victim) {
	return func(v *victim) { check(v.bench.t, v.unit.Chip.SetFlash(at, make([]byte, 64))) }
}

func at(kind, step string) func(flow.Event) bool {
	return func(ev flow.Event) bool { return ev.Kind == kind && ev.Step == step }
}

var (
	keyBurnt    = at(flow.BurnObserved, "burn BLOCK1")
	keyCompared = at(flow.StepPassed, "burn BLOCK1")
	keyLocked   = at(flow.StepPassed, "write-protect BLOCK1")
	enabled     = at(flow.StepPassed, "burn FLASH_CRYPT_CNT")
)

// bites is at least one for each thing the judge looks at.
var bites = []bite{
	{name: "flash not proved before a key", until: keyBurnt, wrong: inRecords("DELETE FROM regions WHERE flash_offset = 65536"), want: "I1: \"burn BLOCK1\" was begun before the flash at 0x10000"},
	{name: "an unfit part is burnt", until: keyBurnt, wrong: func(v *victim) { v.unit.Unfit = "E204" }, want: "I1: a part that must be refused"},

	{name: "no intent for a fuse", until: enabled, wrong: inRecords("DELETE FROM burns WHERE step = 'burn ABS_DONE_0'"), want: "I2: BLOCK0 has bits"},
	{name: "an intent with fewer bits", until: enabled, wrong: inRecords("UPDATE burns SET words_bits = replace(words_bits, '07f00000', '03f00000')"), want: "I2: BLOCK0 has bits"},
	{name: "an intent with other bits", until: enabled, wrong: inRecords("UPDATE burns SET words_bits = replace(words_bits, '00000010', '00000410')"), want: "I2: \"burn ABS_DONE_0\" means to burn what was not ordered"},
	{name: "a fuse that nobody named", wrong: inFuses(0, 6, sdioDis), want: "I2: BLOCK0 has bits"},
	{name: "custom MAC block", until: keyBurnt, wrong: inFuses(3, 0, 1), want: "I2: BLOCK3"},
	{name: "no intent for a key", until: keyBurnt, wrong: inRecords("DELETE FROM burns"), want: "I2: BLOCK1 holds bits, and no intent"},
	{name: "the key is sealed after the intent", until: keyBurnt, wrong: inRecords("UPDATE ledger SET n = n + 100000 WHERE tbl = 'sealed_keys'"), want: "I2: \"burn BLOCK1\" was begun before the key was sealed"},
	{name: "the intent names another key", until: keyBurnt, wrong: inRecords("UPDATE burns SET key_fingerprint = 'f' || substr(key_fingerprint, 2) WHERE block = 1",
		"UPDATE burns SET key_fingerprint = 'e' || substr(key_fingerprint, 2) WHERE block = 1"), want: "I2: \"burn BLOCK1\" names a key"},
	{name: "a burn on top of an unknown one", until: enabled, wrong: inRecords("UPDATE burns SET observed_at = NULL, ok = NULL WHERE step = 'write-protect BLOCK2'"), want: "I2: \"burn FLASH_CRYPT_CONFIG\" was begun before it was known"},

	{name: "hidden and not compared", until: keyLocked, wrong: inRecords("UPDATE keys SET verified_at = NULL"), want: "I3: BLOCK1 is protected, and its key is not on record as compared"},
	{name: "compared after it was hidden", until: keyLocked, wrong: inRecords("UPDATE ledger SET n = n + 100000 WHERE tbl = 'keys'"), want: "I3: \"read-protect BLOCK1\" was begun before BLOCK1 was on record as compared"},
	{name: "half a key is hidden", until: keyLocked, wrong: func(v *victim) { v.burn(1, 0, 0xFFFFFFFF) }, want: "I3: BLOCK1 is protected, and does not hold the key"},
	{name: "hidden early", until: keyBurnt, wrong: inFuses(0, 0, 1<<16), want: "I3: BLOCK1 is protected"},
	{name: "frozen before hidden", until: keyLocked, wrong: inRecords("UPDATE burns SET words_before = '00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000' WHERE step = 'write-protect BLOCK1'"), want: "I3: \"write-protect BLOCK1\" was begun before BLOCK1 was hidden"},
	{name: "enabled before locked", until: keyLocked, wrong: inFuses(0, 6, absDone0), want: "I3: a feature is switched on, and BLOCK2 is not locked"},
	{name: "enabling was begun before the locks", until: enabled, wrong: inRecords("UPDATE burns SET words_before = '00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000' WHERE step = 'burn ABS_DONE_0'"), want: "I3: \"burn ABS_DONE_0\" was begun before BLOCK1 was locked"},
	{name: "enabled before the flash was proved", order: secureBootV1, until: at(flow.StepPassed, "burn ABS_DONE_0"), wrong: inRecords("UPDATE ledger SET n = n + 100000 WHERE tbl = 'regions'"), want: "I3: \"burn ABS_DONE_0\" was begun before the flash at"},
	{name: "the door is shut early", order: toBeClosed, until: enabled, wrong: inFuses(0, 0, uartDis), want: "I3: UART_DOWNLOAD_DIS is burnt before"},
	{name: "shutting the door was begun early", order: toBeClosed, wrong: inRecords("UPDATE burns SET words_before = '00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000' WHERE step = 'burn UART_DOWNLOAD_DIS'"), want: "I3: UART_DOWNLOAD_DIS was begun before"},

	{name: "the key of an unfinished unit is gone", until: keyBurnt, wrong: inRecords("UPDATE sealed_keys SET working = NULL, destroyed_at = sealed_at"), want: "I4: BLOCK1 holds bits, and the station holds no key"},
	{name: "the sealed key is damaged", until: keyBurnt, wrong: inRecords("UPDATE sealed_keys SET working = substr(working, 1, 100)"), want: "I4: BLOCK1 holds bits, and the station's copy of its key does not open"},
	{name: "a second key over a first", until: keyBurnt, wrong: inFuses(1, 3, 0xFFFFFFFF), want: "I4: BLOCK1 holds bits that are not of the sealed key"},
	{name: "a key where none was ordered", order: secureBootV1, until: at(flow.BurnObserved, "burn BLOCK2"), wrong: inFuses(1, 0, 1), want: "I4: BLOCK1 holds something, and the order has no use for it"},
	{name: "somebody else's part is burnt", until: keyBurnt, wrong: func(v *victim) { v.unit.Origin[0][6] = jtagDis; v.burn(0, 6, jtagDis) }, want: "I4: a part that somebody else secured was burnt"},

	{name: "fuses of a finished unit", seen: true, wrong: inFuses(0, 6, sdioDis), want: "I5: fuses of a finished unit"},
	{name: "flash of a finished unit", seen: true, wrong: inFlash(appAt + 64), want: "I5: the flash of a finished unit"},
	{name: "a finished unit is forgotten", seen: true, wrong: inRecords("UPDATE units SET completed_at = NULL, state = 'open'"), want: "I5: the unit was finished, and is not on record as that"},

	{name: "PASS, not on record", until: enabled, said: judge.Contact{Verdict: "PASS"}, want: "I6: PASS was shown, and the unit is not complete"},
	{name: "DONE, not on record", until: enabled, said: judge.Contact{Verdict: "DONE"}, want: "I6: DONE was shown, and the unit is not complete"},
	{name: "PASS, ERROR on record", wrong: inRecords("UPDATE runs SET verdict = 'ERROR'"), said: judge.Contact{Verdict: "PASS"}, want: "I6: PASS was shown, and \"ERROR\" is on record"},
	{name: "PASS without a lock", wrong: func(v *victim) { v.unit.Order.Final[6] |= sdioDis }, want: "I6: PASS, and BLOCK0 is"},
	{name: "PASS with an open key block", wrong: func(v *victim) { v.unit.Chip = v.copyWith(func(f *simulator.Fuses) { f[0][0] &^= lockedBlock1 }) }, want: "I6: PASS, and BLOCK1 is not locked"},
	{name: "PASS with another key", wrong: inRecords("UPDATE keys SET fingerprint = substr(fingerprint, 2) || 'f' WHERE block = 2"), want: "I6: PASS, and BLOCK2 does not hold the key on record"},
	{name: "PASS, other fuses on record", wrong: inRecords("UPDATE units SET final_words = replace(final_words, 'f', 'e')"), want: "I6: PASS, and the fuses on record"},
	{name: "PASS, a burn not looked at", wrong: inRecords("UPDATE burns SET observed_at = NULL, ok = NULL WHERE step = 'freeze'"), want: "I6: PASS, and nobody looked at what \"freeze\" did"},
	{name: "PASS, a region not on record", wrong: inRecords("DELETE FROM regions WHERE flash_offset = 32768"), want: "I6: PASS, and nothing is on record of the flash at 0x8000"},
	{name: "PASS, other flash on record", wrong: inRecords("UPDATE regions SET flash_md5 = substr(flash_md5, 2) || 'x' WHERE flash_offset = 65536"), want: "I6: PASS, and the flash at 0x10000 is not what is on record"},
	{name: "PASS, other flash", wrong: inFlash(bootloaderAt + 64), want: "I6: PASS, and the flash at 0x1000 is not what is on record"},
	{name: "PASS and it does not start", wrong: inFlash(appAt + 64), want: "I6: the unit does not start"},
	{name: "PASS twice", wrong: inRecords("INSERT INTO runs (run, started_at, station, slot, port, profile_name, profile_sha256, version, operator, mac, unit_id, finished_at, verdict) " +
		"SELECT 'again', started_at, station, slot, port, profile_name, profile_sha256, version, operator, mac, unit_id, finished_at, verdict FROM runs"), want: "I6: the unit is complete, and 2 runs"},
	{name: "PASS, the keys are kept", wrong: inRecords("UPDATE sealed_keys SET working = x'01', destroyed_at = NULL"), want: "I6: PASS, and the station's copy of the keys"},
	{name: "PASS, discarded keys are kept", wrong: inRecords("UPDATE sealed_keys SET escrow = x'01'"), want: "I6: PASS, and keys that were to be discarded"},
	{name: "PASS, no escrow", order: underEscrow, wrong: inRecords("UPDATE sealed_keys SET escrow = x'01'"), want: "I6: PASS, and the owner cannot open"},

	{name: "one MAC, two units", wrong: loosely("units", "INSERT INTO units SELECT * FROM units"), want: "I7: 2 units are on record with the MAC"},
	{name: "one serial, two units", wrong: loosely("units", "INSERT INTO units (id, mac, serial, state) SELECT 99, 'other', serial, state FROM units"), want: "I7: 2 units are on record with the serial"},
	{name: "one key, two units", wrong: loosely("keys", "INSERT INTO keys SELECT * FROM keys"), want: "I7: 2 keys are on record"},
	{name: "one key, two chips", seen: true, wrong: func(v *victim) {
		v.doctor("UPDATE units SET mac = '24:0a:c4:a1:b2:c4'")
		v.chip.MAC[5]++
		v.unit.Chip = v.copyWith(func(f *simulator.Fuses) { f[0][1], f[0][2] = 0, 0 })
	}, want: "I7: BLOCK1 holds the key of 24:0a:c4:a1:b2:c3"},
	{name: "another serial than before", seen: true, wrong: inRecords("UPDATE units SET serial = 'SN-2'"), want: "I7: the serial number was SN-1 and is SN-2"},
	{name: "a stranger is burnt", until: keyBurnt, wrong: func(v *victim) { v.unit.Stranger = true }, want: "I7: a chip that was in the slot by mistake"},

	{name: "FAIL of a good unit", until: keyBurnt, said: judge.Contact{Verdict: "FAIL", Code: "E301"}, want: "I4: FAIL E301 is not true"},
	{name: "FAIL of good flash", until: keyBurnt, said: judge.Contact{Verdict: "FAIL", Code: "E403"}, want: "I4: FAIL E403 is not true"},
	{name: "FAIL of a good part", until: keyBurnt, said: judge.Contact{Verdict: "FAIL", Code: "E204"}, want: "I4: FAIL E204 is not true"},
	{name: "PARK as foreign", until: keyBurnt, said: judge.Contact{Verdict: "PARK", Code: "E205"}, want: "I4: PARK E205 is not true"},
	{name: "PARK as contradictory", until: keyCompared, said: judge.Contact{Verdict: "PARK", Code: "E303"}, want: "I4: PARK E303 is not true"},
	{name: "PARK as uncertain", until: keyLocked, said: judge.Contact{Verdict: "PARK", Code: "E304"}, want: "I4: PARK E304 is not true"},
	{name: "PARK as closed", until: enabled, said: judge.Contact{Verdict: "PARK", Code: "E108"}, want: "I4: PARK E108 is not true"},
	{name: "PARK as known otherwise", until: keyBurnt, said: judge.Contact{Verdict: "PARK", Code: "E502", Serial: "SN-1"}, want: "I4: PARK E502 is not true"},
	{name: "PARK of a unit that starts", until: enabled, said: judge.Contact{Verdict: "PARK", Code: "E701"}, want: "I4: PARK E701 is not true"},
	{name: "ERROR of good records", until: keyBurnt, said: judge.Contact{Verdict: "ERROR", Code: "E601"}, want: "I4: ERROR E601 is not true"},
	{name: "ERROR of a free serial", until: keyBurnt, said: judge.Contact{Verdict: "ERROR", Code: "E501", Serial: "SN-1"}, want: "I6: ERROR E501"},
}

// copyWith is the chip again, with other fuses.
func (v *victim) copyWith(change func(*simulator.Fuses)) *simulator.Chip {
	fuses := v.unit.Chip.Fuses()
	change(&fuses)
	chip := simulator.New(v.chip)
	check(v.bench.t, chip.SetFlashFrom(v.unit.Chip))
	check(v.bench.t, chip.Preburn(fuses))
	return chip
}

// TestJudgeBites: whatever is made wrong with a unit, the judge says so; and of the
// same unit before that, nothing.
func TestJudgeBites(t *testing.T) {
	check(t, makeJobs())
	for _, b := range bites {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVictim(t, b)
				if found := v.judgeAs(judge.Contact{}, !b.seen); len(found) > 0 {
					t.Fatalf("before anything was wrong: %v", found)
				}
				if b.wrong != nil {
					b.wrong(v)
				}
				b.said.Run = "1.1"
				found := v.judgeAs(b.said, false)
				if !strings.Contains(fmt.Sprint(found), b.want) {
					t.Errorf("found %v, want %s", found, b.want)
				}
			})
		})
	}
}

// newVictim takes a unit as far as the bite wants it.
func newVictim(t *testing.T, b bite) *victim {
	p := newPlan(1)
	*p = plan{seed: 1, random: p.random, order: orders[b.order], chip: simulator.DefaultConfig()}
	p.chip.FlashSize = 2 << 20
	bench := newBenchOver(t, &onDisk{dir: t.TempDir()}) // its rows are doctored by SQL
	v := &victim{bench, &life{bench: bench, plan: p, ctx: t.Context(), serial: "SN-1", random: newKeyStream(1, 1)}}
	v.unit = v.newUnit(p.chip)
	c := &contact{bench: bench, order: p.order, serial: v.serial, id: "1.1", chip: v.unit.Chip, random: v.random}
	c.event = func(ev flow.Event) {
		if b.until != nil && b.until(ev) {
			panic(killed{})
		}
	}
	res, alive := c.run(t.Context())
	if alive != (b.until == nil) || alive && res.Verdict != "PASS" {
		t.Fatalf("the run ended as %s (%v)", res.Verdict, res.Err)
	}
	return v
}

// judgeAs judges the unit, with a verdict where one is claimed. A first look may be
// forgotten again, so that the next one is the first at a finished unit.
func (v *victim) judgeAs(said judge.Contact, forget bool) []judge.Violation {
	v.bench.t.Helper()
	looked := *v.unit
	u := v.unit
	if forget {
		u = &looked
	}
	var found []judge.Violation
	var err error
	if said.Verdict == "" {
		found, err = v.judge.Moment(v.ctx, u)
	} else {
		found, err = v.judge.After(v.ctx, u, said)
	}
	check(v.bench.t, err)
	return found
}
