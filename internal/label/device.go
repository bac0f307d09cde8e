package label

import (
	"context"
	"os"
)

// talk is what is done with an open device; it returns what the device answered.
type talk func(ctx context.Context, f *os.File) ([]byte, error)

// withFile opens the file of the printer, whose turn the caller has taken, and talks
// to it. A device may hang where no deadline reaches, in open or write: then withFile
// returns at its deadline and leaves that call behind, which keeps the turn, so that
// there is never more than one.
func (p *Printer) withFile(ctx context.Context, flag int, talk talk) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer p.endTurn()
		answer, err := p.openFile(ctx, flag, talk)
		done <- result{answer, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, p.sending(ctx, ctx.Err())
	}
}

func (p *Printer) openFile(ctx context.Context, flag int, talk talk) ([]byte, error) {
	f, err := os.OpenFile(p.where, flag, 0)
	if err != nil {
		return nil, p.opening(ctx, err)
	}
	defer f.Close()
	if err := ctx.Err(); err != nil { // nobody waits any more: nothing may come out
		return nil, p.opening(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { f.SetDeadline(longAgo) })
	defer stop()
	return talk(ctx, f)
}

// printToFile writes a label to the device, or to the end of a plain file. It writes
// without a deadline (Fd takes it away), because only then does Linux' driver for USB
// printers wait until the printer has taken everything; else closing the device drops
// what is on its way.
func (p *Printer) printToFile(ctx context.Context, zpl []byte) error {
	_, err := p.withFile(ctx, os.O_WRONLY|os.O_APPEND, func(ctx context.Context, f *os.File) ([]byte, error) {
		f.Fd()
		if _, err := f.Write(zpl); err != nil {
			return nil, p.sending(ctx, err)
		}
		return nil, nil
	})
	return err
}

// askFile returns a device's answer to ~HS. It is empty when there is none: from a
// plain file, and from a device that stays silent or whose reading has no deadline.
func (p *Printer) askFile(ctx context.Context) ([]byte, error) {
	info, err := os.Stat(p.where)
	if err != nil || info.Mode().IsRegular() {
		p.endTurn()
		if err != nil {
			return nil, p.opening(ctx, err)
		}
		return nil, nil
	}
	return p.withFile(ctx, os.O_RDWR, func(ctx context.Context, f *os.File) ([]byte, error) {
		limit, cancel := context.WithTimeout(ctx, p.answer)
		defer cancel()
		if f.SetReadDeadline(noDeadline) != nil {
			return nil, nil
		}
		if _, err := f.WriteString(hostStatus); err != nil {
			return nil, p.sending(ctx, err)
		}
		stop := context.AfterFunc(limit, func() { f.SetReadDeadline(longAgo) })
		defer stop()
		answer, err := readAnswer(f)
		if err != nil && stopped(ctx) {
			return nil, p.sending(ctx, err)
		}
		return answer, nil
	})
}
