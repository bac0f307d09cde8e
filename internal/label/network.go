package label

import (
	"context"
	"io"
	"net"
	"time"
)

var (
	longAgo    = time.Unix(1, 0) // a deadline that ends any wait at once
	noDeadline time.Time
)

// maxLeft bounds what is read and dropped from a printer that closes, in bytes.
const maxLeft = 64 << 10

// connect reaches the printer over the network.
func (p *Printer) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	conn, err := p.dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, p.opening(ctx, err)
	}
	return conn, nil
}

// send writes data to the connection, which is of no use after an error.
func (p *Printer) send(ctx context.Context, conn net.Conn, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(longAgo) })
	defer stop()
	if _, err := conn.Write(data); err != nil {
		return p.sending(ctx, err)
	}
	return nil
}

// hangUp ends the connection in a way that loses nothing: it says that no more will
// come and gives the printer a moment to take what is on its way and close first.
// Whatever happens here, everything was sent.
func (p *Printer) hangUp(ctx context.Context, conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.close)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(longAgo) })
	defer stop()
	io.Copy(io.Discard, io.LimitReader(conn, maxLeft))
}

// askNetwork returns the printer's answer to ~HS. Errors: as connect and send, ErrSilent.
func (p *Printer) askNetwork(ctx context.Context) ([]byte, error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := p.send(ctx, conn, []byte(hostStatus)); err != nil {
		return nil, err
	}
	limit, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	stop := context.AfterFunc(limit, func() { conn.SetReadDeadline(longAgo) })
	defer stop()
	answer, err := readAnswer(conn)
	switch {
	case err != nil && stopped(ctx):
		return nil, p.sending(ctx, err)
	case len(answer) == 0:
		return nil, p.fail(ErrSilent, err)
	}
	p.hangUp(ctx, conn)
	return answer, nil
}
