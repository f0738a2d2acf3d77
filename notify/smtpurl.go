package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/roster-go/roster"
)

// ParseSMTP reads a mail server from a URL, for flags:
//
//	smtp://user:password@mail.example.com:587?from=Example <mail@example.com>&tls=starttls
//
// tls is starttls (the default), implicit or none; the scheme smtps means implicit. ehlo is what the program calls
// itself. As in every URL, a character that has a meaning there is written with percent: %2B for a plus, %40 for an
// @ in a user or password. Errors do not repeat the URL, which may hold a password. NewSMTP checks the rest.
func ParseSMTP(rawURL string) (SMTPConfig, error) {
	cfg, err := parseSMTP(rawURL)
	if err != nil {
		return SMTPConfig{}, fmt.Errorf("notify: parse smtp url: %w", err)
	}
	return cfg, nil
}

func parseSMTP(rawURL string) (SMTPConfig, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return SMTPConfig{}, errors.New("it is no URL")
	}
	cfg := SMTPConfig{Host: u.Hostname()}
	switch u.Scheme {
	case "smtp":
	case "smtps":
		cfg.TLS = Implicit
	default:
		return SMTPConfig{}, errors.New("it does not begin with smtp:// or smtps://")
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return SMTPConfig{}, errors.New("it has a path or fragment")
	}
	if port := u.Port(); port != "" {
		if cfg.Port, err = strconv.Atoi(port); err != nil {
			return SMTPConfig{}, errors.New("its port is no number")
		}
	}
	password, _ := u.User.Password()
	cfg.Username, cfg.Password = u.User.Username(), roster.Secret(password)
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return SMTPConfig{}, errors.New("its parameters cannot be read")
	}
	for name, values := range query {
		if len(values) > 1 {
			return SMTPConfig{}, errors.New("it has a parameter twice")
		}
		switch name {
		case "from":
			cfg.From = values[0]
		case "ehlo":
			cfg.EHLO = values[0]
		case "tls":
			if mode := TLSMode(values[0]); cfg.TLS == "" || cfg.TLS == mode {
				cfg.TLS = mode
			} else {
				return SMTPConfig{}, errors.New("smtps and its tls contradict each other")
			}
		default:
			return SMTPConfig{}, errors.New("it has a parameter other than from, tls and ehlo")
		}
	}
	return cfg, nil
}
