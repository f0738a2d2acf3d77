package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// Confirm is the component that proves contacts.
type Confirm[U roster.Model] struct{ core *Core[U] }

// NewConfirm returns the component on a core.
func NewConfirm[U roster.Model](c *Core[U]) Confirm[U] { return Confirm[U]{c} }

// ConfirmOps are the operations of Confirm.
type ConfirmOps[U roster.Model] interface {
	// RequestEmailConfirmation mails a user a link that proves their e-mail address. Without an address it is
	// roster.ErrNotFound, with a proven one roster.ErrAlreadyConfirmed, of a banned user or one archived by an
	// administrator roster.ErrConflict, and over the quota roster.ErrQuotaExhausted: an earlier link stays good then.
	RequestEmailConfirmation(ctx context.Context, id roster.ID) error

	// ConfirmEmail proves an e-mail address by the token of such a link. The same token again is no error while the
	// address is still the user's. One that is unknown or void is roster.ErrInvalidToken, a late one
	// roster.ErrExpiredToken. Nobody is logged in by it.
	ConfirmEmail(ctx context.Context, token roster.Secret) (U, error)
}

// RequestEmailConfirmation implements ConfirmOps.
func (m Confirm[U]) RequestEmailConfirmation(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RequestEmailConfirmation")
	if err != nil {
		return err
	}
	if _, err := c.judge(ctx, roster.PermissionUpdateUsers, id); err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.contactOf(ctx, id)
		if err != nil {
			return err
		}
		if u.Base().EmailVerifiedAt != nil {
			return roster.ErrAlreadyConfirmed
		}
		if err := c.takeMail(ctx, "confirm_email", u); err != nil {
			return err
		}
		return c.mailLink(ctx, u, confirmEmailLink)
	})
}

// shutOut reports whether a user was banned, or archived by an administrator: no link is sent to them, and of those that
// they hold none but a confirmation is good.
func (c *Core[U]) shutOut(b *roster.User) bool {
	return b.Banned(c.now()) || b.ArchivedBy != nil && *b.ArchivedBy == roster.ArchivedByAdmin
}

// contactOf returns a user with an e-mail address who can be sent a link; their row is locked or was just stored.
func (c *Core[U]) contactOf(ctx context.Context, id roster.ID) (U, error) {
	u, ok := c.freshUser(ctx, id)
	if !ok {
		var err error
		if u, err = c.lock(ctx, id); err != nil {
			return u, err
		}
	}
	switch {
	case u.Base().Email == nil || u.Base().Deleted():
		return u, roster.ErrNotFound
	case c.shutOut(u.Base()):
		return u, roster.ErrConflict.WithMessage("the user is banned or archived")
	}
	return u, nil
}

// ConfirmEmail implements ConfirmOps.
func (m Confirm[U]) ConfirmEmail(ctx context.Context, token roster.Secret) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "ConfirmEmail")
	if err != nil {
		return result, err
	}
	link, err := c.findLink(ctx, confirmEmailLink, token)
	if err != nil {
		return result, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, link.UserID)
		if errors.Is(err, roster.ErrNotFound) {
			return roster.ErrInvalidToken
		}
		if err != nil {
			return err
		}
		result = u
		// Mail programs open links twice, also at once: another call may have used it before the row was locked.
		if link, err = c.findLink(ctx, confirmEmailLink, token); err != nil {
			return err
		}
		if link.UsedAt != nil && c.stillOf(link, u) && u.Base().EmailVerifiedAt != nil && c.now().Before(link.ExpiresAt) {
			return nil
		}
		if err := c.useLink(ctx, link, u); err != nil {
			return err
		}
		return c.confirmEmail(ctx, u, callbacks.ByLink)
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// confirmEmail marks a user's e-mail address as proven, if it was not. The row must be locked.
func (c *Core[U]) confirmEmail(ctx context.Context, u U, by callbacks.ConfirmedBy) error {
	b := u.Base()
	if b.EmailVerifiedAt != nil {
		return nil
	}
	run := c.hooks.EmailConfirm.Begin()
	e := &callbacks.EmailConfirm[U]{Event: c.event(ctx), User: u, Address: text(b.Email), By: by}
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return err
	}
	now := c.now()
	b.EmailVerifiedAt, b.UpdatedAt = &now, now
	b.Version++
	err := c.Store.UpdateUser(ctx, b.ID, []store.Assignment{
		{Column: "email_verified_at", Value: now},
		{Column: "version", Value: b.Version},
		{Column: "updated_at", Value: now},
	}, store.Holds{})
	if err != nil {
		return err
	}
	forgetFresh[U](ctx)
	return after(ctx, c, run, e)
}
