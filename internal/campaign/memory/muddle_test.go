package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"provision/internal/flow"
	"provision/internal/records"
)

// muddle makes calls as several runs over a few units would make them, in a muddle and
// with mistakes. It learns what became of them, so that most make sense.
type muddle struct {
	random  *rand.Rand
	at      time.Time
	macs    []string
	serials []string
	runs    []string                   // all that may begin
	begun   []string                   // those that did, and have not ended
	files   []string                   // SHA-256
	seq     map[string]int             // the last event of a run
	holder  map[int64]string           // the run that reserved a unit last
	goals   map[string]json.RawMessage // of the unit with a MAC
	keys    map[int64][3]string        // the fingerprints of a unit's keys, by block
	escrow  map[int64]bool             // the units under that custody
	burns   int64
	fresh   byte // the next fingerprint that nobody has
}

func newMuddle(seed uint64) *muddle {
	m := &muddle{
		random: rand.New(rand.NewPCG(seed, 0)), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)),
		seq: map[string]int{}, holder: map[int64]string{}, goals: map[string]json.RawMessage{}, keys: map[int64][3]string{}, escrow: map[int64]bool{},
	}
	for i := range 4 {
		m.macs = append(m.macs, fmt.Sprintf("24:0a:c4:00:00:%02x", i))
		m.serials = append(m.serials, fmt.Sprintf("SN-%d", i), fmt.Sprintf("sn-%d", i))
		m.files = append(m.files, fingerprint(byte(200+i)))
	}
	for i := range 60 {
		m.runs = append(m.runs, fmt.Sprintf("run-%d", i))
	}
	return m
}

func fingerprint(n byte) string { return fmt.Sprintf("%064x", n) }

func (m *muddle) oneIn(n int) bool { return m.random.IntN(n) == 0 }

func pick[T any](m *muddle, from ...T) T { return from[m.random.IntN(len(from))] }

// mostly is the first, and rarely another.
func mostly[T any](m *muddle, usual T, others ...T) T {
	if m.oneIn(20) {
		return pick(m, others...)
	}
	return usual
}

// now is a time that mostly goes on, and is rarely forgotten.
func (m *muddle) now() time.Time {
	m.at = m.at.Add(time.Duration(m.random.IntN(5)-1) * 777 * time.Millisecond)
	return mostly(m, m.at, time.Time{}, m.at.UTC(), m.at.Add(-time.Hour))
}

// unit is the id of a unit that mostly is there.
func (m *muddle) unit() int64 {
	if n := len(m.holder); n > 0 && !m.oneIn(25) {
		return 1 + m.random.Int64N(int64(n))
	}
	return pick[int64](m, 0, -1, 9, 1)
}

// run is one that is under way, mostly.
func (m *muddle) run() string {
	if len(m.begun) > 0 && !m.oneIn(15) {
		return pick(m, m.begun...)
	}
	return pick(m, append(m.runs, "", "nobody")...)
}

// runOver is the run that may act on a unit, mostly.
func (m *muddle) runOver(unit int64) string {
	if run, ok := m.holder[unit]; ok && !m.oneIn(12) {
		return run
	}
	return m.run()
}

func (m *muddle) mac() string {
	mac := pick(m, m.macs...)
	return mostly(m, mac, "240AC4000001", "24-0A-C4-00-00-02", "", "no MAC")
}

func (m *muddle) words() records.Words {
	return mostly(m, records.Words{m.random.Uint32() | 1, 0, 0, 0, 0, 0, m.random.Uint32()}, records.Words{})
}

func (m *muddle) json() json.RawMessage {
	return pick(m, nil, json.RawMessage{}, json.RawMessage(`{"goal":1}`), mostly(m, json.RawMessage(`[1,2]`), json.RawMessage(`{`)))
}

// events tell of an act of a run: mostly in sequence, and often none.
func (m *muddle) events(run string) []records.Event {
	if m.oneIn(3) {
		return nil
	}
	var out []records.Event
	for i := range 1 + m.random.IntN(3) {
		out = append(out, records.Event{
			RunID: mostly(m, run, m.runs[0], "nobody"), Seq: m.seq[run] + 1 + i + mostly(m, 0, 1, -1), Time: m.now(), Slot: 1,
			Kind: mostly(m, "step.passed", ""), Step: "a step", Body: m.json(),
		})
	}
	return out
}

// call makes one up.
func (m *muddle) call() call {
	makers := []func() call{
		m.startRun, m.startRun, m.reserve, m.reserve, m.reserve, m.append, m.append, m.finishRun,
		m.sealKeys, m.sealKeys, m.markVerified, m.markVerified, m.markVerified, m.intendBurn, m.intendBurn, m.intendBurn, m.intendBurn,
		m.observeBurn, m.observeBurn, m.saveFirmware, m.saveFacts, m.saveRegion, m.saveRegion, m.saveRegion, m.complete, m.complete,
		m.park, m.release, m.release, m.release, m.regoal, m.look, m.look, m.look, m.look,
	}
	return pick(m, makers...)()
}

// done is a call that returns nothing but its error.
func done(name string, do func(context.Context, flow.Records) error, args ...any) call {
	return call{name, args, func(ctx context.Context, r flow.Records) (any, error) { return nil, do(ctx, r) }}
}

func (m *muddle) startRun() call {
	r := records.Run{
		ID: mostly(m, pick(m, m.runs...), ""), StartedAt: m.now(), Station: pick(m, "A", "B"), Slot: m.random.IntN(3), Operator: pick(m, "x", "y"),
		MAC: "ignored", Verdict: "ignored",
	}
	return done("StartRun", func(ctx context.Context, s flow.Records) error { return s.StartRun(ctx, r) }, r)
}

// wanted is a unit as it is reserved, mostly with the goal that it has.
func (m *muddle) wanted() records.Unit {
	i := m.random.IntN(len(m.macs))
	mac := m.macs[i]
	return records.Unit{
		MAC: mostly(m, mac, m.mac()), Serial: mostly(m, m.serials[2*i], append(m.serials, "", " SN")...), ChipRevision: "v3.0", Station: "A",
		FlashSize: mostly[int64](m, 4<<20, -1), Custody: mostly(m, []records.Custody{records.Discard, records.Escrow}[i%2], "", records.Escrow),
		Goal: pick(m, m.goals[mac], m.goals[mac], m.goals[mac], m.json()),
	}
}

func (m *muddle) reserve() call {
	u, run, at := m.wanted(), m.run(), m.now()
	return call{"Reserve", []any{run, u, at}, func(ctx context.Context, s flow.Records) (any, error) { return s.Reserve(ctx, run, u, at) }}
}

func (m *muddle) append() call {
	run := m.run()
	events := m.events(run)
	return done("Append", func(ctx context.Context, s flow.Records) error {
		_, err := s.Append(ctx, events...)
		return err
	}, events)
}

func (m *muddle) finishRun() call {
	unit := m.unit()
	f := records.Finish{
		RunID: m.runOver(unit), At: m.now(), Verdict: mostly(m, pick(m, records.Fail, records.Error, records.Park, records.Done), records.Pass, "LOST"),
		Code: pick(m, "", "E301", "E601", "E902"), Reason: "so it is", UnitID: mostly(m, 0, unit, 77), MAC: pick(m, "", m.mac()),
	}
	return done("FinishRun", func(ctx context.Context, s flow.Records) error { return s.FinishRun(ctx, f) }, f)
}

func (m *muddle) sealKeys() call {
	unit, at := m.unit(), m.now()
	run := m.runOver(unit)
	var pair []records.Key
	for block, purpose := range []string{1: "flash_encryption", 2: "secure_boot_v1"} {
		if block == 0 || m.oneIn(12) {
			continue
		}
		if m.fresh == 0 || !m.oneIn(6) {
			m.fresh++ // else one that was used before
		}
		pair = append(pair, records.Key{
			Purpose: mostly(m, purpose, "", "secure_boot_v1"), Block: mostly(m, block, 1, 4), Bits: mostly(m, 256, 0),
			Fingerprint: mostly(m, fingerprint(m.fresh), "short", fingerprint(0xab)), VerifiedAt: at,
		})
	}
	working := mostly(m, []byte("for the station"), nil)
	var escrow []byte
	if m.escrow[unit] != m.oneIn(10) {
		escrow = []byte("for the owner")
	}
	iv := pick(m, nil, []byte("an IV"))
	return call{"SealKeys", []any{run, unit, pair, working, escrow, iv, at}, func(ctx context.Context, s flow.Records) (any, error) {
		return nil, s.SealKeys(ctx, run, unit, pair, working, escrow, iv, at)
	}}
}

func (m *muddle) markVerified() call {
	unit := m.unit()
	run, purpose, at := m.runOver(unit), mostly(m, pick(m, "flash_encryption", "secure_boot_v1"), "other"), m.now()
	return done("MarkVerified", func(ctx context.Context, s flow.Records) error { return s.MarkVerified(ctx, run, unit, purpose, at) }, run, unit, purpose, at)
}

func (m *muddle) intendBurn() call {
	b := records.BurnIntent{UnitID: m.unit(), Step: mostly(m, "burn it", ""), Block: mostly(m, m.random.IntN(4), -1, 4), At: m.now()}
	b.RunID = m.runOver(b.UnitID)
	if b.Block == 1 || b.Block == 2 {
		b.KeyFingerprint = mostly(m, m.keys[b.UnitID][b.Block], "", fingerprint(1))
		b.Bits = mostly(m, records.Words{}, records.Words{1})
	} else {
		b.Before, b.Bits = m.words(), m.words()
		b.KeyFingerprint = mostly(m, "", fingerprint(1))
	}
	events := m.events(b.RunID)
	return call{"IntendBurn", []any{b, events}, func(ctx context.Context, s flow.Records) (any, error) { return s.IntendBurn(ctx, b, events...) }}
}

func (m *muddle) observeBurn() call {
	o := records.Observation{BurnID: m.burns - m.random.Int64N(3), OK: !m.oneIn(5), At: m.now()}
	if m.oneIn(2) {
		o.Words = m.words()
	}
	events := m.events(m.run())
	return done("ObserveBurn", func(ctx context.Context, s flow.Records) error { return s.ObserveBurn(ctx, o, events...) }, o, events)
}

func (m *muddle) saveFirmware() call {
	var files []records.Firmware
	for range m.random.IntN(4) {
		files = append(files, records.Firmware{SHA256: mostly(m, pick(m, m.files...), "short"), Role: pick(m, "app", "bootloader"), Size: mostly[int64](m, 5, -1)})
	}
	return done("SaveFirmware", func(ctx context.Context, s flow.Records) error { return s.SaveFirmware(ctx, files) }, files)
}

func (m *muddle) saveFacts() call {
	var all []records.Facts
	for range m.random.IntN(3) {
		all = append(all, records.Facts{SHA256: mostly(m, pick(m, m.files...), "short"), Offset: mostly[int64](m, 0x1000, -1, 0x2000), Facts: mostly(m, json.RawMessage(`{}`), nil)})
	}
	return done("SaveFacts", func(ctx context.Context, s flow.Records) error { return s.SaveFacts(ctx, all) }, all)
}

func (m *muddle) saveRegion() call {
	g := records.Region{
		UnitID: m.unit(), Name: mostly(m, "app", ""), Offset: mostly(m, pick[int64](m, 0x1000, 0x8000, 0x10000), -1), Length: mostly[int64](m, 4096, 0),
		PlainSHA256: pick(m, "", fingerprint(7), mostly(m, "", "short")), FlashMD5: mostly(m, "0123456789ABCDEF0123456789abcdef", ""),
		FlashSHA256: mostly(m, fingerprint(0xcd), "short"), Encrypted: m.oneIn(2), FirmwareSHA256: pick(m, append(m.files, "", "")...), VerifiedAt: m.now(),
	}
	g.RunID = m.runOver(g.UnitID)
	events := m.events(g.RunID)
	return done("SaveRegion", func(ctx context.Context, s flow.Records) error { return s.SaveRegion(ctx, g, events...) }, g, events)
}

func (m *muddle) complete() call {
	c := records.Completion{UnitID: m.unit(), At: m.now(), Reason: pick(m, "", "a remark")}
	c.RunID = m.runOver(c.UnitID)
	if !m.oneIn(5) {
		c.FinalWords = []records.BlockWords{{Block: 0, Words: m.words()}, {Block: 1, Words: mostly(m, records.Words{}, records.Words{1})}, {Block: 3}}
	}
	events := m.events(c.RunID)
	return done("Complete", func(ctx context.Context, s flow.Records) error { return s.Complete(ctx, c, events...) }, c, events)
}

func (m *muddle) park() call {
	p := records.Parking{
		MAC: m.mac(), RunID: pick(m, "", pick(m, m.runs...), mostly(m, "", "nobody")), Code: pick(m, "E303", "E205"), Reason: mostly(m, "it is odd", ""),
		Person: pick(m, "", "lead"), At: m.now(), UnitID: 5, Action: "ignored",
	}
	return done("Park", func(ctx context.Context, s flow.Records) error { return s.Park(ctx, p) }, p)
}

func (m *muddle) release() call {
	r := records.Release{MAC: m.mac(), Person: mostly(m, "lead", ""), Reason: mostly(m, "looks good", ""), At: m.now()}
	return done("Release", func(ctx context.Context, s flow.Records) error { return s.Release(ctx, r) }, r)
}

func (m *muddle) regoal() call {
	u, run, goal, at := m.wanted(), m.run(), m.json(), m.now()
	return call{"Regoal", []any{run, u, string(goal), at}, func(ctx context.Context, s flow.Records) (any, error) { return s.Regoal(ctx, run, u, goal, at) }}
}

// look asks, and changes nothing.
func (m *muddle) look() call {
	unit, mac, serial := m.unit(), m.mac(), pick(m, m.serials...)
	run := m.runOver(unit)
	f := records.RunFilter{
		Station: pick(m, "", "A"), Operator: pick(m, "", "x"), Verdict: pick(m, "", "", records.Pass), MAC: pick(m, "", mac), UnitID: pick(m, 0, unit),
		Unfinished: m.oneIn(3), Limit: m.random.IntN(4), Since: pick(m, time.Time{}, m.at.Add(-time.Minute)), Until: pick(m, time.Time{}, m.at),
	}
	return pick(m,
		call{"Check", nil, health},
		call{"UnitByMAC", []any{mac}, func(ctx context.Context, s flow.Records) (any, error) { return s.UnitByMAC(ctx, mac) }},
		call{"UnitBySerial", []any{serial}, func(ctx context.Context, s flow.Records) (any, error) { return s.UnitBySerial(ctx, serial) }},
		call{"ParkingOf", []any{mac}, func(ctx context.Context, s flow.Records) (any, error) { return s.ParkingOf(ctx, mac) }},
		call{"Attempts", []any{mac}, func(ctx context.Context, s flow.Records) (any, error) { return s.Attempts(ctx, mac) }},
		call{"Burns", []any{unit}, func(ctx context.Context, s flow.Records) (any, error) { return s.Burns(ctx, unit) }},
		call{"Regions", []any{unit}, func(ctx context.Context, s flow.Records) (any, error) { return s.Regions(ctx, unit) }},
		call{"SealedKeys", []any{unit}, func(ctx context.Context, s flow.Records) (any, error) { return s.SealedKeys(ctx, unit) }},
		call{"Runs", []any{f}, func(ctx context.Context, s flow.Records) (any, error) { return s.Runs(ctx, f) }},
		done("Holds", func(ctx context.Context, s flow.Records) error { return s.Holds(ctx, run, unit) }, run, unit),
	)
}

// learn takes notice of what a call did.
func (m *muddle) learn(c call, result any, err error) {
	if err != nil {
		return
	}
	for _, arg := range c.args {
		if events, ok := arg.([]records.Event); ok {
			for _, e := range events {
				m.seq[e.RunID] = e.Seq
			}
		}
	}
	switch c.name {
	case "StartRun":
		m.begun = append(m.begun, c.args[0].(records.Run).ID)
	case "FinishRun":
		m.ended(c.args[0].(records.Finish).RunID)
	case "Complete":
		m.ended(c.args[0].(records.Completion).RunID)
	case "Reserve", "Regoal":
		u := result.(records.Unit)
		m.holder[u.ID], m.escrow[u.ID], m.goals[u.MAC] = c.args[0].(string), u.Custody == records.Escrow, u.Goal
	case "IntendBurn":
		m.burns = result.(int64)
	case "SealKeys":
		var known [3]string
		for _, k := range c.args[2].([]records.Key) {
			if k.Block < len(known) {
				known[k.Block] = k.Fingerprint
			}
		}
		m.keys[c.args[1].(int64)] = known
	}
}

func (m *muddle) ended(run string) {
	m.begun = slices.DeleteFunc(m.begun, func(r string) bool { return r == run })
}
