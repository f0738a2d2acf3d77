package mixins

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/store"
)

// contactEdit is what an edit of a contact is to hooks.
type contactEdit struct {
	step callbacks.ContactStep
	// provenAt is when the new value was proven; nil: it was not.
	provenAt *time.Time
}

// provenAt is when a contact was proven that the edit changes.
func (ch *change[U]) provenAt() *time.Time {
	if ch.edit == nil {
		return nil
	}
	return ch.edit.provenAt
}

// editContact writes another value of a contact, or none, of a user whose row is locked.
func (c *Core[U]) editContact(ctx context.Context, u U, k contact, value *string, edit contactEdit) (U, error) {
	ch := change[U]{core: c, old: u, user: c.Plan.clone(u), edit: &edit}
	*k.value(ch.user.Base()) = value
	return ch.apply(ctx)
}

// RequestEmailChange implements ConfirmOps.
func (m Confirm[U]) RequestEmailChange(ctx context.Context, id roster.ID, address *string) error {
	ctx, err := m.core.enter(ctx, "RequestEmailChange")
	if err != nil {
		return err
	}
	return m.core.requestChange(ctx, id, email, address)
}

// RequestPhoneChange implements ConfirmOps.
func (m Confirm[U]) RequestPhoneChange(ctx context.Context, id roster.ID, number *string) error {
	ctx, err := m.core.enter(ctx, "RequestPhoneChange")
	if err != nil {
		return err
	}
	return m.core.requestChange(ctx, id, phone, number)
}

func (c *Core[U]) requestChange(ctx context.Context, id roster.ID, k contact, value *string) error {
	rights, err := c.judge(ctx, roster.PermissionUpdateUsers, id)
	if err != nil {
		return err
	}
	var wanted identifiers.Identifier
	if value != nil {
		var codes []roster.FieldCode
		if wanted, codes = c.parseContact(ctx, k, *value); len(codes) > 0 {
			var faults roster.FieldErrors
			for _, code := range codes {
				faults.Add(string(k.kind), code)
			}
			return faults.Err()
		}
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		b := u.Base()
		switch {
		case b.Deleted():
			return roster.ErrNotFound
		case c.shutOut(b):
			return roster.ErrConflict.WithMessage("the user is banned or archived")
		}
		if err := c.guardAbove(ctx, rights, roster.PermissionUpdateUsers, b); err != nil {
			return err
		}
		if err := c.stillIn(ctx); err != nil {
			return err
		}
		if value == nil {
			return c.removeContact(ctx, u, k)
		}
		return c.beginChange(ctx, u, k, wanted)
	})
	if errors.Is(err, errVetoed) && !errors.Is(err, roster.ErrUnavailable) && ctx.Err() == nil {
		c.Logger.ErrorContext(ctx, "a concealed change of a contact was not carried out", slog.Any("error", err))
		return nil
	}
	if errors.Is(err, roster.ErrIdentifierTaken) {
		// To learn that somebody has it costs as much as to ask for it, else one could ask for any number.
		if spent := c.spend(ctx, c.Settings.Protection.Mails, c.changeKeys(id, wanted.Canonical)...); spent != nil {
			return spent
		}
	}
	return err
}

// changeKeys are the quotas of what changes a contact, of the account and of the new contact.
func (c *Core[U]) changeKeys(id roster.ID, canonical string) []string {
	return []string{"change:account:" + id.String(), c.mailTarget("change", canonical)}
}

func (c *Core[U]) parseContact(ctx context.Context, k contact, value string) (identifiers.Identifier, []roster.FieldCode) {
	if k.kind == callbacks.Phone {
		return c.Identifiers.Phone(value)
	}
	return c.Identifiers.Email(ctx, value)
}

// beginChange stores what was asked for, and sends what proves it to the new contact and what cancels it to the old.
func (c *Core[U]) beginChange(ctx context.Context, u U, k contact, wanted identifiers.Identifier) error {
	id, now := u.Base().ID, c.now()
	if text(k.canonical(c.canonical(u))) == wanted.Canonical {
		return roster.ErrSameValue
	}
	err := c.spend(ctx, c.Settings.Protection.Mails, c.changeKeys(id, wanted.Canonical)...)
	if err != nil {
		return err
	}
	var unheld names
	*unheld.slots()[k.slot] = &wanted.Canonical
	var faults roster.FieldErrors
	if err := c.addTaken(ctx, id, unheld, store.Holds{}, &faults); err != nil {
		return err
	}
	concealed := c.concealsContacts(ctx)
	if err := faults.Err(); err != nil && !concealed {
		return err
	}
	if err := c.endChanges(ctx, id, string(k.kind)); err != nil {
		return err
	}
	asked := store.Change{
		ID: roster.NewID(), UserID: id, Contact: string(k.kind), Old: *k.value(u.Base()),
		New: wanted.Stored, Canonical: wanted.Canonical, CreatedAt: now,
	}
	if err := c.Store.InsertChange(ctx, &asked); err != nil {
		return err
	}
	if k.kind == callbacks.Phone {
		if err := c.takeCode(ctx, id, wanted.Canonical); err != nil {
			return err
		}
	}
	if concealed {
		err = c.proveConcealed(ctx, u, k, asked, len(faults) > 0)
	} else {
		err = c.proveChange(ctx, u, k, asked)
	}
	if err != nil {
		return err
	}
	return c.offerCancel(ctx, u, k, asked)
}

// proveChange sends the new contact what proves it.
func (c *Core[U]) proveChange(ctx context.Context, u U, k contact, asked store.Change) error {
	if k.kind == callbacks.Phone {
		return c.sendCode(ctx, u, code{contact: k, purpose: changePurpose, to: asked.New, canonical: asked.Canonical, change: &asked.ID})
	}
	return c.queueLink(ctx, u, changeEmailLink, linkTo{kind: changeEmailLink.message, to: asked.New, canonical: asked.Canonical, change: &asked.ID})
}

// offerCancel sends the link that takes a change back to the owner of the account: where they are proven to be reached, by
// mail if they can be. An old address that nobody proved may be a stranger's.
func (c *Core[U]) offerCancel(ctx context.Context, u U, k contact, asked store.Change) error {
	if c.Settings.Confirm.RevertWindow < 0 && asked.CompletedAt != nil {
		return nil
	}
	for _, old := range []contact{email, phone} {
		to := *old.value(u.Base())
		if to == nil || *old.provenAt(u.Base()) == nil || c.sender(old.channel) == nil {
			continue
		}
		return c.queueLink(ctx, u, cancelLink, linkTo{
			kind: k.cancels, channel: old.channel, to: *to, canonical: text(old.canonical(c.canonical(u))), change: &asked.ID,
			vars: map[string]any{"New": k.mask(asked.New)},
		})
	}
	return nil
}

// removeContact takes a contact away, at once; the last way to log in stays. Its owner can take that back as well: else
// whoever removes it first and adds another later would be rid of the owner.
func (c *Core[U]) removeContact(ctx context.Context, u U, k contact) error {
	b := u.Base()
	if *k.value(b) == nil {
		return roster.ErrSameValue
	}
	left := c.Plan.clone(u).Base()
	*k.value(left), *k.provenAt(left) = nil, nil
	if left.Username == nil && left.Email == nil && left.Phone == nil {
		return roster.ErrLastCredential
	}
	last, err := c.lastCredential(ctx, left)
	if err != nil {
		return err
	}
	if last {
		return roster.ErrLastCredential
	}
	now := c.now()
	asked := store.Change{ID: roster.NewID(), UserID: b.ID, Contact: string(k.kind), Old: *k.value(b), CreatedAt: now, CompletedAt: &now}
	if err := c.Store.InsertChange(ctx, &asked); err != nil {
		return err
	}
	if err := c.Store.CompleteChange(ctx, asked.ID, now); err != nil {
		return err
	}
	if _, err = c.editContact(ctx, u, k, nil, contactEdit{step: callbacks.ContactRemoved}); err != nil {
		return err
	}
	return c.offerCancel(ctx, u, k, asked) // to the user as they were
}

// lastCredential reports whether a user, as they would be, could not log in.
func (c *Core[U]) lastCredential(ctx context.Context, b *roster.User) (bool, error) {
	left, err := c.Store.GetCredentials(ctx, b.ID)
	return !left.Password && left.Social == 0 && b.EmailVerifiedAt == nil && b.PhoneVerifiedAt == nil, err
}

// endChanges voids the pending changes of a contact of a user, or with "" of both, and what was sent for them.
func (c *Core[U]) endChanges(ctx context.Context, id roster.ID, kind string) error {
	pending, err := c.Store.PendingChanges(ctx, id, kind)
	if err != nil {
		return err
	}
	for _, asked := range pending {
		if err := c.endChange(ctx, asked); err != nil {
			return err
		}
	}
	return nil
}

func (c *Core[U]) endChange(ctx context.Context, asked store.Change) error {
	if err := c.Store.EndChange(ctx, asked.ID, c.now()); err != nil {
		return err
	}
	return c.Store.VoidChangeLinks(ctx, asked.UserID, asked.ID, "", c.now())
}

// ConfirmEmailChange implements ConfirmOps.
func (m Confirm[U]) ConfirmEmailChange(ctx context.Context, token roster.Secret) (U, error) {
	var none, result U
	c := m.core
	ctx, err := c.enter(ctx, "ConfirmEmailChange")
	if err != nil {
		return none, err
	}
	link, err := c.findLink(ctx, changeEmailLink, token)
	if err != nil {
		return none, err
	}
	var taken error
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.changeable(ctx, link.UserID)
		if err != nil {
			return err
		}
		result = u
		// Mail programs open links twice, also at once: another call may have used it before the row was locked.
		if link, err = c.findLink(ctx, changeEmailLink, token); err != nil {
			return err
		}
		if link.UsedAt != nil && c.stillOf(link, u) && u.Base().EmailVerifiedAt != nil {
			return nil
		}
		used, err := c.Store.UseLink(ctx, link.Purpose, link.Hash, c.now())
		if err != nil {
			return err
		}
		if !used {
			return roster.ErrInvalidToken
		}
		result, taken, err = c.completeChange(ctx, u, link, roster.ErrInvalidToken)
		return err
	})
	if err = cmp.Or(err, taken); err != nil {
		return none, err
	}
	return result, nil
}

// ConfirmPhoneChange implements ConfirmOps.
func (m Confirm[U]) ConfirmPhoneChange(ctx context.Context, id roster.ID, typed roster.Secret) (U, error) {
	var none, result U
	c := m.core
	ctx, err := c.enter(ctx, "ConfirmPhoneChange")
	if err != nil {
		return none, err
	}
	if _, err := c.judge(ctx, roster.PermissionUpdateUsers, id); err != nil {
		return none, err
	}
	var taken error
	err = c.spendCode(ctx, id, store.CodeFor(changePurpose, string(phone.kind)), typed, owner, func(ctx context.Context, u U, link store.Link) error {
		err := c.stillIn(ctx)
		if err == nil {
			result, taken, err = c.completeChange(ctx, u, link, roster.ErrInvalidCode)
		}
		return err
	})
	if err = cmp.Or(err, taken); err != nil {
		return none, err
	}
	return result, nil
}

// changeable returns a user whose contacts can be changed by what was sent to them, and locks the row.
func (c *Core[U]) changeable(ctx context.Context, id roster.ID) (U, error) {
	u, err := c.lock(ctx, id)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return u, roster.ErrInvalidToken
	case err != nil:
		return u, err
	case u.Base().Deleted(), c.shutOut(u.Base()):
		return u, roster.ErrInvalidToken
	}
	return u, nil
}

// completeChange does what was asked for. When somebody took the contact meanwhile, taken says so and the change is void:
// what was used to prove it stays used.
func (c *Core[U]) completeChange(ctx context.Context, u U, link store.Link, none error) (result U, taken, err error) {
	if link.ChangeID == nil {
		return u, nil, none
	}
	asked, err := c.Store.GetChange(ctx, link.UserID, *link.ChangeID)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return u, nil, none
	case err != nil:
		return u, nil, err
	case asked.CompletedAt != nil, asked.EndedAt != nil:
		return u, nil, none
	}
	err = c.Store.InTx(ctx, func(ctx context.Context) error {
		now := c.now()
		if err := c.Store.CompleteChange(ctx, asked.ID, now); err != nil {
			return err
		}
		if result, err = c.editContact(ctx, u, contactFor(asked.Contact), &asked.New, contactEdit{callbacks.ContactChanged, &now}); err != nil {
			return err
		}
		if !c.Settings.Confirm.RevokeOnChange {
			return nil
		}
		_, err := c.Self.RevokeOtherSessions(withReason(ctx, roster.RevokedByContact), asked.UserID, roster.ActorFrom(ctx).SID)
		return err
	})
	if errors.Is(err, roster.ErrIdentifierTaken) {
		return u, err, c.endChange(ctx, asked)
	}
	return result, nil, err
}

// PendingContactChanges implements ConfirmOps.
func (m Confirm[U]) PendingContactChanges(ctx context.Context, id roster.ID) ([]roster.PendingChange, error) {
	c := m.core
	ctx, err := c.enter(ctx, "PendingContactChanges")
	if err != nil {
		return nil, err
	}
	if _, err := c.readable(ctx, id); err != nil {
		return nil, err
	}
	pending, err := c.Store.PendingChanges(ctx, id, "")
	if err != nil {
		return nil, err
	}
	list := make([]roster.PendingChange, 0, len(pending))
	for _, asked := range pending {
		life := c.Settings.Confirm.ChangeTTL
		if asked.Contact == string(callbacks.Phone) {
			life = c.Settings.OneTime.CodeTTL
		}
		if c.now().Before(asked.CreatedAt.Add(life)) {
			list = append(list, roster.PendingChange{Contact: asked.Contact, New: asked.New, RequestedAt: asked.CreatedAt})
		}
	}
	return list, nil
}
