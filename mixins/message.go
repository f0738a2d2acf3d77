package mixins

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// noticeLife is how long a message without a link or code is worth sending.
const noticeLife = 72 * time.Hour

// The priorities: what somebody waits for goes before what they are merely told.
const (
	urgent = 0
	later  = 1
)

// outgoing is a message on its way into the outbox.
type outgoing struct {
	kind    string
	channel notify.Channel // "" means Email
	to      string         // as it is stored
	vars    map[string]any
	// link is stored together with the message that carries it, and its end is that of the message.
	link *store.Link
	// detached says that the message does not carry the link that is stored with it.
	detached bool
	secrets  messageSecrets
	// expires is the end of a code; the zero time is noticeLife from now.
	expires  time.Time
	priority int
	// dedupe names what the message is about: of several about the same that wait, there is one.
	dedupe string
	// unowned keeps from the row whose message it is.
	unowned bool
}

// messageSecrets are what only the recipient may see.
type messageSecrets struct {
	Token string `json:"token,omitempty"`
	Link  string `json:"link,omitempty"`
	Code  string `json:"code,omitempty"`
}

// payload is what the outbox keeps, sealed, of a message until it is sent.
type payload struct {
	messageSecrets
	User    json.RawMessage   `json:"user"`
	Vars    map[string]any    `json:"vars,omitempty"`
	Subject string            `json:"subject,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	IP      string            `json:"ip,omitempty"`
	Device  string            `json:"device,omitempty"`
}

// pack writes every field of a user. A user's own JSON is for clients: it may lack some, or have another form.
func (p *Plan[U]) pack(u U) (json.RawMessage, error) {
	fields := make(map[string]any, len(p.fields))
	for i := range p.fields {
		fields[p.fields[i].Column] = p.fields[i].value(u).Interface()
	}
	return json.Marshal(fields)
}

// unpack reads what pack wrote. Fields that were added since are empty.
func (p *Plan[U]) unpack(packed json.RawMessage) (U, error) {
	u := p.New()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(packed, &fields); err != nil {
		return u, err
	}
	for i := range p.fields {
		f := &p.fields[i]
		if raw, ok := fields[f.Column]; ok {
			if err := json.Unmarshal(raw, f.value(u).Addr().Interface()); err != nil {
				return u, fmt.Errorf("field %s: %w", f.Name, err)
			}
		}
	}
	return u, nil
}

// notice tells a user something at their proven contact: by mail, else by SMS; without one, and without a sender for it,
// nothing is queued.
func (c *Core[U]) notice(ctx context.Context, u U, kind string, vars map[string]any) error {
	return c.noticeOnce(ctx, u, kind, "", vars)
}

// noticeOnce is a notice about a cause, such as a session: of several about the same that wait, there is one.
func (c *Core[U]) noticeOnce(ctx context.Context, u U, kind, cause string, vars map[string]any) error {
	m, ok := c.noticeOf(u, kind, vars)
	if !ok {
		return nil
	}
	if cause != "" {
		m.dedupe = kind + ":" + cause
	}
	return c.queue(ctx, u, m)
}

// noticeOf is what notice queues; ok is false when that is nothing.
func (c *Core[U]) noticeOf(u U, kind string, vars map[string]any) (m outgoing, ok bool) {
	channel, to, ok := c.provenContact(u)
	return outgoing{kind: kind, channel: channel, to: to, vars: vars, priority: later}, ok
}

// noticeTo tells a user something at a contact of theirs that the caller knows to be proven.
func (c *Core[U]) noticeTo(ctx context.Context, u U, kind string, channel notify.Channel, to string, vars map[string]any) error {
	if c.sender(channel) == nil {
		return nil
	}
	return c.queue(ctx, u, outgoing{kind: kind, channel: channel, to: to, vars: vars, priority: later})
}

// provenContact is where notices to a user go, if anywhere.
func (c *Core[U]) provenContact(u U) (channel notify.Channel, to string, ok bool) {
	b := u.Base()
	switch {
	case b.Email != nil && b.EmailVerifiedAt != nil && c.sender(notify.Email) != nil:
		return notify.Email, *b.Email, true
	case b.Phone != nil && b.PhoneVerifiedAt != nil && c.sender(notify.SMS) != nil:
		return notify.SMS, *b.Phone, true
	}
	return "", "", false
}

// sender returns who sends messages of a channel, or nil.
func (c *Core[U]) sender(channel notify.Channel) notify.Sender {
	if channel == notify.SMS {
		return c.Settings.Notify.SMS
	}
	return c.Settings.Notify.Mail
}

func (c *Core[U]) checkSender(channel notify.Channel) error {
	if c.sender(channel) == nil {
		return roster.ErrInternal.WithMessage("nobody sends messages by " + string(channel) + ": set Config.Notify.Mail and Config.Notify.SMS")
	}
	return nil
}

// queue writes a message to the outbox, in the transaction of what causes it; of a kind that the program has switched
// off it writes none. A Before hook may alter it, or take it upon itself to send another.
func (c *Core[U]) queue(ctx context.Context, u U, m outgoing) error {
	x, err := c.compose(ctx, c.hooks.Message.Begin(), u, m)
	if err != nil || x == nil {
		return err
	}
	queued := true
	if m.link == nil {
		queued, err = c.Store.QueueMessage(ctx, x.row)
	} else {
		err = c.Store.QueueLink(ctx, *m.link, x.row)
	}
	if err != nil || !queued {
		return err
	}
	return c.queued(ctx, x)
}

// composed is a message that is ready for the outbox.
type composed[U roster.Model] struct {
	row *store.Message
	run callbacks.Run[*callbacks.Message[U]]
	e   *callbacks.Message[U]
}

// compose makes a message and runs the Before hooks on it; nil: none is to be queued.
func (c *Core[U]) compose(ctx context.Context, run callbacks.Run[*callbacks.Message[U]], u U, m outgoing) (*composed[U], error) {
	m.channel = cmp.Or(m.channel, notify.Email)
	if !c.Settings.Notify.enabled(m.kind) {
		return nil, nil
	}
	if err := c.checkSender(m.channel); err != nil {
		return nil, err
	}
	b := u.Base()
	owner := b.ID // each reader gets a copy of its own
	e := &callbacks.Message[U]{
		Event: c.event(ctx), Kind: m.kind, Channel: string(m.channel), UserID: new(owner), To: m.to, Language: c.languageFor(ctx, b),
		Data: callbacks.MessageData[U]{User: c.Plan.clone(u), Vars: m.vars},
	}
	if err := before(ctx, c, run, e); err != nil {
		return nil, err
	}
	if e.Skip {
		return nil, nil
	}
	user, err := c.Plan.pack(e.Data.User)
	if err != nil {
		return nil, roster.ErrInternal.WithCause(err)
	}
	content, err := json.Marshal(payload{
		messageSecrets: m.secrets, User: user, Vars: e.Data.Vars, Subject: e.Subject, Headers: e.Headers,
		IP: clip(e.Actor.IP), Device: clip(e.Actor.UserAgent),
	})
	if err != nil {
		return nil, roster.ErrInternal.WithCause(err)
	}
	id := roster.NewID()
	row := &store.Message{
		ID: id, Kind: m.kind, Channel: string(m.channel), UserID: &owner, To: m.to, Language: e.Language,
		Payload: c.Secrets.Seal(secrets.Outbox, content, id[:]), DedupeKey: present(m.dedupe), Priority: m.priority,
		CreatedAt: e.At, ExpiresAt: m.expires,
	}
	switch {
	case m.link != nil && !m.detached:
		row.LinkHash, row.ExpiresAt = m.link.Hash, m.link.ExpiresAt
	case row.ExpiresAt.IsZero():
		row.ExpiresAt = e.At.Add(noticeLife)
	}
	if m.unowned {
		row.UserID = nil
	}
	done := &callbacks.Message[U]{
		Event: e.Event, ID: id, Kind: m.kind, Channel: string(m.channel), UserID: new(owner), To: m.to, Language: e.Language,
		Subject: e.Subject, Data: e.Data, Headers: e.Headers,
	}
	return &composed[U]{row, run, done}, nil
}

// queued tells of a message that is in the outbox.
func (c *Core[U]) queued(ctx context.Context, x *composed[U]) error {
	if err := after(ctx, c, x.run, x.e); err != nil {
		return err
	}
	c.Store.AfterCommit(ctx, func(context.Context) { c.worker.Queued(x.row.Kind, notify.Channel(x.row.Channel)) })
	return nil
}

// queueNothing writes a row that is never sent, where an anonymous caller is not to learn whether there was anything to
// send: both ways write the same.
func (c *Core[U]) queueNothing(ctx context.Context) error {
	err := c.writeNothing(ctx)
	if err == nil {
		c.Store.AfterCommit(ctx, func(context.Context) { c.wake() }) // as for a message: the next request is to take as long
	}
	return err
}

// writeNothing takes as long as a write.
func (c *Core[U]) writeNothing(ctx context.Context) error {
	return c.Store.QueueNothing(ctx, c.nothing())
}

func (c *Core[U]) nothing() *store.Message {
	now := c.now()
	return &store.Message{
		ID: roster.NewID(), Kind: noop, Channel: string(notify.Email), Language: c.Settings.Notify.Language, CreatedAt: now, ExpiresAt: now,
	}
}

// noop is the kind of a row that is no message.
const noop = "noop"

// languageFor is what a user is written to in: what they chose, else what the request asks for that causes the message,
// else the program's.
func (c *Core[U]) languageFor(ctx context.Context, b *roster.User) string {
	if b.Language != nil {
		return *b.Language
	}
	if asked := roster.ActorFrom(ctx).Language; asked != "" {
		return c.Templates.Match(asked, c.Settings.Notify.Language)
	}
	return c.Settings.Notify.Language
}
