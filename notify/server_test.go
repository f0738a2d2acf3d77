package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/roster-go/roster/notify"
)

// mailServer is a real SMTP server that can be told to refuse.
type mailServer struct {
	port  int
	roots *x509.CertPool
	mechs []string

	mu      sync.Mutex
	refused map[string]*smtp.SMTPError // by command: MAIL, RCPT, DATA, AUTH
	conns   int
	mails   []received
}

type received struct {
	From, To, Content, EHLO, User string
	TLS, UTF8                     bool
}

// startServer runs a server on 127.0.0.1 until the test ends. change may turn its options.
func startServer(t *testing.T, change ...func(*smtp.Server, *mailServer)) *mailServer {
	t.Helper()
	s := &mailServer{refused: map[string]*smtp.SMTPError{}, mechs: []string{"PLAIN"}}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: s, conn: c}, nil
	}))
	server.Domain = "mail.test"
	server.ErrorLog = nopLogger{}
	server.TLSConfig, s.roots = certificate(t)
	for _, f := range change {
		f(server, s)
	}
	l := listen(t)
	s.port = portOf(l)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(counting{l, s})
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return s
}

// sender returns a sender to the server, by STARTTLS unless the configuration is changed.
func (s *mailServer) sender(t *testing.T, change ...func(*notify.SMTPConfig)) *notify.SMTP {
	t.Helper()
	cfg := notify.SMTPConfig{
		Host: "127.0.0.1", Port: s.port, From: `"Acme, Inc." <mail@acme.test>`, RootCAs: s.roots,
		Username: "acme", Password: "hunter2",
	}
	for _, f := range change {
		f(&cfg)
	}
	sender, err := notify.NewSMTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.CloseIdleConnections)
	return sender
}

func (s *mailServer) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (s *mailServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// refuse answers a command with a code, or with 0 no longer.
func (s *mailServer) refuse(command string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code == 0 {
		delete(s.refused, command)
		return
	}
	s.refused[command] = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: "no"}
}

func (s *mailServer) answer(command string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused[command]; err != nil {
		return err
	}
	return nil
}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	mail   received
}

func (s *mailSession) AuthMechanisms() []string { return s.server.mechs }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if err := s.server.answer("AUTH"); err != nil {
			return err
		}
		if user != "acme" || password != "hunter2" {
			return smtp.ErrAuthFailed
		}
		s.mail.User = user
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, o *smtp.MailOptions) error {
	_, tls := s.conn.TLSConnectionState()
	s.mail = received{From: from, EHLO: s.conn.Hostname(), User: s.mail.User, TLS: tls, UTF8: o.UTF8}
	return s.server.answer("MAIL")
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = to
	return s.server.answer("RCPT")
}

func (s *mailSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.answer("DATA"); err != nil {
		return err
	}
	s.mail.Content = string(content)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// counting counts the connections of a server.
type counting struct {
	net.Listener
	server *mailServer
}

func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.server.mu.Lock()
		defer l.server.mu.Unlock()
		l.server.conns++
	}
	return conn, err
}

type nopLogger struct{}

func (nopLogger) Printf(string, ...any) {}
func (nopLogger) Println(...any)        {}

// certificate makes an authority and a certificate of it for 127.0.0.1.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, by = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made, key
	}
	span := func(template x509.Certificate) *x509.Certificate {
		template.SerialNumber = big.NewInt(1)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		return &template
	}
	ca, caKey := sign(span(x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}), nil, nil)
	leaf, key := sign(span(x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}), ca, caKey)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	}, roots
}

// scriptServer answers with the lines of a script, whatever it is told, and returns what it was told.
func scriptServer(t *testing.T, answers ...string) (port int, heard func() string) {
	t.Helper()
	l := listen(t)
	said := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			said <- ""
			return
		}
		defer func() { _ = conn.Close() }()
		var all []byte
		buffer := make([]byte, 4096)
		for _, answer := range answers {
			if _, err := io.WriteString(conn, answer+"\r\n"); err != nil {
				break
			}
			n, err := conn.Read(buffer)
			all = append(all, buffer[:n]...)
			if err != nil {
				break
			}
		}
		said <- string(all)
	}()
	return portOf(l), func() string { return <-said }
}

func atPort(port int) func(*notify.SMTPConfig) {
	return func(cfg *notify.SMTPConfig) { cfg.Host, cfg.Port = "127.0.0.1", port }
}

// listen listens on a free port until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
