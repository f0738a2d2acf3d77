package notify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
)

func TestParseSMTP(t *testing.T) {
	for url, want := range map[string]notify.SMTPConfig{
		"smtp://user:pa%40ss@mail.example.com:587?from=Acme <mail@acme.test>&tls=starttls": {
			Host: "mail.example.com", Port: 587, TLS: notify.STARTTLS, Username: "user", Password: "pa@ss",
			From: "Acme <mail@acme.test>",
		},
		"smtp://mail.example.com?from=a%2Bb@acme.test": {Host: "mail.example.com", From: "a+b@acme.test"},
		"smtps://mail.example.com/?from=a@acme.test&ehlo=out.acme.test": {
			Host: "mail.example.com", TLS: notify.Implicit, From: "a@acme.test", EHLO: "out.acme.test",
		},
		"smtp://[::1]:1025?tls=none": {Host: "::1", Port: 1025, TLS: notify.NoTLS},
	} {
		got, err := notify.ParseSMTP(url)
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b roster.Secret) bool { return a == b })); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", url, err, diff)
		}
	}
	for _, url := range []string{
		"", "mail.example.com:587", "http://mail.example.com", "smtp://user:hunter2@mail.example.com:x",
		"smtp://user:12?hunter2@mail.example.com", "smtp://user:12#hunter2@mail.example.com", "smtp://h/hunter2",
		"smtp://h?hunter2=1", "smtp://h?tls=none&tls=none", "smtps://h?tls=none", "smtp://u:hunter2%zz@h",
		"smtp://h?from=%zz", "smtp://u:hunter2@h:\x00",
	} {
		if _, err := notify.ParseSMTP(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

// MAIL-29, SEC-8.
func TestNewSMTP(t *testing.T) {
	good := notify.SMTPConfig{Host: "mail.example.com", From: "mail@acme.test"}
	if _, err := notify.NewSMTP(good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*notify.SMTPConfig){
		"host":     func(c *notify.SMTPConfig) { c.Host = "" },
		"from":     func(c *notify.SMTPConfig) { c.From = "" },
		"name":     func(c *notify.SMTPConfig) { c.From = "Acme <mail@acme.test>, Eve <eve@evil.example>" },
		"domain":   func(c *notify.SMTPConfig) { c.From = "mail@acmé.test" },
		"tls":      func(c *notify.SMTPConfig) { c.TLS = "maybe" },
		"none":     func(c *notify.SMTPConfig) { c.TLS = notify.NoTLS },
		"port":     func(c *notify.SMTPConfig) { c.Port = 70000 },
		"user":     func(c *notify.SMTPConfig) { c.Username = "acme" },
		"ehlo":     func(c *notify.SMTPConfig) { c.EHLO = "a\r\nb" },
		"no login": func(c *notify.SMTPConfig) { c.Host, c.TLS, c.Username, c.Password = "::1", notify.NoTLS, "a", "b" },
	} {
		cfg := good
		change(&cfg)
		if _, err := notify.NewSMTP(cfg); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	_, err := notify.NewSMTP(notify.SMTPConfig{TLS: "maybe", Port: -1})
	if n := strings.Count(err.Error(), "\n"); n < 3 {
		t.Errorf("not all faults are told at once: %v", err)
	}
}
