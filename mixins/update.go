package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// Update implements CRUDOps.
func (m CRUD[U]) Update(ctx context.Context, id roster.ID, fn func(user U) error, options ...roster.UpdateOption) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "Update")
	if err != nil {
		return result, err
	}
	o := roster.UpdateOptionsOf(options...)
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		rights, err := c.judge(ctx, roster.PermissionUpdateUsers, id)
		if err != nil {
			return err
		}
		old, err := c.lockFor(ctx, rights, roster.PermissionUpdateUsers, id)
		if err != nil {
			return err
		}
		if o.Version != nil && *o.Version != old.Base().Version {
			return roster.ErrVersionMismatch
		}
		ch := change[U]{core: c, rights: rights, old: old, user: c.Plan.clone(old)}
		if err := fn(ch.user); err != nil {
			return err
		}
		if result, err = ch.apply(ctx); err == nil && !ch.written {
			err = c.recordUnchanged(ctx, id)
		}
		return err
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// change is an edited user on the way into the database.
type change[U roster.Model] struct {
	core      *Core[U]
	rights    store.Rights // of an Update: the actor's, and all of them for the user and the program
	old, user U
	names     names // canonical, of the user as edited
	oldNames  names
	rename    *roster.UsernameOptions // of ChangeUsername, which is no Update for hooks; else nil
	edit      *contactEdit            // of a change of contact, which is none either; else nil
	written   bool
}

// refuseGuarded refuses to touch fields of the base user that no document may write: each has an operation of its own.
func (ch *change[U]) refuseGuarded() error {
	var faults roster.FieldErrors
	for _, f := range ch.core.Plan.changed(ch.old, ch.user) {
		if !f.Custom && !f.WritableBy(roster.WriterAdmin) {
			faults.Add(f.Name, roster.ForbiddenField)
		}
	}
	return faults.Err()
}

// apply runs the hooks of all that the edit changes, and writes it.
func (ch *change[U]) apply(ctx context.Context) (U, error) {
	c := ch.core
	if err := ch.refuseGuarded(); err != nil {
		return ch.old, err
	}
	if len(c.Plan.changed(ch.old, ch.user)) == 0 {
		return ch.old, nil
	}
	c.Plan.settle(ch.user)
	ch.oldNames = c.canonical(ch.old)
	events, err := ch.before(ctx)
	if err != nil {
		return ch.old, err
	}
	if err := ch.validate(ctx); err != nil {
		return ch.old, err
	}
	fields := c.Plan.changed(ch.old, ch.user)
	if len(fields) == 0 {
		return ch.old, nil
	}
	if err := ch.guardContacts(ctx); err != nil {
		return ch.old, err
	}
	if err := ch.spendRename(ctx); err != nil {
		return ch.old, err
	}
	if err := ch.write(ctx, fields); err != nil {
		return ch.old, err
	}
	ch.written = true
	forgetFresh[U](ctx)
	return ch.user, events.after(ctx, ch, fields)
}

// guardContacts keeps an administrator from changing where somebody who may do more than they gets their links: that is
// the way to their password. Changes of contact were judged when they were asked for, and are proven by the token.
// Nobody changes their own like that either: RequestEmailChange asks for proof, and lets the old contact cancel it.
func (ch *change[U]) guardContacts(ctx context.Context) error {
	if ch.edit != nil {
		return nil
	}
	var faults roster.FieldErrors
	if !equalValues(ch.names.Email, ch.oldNames.Email) {
		faults.Add("email", roster.ForbiddenField)
	}
	if !equalValues(ch.names.Phone, ch.oldNames.Phone) {
		faults.Add("phone", roster.ForbiddenField)
	}
	if len(faults) == 0 {
		return nil
	}
	if actor := roster.ActorFrom(ctx); !nested(ctx) && !actor.Trusted() && actor.ID == ch.old.Base().ID {
		return faults.Err()
	}
	return ch.core.guardAbove(ctx, ch.rights, roster.PermissionUpdateUsers, ch.old.Base())
}

// validate judges what was changed: a rule that came after a value was stored does not keep the rest from changing.
func (ch *change[U]) validate(ctx context.Context) error {
	c, b, old := ch.core, ch.user.Base(), ch.old.Base()
	var faults roster.FieldErrors
	edited := c.Plan.New()
	is, was, judged := slots(b), slots(old), slots(edited.Base())
	for i := range is {
		if !equalValues(*is[i], *was[i]) {
			*judged[i] = *is[i]
		}
	}
	readEmail := c.Identifiers.Email
	if ch.edit != nil && ch.edit.step == callbacks.ContactReverted {
		readEmail = c.Identifiers.KnownEmail // it was the user's: no rule that came later keeps them from having it back
	}
	checked := c.identify(ctx, edited, readEmail, &faults)
	ch.names = ch.oldNames
	var unheld names // what is not the user's yet
	for i := range is {
		if !equalValues(*is[i], *was[i]) {
			*is[i] = *judged[i]
			*ch.names.slots()[i] = *checked.slots()[i]
			if !equalValues(*ch.names.slots()[i], *ch.oldNames.slots()[i]) {
				*unheld.slots()[i] = *checked.slots()[i]
			}
		}
	}
	if ch.rename != nil && ch.rename.AllowReserved {
		faults = lift(faults, "username", roster.Reserved)
	}
	requireIdentifier(b, &faults)
	if !equalValues(b.Language, old.Language) || !equalValues(b.TimeZone, old.TimeZone) {
		checkPreferences(b, &faults)
	}
	c.Plan.checkTexts(ch.old, ch.user, &faults)
	if err := c.addTaken(ctx, b.ID, unheld, ch.holds(unheld.Username), &faults); err != nil {
		return err
	}
	return faults.Err()
}

// holds returns what keeps a username from the user: none of it, if the change gives it away.
func (ch *change[U]) holds(username *string) store.Holds {
	if ch.rename != nil && ch.rename.IgnoreHold {
		return store.Holds{Now: ch.core.now()}
	}
	return ch.core.holds(username)
}

// canonical returns the identifiers of a stored user as they are compared.
func (c *Core[U]) canonical(u U) names {
	var n names
	for i, value := range slots(u.Base()) {
		if *value == nil {
			continue
		}
		if canonical, ok := c.Identifiers.Canonical(slotKinds[i], **value); ok {
			*n.slots()[i] = &canonical
		}
	}
	return n
}
