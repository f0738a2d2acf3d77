package notify_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
)

func sample() notify.Message {
	id, _ := roster.ParseID("01890a5d-ac96-774b-bcce-b302099a8057")
	return notify.Message{
		ID: id, Kind: notify.EmailConfirm, Channel: notify.Email, To: "bob@example.com", Language: "en",
		Subject: "Grüße", Text: "Straße\n", HTML: "<p>Straße</p>\n", Link: "https://acme.test/confirm#token=ec_x",
		CreatedAt: time.Date(2026, 11, 5, 14, 0, 0, 0, time.UTC),
	}
}

// MAIL-30, MAIL-15.
func TestSMTPSendsMail(t *testing.T) {
	server := startServer(t)
	m := sample()
	m.Headers = map[string]string{"X-Campaign": "Übung", "Reply-To": "help@acme.test"}
	if err := server.sender(t).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := server.received()[0]
	content := got.Content
	got.Content = ""
	want := received{From: "mail@acme.test", To: "bob@example.com", EHLO: "acme.test", User: "acme", TLS: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	parsed, err := mail.ReadMessage(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"Acme, Inc." <mail@acme.test>`, "To": "<bob@example.com>", "Subject": "Grüße",
		"Date": "Thu, 05 Nov 2026 14:00:00 +0000", "Message-Id": "<01890a5d-ac96-774b-bcce-b302099a8057@acme.test>",
		"Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "X-Campaign": "Übung", "Reply-To": "help@acme.test",
		"User-Agent": "", "X-Mailer": "",
	} {
		if got, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get(name)); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	if host, err := os.Hostname(); err != nil || strings.Contains(content, host) {
		t.Errorf("the mail tells the machine's name, %v: %s", err, content)
	}
	if diff := cmp.Diff([]string{"text/plain", "Straße\r\n", "text/html", "<p>Straße</p>\r\n"}, parts(t, parsed)); diff != "" {
		t.Error(diff)
	}
}

// parts returns the types and texts of a multipart/alternative.
func parts(t *testing.T, m *mail.Message) []string {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("got %q, %v", kind, err)
	}
	var list []string
	for r := multipart.NewReader(m.Body, parameters["boundary"]); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(parameters["charset"], "utf-8") {
			t.Fatalf("got %q, %v", parameters, err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, kind, string(text))
	}
}

func TestSMTPSendsTextAlone(t *testing.T) {
	server := startServer(t)
	m := sample()
	m.HTML = ""
	if err := server.sender(t).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := server.received()[0].Content; strings.Contains(got, "multipart") || !strings.Contains(got, "text/plain") {
		t.Error(got)
	}
}

// MAIL-29, MAIL-22: mails that follow each other share a connection; it is closed on demand.
func TestSMTPKeepsConnection(t *testing.T) {
	server := startServer(t)
	sender := server.sender(t)
	send := func() {
		t.Helper()
		if err := sender.Send(t.Context(), sample()); err != nil {
			t.Error(err)
		}
	}
	send()
	send()
	server.refuse("RCPT", 550)
	if err := sender.Send(t.Context(), sample()); !notify.Classify(err).Permanent {
		t.Error(err)
	}
	server.refuse("RCPT", 0)
	send()
	if server.connections() != 1 {
		t.Errorf("got %d connections, want 1", server.connections())
	}
	sender.CloseIdleConnections()
	send()
	if server.connections() != 2 || len(server.received()) != 4 {
		t.Errorf("got %d connections, %d mails", server.connections(), len(server.received()))
	}
}

func TestSMTPReplacesDeadConnection(t *testing.T) {
	server := startServer(t, func(s *smtp.Server, _ *mailServer) { s.ReadTimeout = 50 * time.Millisecond })
	sender := server.sender(t)
	for range 2 {
		if err := sender.Send(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // the server hangs up
	}
	if server.connections() != 2 {
		t.Errorf("got %d connections, want 2", server.connections())
	}
}

// MAIL-18, MAIL-17 and the table of failures; case 5.
func TestSMTPFailures(t *testing.T) {
	permanent, misconfigured, temporary := notify.Failure{Permanent: true}, notify.Failure{Misconfigured: true}, notify.Failure{}
	for _, tt := range []struct {
		command string
		code    int
		want    notify.Failure
	}{
		{"RCPT", 421, temporary},
		{"RCPT", 450, temporary},
		{"RCPT", 451, temporary},
		{"DATA", 452, temporary},
		{"RCPT", 550, permanent},
		{"RCPT", 551, permanent},
		{"RCPT", 553, permanent},
		{"DATA", 554, permanent},
		{"DATA", 552, permanent},
		{"RCPT", 530, misconfigured},
		{"MAIL", 530, misconfigured},
		{"MAIL", 553, misconfigured},
		{"MAIL", 451, temporary},
		{"AUTH", 534, misconfigured},
		{"AUTH", 535, misconfigured},
		{"AUTH", 454, temporary},
	} {
		t.Run(tt.command, func(t *testing.T) {
			server := startServer(t)
			server.refuse(tt.command, tt.code)
			err := server.sender(t).Send(t.Context(), sample())
			if got := notify.Classify(err); err == nil || got != tt.want {
				t.Errorf("%d: got %+v, %v, want %+v", tt.code, got, err, tt.want)
			}
			if len(server.received()) > 0 {
				t.Error("the mail went out")
			}
		})
	}
}

// MAIL-17: refused connections, silence and broken connections are temporary.
func TestSMTPNetworkFailures(t *testing.T) {
	l := listen(t)
	closed := portOf(l)
	_ = l.Close()
	server := startServer(t)
	broken, _ := scriptServer(t, "220 mail.test", "250-mail.test\r\n250 STARTTLS")
	busy, _ := scriptServer(t, "421 busy")
	for name, port := range map[string]int{"refused": closed, "broken": broken, "busy": busy} {
		err := server.sender(t, atPort(port)).Send(t.Context(), sample())
		if got := notify.Classify(err); err == nil || got != (notify.Failure{}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	unwanted, _ := scriptServer(t, "554 no service here")
	if err := server.sender(t, atPort(unwanted)).Send(t.Context(), sample()); !notify.Classify(err).Misconfigured {
		t.Errorf("got %v", err)
	}
}

// MAIL-34: the end of the context ends a mail at every stage, and leaves no connection.
func TestSMTPObeysContext(t *testing.T) {
	server := startServer(t)
	silent, heard := scriptServer(t, "220 mail.test", "250 mail.test", "250 ok") // and then nothing
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := server.sender(t, atPort(silent), func(cfg *notify.SMTPConfig) {
		cfg.TLS, cfg.Username, cfg.Password = notify.NoTLS, "", ""
	}).Send(ctx, sample())
	if got := notify.Classify(err); err == nil || got != (notify.Failure{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if said := heard(); !strings.Contains(said, "MAIL FROM:<mail@acme.test>") {
		t.Errorf("got %q", said)
	}
}

// MAIL-29; case 19.
func TestSMTPDemandsTLS(t *testing.T) {
	_, others := certificate(t)
	old := func(s *smtp.Server, _ *mailServer) {
		s.TLSConfig.MaxVersion = tls.VersionTLS11
		s.TLSConfig.MinVersion = 0
	}
	plain := func(s *smtp.Server, _ *mailServer) { s.TLSConfig, s.AllowInsecureAuth = nil, true }
	for name, tt := range map[string]struct {
		server func(*smtp.Server, *mailServer)
		client func(*notify.SMTPConfig)
	}{
		"a server without STARTTLS":      {server: plain},
		"a certificate of somebody else": {client: func(cfg *notify.SMTPConfig) { cfg.RootCAs = others }},
		"a certificate for another name": {client: func(cfg *notify.SMTPConfig) { cfg.Host = "localhost" }},
		"TLS 1.1":                        {server: old},
		"plain text instead of TLS":      {client: func(cfg *notify.SMTPConfig) { cfg.TLS = notify.Implicit }},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if tt.server == nil {
				tt.server = func(*smtp.Server, *mailServer) {}
			}
			if tt.client == nil {
				tt.client = func(*notify.SMTPConfig) {}
			}
			server := startServer(t, tt.server)
			err := server.sender(t, tt.client).Send(t.Context(), sample())
			if got := notify.Classify(err); got != (notify.Failure{Misconfigured: true}) {
				t.Errorf("got %+v, %v", got, err)
			}
			if strings.Contains(err.Error(), "hunter2") || len(server.received()) > 0 {
				t.Error(err)
			}
		})
	}
	t.Run("tells no password before TLS", func(t *testing.T) {
		port, heard := scriptServer(t, "220 mail.test", "250-mail.test\r\n250 AUTH PLAIN LOGIN", "235 fine")
		err := startServer(t).sender(t, atPort(port)).Send(t.Context(), sample())
		if said := heard(); err == nil || strings.Contains(said, "AUTH") || strings.Contains(said, "MAIL") {
			t.Errorf("got %v, it said %q", err, said)
		}
	})
	t.Run("speaks TLS from the first byte on demand", func(t *testing.T) {
		server := startServer(t)
		port := terminateTLS(t, server)
		implicit := func(cfg *notify.SMTPConfig) {
			cfg.TLS, cfg.Port, cfg.Username, cfg.Password = notify.Implicit, port, "", ""
		}
		if err := server.sender(t, implicit).Send(t.Context(), sample()); err != nil || len(server.received()) != 1 {
			t.Error(err)
		}
	})
	t.Run("goes without to this machine on demand", func(t *testing.T) {
		server := startServer(t, plain)
		none := func(cfg *notify.SMTPConfig) { cfg.TLS, cfg.Username, cfg.Password = notify.NoTLS, "", "" }
		if err := server.sender(t, none).Send(t.Context(), sample()); err != nil || server.received()[0].TLS {
			t.Error(err)
		}
	})
}

// terminateTLS takes TLS connections and hands on what they carry to the server.
func terminateTLS(t *testing.T, server *mailServer) int {
	t.Helper()
	cfg, roots := certificate(t)
	server.roots = roots
	l := tls.NewListener(listen(t), cfg)
	go func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(server.port)))
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(in, out)
			_ = in.Close()
		}()
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	return portOf(l)
}

func TestSMTPLogin(t *testing.T) {
	for name, mechs := range map[string][]string{"none that is known": {"GSSAPI"}, "none": {}} {
		server := startServer(t, func(_ *smtp.Server, s *mailServer) { s.mechs = mechs })
		if err := server.sender(t).Send(t.Context(), sample()); !notify.Classify(err).Misconfigured {
			t.Errorf("%s: got %v", name, err)
		}
	}
	server := startServer(t)
	err := server.sender(t, func(cfg *notify.SMTPConfig) { cfg.Password = "wrong" }).Send(t.Context(), sample())
	if !notify.Classify(err).Misconfigured {
		t.Errorf("got %v", err)
	}
}

// MAIL-30: SMTPUTF8 only when the address needs it, and the server takes it.
func TestSMTPUTF8(t *testing.T) {
	utf8 := func(s *smtp.Server, _ *mailServer) { s.EnableSMTPUTF8 = true }
	for _, tt := range []struct {
		name, to string
		server   func(*smtp.Server, *mailServer)
		want     bool
	}{
		{"is not asked for without need", "bob@example.com", utf8, false},
		{"is asked for", "bób@example.com", utf8, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := startServer(t, tt.server)
			m := sample()
			m.To = tt.to
			if err := server.sender(t).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if got := server.received()[0]; got.UTF8 != tt.want || got.To != tt.to {
				t.Errorf("got %+v", got)
			}
		})
	}
	m := sample()
	m.To = "bób@example.com"
	if err := startServer(t).sender(t).Send(t.Context(), m); !notify.Classify(err).Permanent {
		t.Errorf("got %v", err)
	}
}

// MAIL-31, SEC-101; case 11.
func TestSMTPHeaderInjection(t *testing.T) {
	server := startServer(t)
	sender := server.sender(t)
	m := sample()
	m.Subject = "Hello\r\nBcc: eve@evil.example\x00\r\n\r\nbody"
	if err := sender.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	parsed, err := mail.ReadMessage(strings.NewReader(server.received()[0].Content))
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Header.Get("Subject"); got != "Hello Bcc: eve@evil.example body" || parsed.Header.Get("Bcc") != "" {
		t.Errorf("got %q", got)
	}
	for _, to := range []string{
		"", "bob", "bob@example.com\r\nBcc: eve@evil.example", "bob@example.com\n", "bob@example.com\x00",
		"bob@example.com, eve@evil.example", "bob@example.com eve@evil.example", "Bob <bob@example.com>",
		"<bob@example.com>", "bob@example.com>\r\nRCPT TO:<eve@evil.example", `"bob"@example.com`, "a:bob@example.com;",
	} {
		m := sample()
		m.To = to
		if err := sender.Send(t.Context(), m); !notify.Classify(err).Permanent {
			t.Errorf("to %q: got %v", to, err)
		}
	}
	for name, value := range map[string]string{
		"": "x", "X Y": "x", "X:": "x", "X\r\nBcc": "x", "Ü": "x", "X-A": "x\r\nBcc: eve@evil.example", "X-B": "x\x00",
		"X-C": strings.Repeat("x", 1000), "bcc": "eve@evil.example", "From": "x", "to": "x", "message-id": "x",
		"Content-Type": "text/html", "Resent-To": "x",
	} {
		m := sample()
		m.Headers = map[string]string{name: value}
		if err := sender.Send(t.Context(), m); !notify.Classify(err).Permanent {
			t.Errorf("header %q: got %v", name, err)
		}
	}
	m = sample()
	m.Channel = notify.SMS
	if err := sender.Send(t.Context(), m); !notify.Classify(err).Permanent {
		t.Errorf("sms: got %v", err)
	}
	if n := len(server.received()); n != 1 {
		t.Errorf("%d mails went out", n)
	}
}
