package esptool

// SLIP as RFC 1055 and the ESP32 ROM use it: a frame lies between two END bytes,
// END and ESC inside it are sent as two bytes, no other byte is touched.
const (
	slipEnd    = 0xC0
	slipEsc    = 0xDB
	slipEscEnd = 0xDC // after ESC: stands for END
	slipEscEsc = 0xDD // after ESC: stands for ESC
)

// maxFrame bounds the payload of one frame, in bytes. The longest request has 1048
// (FLASH_DATA), the longest reply of the ROM 76 (READ_FLASH_SLOW).
const maxFrame = 2048

// appendFrame appends payload to dst as one SLIP frame and returns the result.
func appendFrame(dst, payload []byte) []byte {
	dst = append(dst, slipEnd)
	for _, b := range payload {
		switch b {
		case slipEnd:
			dst = append(dst, slipEsc, slipEscEnd)
		case slipEsc:
			dst = append(dst, slipEsc, slipEscEsc)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, slipEnd)
}

// decoder cuts a byte stream into frames. The zero value is ready to use.
//
// END never occurs inside a payload, so each one is taken as the end of one frame
// and the start of the next. A lost END then costs no more than the frame it
// belonged to, where a decoder that pairs them would run out of phase. The price
// is that text between two frames comes out as a frame of its own; the header
// check of parseReply drops it.
type decoder struct {
	frame []byte // what has come since the last END, unescaped
	open  bool   // an END has been seen: before it, everything is noise
	esc   bool   // the last byte was ESC
	bad   bool   // a wrong escape or too many bytes: drop up to the next END
	taken bool   // frame has been handed out
}

// next consumes in up to the end of the first non-empty frame and returns its
// payload and the rest of in. The payload is nil when in held no further end of a
// frame; it is valid until the next call. Frames may be split over any number of
// calls. Broken frames are skipped.
func (d *decoder) next(in []byte) (frame, rest []byte) {
	if d.taken {
		d.frame, d.taken = d.frame[:0], false
	}
	for i, b := range in {
		if b == slipEnd {
			if d.end() {
				return d.frame, in[i+1:]
			}
			continue
		}
		d.add(b)
	}
	return nil, nil
}

// end closes the current frame, opens the next, and reports whether the closed one
// is whole and not empty. If so it stays in d.frame.
func (d *decoder) end() bool {
	whole := d.open && !d.bad && !d.esc && len(d.frame) > 0
	if !whole {
		d.frame = d.frame[:0]
	}
	d.open, d.esc, d.bad, d.taken = true, false, false, whole
	return whole
}

// add takes one byte that is not END.
func (d *decoder) add(b byte) {
	switch {
	case !d.open || d.bad:
		return
	case d.esc:
		d.esc = false
		switch b {
		case slipEscEnd:
			b = slipEnd
		case slipEscEsc:
			b = slipEsc
		default:
			d.bad = true
			return
		}
	case b == slipEsc:
		d.esc = true
		return
	}
	if len(d.frame) == maxFrame {
		d.bad = true
		return
	}
	d.frame = append(d.frame, b)
}
