package flow_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"provision/internal/flow"
	"provision/internal/simulator"
)

// TestNoKeyLeaves (I8): the keys of the unit are known here, and no piece of one is
// in any event, error, result or file of the records, while the run goes on or
// after it, however it ends.
func TestNoKeyLeaves(t *testing.T) {
	t.Parallel()
	byStation, unit := newJob(t, release), newJob(t, byUnit)
	for _, c := range []struct {
		name    string
		byUnit  bool
		faults  simulator.Faults
		verdict string
	}{
		{"pass", false, simulator.Faults{}, "PASS"},
		{"encrypted by the unit", true, simulator.Faults{}, "PASS"},
		{"cut while the unit encrypts itself", true, simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 10, Seed: 5}}}, "ERROR"},
		{"key bit never takes", false, simulator.Faults{WeakBits: []simulator.WeakBit{{Block: 1, Bit: firstKeyBit(), Programs: 1000}}}, "FAIL"},
		{"cut in a key", false, simulator.Faults{CutBurn: []simulator.CutBurn{{Burn: 4, Seed: 5}}}, "ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				p, j := release, byStation
				if c.byUnit {
					p, j = byUnit, unit
				}
				r := newRig(t, p, j, simulator.WithFaults(c.faults))
				r.sink = func(ev flow.Event) {
					r.mustHideKeys("event "+ev.Kind, mustJSON(t, ev))
					if ev.Kind == flow.BurnIntended || ev.Kind == flow.BurnObserved {
						r.mustHideKeysInFiles()
					}
				}
				res := r.run()
				if res.Verdict != c.verdict {
					t.Fatalf("run ended as %s: %v", res.Verdict, res.Err)
				}
				r.mustHideKeys("result", fmt.Appendf(mustJSON(t, res), "%+v %#v %v", res, res.Err, res.Err))
				r.mustHideKeysInFiles()
			})
		})
	}
}

// TestCanaryWorks: the search finds a key in each form it looks for.
func TestCanaryWorks(t *testing.T) {
	t.Parallel()
	source := newKeySource(1)
	key := make([]byte, 32)
	_, err := source.Read(key)
	check(t, err)
	back := slices.Clone(key)
	slices.Reverse(back)
	for name, text := range map[string][]byte{
		"raw":         key,
		"chip order":  back,
		"hex":         fmt.Appendf(nil, "key=%x", key),
		"upper case":  fmt.Appendf(nil, "key=%X", key),
		"hex words":   fmt.Appendf(nil, "%08x %08x", back[4:8], back[8:12]),
		"base64":      []byte("xx" + base64.StdEncoding.EncodeToString(key)),
		"JSON bytes":  mustJSON(t, map[string]any{"a": key}),
		"JSON array":  mustJSON(t, toInts(key)),
		"half of it":  key[12:28],
		"Go's syntax": fmt.Appendf(nil, "%#v", key),
	} {
		if findKey(source.keys(), text) == "" {
			t.Errorf("a key in %s is not found", name)
		}
	}
}

func toInts(b []byte) (out []int) {
	for _, v := range b {
		out = append(out, int(v))
	}
	return out
}

// mustHideKeys fails when a piece of a key of this station's making is in text.
func (r *rig) mustHideKeys(where string, text []byte) {
	r.t.Helper()
	if form := findKey(r.keys.keys(), text); form != "" {
		r.t.Errorf("%s holds a piece of a key as %s", where, form)
	}
}

// mustHideKeysInFiles looks into the database as it lies on the disk.
func (r *rig) mustHideKeysInFiles() {
	r.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(r.store.Path() + suffix)
		if os.IsNotExist(err) {
			continue
		}
		check(r.t, err)
		r.mustHideKeys("provision.db"+suffix, data)
	}
}

// findKey searches text for a piece of a key, in file order and in the order of the
// chip's words: eight bytes as they are or in base64, four in hex or decimal. It
// returns the form it was found in, or "".
func findKey(keys [][]byte, text []byte) string {
	lower := bytes.ToLower(text)
	for _, key := range keys {
		back := slices.Clone(key)
		slices.Reverse(back)
		for _, order := range [][]byte{key, back} {
			for i := 0; i+8 <= len(order); i += 4 {
				if bytes.Contains(text, order[i:i+8]) {
					return "raw bytes"
				}
				if bytes.Contains(lower, []byte(hex.EncodeToString(order[i:i+4]))) {
					return "hex"
				}
			}
			for i := 0; i+9 <= len(order); i++ {
				if bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(order[i : i+9])[:12])) {
					return "base64"
				}
			}
			for i := 0; i+4 <= len(order); i += 4 {
				for _, form := range []string{"%d,%d,%d,%d", "%d %d %d %d", "%#x, %#x, %#x, %#x"} {
					if bytes.Contains(lower, fmt.Appendf(nil, form, order[i], order[i+1], order[i+2], order[i+3])) {
						return "numbers"
					}
				}
			}
		}
	}
	return ""
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	check(t, err)
	return out
}
