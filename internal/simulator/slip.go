package simulator

import (
	"bytes"
	"errors"
)

// SLIP as the ROM speaks it: C0 opens and closes a frame, DB DC and DB DD stand for
// C0 and DB inside one.
const (
	slipEnd    = 0xC0
	slipEsc    = 0xDB
	slipEscEnd = 0xDC
	slipEscEsc = 0xDD
)

// appendFrame appends a payload, wrapped.
func appendFrame(out, payload []byte) []byte {
	out = append(out, slipEnd)
	for _, b := range payload {
		switch b {
		case slipEnd:
			out = append(out, slipEsc, slipEscEnd)
		case slipEsc:
			out = append(out, slipEsc, slipEscEsc)
		default:
			out = append(out, b)
		}
	}
	return append(out, slipEnd)
}

// errEscape is DB followed by something that it does not escape.
var errEscape = errors.New("bad SLIP escape")

// slipReader takes frames from a byte stream that may be cut anywhere. Bytes outside
// frames are noise. A C0 either opens a frame or closes one, never both: behind a
// frame whose end was lost, the next one is taken for noise. What does not fit the
// ROM's buffer is cut off.
type slipReader struct {
	inside, escaped bool
	frame           []byte
}

// plain takes the bytes of p up to the first that means anything to SLIP, which are
// payload inside a frame, at once. It returns how many: 0 when feed has to look.
func (s *slipReader) plain(p []byte) int {
	if !s.inside || s.escaped {
		return 0
	}
	for _, special := range [...]byte{slipEnd, slipEsc} {
		if n := bytes.IndexByte(p, special); n >= 0 {
			p = p[:n]
		}
	}
	s.frame = append(s.frame, p[:min(len(p), rxCapacity-len(s.frame))]...)
	return len(p)
}

// feed takes one byte and returns a payload when it completes one, valid until the
// next call. Empty frames are passed over.
func (s *slipReader) feed(b byte) ([]byte, error) {
	switch {
	case b == slipEnd && s.inside && len(s.frame) > 0:
		payload := s.frame
		s.frame, s.inside, s.escaped = s.frame[:0], false, false
		return payload, nil
	case b == slipEnd:
		s.inside, s.escaped = true, false
		return nil, nil
	case !s.inside:
		return nil, nil
	case s.escaped:
		s.escaped = false
		switch b {
		case slipEscEnd:
			b = slipEnd
		case slipEscEsc:
			b = slipEsc
		default:
			return nil, errEscape
		}
	case b == slipEsc:
		s.escaped = true
		return nil, nil
	}
	if len(s.frame) < rxCapacity {
		s.frame = append(s.frame, b)
	}
	return nil, nil
}
