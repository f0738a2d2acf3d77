package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	mail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// smtpConn is one connection to a mail server, logged in. It speaks through the protocol half of go-mail: the
// library's own client tells neither the stages of a failure apart nor closes a connection that it gives up.
type smtpConn struct {
	raw    net.Conn
	client *smtp.Client
}

func (s *SMTP) dial(ctx context.Context) (*smtpConn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	conn := &smtpConn{raw: raw}
	release := conn.watch(ctx)
	err = conn.open(ctx, s)
	if !release() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.close()
		return nil, err
	}
	return conn, nil
}

// open greets, secures the connection and logs in. Nothing that fails here is the fault of one mail.
func (c *smtpConn) open(ctx context.Context, s *SMTP) error {
	stream := c.raw
	switch s.cfg.TLS {
	case STARTTLS:
	case Implicit:
		secured := tls.Client(c.raw, s.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return tlsFailure(err)
		}
		stream = secured
	case NoTLS:
		if a, ok := c.raw.RemoteAddr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
			return Misconfigured(errors.New("connect: the server is not on this machine, and tls is none"))
		}
	}
	var err error
	if c.client, err = smtp.NewClient(stream, s.cfg.Host); err != nil {
		return sessionFailure("greet", err)
	}
	if err := c.client.Hello(s.cfg.EHLO); err != nil {
		return sessionFailure("greet", err)
	}
	if s.cfg.TLS == STARTTLS {
		if offered, _ := c.client.Extension("STARTTLS"); !offered {
			return Misconfigured(errors.New("start tls: the server does not offer it"))
		}
		if err := c.client.StartTLS(s.tls); err != nil {
			return tlsFailure(err)
		}
	}
	if s.cfg.Username == "" {
		return nil
	}
	_, mechanisms := c.client.Extension("AUTH")
	auth := s.auth(strings.Fields(mechanisms))
	if auth == nil {
		return Misconfigured(errors.New("log in: the server offers no way that is known"))
	}
	if err := c.client.Auth(auth); err != nil {
		return sessionFailure("log in", err)
	}
	return nil
}

// auth picks the first way to log in that both sides know, PLAIN rather than SCRAM: within TLS to a verified server it
// is no weaker, and servers that cannot do SCRAM for an account offer it all the same.
func (s *SMTP) auth(offered []string) smtp.Auth {
	user, password := s.cfg.Username, s.cfg.Password.Reveal()
	for _, known := range []struct {
		name string
		auth smtp.Auth
	}{
		{"PLAIN", smtp.PlainAuth("", user, password, s.cfg.Host, false)},
		{"LOGIN", smtp.LoginAuth(user, password, s.cfg.Host, false)},
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
	} {
		for _, name := range offered {
			if strings.EqualFold(name, known.name) {
				return known.auth
			}
		}
	}
	return nil
}

// send delivers one mail.
func (c *smtpConn) send(from, to string, msg *mail.Msg) error {
	needsUTF8 := !isASCII(from) || !isASCII(to)
	if offered, _ := c.client.Extension("SMTPUTF8"); needsUTF8 && !offered {
		return Permanent(errors.New("the server does not take addresses beyond ASCII"))
	}
	c.client.SkipSMTPUTF8(!needsUTF8)
	if err := c.client.Mail("<" + from + ">"); err != nil {
		return sessionFailure("name the sender", err)
	}
	if err := c.client.Rcpt("<" + to + ">"); err != nil {
		return mailFailure("name the recipient", err)
	}
	w, err := c.client.Data()
	if err != nil {
		return mailFailure("send the content", err)
	}
	// A content that breaks off must not be closed: the server would take what it has for the whole.
	if _, err := msg.WriteTo(w); err != nil {
		return fmt.Errorf("send the content: %w", err)
	}
	if err := w.Close(); err != nil {
		return mailFailure("send the content", err)
	}
	return nil
}

// watch lets the end of ctx break off what the connection is doing. The function that it returns ends that, and
// reports whether the connection was left alone.
func (c *smtpConn) watch(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
}

// usable reports whether a connection can carry another mail after err: when the server has answered, in order.
func (c *smtpConn) usable(err error) bool {
	code := smtpCode(err)
	return err == nil || code != 0 && code != 421
}

// close drops the connection, without a word: in the middle of a content a QUIT would be part of it.
func (c *smtpConn) close() { _ = c.raw.Close() }

// quit takes leave of a server that waits for a command.
func (c *smtpConn) quit() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	release := c.watch(ctx)
	_ = c.client.Quit()
	release()
	c.close()
}
