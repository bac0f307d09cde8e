package esptool

import "bytes"

// Telnet command bytes. Source: RFC 854, RFC 855.
const (
	telnetSE   = 240 // end of a subnegotiation
	telnetSB   = 250 // subnegotiation: an option byte and what it means follow
	telnetWILL = 251
	telnetWONT = 252
	telnetDO   = 253
	telnetDONT = 254
	telnetIAC  = 255 // a command follows; twice: the data byte 255
)

// maxSub bounds a subnegotiation, in bytes; those of RFC 2217 that we look at have at
// most six. The rest of a longer one is dropped.
const maxSub = 64

// telnetCommand is what a Telnet stream carries besides data.
type telnetCommand struct {
	verb   byte   // telnetWILL, WONT, DO, DONT or SB; 0: no command
	option byte   // which option it is about
	body   []byte // of a subnegotiation; valid until the next call of next
}

// telnetStream takes a Telnet stream apart, which may come in pieces cut anywhere.
// Commands without an option (NOP, GA, BREAK and so on) mean nothing on a serial
// line and are dropped.
type telnetStream struct {
	inCommand bool   // an IAC was seen and not the byte that it announces
	verb      byte   // a WILL, WONT, DO or DONT was seen and not its option
	inSub     bool   // between SB and SE
	sub       []byte // what came since SB
}

// next returns the data in p up to the end of the first command, that command (verb
// 0: none has ended), and what of p is left behind it. The data overwrites p.
func (t *telnetStream) next(p []byte) (data []byte, cmd telnetCommand, rest []byte) {
	data = p[:0]
	for i, b := range p {
		switch {
		case t.verb != 0:
			cmd = telnetCommand{verb: t.verb, option: b}
			t.verb = 0
			return data, cmd, p[i+1:]
		case t.inCommand:
			t.inCommand = false
			if b == telnetIAC {
				data = t.take(data, b)
				break
			}
			if ended := t.command(b); ended {
				cmd = telnetCommand{verb: telnetSB, option: t.sub[0], body: t.sub[1:]}
				return data, cmd, p[i+1:]
			}
		case b == telnetIAC:
			t.inCommand = true
		default:
			data = t.take(data, b)
		}
	}
	return data, telnetCommand{}, nil
}

// take puts a byte where it belongs: into the data, or the subnegotiation under way.
func (t *telnetStream) take(data []byte, b byte) []byte {
	switch {
	case !t.inSub:
		return append(data, b)
	case len(t.sub) < maxSub:
		t.sub = append(t.sub, b)
	}
	return data
}

// command is the byte behind an IAC. It reports whether that ends a subnegotiation
// that says something. Any other command inside one means that its end was lost.
func (t *telnetStream) command(b byte) (ended bool) {
	ended = b == telnetSE && t.inSub && len(t.sub) > 0
	t.inSub = false
	switch b {
	case telnetSB:
		t.inSub, t.sub = true, t.sub[:0]
	case telnetWILL, telnetWONT, telnetDO, telnetDONT:
		t.verb = b
	}
	return ended
}

// appendTelnetData appends p as data: every IAC twice.
func appendTelnetData(dst, p []byte) []byte {
	for {
		i := bytes.IndexByte(p, telnetIAC)
		if i < 0 {
			return append(dst, p...)
		}
		dst = append(append(dst, p[:i+1]...), telnetIAC)
		p = p[i+1:]
	}
}

// appendTelnetSub appends a subnegotiation about option.
func appendTelnetSub(dst []byte, option byte, body ...byte) []byte {
	dst = append(dst, telnetIAC, telnetSB, option)
	dst = appendTelnetData(dst, body)
	return append(dst, telnetIAC, telnetSE)
}
