//go:build !linux

package esptool

import "net"

// acknowledgeAtOnce does nothing here: only Linux has TCP_QUICKACK.
func acknowledgeAtOnce(net.Conn) {}
