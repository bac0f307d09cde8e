package virtual

import (
	"bytes"
	"context"
	"fmt"
	"net"
)

// serve takes connections until l is closed.
func (p *Printer) serve(l net.Listener) {
	for {
		select {
		case p.slot <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		conn, err := l.Accept()
		if err != nil {
			<-p.slot
			return
		}
		go func() {
			defer func() { <-p.slot }()
			defer conn.Close()
			stop := context.AfterFunc(p.ctx, func() { conn.Close() })
			defer stop()
			p.talk(conn)
		}()
	}
}

// talk reads ZPL until the other side ends, and closes only then: a client that waits
// for the end knows that its labels were taken.
func (p *Printer) talk(conn net.Conn) {
	var in input
	chunk := make([]byte, 4096)
	for p.awake() {
		n, err := conn.Read(chunk)
		if !p.awake() {
			return
		}
		for _, c := range chunk[:n] {
			label, asked := in.next(c)
			if asked {
				if _, err := conn.Write(p.hostStatus()); err != nil {
					return
				}
			}
			if label != "" && !p.take(label) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// awake waits while the printer hangs. It returns false when the printer is no more.
func (p *Printer) awake() bool {
	for {
		p.mu.Lock()
		hang := p.hang
		p.mu.Unlock()
		if hang == nil {
			return p.ctx.Err() == nil
		}
		select {
		case <-hang:
		case <-p.ctx.Done():
			return false
		}
	}
}

// take prints a label, or lets it wait for paper. It returns false when the buffer is
// full: the connection ends, and the label is lost.
func (p *Printer) take(label string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.paperOut {
		p.keep(label)
		return true
	}
	if len(p.waiting) == maxWaiting {
		return false
	}
	p.waiting = append(p.waiting, label)
	return true
}

// hostStatus is the answer to ~HS (ZPL II Programming Guide, "~HS"): three strings with
// the flags of paper and buffer in the first, and a label of 200 dots.
func (p *Printer) hostStatus() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	flag := map[bool]int{true: 1}
	return fmt.Appendf(nil, "\x02030,%d,0,0200,%03d,%d,0,0,000,0,0,0\x03\r\n"+
		"\x02000,0,0,0,1,2,6,0,00000000,1,000\x03\r\n"+
		"\x021234,0\x03\r\n",
		flag[p.paperOut], len(p.waiting), flag[len(p.waiting) == maxWaiting])
}

// input tells labels and questions in a stream of bytes.
type input struct {
	format []byte // the label that is coming in, from ^XA on; else the last bytes
}

// next takes a byte. It returns a label when c is its end, and whether c is the end
// of ~HS, which counts anywhere. A format without data (^FD) sets the printer up and
// prints nothing.
func (in *input) next(c byte) (label string, asked bool) {
	in.format = append(in.format, c)
	inside := bytes.HasPrefix(in.format, []byte("^XA"))
	switch {
	case bytes.HasSuffix(in.format, []byte("~HS")):
		in.format = in.format[:len(in.format)-len("~HS")]
		return "", true
	case bytes.HasSuffix(in.format, []byte("^XA")):
		in.format = append(in.format[:0], "^XA"...)
	case inside && bytes.HasSuffix(in.format, []byte("^XZ")):
		if bytes.Contains(in.format, []byte("^FD")) || bytes.Contains(in.format, []byte("^FV")) {
			label = string(in.format)
		}
		in.format = in.format[:0]
	case inside && len(in.format) > maxFormat:
		in.format = in.format[:0]
	case !inside && len(in.format) > len("^XA"):
		in.format = append(in.format[:0], in.format[1:]...)
	}
	return label, false
}
