package mixins

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// newWorker makes the worker of the outbox; it starts nothing.
func (c *Core[U]) newWorker() error {
	senders := map[notify.Channel]notify.Sender{}
	if n := c.Settings.Notify; n.Mail != nil {
		senders[notify.Email] = n.Mail
	}
	var err error
	c.worker, err = notify.NewWorker(c.Store, c.prepare, notify.WorkerConfig{
		Senders: senders, Now: c.Now, Logger: c.Logger, Poll: c.Settings.Notify.Poll,
	})
	return err
}

// wake tells the loop of Run that a message was queued.
func (c *Core[U]) wake() { c.worker.Wake() }

// prepare looks at a message once more before it is sent: its link may be used, its user gone.
func (c *Core[U]) prepare(ctx context.Context, m store.Message) (notify.Message, notify.Outcome, error) {
	var none notify.Message
	outcome, err := c.stillDue(ctx, m)
	if err != nil || outcome != notify.Send {
		return none, outcome, err
	}
	opened, err := c.Secrets.Open(secrets.Outbox, m.Payload, m.ID[:])
	if err != nil {
		return none, notify.Send, notify.Permanent(fmt.Errorf("open the payload: %w", err))
	}
	var p payload
	if err := json.Unmarshal(opened, &p); err != nil {
		return none, notify.Send, notify.Permanent(fmt.Errorf("read the payload: %w", err))
	}
	u, err := c.Plan.unpack(p.User)
	if err != nil {
		return none, notify.Send, notify.Permanent(fmt.Errorf("read the user of the payload: %w", err))
	}
	data := notify.Data{
		Product: c.product(), SupportURL: c.Settings.Notify.SupportURL, User: u, Name: u.Base().DisplayName(), To: m.To, Link: roster.Secret(p.Link), When: m.CreatedAt,
		IP: p.IP, Device: p.Device, Vars: p.Vars, Old: p.text("Old"), New: p.text("New"), Provider: p.text("Provider"),
	}
	if m.LinkHash != nil {
		data.ExpiresAt, data.ExpiresIn = m.ExpiresAt, m.ExpiresAt.Sub(m.CreatedAt).Round(time.Minute)
	}
	preferred := m.Language + "," + c.Settings.Notify.Language
	subject, text, html, language, err := c.Templates.Render(m.Kind, preferred, data)
	if err != nil {
		return none, notify.Send, notify.Permanent(err)
	}
	return notify.Message{
		ID: m.ID, Kind: m.Kind, Channel: notify.Channel(m.Channel), To: m.To, Language: language,
		Subject: cmp.Or(p.Subject, subject), Text: text, HTML: html, Headers: p.Headers, CreatedAt: m.CreatedAt,
		Link: roster.Secret(p.Link), Token: roster.Secret(p.Token),
	}, notify.Send, nil
}

func (p payload) text(name string) string {
	s, _ := p.Vars[name].(string)
	return s
}

func (c *Core[U]) product() string { return cmp.Or(c.Settings.Product, "Roster") }

// stillDue reports whether a message is still worth sending.
func (c *Core[U]) stillDue(ctx context.Context, m store.Message) (notify.Outcome, error) {
	if !c.now().Before(m.ExpiresAt) {
		return notify.Expire, nil
	}
	if m.LinkHash == nil {
		return notify.Send, nil
	}
	u, err := c.load(ctx, *m.UserID)
	if errors.Is(err, roster.ErrNotFound) || err == nil && (u.Base().Deleted() || u.Base().Banned(c.now())) {
		return notify.Cancel, nil
	}
	if err != nil {
		return notify.Send, err
	}
	live, err := c.Store.LinkIsLive(ctx, m.LinkHash, c.now())
	if err == nil && !live {
		return notify.Cancel, nil
	}
	return notify.Send, err
}
