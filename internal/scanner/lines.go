package scanner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Lines reads scans from a scanner that is a serial device of its own: UTF-8,
// ended by CR, LF or both, or Tab, cleaned as those of a keyboard. It yields a Scan
// for every text, and Broken for one that is too long or that the stream ends in;
// lines without a text are passed over. Bytes that are no UTF-8 become U+FFFD,
// which no barcode of ours holds.
//
// It ends with the stream. When that ended in an error, the last pair is no event
// and the error.
func Lines(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		in := bufio.NewReader(r)
		var text []rune
		long := false
		for {
			c, _, err := in.ReadRune()
			switch {
			case err == nil && !terminator(c):
				if kept(c) && len(text) == MaxLength {
					long = true
				} else if kept(c) {
					text = append(text, c)
				}
				continue
			case len(text) > 0 && !yield(line(text, long || err != nil), nil):
				return
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(nil, fmt.Errorf("read scanner: %w", err))
				return
			}
			text, long = text[:0], false
		}
	}
}

// line is the event of a text that was read.
func line(text []rune, broken bool) Event {
	if broken {
		return Broken{string(text)}
	}
	return Scan{string(text)}
}
