package mixins

import (
	"context"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
)

// changeEvents are the events of one change, in the order in which each phase runs them.
type changeEvents[U roster.Model] struct {
	event    callbacks.Event
	update   callbacks.Run[callbacks.Update[U]]
	username *callbacks.Run[callbacks.UsernameChange[U]]
	contacts []contactEvent[U]
}

type contactEvent[U roster.Model] struct {
	run  callbacks.Run[callbacks.ContactChange[U]]
	kind callbacks.ContactKind
	slot int
}

// contactSlots are the identifiers that are contacts.
var contactSlots = []struct {
	kind callbacks.ContactKind
	slot int
}{{callbacks.Email, 1}, {callbacks.Phone, 2}}

// before runs the Before hooks of all that the edit changes; they may change the edit.
func (ch *change[U]) before(ctx context.Context) (*changeEvents[U], error) {
	c := ch.core
	events := &changeEvents[U]{event: c.event(ctx), update: c.hooks.Update.Begin()}
	var err error
	if ch.rename != nil {
		events.username, err = ch.beforeUsername(ctx, events.event)
		return events, err
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
	newNames := c.canonical(ch.user) // what merely is spelled otherwise is no change of a contact
	if events.username, err = ch.beforeUsername(ctx, events.event); err != nil {
		return nil, err
	}
	for _, contact := range contactSlots {
		if equalValues(*newNames.slots()[contact.slot], *ch.oldNames.slots()[contact.slot]) {
			continue
		}
		event := contactEvent[U]{c.hooks.ContactChange.Begin(), contact.kind, contact.slot}
		events.contacts = append(events.contacts, event)
		if err := before(ctx, c, event.run, event.run.Copy(event.of(ch, events.event))); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// after runs the After hooks of what was changed, and queues the On hooks and the notices.
func (events *changeEvents[U]) after(ctx context.Context, ch *change[U], fields []*field) error {
	c := ch.core
	if ch.rename == nil {
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
		Old: text(*slots(ch.old.Base())[x.slot]), New: text(*slots(ch.user.Base())[x.slot]),
	}
	if e.New == "" {
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
	if old.EmailVerifiedAt != nil && b.EmailVerifiedAt == nil {
		err := ch.tellOldContact(ctx, notify.EmailChanged, notify.Email, identifiers.KindEmail, *old.Email, b.Email)
		if err != nil {
			return err
		}
	}
	if old.PhoneVerifiedAt != nil && b.PhoneVerifiedAt == nil {
		return ch.tellOldContact(ctx, notify.PhoneChanged, notify.SMS, identifiers.KindPhone, *old.Phone, b.Phone)
	}
	return nil
}

// tellOldContact queues a notice to a contact that is no longer the user's.
func (ch *change[U]) tellOldContact(ctx context.Context, changed string, channel notify.Channel, kind identifiers.Kind, old string, now *string) error {
	vars := map[string]any{"Old": identifiers.Mask(kind, old)}
	if now == nil {
		return ch.core.noticeTo(ctx, ch.old, notify.ContactRemoved, channel, old, vars)
	}
	vars["New"] = identifiers.Mask(kind, *now)
	return ch.core.noticeTo(ctx, ch.old, changed, channel, old, vars)
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
