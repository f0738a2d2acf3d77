package notify

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/roster-go/roster"
)

// Channel is a way to reach a person.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

// Message is a mail or SMS, ready to be sent. It prints and logs as its id, kind and channel only.
type Message struct {
	ID        roster.ID // the same at every try
	Kind      string
	Channel   Channel
	To        string `json:"-"` // one address or number
	Language  string
	Subject   string            `json:"-"`
	Text      string            `json:"-"`
	HTML      string            `json:"-"` // "" is none
	Headers   map[string]string // further headers of a mail
	CreatedAt time.Time         // when it was queued

	// Link, Token and Code are the secret parts of the text once more, for senders of development and tests.
	Link  roster.Secret
	Token roster.Secret
	Code  roster.Secret
}

// Sender sends messages of one channel. It may be called by several goroutines at once, and should return soon after
// ctx ends; it is not waited for. A message that it has sent before can come again, with the same id.
//
// A plain error is temporary: the message is tried again later. [Permanent], [After] and [Misconfigured] say more.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// String implements fmt.Stringer.
func (m Message) String() string {
	return fmt.Sprintf("message %s (%s by %s)", m.ID, m.Kind, m.Channel)
}

// Format implements fmt.Formatter: %+v and %#v would print the fields otherwise.
func (m Message) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, m.String()) }

// LogValue implements slog.LogValuer.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", m.ID.String()), slog.String("kind", m.Kind), slog.String("channel", string(m.Channel)))
}
