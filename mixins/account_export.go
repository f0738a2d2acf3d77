package mixins

import (
	"context"
	"errors"
	"io"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// exportVersion is raised when a member of the document gets another meaning.
const exportVersion = 1

// ExportAccount implements AccountOps.
func (m Account[U]) ExportAccount(ctx context.Context, id roster.ID, w io.Writer) error {
	c := m.core
	ctx, err := c.enter(ctx, "ExportAccount")
	if err != nil {
		return err
	}
	if err := c.judgeOwn(ctx, id); err != nil {
		return err
	}
	u, err := c.Self.Get(ctx, id)
	if err != nil {
		return err
	}
	if u.Base().Anonymised() {
		return roster.ErrNotFound
	}
	if err := c.spend(ctx, c.Settings.Protection.Exports, "export:"+id.String()); err != nil {
		return err
	}
	err = c.Store.Autocommit(ctx, func(ctx context.Context) error {
		return c.recordDeed(ctx, deed{action: "user.export", subject: &id, always: true})
	})
	if err != nil {
		return err
	}
	extra, err := c.Self.ExportExtra(ctx, u)
	if err != nil {
		return err
	}
	return c.export(ctx, u, extra, w)
}

// ExportExtra implements AccountOps.
func (m Account[U]) ExportExtra(ctx context.Context, user U) (map[string]any, error) {
	c := m.core
	ctx, err := c.enter(ctx, "ExportExtra")
	if err != nil {
		return nil, err
	}
	if c.Settings.Account.Export == nil {
		return nil, nil
	}
	return c.Settings.Account.Export(ctx, c.Plan.clone(user))
}

// export writes the document. Lists that grow without end are read and written page by page.
func (c *Core[U]) export(ctx context.Context, u U, extra map[string]any, w io.Writer) error {
	account, err := c.exportedUser(ctx, u)
	if err != nil {
		return err
	}
	contacts, err := c.exportedContacts(ctx, u.Base())
	if err != nil {
		return err
	}
	id := u.Base().ID
	links, err := c.Self.ListSocial(ctx, id)
	if err != nil {
		return err
	}
	sessions, err := c.Self.ListSessions(ctx, id)
	if err != nil {
		return err
	}
	d := document{w: w}
	d.open("{")
	d.member("version", exportVersion)
	d.member("exported_at", c.now())
	d.member("user", account)
	d.member("contacts", contacts)
	d.list("identities", func(item func(any)) error {
		for _, a := range links {
			item(exportedIdentity{a.Provider, a.Subject, a.LinkedAt})
		}
		return nil
	})
	d.list("sessions", func(item func(any)) error {
		for _, x := range sessions {
			item(exportedSession{
				x.ID, x.CreatedAt, x.LastUsedAt, x.ExpiresAt, x.AuthTime, x.AMR, x.IP, x.UserAgent, x.Device,
				append([]string{}, x.Profiles...),
			})
		}
		return nil
	})
	d.list("audit", func(item func(any)) error { return c.exportAuditOf(ctx, id, item) })
	d.list("messages", func(item func(any)) error { return c.exportMessagesOf(ctx, u.Base(), item) })
	if extra == nil {
		extra = map[string]any{}
	}
	d.member("extra", extra)
	d.open("}\n")
	return d.err
}

// exportedUser is every field that has a name in JSON, and what the tables beside the user's row know that the user may.
// A field without one was never meant for clients.
func (c *Core[U]) exportedUser(ctx context.Context, u U) (map[string]any, error) {
	b := u.Base()
	fields := make(map[string]any, len(c.Plan.fields)+2)
	for i := range c.Plan.fields {
		if f := &c.Plan.fields[i]; !f.hidden {
			fields[f.Name] = f.value(u).Interface()
		}
	}
	password, err := c.Store.GetPassword(ctx, b.ID)
	switch {
	case err == nil:
		fields["password_changed_at"] = password.ChangedAt
	case !errors.Is(err, roster.ErrNotFound):
		return nil, err
	}
	if b.Banned(c.now()) {
		ban, err := c.banOf(ctx, b)
		if err != nil {
			return nil, err
		}
		fields["ban_reason"] = ban.Reason
	}
	return fields, nil
}

// exportedContacts are a user's contacts as they are, and the changes of them that are still known.
func (c *Core[U]) exportedContacts(ctx context.Context, b *roster.User) ([]exportedContact, error) {
	list := []exportedContact{}
	for _, k := range []contact{email, phone} {
		if value := *k.value(b); value != nil {
			list = append(list, exportedContact{Kind: string(k.kind), Value: *value, VerifiedAt: *k.provenAt(b)})
		}
	}
	changes, err := c.Store.ListChanges(ctx, b.ID)
	for _, x := range changes {
		list = append(list, exportedContact{
			Kind: x.Contact, Value: x.New, Former: x.Old, RequestedAt: &x.CreatedAt, ChangedAt: x.CompletedAt, EndedAt: x.EndedAt,
		})
	}
	return list, err
}

// exportMessagesOf calls item for each message to a user that the outbox still has: what it was about, not what it said.
// Where registrations are concealed it leaves out those to contacts that the user does not have: whether one went to a
// contact that they have asked for would tell whether somebody else has it.
func (c *Core[U]) exportMessagesOf(ctx context.Context, b *roster.User, item func(any)) error {
	q := store.OutboxQuery{UserID: &b.ID, Limit: maxLimit}
	for {
		page, err := c.Store.ListMessages(ctx, q)
		if err != nil {
			return err
		}
		for _, x := range page[:min(q.Limit, len(page))] {
			if !c.Settings.Account.ConcealRegistration || isOwn(b, x.To) {
				item(exportedMessage{x.Kind, x.Channel, string(x.State), x.CreatedAt, x.SentAt})
			}
		}
		if len(page) <= q.Limit {
			return nil
		}
		last := page[q.Limit-1]
		q.After = &store.Mark{At: last.CreatedAt, ID: last.ID}
	}
}

// isOwn reports whether a message went to a contact that the user has now.
func isOwn(b *roster.User, to string) bool {
	return to != "" && (to == text(b.Email) || to == text(b.Phone))
}
