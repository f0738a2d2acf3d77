package mixins

import (
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

// noticeLife is how long a message without a link is worth sending.
const noticeLife = 72 * time.Hour

// outgoing is a message on its way into the outbox.
type outgoing struct {
	kind     string
	to       string
	vars     map[string]any
	link     *store.Link
	secrets  messageSecrets
	priority int
}

// messageSecrets are what only the recipient may see.
type messageSecrets struct {
	Token string `json:"token,omitempty"`
	Link  string `json:"link,omitempty"`
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

// notice tells a user something at their proven contact; without one, and without a sender for it, nothing is queued.
func (c *Core[U]) notice(ctx context.Context, u U, kind string, vars map[string]any) error {
	b := u.Base()
	if b.Email == nil || b.EmailVerifiedAt == nil {
		return nil
	}
	return c.noticeTo(ctx, u, kind, *b.Email, vars)
}

func (c *Core[U]) noticeTo(ctx context.Context, u U, kind, to string, vars map[string]any) error {
	if c.Settings.Notify.Mail == nil {
		return nil
	}
	return c.queue(ctx, u, outgoing{kind: kind, to: to, vars: vars, priority: 1})
}

// queue writes a message to the outbox, in the transaction of what causes it. A Before hook may alter it, or take it
// upon itself to send another.
func (c *Core[U]) queue(ctx context.Context, u U, m outgoing) error {
	if c.Settings.Notify.Mail == nil {
		return roster.ErrInternal.WithMessage("no sender of mails is configured: set Config.Notify.Mail")
	}
	b := u.Base()
	owner := b.ID // each reader gets a copy of its own
	run := c.hooks.Message.Begin()
	e := &callbacks.Message[U]{
		Event: c.event(ctx), Kind: m.kind, Channel: string(notify.Email), UserID: new(owner), To: m.to, Language: c.languageOf(b),
		Data: callbacks.MessageData[U]{User: c.Plan.clone(u), Vars: m.vars},
	}
	if err := before(ctx, c, run, e); err != nil {
		return err
	}
	if e.Skip {
		return nil
	}
	user, err := c.Plan.pack(e.Data.User)
	if err != nil {
		return roster.ErrInternal.WithCause(err)
	}
	content, err := json.Marshal(payload{
		messageSecrets: m.secrets, User: user, Vars: e.Data.Vars, Subject: e.Subject, Headers: e.Headers,
		IP: clip(e.Actor.IP), Device: clip(e.Actor.UserAgent),
	})
	if err != nil {
		return roster.ErrInternal.WithCause(err)
	}
	id := roster.NewID()
	row := &store.Message{
		ID: id, Kind: m.kind, Channel: string(notify.Email), UserID: &owner, To: m.to, Language: e.Language,
		Payload: c.Secrets.Seal(secrets.Outbox, content, id[:]), Priority: m.priority,
		CreatedAt: e.At, ExpiresAt: e.At.Add(noticeLife),
	}
	if m.link == nil {
		err = c.Store.QueueMessage(ctx, row)
	} else {
		row.LinkHash, row.ExpiresAt = m.link.Hash, m.link.ExpiresAt
		err = c.Store.QueueLink(ctx, *m.link, row)
	}
	if err != nil {
		return err
	}
	queued := &callbacks.Message[U]{
		Event: e.Event, ID: id, Kind: m.kind, Channel: string(notify.Email), UserID: new(owner), To: m.to, Language: e.Language,
		Subject: e.Subject, Data: e.Data, Headers: e.Headers,
	}
	if err := after(ctx, c, run, queued); err != nil {
		return err
	}
	c.Store.AfterCommit(ctx, func(context.Context) { c.wake() })
	return nil
}

func (c *Core[U]) languageOf(b *roster.User) string {
	if b.Language != nil {
		return *b.Language
	}
	return c.Settings.Notify.Language
}
