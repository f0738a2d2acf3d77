package main

import (
	"errors"
	"io"
	"net"
)

// mailHole takes connections and says nothing, so that mails wait in the outbox: their delivery is not measured.
type mailHole struct{ listener net.Listener }

func openMailHole() (mailHole, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // its owner closes it
	if err != nil {
		return mailHole{}, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() { _, _ = io.Copy(io.Discard, conn) }()
			}
		}
	}()
	return mailHole{listener}, nil
}

func (m mailHole) url() string {
	return "smtp://" + m.listener.Addr().String() + "?tls=none&from=bench@bench.example"
}
