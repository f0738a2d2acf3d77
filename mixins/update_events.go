package mixins

import (
	"context"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
)

// changeEvents are the events of one change, in the order in which each phase runs them.
type changeEvents[U roster.Model] struct {
	event    callbacks.Event
	update   callbacks.Run[*callbacks.Update[U]]
	username *callbacks.Run[*callbacks.UsernameChange[U]]
	contacts []contactEvent[U]
}

type contactEvent[U roster.Model] struct {
	run callbacks.Run[*callbacks.ContactChange[U]]
	contact
}

// before runs the Before hooks of all that the edit changes; they may change the edit.
func (ch *change[U]) before(ctx context.Context) (*changeEvents[U], error) {
	c := ch.core
	events := &changeEvents[U]{event: c.event(ctx), update: c.hooks.Update.Begin()}
	var err error
	switch {
	case ch.rename != nil:
		events.username, err = ch.beforeUsername(ctx, events.event)
		return events, err
	case ch.edit != nil:
		return events, events.beforeContacts(ctx, ch)
	}
	e := &callbacks.Update[U]{
		Event: events.event, Old: c.Plan.clone(ch.old), User: ch.user, Changed: fieldNames(c.Plan.changed(ch.old, ch.user)),
	}
	if err := before(ctx, c, events.update, e); err != nil {
		return nil, err
	}
	ch.user = e.User
	if err := ch.refuseGuarded(); err != nil {
		return nil, err
	}
	if events.username, err = ch.beforeUsername(ctx, events.event); err != nil {
		return nil, err
	}
	return events, events.beforeContacts(ctx, ch)
}

// beforeContacts runs the Before hooks of the contacts that the edit changes; what merely is spelled otherwise is none.
func (events *changeEvents[U]) beforeContacts(ctx context.Context, ch *change[U]) error {
	c, newNames := ch.core, ch.core.canonical(ch.user)
	for _, k := range []contact{email, phone} {
		if equalValues(k.canonical(newNames), k.canonical(ch.oldNames)) {
			continue
		}
		event := contactEvent[U]{c.hooks.ContactChange.Begin(), k}
		events.contacts = append(events.contacts, event)
		if err := before(ctx, c, event.run, event.run.Copy(event.of(ch, events.event))); err != nil {
			return err
		}
	}
	return nil
}

// after runs the After hooks of what was changed, and queues the On hooks and the notices.
func (events *changeEvents[U]) after(ctx context.Context, ch *change[U], fields []*field) error {
	c := ch.core
	if ch.rename == nil && ch.edit == nil {
		e := &callbacks.Update[U]{Event: events.event, Old: ch.old, User: ch.user, Changed: fieldNames(fields)}
		if err := after(ctx, c, events.update, e); err != nil {
			return err
		}
	}
	b, old := ch.user.Base(), ch.old.Base()
	if events.username != nil && !equalValues(b.Username, old.Username) {
		e := &callbacks.UsernameChange[U]{Event: events.event, User: ch.user, Old: text(old.Username), New: text(b.Username)}
		if err := after(ctx, c, *events.username, e); err != nil {
			return err
		}
	}
	for _, contact := range events.contacts {
		if err := after(ctx, c, contact.run, contact.of(ch, events.event)); err != nil {
			return err
		}
	}
	return ch.notify(ctx)
}

func (x contactEvent[U]) of(ch *change[U], event callbacks.Event) *callbacks.ContactChange[U] {
	e := &callbacks.ContactChange[U]{
		Event: event, User: ch.user, Kind: x.kind, Step: callbacks.ContactChanged,
		Old: text(*x.value(ch.old.Base())), New: text(*x.value(ch.user.Base())),
	}
	if ch.edit != nil {
		e.Step = ch.edit.step
	} else if e.New == "" {
		e.Step = callbacks.ContactRemoved
	}
	return e
}

// notify queues what tells the owner of the change: at the contact that it was made from.
func (ch *change[U]) notify(ctx context.Context) error {
	c, b, old := ch.core, ch.user.Base(), ch.old.Base()
	if !equalValues(ch.names.Username, ch.oldNames.Username) {
		vars := map[string]any{"Old": text(old.Username), "New": text(b.Username)}
		if err := c.notice(ctx, ch.old, notify.UsernameChanged, vars); err != nil {
			return err
		}
	}
	for _, k := range []contact{email, phone} {
		changed := !equalValues(k.canonical(ch.names), k.canonical(ch.oldNames))
		reverted := ch.edit != nil && ch.edit.step == callbacks.ContactReverted // who took it over is not told
		if *k.provenAt(old) == nil || !changed || reverted {
			continue
		}
		if err := ch.tellOldContact(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// tellOldContact queues a notice to a contact that is no longer the user's.
func (ch *change[U]) tellOldContact(ctx context.Context, k contact) error {
	old, now := **k.value(ch.old.Base()), *k.value(ch.user.Base())
	vars := map[string]any{"Old": k.mask(old)}
	if now == nil {
		return ch.core.noticeTo(ctx, ch.old, notify.ContactRemoved, k.channel, old, vars)
	}
	vars["New"] = k.mask(*now)
	return ch.core.noticeTo(ctx, ch.old, k.told, k.channel, old, vars)
}

func fieldNames(fields []*field) []string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
