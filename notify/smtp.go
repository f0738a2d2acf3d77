package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"sync"
	"time"

	"github.com/roster-go/roster"
)

// TLSMode is how a connection to a mail server is secured.
type TLSMode string

// The modes. With each of the first two the server's certificate is verified and TLS is 1.2 or newer.
const (
	STARTTLS TLSMode = "starttls" // nothing is sent unless the server offers it; port 587
	Implicit TLSMode = "implicit" // TLS from the first byte; port 465
	NoTLS    TLSMode = "none"     // to the same machine only, and without a password; port 25
)

// SMTPConfig says where mails go out and what they are from.
type SMTPConfig struct {
	// Host is the mail server, by the name in its certificate.
	Host string
	// Port is the usual one of the mode if 0.
	Port int
	// TLS is STARTTLS if "".
	TLS TLSMode
	// Username and Password log in to the server, after TLS is up. "" sends without.
	Username string
	Password roster.Secret
	// From is the sender of all mails, as in "Example <mail@example.com>". Its domain also ends the Message-IDs.
	From string
	// EHLO is what the program calls itself; "" means the domain of From. The machine's own name is not told.
	EHLO string
	// RootCAs are trusted instead of the system's.
	RootCAs *x509.CertPool
}

// SMTP sends mails through one server. It keeps connections open while mails follow each other; see
// CloseIdleConnections.
type SMTP struct {
	cfg  SMTPConfig
	from mail.Address
	tls  *tls.Config

	mu   sync.Mutex
	idle []*smtpConn
}

// NewSMTP checks cfg, all at once. It does not connect.
func NewSMTP(cfg SMTPConfig) (*SMTP, error) {
	cfg.TLS = cmp.Or(cfg.TLS, STARTTLS)
	var faults []error
	if cfg.Host == "" || oneLine(cfg.Host) != cfg.Host {
		faults = append(faults, errors.New("no host"))
	}
	switch cfg.TLS {
	case STARTTLS:
		cfg.Port = cmp.Or(cfg.Port, 587)
	case Implicit:
		cfg.Port = cmp.Or(cfg.Port, 465)
	case NoTLS:
		cfg.Port = cmp.Or(cfg.Port, 25)
		if !isLoopback(cfg.Host) {
			faults = append(faults, errors.New("tls none is for this machine only: give localhost or a loopback address"))
		}
		if cfg.Username != "" {
			faults = append(faults, errors.New("a password needs tls"))
		}
	default:
		faults = append(faults, fmt.Errorf("tls %q: want starttls, implicit or none", cfg.TLS))
	}
	if cfg.Port < 1 || cfg.Port > 65535 {
		faults = append(faults, fmt.Errorf("port %d: want 1 to 65535", cfg.Port))
	}
	if (cfg.Username == "") != (cfg.Password == "") {
		faults = append(faults, errors.New("user and password belong together"))
	}
	from, err := parseFrom(cfg.From)
	if err != nil {
		faults = append(faults, err)
	} else {
		cfg.EHLO = cmp.Or(cfg.EHLO, domainOf(from.Address))
	}
	if oneLine(cfg.EHLO) != cfg.EHLO {
		faults = append(faults, errors.New("ehlo is not one line of text"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("notify: smtp: %w", errors.Join(faults...))
	}
	return &SMTP{cfg: cfg, from: from, tls: &tls.Config{
		ServerName: cfg.Host, RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12,
	}}, nil
}

func parseFrom(from string) (mail.Address, error) {
	a, err := mail.ParseAddress(from)
	if err != nil {
		return mail.Address{}, fmt.Errorf("from: want an address as in %q", "Example <mail@example.com>")
	}
	if err := checkAddress(Email, a.Address); err != nil || !isASCII(domainOf(a.Address)) {
		return mail.Address{}, errors.New("from: want a plain address with its domain as DNS spells it")
	}
	return mail.Address{Name: oneLine(a.Name), Address: a.Address}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// smtpTimeout bounds a mail whose context has no end of its own.
const smtpTimeout = time.Minute

// Send hands a mail to the server. What the server says of the recipient or the content with a code from 500 is
// permanent, what it says so of the login, the sender or TLS is a misconfiguration, everything else is temporary.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, smtpTimeout)
	defer cancel()
	if m.Channel != Email {
		return Permanent(fmt.Errorf("smtp: cannot send %s", m.Channel))
	}
	msg, err := s.compose(m)
	if err != nil {
		return Permanent(fmt.Errorf("smtp: %w", err))
	}
	conn, err := s.connection(ctx)
	if err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	release := conn.watch(ctx)
	err = conn.send(s.from.Address, m.To, msg)
	if release() && conn.usable(err) {
		s.keep(conn)
	} else {
		conn.close()
	}
	if err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	return nil
}

// CloseIdleConnections closes the connections that no mail is using. The worker calls it when nothing is due.
func (s *SMTP) CloseIdleConnections() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, conn := range idle {
		conn.quit()
	}
}

// connection returns one that is open and answers, or a new one.
func (s *SMTP) connection(ctx context.Context) (*smtpConn, error) {
	for {
		conn := s.take()
		if conn == nil {
			return s.dial(ctx)
		}
		release := conn.watch(ctx)
		err := conn.client.Reset()
		if release() && err == nil {
			return conn, nil
		}
		conn.close()
	}
}

func (s *SMTP) take() *smtpConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil
	}
	conn := s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	return conn
}

func (s *SMTP) keep(conn *smtpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, conn)
}

func (s *SMTP) address() string { return net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)) }
