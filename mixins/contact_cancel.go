package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// CancelContactChange implements ConfirmOps.
func (m Confirm[U]) CancelContactChange(ctx context.Context, token roster.Secret) (U, error) {
	var none, result U
	c := m.core
	ctx, err := c.enter(ctx, "CancelContactChange")
	if err != nil {
		return none, err
	}
	link, err := c.liveLink(ctx, cancelLink, token)
	if err != nil {
		return none, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.changeable(ctx, link.UserID)
		if err != nil {
			return err
		}
		used, err := c.Store.UseLink(ctx, link.Purpose, link.Hash, c.now())
		if err != nil {
			return err
		}
		if !used || link.ChangeID == nil {
			return roster.ErrInvalidToken
		}
		asked, err := c.Store.GetChange(ctx, link.UserID, *link.ChangeID)
		switch {
		case err != nil:
			return err
		case asked.EndedAt != nil:
			return roster.ErrInvalidToken
		case asked.CompletedAt == nil:
			result, err = c.cancelChange(ctx, u, asked)
		case c.Settings.Confirm.RevertWindow <= 0:
			return roster.ErrInvalidToken
		default:
			result, err = c.revertChange(ctx, u, asked, link)
		}
		if err != nil {
			return err
		}
		if _, err = c.Self.RevokeSessions(withReason(ctx, roster.RevokedByContact), asked.UserID); err != nil {
			return err
		}
		return c.mailRecovery(ctx, result)
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

// mailRecovery sends the owner of an account what sets another password, to the contact that they have: whoever asked for
// the change may know the present one.
func (c *Core[U]) mailRecovery(ctx context.Context, u U) error {
	k, ok := preferredContact(u.Base(), email)
	if !ok || c.sender(k.channel) == nil {
		return nil
	}
	_, err := c.Store.GetPassword(ctx, u.Base().ID)
	if err != nil && !errors.Is(err, roster.ErrNotFound) {
		return err
	}
	return c.send(ctx, u, c.wayTo(u.Base(), err == nil, k))
}

// cancelChange voids a change that is not done.
func (c *Core[U]) cancelChange(ctx context.Context, u U, asked store.Change) (U, error) {
	k, run := contactFor(asked.Contact), c.hooks.ContactChange.Begin()
	e := &callbacks.ContactChange[U]{
		Event: c.event(ctx), User: u, Kind: k.kind, Old: text(*k.value(u.Base())), New: asked.New, Step: callbacks.ContactCancelled,
	}
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return u, err
	}
	if err := c.endChange(ctx, asked); err != nil {
		return u, err
	}
	return u, after(ctx, c, run, e)
}

// revertChange undoes a change that is done, and all that came after it, of either contact: the first owner's link beats
// those of whoever took the account over. The contact counts as proven when the link was sent to it, and only then.
func (c *Core[U]) revertChange(ctx context.Context, u U, asked store.Change, link store.Link) (U, error) {
	later, err := c.Store.LaterChanges(ctx, asked.UserID, *asked.CompletedAt)
	if err != nil {
		return u, err
	}
	undone := map[string]bool{}
	for _, x := range append([]store.Change{asked}, later...) {
		if err := c.endChange(ctx, x); err != nil {
			return u, err
		}
		if undone[x.Contact] {
			continue // an earlier one says what the contact was
		}
		undone[x.Contact] = true
		if u, err = c.putBack(ctx, u, x, link.Address, x.ID == asked.ID); err != nil {
			return u, err
		}
	}
	return u, nil
}

// putBack makes a contact what it was before a change, proven if the link went to it. What somebody else has now stays
// theirs: then it fails, unless it is not what was asked for.
func (c *Core[U]) putBack(ctx context.Context, u U, x store.Change, linkedTo string, asked bool) (U, error) {
	k, edit := contactFor(x.Contact), contactEdit{step: callbacks.ContactReverted}
	if x.Old != nil {
		if canonical, ok := c.Identifiers.Canonical(slotKinds[k.slot], *x.Old); ok && canonical == linkedTo {
			edit.provenAt = new(c.now())
		}
	}
	result, err := c.editContact(ctx, u, k, x.Old, edit)
	if !asked && errors.Is(err, roster.ErrIdentifierTaken) {
		return c.editContact(ctx, u, k, nil, edit)
	}
	return result, err
}
