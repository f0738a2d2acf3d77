package mixins

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// newWorker makes the worker of the outbox; it starts nothing.
func (c *Core[U]) newWorker() error {
	senders := map[notify.Channel]notify.Sender{}
	for _, channel := range []notify.Channel{notify.Email, notify.SMS} {
		if sender := c.sender(channel); sender != nil {
			senders[channel] = sender
		}
	}
	n := c.Settings.Notify
	var err error
	c.worker, err = notify.NewWorker(c.Store, c.prepare, notify.WorkerConfig{
		Senders: senders, Now: c.Now, Logger: c.Logger, Poll: n.Poll, Batch: n.Batch, Lease: n.Lease, Parallel: n.Parallel,
		SendTimeout: n.SendTimeout, MaxAttempts: n.MaxAttempts, Drain: n.Drain,
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
	ready := notify.Message{
		ID: m.ID, Kind: m.Kind, Channel: notify.Channel(m.Channel), To: m.To, Headers: p.Headers, CreatedAt: m.CreatedAt,
		Link: roster.Secret(p.Link), Token: roster.Secret(p.Token), Code: roster.Secret(p.Code),
	}
	data, preferred := c.templateData(m, p, u), m.Language+","+c.Settings.Notify.Language
	if ready.Channel == notify.SMS {
		ready.Text, ready.Language, err = c.Templates.RenderSMS(m.Kind, preferred, data)
	} else {
		ready.Subject, ready.Text, ready.HTML, ready.Language, err = c.Templates.Render(m.Kind, preferred, data)
		ready.Subject = cmp.Or(p.Subject, ready.Subject)
	}
	if err != nil {
		return none, notify.Send, notify.Permanent(err)
	}
	return ready, notify.Send, nil
}

// templateData is what the templates of a message see.
func (c *Core[U]) templateData(m store.Message, p payload, u U) notify.Data {
	vars := maps.Clone(c.Settings.Notify.Vars)
	if vars == nil {
		vars = map[string]any{}
	}
	maps.Copy(vars, p.Vars)
	data := notify.Data{
		Product: c.product(), SupportURL: c.Settings.Notify.SupportURL, Domain: c.domain(), User: u, Name: u.Base().DisplayName(),
		To: m.To, Link: roster.Secret(p.Link), Code: roster.Secret(p.Code), When: m.CreatedAt, IP: p.IP, Device: p.Device, Vars: vars,
		Old: p.text("Old"), New: p.text("New"), Provider: p.text("Provider"), Purpose: p.text("Purpose"), Reason: p.text("Reason"),
	}
	data.Until, _ = time.Parse(time.RFC3339, p.text("Until")) // the zero time without one
	if p.Link != "" || p.Code != "" {
		data.ExpiresAt, data.ExpiresIn = m.ExpiresAt, m.ExpiresAt.Sub(m.CreatedAt).Round(time.Minute)
	}
	return data
}

// domain is the host that people know the program by.
func (c *Core[U]) domain() string {
	u, err := url.Parse(c.Settings.BaseURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
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
	if due, err := c.stillWanted(ctx, m); !due || err != nil {
		return notify.Cancel, err
	}
	if m.LinkHash == nil {
		return notify.Send, nil
	}
	live, err := c.Store.LinkIsLive(ctx, m.LinkHash, c.now())
	if err == nil && !live {
		return notify.Cancel, nil
	}
	return notify.Send, err
}

// stillWanted looks at the account once more: who is gone is only told that, and who is banned gets no way in. The link
// that undoes a change of a contact is a notice as well, and still goes to who had the contact before.
func (c *Core[U]) stillWanted(ctx context.Context, m store.Message) (bool, error) {
	if m.Kind == notify.Closed || m.UserID == nil {
		return true, nil
	}
	u, err := c.load(ctx, *m.UserID)
	if errors.Is(err, roster.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entry := notify.CarriesSecret(m.Kind) && m.Kind != notify.EmailChangeOld && m.Kind != notify.PhoneChangeOld
	return !u.Base().Deleted() && !(entry && c.shutOut(u.Base())), nil
}
