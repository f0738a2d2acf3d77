package notify

import (
	"errors"
	"fmt"
	stdmail "net/mail"
	"net/textproto"
	"strings"

	mail "github.com/wneessen/go-mail"
)

// compose makes the mail of a message: text and HTML as alternatives (RFC 2046, section 5.1.4), marked as written by a
// program (RFC 3834), with the id of the message in its Message-ID at every try. It tells nothing of this machine.
func (s *SMTP) compose(m Message) (*mail.Msg, error) {
	if err := checkAddress(Email, m.To); err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	for name, value := range m.Headers {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
		msg.SetGenHeader(mail.Header(textproto.CanonicalMIMEHeaderKey(name)), value)
	}
	msg.FromMailAddress(&s.from)
	msg.ToMailAddress(&stdmail.Address{Address: m.To})
	msg.Subject(oneLine(m.Subject))
	msg.SetMessageIDWithValue(m.ID.String() + "@" + domainOf(s.from.Address))
	if !m.CreatedAt.IsZero() {
		msg.SetDateWithValue(m.CreatedAt)
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// maxHeader keeps a line below the 998 bytes of RFC 5322, section 2.1.1, if it cannot be folded.
const maxHeader = 900

// checkHeader refuses what is no header (RFC 5322, section 2.2) and what is ours to set.
func checkHeader(name, value string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r > '~' }) {
		return errors.New("a header has no valid name")
	}
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if strings.HasPrefix(canonical, "Content-") || strings.HasPrefix(canonical, "Resent-") {
		return fmt.Errorf("header %s is not free to set", canonical)
	}
	switch canonical {
	case "From", "Sender", "To", "Cc", "Bcc", "Subject", "Date", "Message-Id", "Mime-Version", "Auto-Submitted",
		"Return-Path", "Received":
		return fmt.Errorf("header %s is not free to set", canonical)
	}
	if oneLine(value) != value || len(value) > maxHeader {
		return fmt.Errorf("header %s is not one line of at most %d bytes", canonical, maxHeader)
	}
	return nil
}
