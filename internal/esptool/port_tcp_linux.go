package esptool

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// acknowledgeAtOnce switches delayed acknowledgements off until the next read,
// which is as long as TCP_QUICKACK lasts (tcp(7)). It is about speed alone, so a
// connection that cannot do it stays as it is.
func acknowledgeAtOnce(conn net.Conn) {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return
	}
	_ = control.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
}
