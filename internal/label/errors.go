package label

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// What can go wrong with a printer, to be told with errors.Is. Nothing was printed
// when an error is ErrUnreachable, which most of them are; after ErrCut and ErrStuck
// only a look at the printer tells.
var (
	ErrAddress     = errors.New("this is not the address of a printer")
	ErrUnreachable = errors.New("the printer cannot be reached")
	ErrRefused     = fmt.Errorf("%w: it refuses; is it ready, and is no other computer using it?", ErrUnreachable)
	ErrNoRoute     = fmt.Errorf("%w: there is no way to it; is the network cable in?", ErrUnreachable)
	ErrNoName      = fmt.Errorf("%w: the network does not know its name", ErrUnreachable)
	ErrNoAnswer    = fmt.Errorf("%w: it does not answer; is it switched on?", ErrUnreachable)
	ErrNoDevice    = fmt.Errorf("%w: there is no such device; is it plugged in and switched on?", ErrUnreachable)
	ErrPermission  = fmt.Errorf("%w: this program is not permitted to use it", ErrUnreachable)
	ErrBusy        = fmt.Errorf("%w: it is still busy with something else", ErrUnreachable)
	ErrCut         = errors.New("the connection to the printer broke; look whether the label came out")
	ErrStuck       = errors.New("the printer stopped taking data; look whether the label came out")
	ErrSilent      = errors.New("the printer does not say how it is; look at its paper, ribbon and cover")
	ErrReply       = errors.New("the printer answers with something that is not its status")
	ErrStopped     = errors.New("stopped while the printer was used; look whether a label came out")
)

// trouble is an error for a person to read: where and which of the above. The cause,
// which is in the system's words, is there for errors.Is and errors.As only.
type trouble struct {
	where string
	kind  error
	cause error
}

func (t *trouble) Error() string   { return t.where + ": " + t.kind.Error() }
func (t *trouble) Unwrap() []error { return []error{t.kind, t.cause} }

// causes says what the system's errors mean.
var causes = []struct{ cause, kind error }{
	{syscall.ECONNREFUSED, ErrRefused},
	{syscall.EHOSTUNREACH, ErrNoRoute},
	{syscall.ENETUNREACH, ErrNoRoute},
	{syscall.EHOSTDOWN, ErrNoRoute},
	{syscall.ETIMEDOUT, ErrNoAnswer},
	{os.ErrDeadlineExceeded, ErrNoAnswer},
	{context.DeadlineExceeded, ErrNoAnswer},
	{syscall.EBUSY, ErrBusy},
	{syscall.ENODEV, ErrNoDevice},
	{syscall.ENXIO, ErrNoDevice},
	{fs.ErrNotExist, ErrNoDevice},
	{fs.ErrPermission, ErrPermission},
	{syscall.EISDIR, ErrAddress},
}

// opening wraps an error from before anything was sent.
func (p *Printer) opening(ctx context.Context, err error) error {
	if stopped(ctx) {
		return p.fail(ErrStopped, context.Cause(ctx))
	}
	for _, c := range causes {
		if errors.Is(err, c.cause) {
			return p.fail(c.kind, err)
		}
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return p.fail(ErrNoName, err)
	}
	return p.fail(ErrUnreachable, err)
}

// sending wraps an error from after the first byte may have been sent.
func (p *Printer) sending(ctx context.Context, err error) error {
	switch {
	case stopped(ctx):
		return p.fail(ErrStopped, context.Cause(ctx))
	case ctx.Err() != nil:
		return p.fail(ErrStuck, err)
	}
	return p.fail(ErrCut, err)
}

func (p *Printer) fail(kind, cause error) error {
	return &trouble{"printer " + p.where, kind, cause}
}

// stopped reports whether ctx ended because somebody wanted it, not by its deadline.
func stopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }
