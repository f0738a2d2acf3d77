//go:build unix

package store

import (
	"errors"
	"net"
	"syscall"
)

// hungUp reports whether the other end of a connection that rests has closed it, or has said something that nobody asked
// for, which as a rule is a farewell. It waits for nothing.
func hungUp(conn net.Conn) bool {
	known, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := known.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:])
		gone = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		return true
	})
	return gone || err != nil
}
