package simulator

import (
	"compress/zlib"
	"errors"
	"io"
	"iter"
)

// deflateDownload is what FLASH_DEFL_BEGIN opened: a zlib stream whose content goes
// to the flash.
type deflateDownload struct {
	open   bool
	next   uint32 // sequence number expected
	at     uint32 // flash address of the next byte inflated
	room   uint32 // bytes announced and not yet written
	stream *inflater
}

// close drops the stream, if there is one.
func (d *deflateDownload) close() {
	if d.stream != nil {
		d.stream.stop()
	}
	*d = deflateDownload{}
}

// deflateBegin erases and opens. Body: inflated size, number of compressed blocks,
// block size, offset.
func (l *loader) deflateBegin(r request) byte {
	size, offset := r.word(0), r.word(3)
	if errNo := l.eraseRange(offset, size); errNo != romOK {
		return errNo
	}
	l.flash.open = false
	l.deflate.close()
	l.deflate = deflateDownload{open: true, at: offset, room: size, stream: newInflater()}
	return romOK
}

// deflateData inflates one block and programs what comes out.
func (l *loader) deflateData(r request) byte {
	d := &l.deflate
	data, errNo := l.checkData(r, d.open, d.next)
	if errNo == romBadMessage {
		return errNo
	}
	if errNo == romOK {
		errNo = l.inflateBlock(data)
	}
	if errNo != romOK {
		d.close()
		return errNo
	}
	d.next++
	return romOK
}

func (l *loader) inflateBlock(data []byte) byte {
	d := &l.deflate
	out, err := d.stream.feed(data)
	switch {
	case errors.Is(err, zlib.ErrChecksum):
		return romBadAdler
	case err != nil, uint32(len(out)) > d.room:
		return romBadDeflate
	}
	errNo := l.programBack(d.at, out)
	d.at += uint32(len(out))
	d.room -= uint32(len(out))
	return errNo
}

// inflater is a zlib reader that is fed, instead of reading: it runs as a coroutine
// that pauses whenever its input is used up.
type inflater struct {
	in   []byte
	err  error
	next func() (out []byte, more bool) // nil out: hungry
	stop func()
}

func newInflater() *inflater {
	z := &inflater{}
	z.next, z.stop = iter.Pull(z.run)
	return z
}

// feed gives the stream more input and returns what it inflated to so far. Input
// after the end of the stream is ignored.
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
				return 0, errStopped
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
			return
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				z.err = err
			}
			return
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
