package simulator

import (
	"compress/zlib"
	"errors"
	"io"
	"iter"
)

// deflateWindow is how much the ROM inflates before it programs it.
const deflateWindow = 32 << 10

// deflateBegin erases and opens. Body: inflated size, number of compressed blocks,
// block size, offset.
func (l *loader) deflateBegin(r request) byte {
	size, blocks, block, offset := r.word(0), r.word(1), r.word(2), r.word(3)
	if errNo := l.prepare(block, offset, size); errNo != romOK {
		return errNo
	}
	l.open(download{kind: opDeflateBegin, at: offset, block: block, blocks: blocks, size: size, stream: newInflater()})
	return romOK
}

// deflateData inflates one block. What comes out is programmed by the window, also
// beyond what was announced; the rest at the block announced as the last, which must
// end the stream. Once the stream is broken every further block is; behind its end a
// block stops the real ROM for good, and this one.
func (l *loader) deflateData(r request) byte {
	data, errNo := l.nextBlock(r)
	if errNo != romOK {
		return errNo
	}
	d := &l.down
	if d.kind != opDeflateBegin {
		return inflateNowhere(data)
	}
	if d.stream.ended {
		l.chip.hang()
		return romFailed
	}
	out, err := d.stream.feed(data)
	d.pending = append(d.pending, out...)
	last := d.next == d.blocks
	switch {
	case errors.Is(err, zlib.ErrChecksum):
		return romBadAdler
	case err != nil, last && !d.stream.ended:
		d.stream.stop()
		return romBadDeflate
	}
	for len(d.pending) >= deflateWindow || last && len(d.pending) > 0 {
		window := d.pending[:min(len(d.pending), deflateWindow)]
		if errNo = l.programBack(d.at, window); errNo != romOK {
			return errNo
		}
		d.at += uint32(len(window))
		d.pending = d.pending[len(window):]
	}
	return romOK
}

// inflateNowhere is DEFL_DATA in a download that FLASH_BEGIN opened: the ROM inflates
// and writes nothing.
func inflateNowhere(data []byte) byte {
	z := newInflater()
	defer z.stop()
	if _, err := z.feed(data); err != nil {
		return romBadDeflate
	}
	return romOK
}

// deflateEnd closes a download. Asked not to reboot (flag 1) the loader goes on.
func (l *loader) deflateEnd(r request) {
	l.open(download{})
	l.keepError(r.op, romOK)
	if r.word(0) == 0 {
		l.chip.send(emptyFrame)
		l.chip.restart(resetSoftware)
	}
}

// inflater is a zlib reader that is fed, instead of reading: it runs as a coroutine
// that pauses whenever its input is used up.
type inflater struct {
	in    []byte
	err   error                          // what broke the stream
	ended bool                           // it came to its proper end
	next  func() (out []byte, more bool) // nil out: hungry
	stop  func()
}

func newInflater() *inflater {
	z := &inflater{}
	z.next, z.stop = iter.Pull(z.run)
	return z
}

// feed gives the stream more input and returns what it inflated to so far. The error
// is what broke the stream, now or earlier.
func (z *inflater) feed(p []byte) ([]byte, error) {
	z.in = p
	var all []byte
	for {
		out, more := z.next()
		if !more {
			return all, z.err
		}
		if out == nil {
			return all, nil
		}
		all = append(all, out...)
	}
}

// errStopped ends a stream that nobody wants any more.
var errStopped = errors.New("inflate: stopped")

func (z *inflater) run(yield func([]byte) bool) {
	input := readFunc(func(p []byte) (int, error) {
		for len(z.in) == 0 {
			if !yield(nil) {
				return 0, errStopped // zlib passes it on: it becomes the stream's error
			}
		}
		n := copy(p, z.in)
		z.in = z.in[n:]
		return n, nil
	})
	zr, err := zlib.NewReader(input)
	if err != nil {
		z.err = err
		return
	}
	for {
		buf := make([]byte, 4096)
		n, err := zr.Read(buf)
		if n > 0 && !yield(buf[:n]) {
			z.err = errStopped
			return
		}
		if err != nil {
			if z.ended = errors.Is(err, io.EOF); !z.ended {
				z.err = err
			}
			return
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
