package mixins

import (
	"context"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// contact is what a kind of contact is to a user.
type contact struct {
	kind    callbacks.ContactKind
	slot    int // in slots
	channel notify.Channel
	// proven is the column of the time when it was proven, and told is what the owner of a contact is told of its change:
	// with a link that cancels it, and once it is done.
	proven, cancels, told string
}

var (
	email = contact{callbacks.Email, 1, notify.Email, "email_verified_at", notify.EmailChangeOld, notify.EmailChanged}
	phone = contact{callbacks.Phone, 2, notify.SMS, "phone_verified_at", notify.PhoneChangeOld, notify.PhoneChanged}
)

func contactFor(kind string) contact {
	if kind == string(callbacks.Phone) {
		return phone
	}
	return email
}

// other is the contact that this one is not.
func (k contact) other() contact {
	if k.kind == callbacks.Phone {
		return email
	}
	return phone
}

func (k contact) value(b *roster.User) **string { return slots(b)[k.slot] }
func (k contact) canonical(n names) *string     { return *n.slots()[k.slot] }
func (k contact) mask(value string) string      { return identifiers.Mask(slotKinds[k.slot], value) }

func (k contact) provenAt(b *roster.User) **time.Time {
	if k.kind == callbacks.Phone {
		return &b.PhoneVerifiedAt
	}
	return &b.EmailVerifiedAt
}

// reachable returns a user who has a contact and can be sent something; their row is locked or was just stored.
func (c *Core[U]) reachable(ctx context.Context, id roster.ID, k contact) (U, error) {
	u, ok := c.freshUser(ctx, id)
	if !ok {
		var err error
		if u, err = c.lock(ctx, id); err != nil {
			return u, err
		}
	}
	switch {
	case *k.value(u.Base()) == nil || u.Base().Deleted():
		return u, roster.ErrNotFound
	case c.shutOut(u.Base()):
		return u, roster.ErrConflict.WithMessage("the user is banned or archived")
	}
	return u, nil
}

// outranked reports whether a contact is not proven while the other one is. Who asks for something to be sent to such a contact
// without being logged in has not shown that the account is theirs, and somebody else has: they could take it over.
func outranked(b *roster.User, k contact) bool {
	return *k.provenAt(b) == nil && *k.other().provenAt(b) != nil
}

// confirmContact marks a contact of a user as proven, if it was not. The row must be locked.
func (c *Core[U]) confirmContact(ctx context.Context, u U, k contact, by callbacks.ConfirmedBy) error {
	if *k.provenAt(u.Base()) != nil {
		return nil
	}
	address := text(*k.value(u.Base()))
	if k.kind == callbacks.Phone {
		run := c.hooks.PhoneConfirm.Begin()
		return proveWith(ctx, c, u, k, run, &callbacks.PhoneConfirm[U]{Event: c.event(ctx), User: u, Address: address, By: by})
	}
	run := c.hooks.EmailConfirm.Begin()
	return proveWith(ctx, c, u, k, run, &callbacks.EmailConfirm[U]{Event: c.event(ctx), User: u, Address: address, By: by})
}

func proveWith[U roster.Model, E any](ctx context.Context, c *Core[U], u U, k contact, run callbacks.Run[E], e E) error {
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return err
	}
	if err := c.markContact(ctx, u, k, new(c.now())); err != nil {
		return err
	}
	return after(ctx, c, run, e)
}

// markContact writes when a contact of a user was proven; nil: it is not.
func (c *Core[U]) markContact(ctx context.Context, u U, k contact, at *time.Time) error {
	b := u.Base()
	*k.provenAt(b), b.UpdatedAt = at, c.now()
	b.Version++
	return c.writeState(ctx, b, store.Assignment{Column: k.proven, Value: at})
}
