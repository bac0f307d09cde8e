package simulator

// SLIP as the ROM speaks it: C0 opens and closes a frame, DB DC and DB DD stand for
// C0 and DB inside one.
const (
	slipEnd    = 0xC0
	slipEsc    = 0xDB
	slipEscEnd = 0xDC
	slipEscEsc = 0xDD
)

// slipFrame wraps a payload.
func slipFrame(payload []byte) []byte {
	out := append(make([]byte, 0, len(payload)+8), slipEnd)
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

// slipReader takes frames from a byte stream that may be cut anywhere. Bytes
// outside frames are noise; a bad escape or a frame too long for the ROM's buffer
// drops the frame.
type slipReader struct {
	inside, escaped, bad bool
	frame                []byte
}

// feed takes one byte and returns a payload when it completes one, valid until the
// next call.
func (s *slipReader) feed(b byte) []byte {
	if b == slipEnd {
		return s.boundary()
	}
	if !s.inside || s.bad {
		return nil
	}
	switch {
	case s.escaped:
		s.escaped = false
		switch b {
		case slipEscEnd:
			b = slipEnd
		case slipEscEsc:
			b = slipEsc
		default:
			s.bad = true
			return nil
		}
	case b == slipEsc:
		s.escaped = true
		return nil
	}
	if len(s.frame) == rxCapacity {
		s.bad = true
		return nil
	}
	s.frame = append(s.frame, b)
	return nil
}

// boundary handles C0: it closes an open frame that holds something, and opens one
// otherwise. Between frames a second C0 is tolerated.
func (s *slipReader) boundary() []byte {
	payload := s.frame
	complete := s.inside && !s.bad && !s.escaped && len(payload) > 0
	broken := s.inside && (s.bad || s.escaped)
	s.inside = !complete && !broken
	s.escaped, s.bad = false, false
	s.frame = s.frame[:0]
	if !complete {
		return nil
	}
	return payload
}
