package esptool

import (
	"bytes"
	"testing"
)

// takeApart returns the data and the commands of a stream that comes in pieces.
func takeApart(pieces ...[]byte) (data []byte, cmds []telnetCommand) {
	var stream telnetStream
	for _, p := range pieces {
		for rest := bytes.Clone(p); len(rest) > 0; {
			var d []byte
			var cmd telnetCommand
			d, cmd, rest = stream.next(rest)
			data = append(data, d...)
			if cmd.verb != 0 {
				cmd.body = bytes.Clone(cmd.body)
				cmds = append(cmds, cmd)
			}
		}
	}
	return data, cmds
}

func sameCommands(a, b []telnetCommand) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].verb != b[i].verb || a[i].option != b[i].option || !bytes.Equal(a[i].body, b[i].body) {
			return false
		}
	}
	return true
}

func TestTelnetStream(t *testing.T) {
	long := append(append([]byte{255, 250, 44}, make([]byte, 1000)...), 255, 240, 'x')
	for _, c := range []struct {
		name   string
		stream []byte
		data   string
		cmds   []telnetCommand
	}{
		{"data", []byte("plain\r\x00"), "plain\r\x00", nil},
		{"doubled", []byte{'a', 255, 255, 255, 255, 'b'}, "a\xff\xffb", nil},
		{"options", []byte{'a', 255, 251, 1, 'b', 255, 254, 44}, "ab", []telnetCommand{{verb: 251, option: 1}, {verb: 254, option: 44}}},
		{"option 255", []byte{255, 253, 255, 'a'}, "a", []telnetCommand{{verb: 253, option: 255}}},
		{"commands without a meaning", []byte{'a', 255, 241, 'b', 255, 249, 255, 243, 255, 0, 'c'}, "abc", nil},
		{"end without a beginning", []byte{255, 240, 'a'}, "a", nil},
		{"subnegotiation", []byte{'a', 255, 250, 44, 101, 0, 255, 255, 1, 255, 240, 'b'}, "ab",
			[]telnetCommand{{verb: 250, option: 44, body: []byte{101, 0, 255, 1}}}},
		{"empty subnegotiation", []byte{255, 250, 255, 240, 'a'}, "a", nil},
		{"subnegotiation without an end", []byte{255, 250, 44, 101, 255, 251, 3, 'a'}, "a", []telnetCommand{{verb: 251, option: 3}}},
		{"subnegotiation too long", long, "x", []telnetCommand{{verb: 250, option: 44, body: make([]byte, maxSub-1)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			single := make([][]byte, len(c.stream))
			for i := range c.stream {
				single[i] = c.stream[i : i+1]
			}
			for _, pieces := range [][][]byte{{c.stream}, single, {c.stream[:len(c.stream)/2], c.stream[len(c.stream)/2:]}} {
				data, cmds := takeApart(pieces...)
				if string(data) != c.data || !sameCommands(cmds, c.cmds) {
					t.Errorf("in %d pieces: %q, %v; want %q, %v", len(pieces), data, cmds, c.data, c.cmds)
				}
			}
		})
	}
}

// FuzzTelnetStream: whatever the far end sends, cuts between packets change nothing;
// and data that we write comes out as it was.
func FuzzTelnetStream(f *testing.F) {
	f.Add([]byte{'a', 255, 255, 255, 251, 1, 255, 250, 44, 101, 255, 255, 255, 240, 'b'}, 4)
	f.Add([]byte{255, 250, 255, 255, 250, 44, 255}, 2)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = max(0, min(cut, len(stream)))
		data, cmds := takeApart(stream)
		cutData, cutCmds := takeApart(stream[:cut], stream[cut:])
		if !bytes.Equal(data, cutData) || !sameCommands(cmds, cutCmds) {
			t.Errorf("%x is %x, %v; cut at %d it is %x, %v", stream, data, cmds, cut, cutData, cutCmds)
		}
		if back, cmds := takeApart(appendTelnetData(nil, stream)); !bytes.Equal(back, stream) || cmds != nil {
			t.Errorf("%x comes back as %x, %v", stream, back, cmds)
		}
	})
}

func TestTelnetOptions(t *testing.T) {
	type exchange struct{ hear, answer []byte }
	for _, c := range []struct {
		name    string
		said    []exchange
		comPort bool
		refuses string
	}{
		{"agreed", []exchange{{[]byte{253, 44}, nil}, {[]byte{253, 0}, nil}, {[]byte{251, 0}, nil}}, true, ""},
		{"offered by the server", []exchange{{[]byte{251, 44}, []byte{255, 253, 44}}}, true, ""},
		{"refused", []exchange{{[]byte{254, 44}, nil}}, false, "COM-PORT-OPTION"},
		{"not binary", []exchange{{[]byte{253, 44}, nil}, {[]byte{252, 0}, nil}}, true, "BINARY"},
		{"taken back", []exchange{{[]byte{253, 44}, nil}, {[]byte{254, 44}, []byte{255, 252, 44}}}, false, "COM-PORT-OPTION"},
		{"go-ahead does not matter", []exchange{{[]byte{253, 44}, nil}, {[]byte{254, 3}, nil}}, true, ""},
		{"echo is refused, once", []exchange{{[]byte{251, 1}, []byte{255, 254, 1}}, {[]byte{251, 1}, nil}, {[]byte{253, 1}, []byte{255, 252, 1}}}, false, ""},
		{"no end of it", []exchange{{[]byte{253, 44}, nil}, {[]byte{253, 44}, nil}, {[]byte{254, 3}, nil}, {[]byte{253, 3}, nil}, {[]byte{254, 3}, nil}}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newTelnetOptions()
			o.ask()
			for _, e := range c.said {
				if answer := o.hear(e.hear[0], e.hear[1]); !bytes.Equal(answer, e.answer) {
					t.Errorf("to %d the answer is %d, want %d", e.hear, answer, e.answer)
				}
			}
			if o.comPort() != c.comPort || o.refuses() != c.refuses {
				t.Errorf("com port %v, refuses %q; want %v, %q", o.comPort(), o.refuses(), c.comPort, c.refuses)
			}
		})
	}
}
