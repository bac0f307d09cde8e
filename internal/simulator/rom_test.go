package simulator

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// transcript is testdata/rom-transcript.json: SLIP payloads exchanged with the real
// mask ROM.
type transcript struct {
	Origin     string
	BootBanner string `json:"boot_banner"`
	Exchanges  []struct {
		Name    string
		Request string
		Replies []string
	}
}

// load reads a vector file and refuses one that says nothing.
func load[T any](t testing.TB, name string, empty func(T) bool) T {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if empty(v) {
		t.Fatalf("%s holds no vectors", name)
	}
	return v
}

func loadTranscript(t testing.TB) transcript {
	return load(t, "rom-transcript.json", func(v transcript) bool { return len(v.Exchanges) == 0 || v.Origin == "" })
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// drain reads whatever the chip has sent so far. The chip acts while it is written
// to, so that is all there will be.
func drain(t testing.TB, c *Chip) []byte {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 4096)
	for c.hasOutput() {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		all = append(all, buf[:n]...)
	}
	return all
}

// hasOutput says whether something is on its way to the host.
func (c *Chip) hasOutput() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.port.closed {
		c.powerOn()
	}
	return len(c.port.out) > 0
}

// frames decodes every SLIP frame in a stream.
func frames(stream []byte) (payloads [][]byte) {
	var s slipReader
	for _, b := range stream {
		if p, err := s.feed(b); err == nil && p != nil {
			payloads = append(payloads, bytes.Clone(p))
		}
	}
	return payloads
}

// writeAll writes, expecting no trouble.
func writeAll(t testing.TB, c *Chip, p []byte) {
	t.Helper()
	if n, err := c.Write(p); n != len(p) || err != nil {
		t.Fatalf("write = %d, %v; want %d", n, err, len(p))
	}
}

// TestTranscript replays the recorded session on a blank chip, byte for byte and in
// order.
func TestTranscript(t *testing.T) {
	v := loadTranscript(t)
	c := New(DefaultConfig(), WithDownloadMode())
	if got := drain(t, c); string(got) != v.BootBanner {
		t.Errorf("banner = %q, want %q", got, v.BootBanner)
	}
	for _, e := range v.Exchanges {
		writeAll(t, c, slipFrame(unhex(t, e.Request)))
		got := frames(drain(t, c))
		if len(got) != len(e.Replies) {
			t.Errorf("%s: %d replies, want %d", e.Name, len(got), len(e.Replies))
			continue
		}
		for i, want := range e.Replies {
			if !bytes.Equal(got[i], unhex(t, want)) {
				t.Errorf("%s: reply %d = %x, want %s", e.Name, i, got[i], want)
			}
		}
	}
}

// TestTranscriptSplit sends the same session one byte at a time, with noise between
// the frames: the replies do not change.
func TestTranscriptSplit(t *testing.T) {
	v := loadTranscript(t)
	c := New(DefaultConfig(), WithDownloadMode())
	var got, want [][]byte
	for _, e := range v.Exchanges {
		if e.Name == "flash_end no reboot" {
			break // after it there is a prompt that echoes noise
		}
		stream := append([]byte("noise\x00\xdb"), slipFrame(unhex(t, e.Request))...)
		for i := range stream {
			writeAll(t, c, stream[i:i+1])
		}
		got = append(got, frames(drain(t, c))...)
		for _, r := range e.Replies {
			want = append(want, unhex(t, r))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d replies, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("reply %d = %x, want %x", i, got[i], want[i])
		}
	}
}

// corners is testdata/rom-corners.json: sessions with the real mask ROM, raw bytes.
type corners struct {
	Origin   string
	Sessions []struct {
		Name      string
		Exchanges []struct {
			Name, Send, Receive string
		}
	}
}

// TestCorners replays what the real ROM does with errors, left-overs and damaged
// frames.
func TestCorners(t *testing.T) {
	v := load(t, "rom-corners.json", func(v corners) bool { return len(v.Sessions) == 0 || v.Origin == "" })
	for _, s := range v.Sessions {
		t.Run(s.Name, func(t *testing.T) {
			if len(s.Exchanges) == 0 {
				t.Fatal("empty session")
			}
			c := New(DefaultConfig(), WithDownloadMode())
			drain(t, c)
			for _, e := range s.Exchanges {
				writeAll(t, c, unhex(t, e.Send))
				if got := drain(t, c); !bytes.Equal(got, unhex(t, e.Receive)) {
					t.Errorf("%s:\n got  %x\n want %s", e.Name, got, e.Receive)
				}
			}
		})
	}
}

// slipFrame is a payload, wrapped.
func slipFrame(payload []byte) []byte { return appendFrame(nil, payload) }
