package mixins

import (
	"context"
	"errors"
	"log/slog"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// resetTarget returns the live link of a token that resets a password, and whose it is.
func (c *Core[U]) resetTarget(ctx context.Context, token roster.Secret) (store.Link, U, error) {
	var none U
	link, err := c.liveLink(ctx, resetPasswordLink, token)
	if err != nil {
		return link, none, err
	}
	u, err := c.load(ctx, link.UserID)
	if errors.Is(err, roster.ErrNotFound) || err == nil && !c.maySetBy(link, u) {
		err = roster.ErrInvalidToken
	}
	return link, u, err
}

// maySetBy reports whether a link still sets the password of its user. One without an address was handed over by the
// program.
func (c *Core[U]) maySetBy(link store.Link, u U) bool {
	b := u.Base()
	return !b.Deleted() && !c.shutOut(b) && (link.Address == "" || c.stillOf(link, u))
}

// GetIDForPasswordReset implements PasswordOps.
func (m Password[U]) GetIDForPasswordReset(ctx context.Context, token roster.Secret) (roster.ID, error) {
	ctx, err := m.core.enter(ctx, "GetIDForPasswordReset")
	if err != nil {
		return roster.ID{}, err
	}
	link, _, err := m.core.resetTarget(ctx, token)
	if err != nil {
		return roster.ID{}, err
	}
	return link.UserID, nil
}

// ResetPassword implements PasswordOps.
func (m Password[U]) ResetPassword(ctx context.Context, token, password roster.Secret) (U, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "ResetPassword")
	if err != nil {
		return none, err
	}
	link, _, err := c.resetTarget(ctx, token)
	if err != nil {
		return none, err
	}
	encoded, err := c.hashChosen(ctx, link.UserID, password)
	if errors.Is(err, roster.ErrNotFound) {
		err = roster.ErrInvalidToken
	}
	if err != nil {
		return none, err
	}
	return c.setByLink(ctx, link, encoded, roster.PasswordReset, callbacks.ByReset)
}

// SetFirstPassword implements PasswordOps.
func (m Password[U]) SetFirstPassword(ctx context.Context, token, password roster.Secret) (U, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "SetFirstPassword")
	if err != nil {
		return none, err
	}
	link, err := c.liveLink(ctx, setPasswordLink, token)
	if err != nil {
		return none, err
	}
	if err := c.lacksPassword(ctx, link.UserID); err != nil {
		return none, err
	}
	encoded, err := c.hashChosen(ctx, link.UserID, password)
	if errors.Is(err, roster.ErrNotFound) {
		err = roster.ErrInvalidToken
	}
	if err != nil {
		return none, err
	}
	return c.setByLink(ctx, link, encoded, roster.PasswordFirst, callbacks.ByFirstPassword)
}

// setByLink consumes a link and sets the password that came with it.
func (c *Core[U]) setByLink(
	ctx context.Context, link store.Link, encoded string, kind roster.PasswordKind, by callbacks.ConfirmedBy,
) (U, error) {
	var none, result U
	err := c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, link.UserID)
		if errors.Is(err, roster.ErrNotFound) {
			return roster.ErrInvalidToken
		}
		if err != nil {
			return err
		}
		if !c.maySetBy(link, u) {
			return roster.ErrInvalidToken
		}
		used, err := c.Store.UseLink(ctx, link.Purpose, link.Hash, c.now())
		if err != nil {
			return err
		}
		if !used {
			return roster.ErrInvalidToken
		}
		result, err = c.replacePasswordAnd(ctx, u, encoded, kind, func(ctx context.Context) error {
			return c.proveBy(ctx, u, link, by)
		})
		if err == nil && kind == roster.PasswordReset {
			c.clearFailures(ctx, u)
		}
		return err
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

// proveBy marks the contact as proven that a link was sent to. Whoever linked accounts or asked for codes before has not shown
// that the account is theirs: the owner of the contact comes now. A reset takes the proof of the other contact away too: else
// who registered with somebody's address and a phone of their own would still get in by it. A contact that was proven lately
// counts as proven now, since a confirmation leaves what was there, and may be the first half of a reset (SendActivation).
func (c *Core[U]) proveBy(ctx context.Context, u U, link store.Link, by callbacks.ConfirmedBy) error {
	if link.Address == "" {
		return nil
	}
	b, proven := u.Base(), email
	if link.Address != text(c.canonical(u).Email) {
		proven = phone
	}
	other, at, first := proven.other(), *proven.provenAt(b), b.EmailVerifiedAt == nil && b.PhoneVerifiedAt == nil
	if by == callbacks.ByReset {
		first = at == nil || c.now().Sub(*at) < c.Settings.Confirm.EmailTTL
	}
	if first {
		if *other.provenAt(b) != nil {
			if err := c.markContact(ctx, u, other, nil); err != nil {
				return err
			}
		}
		if err := c.dropSocial(ctx, b.ID); err != nil {
			return err
		}
		pending := []store.LinkPurpose{store.CodeFor(string(roster.CodeVerify), string(other.kind))}
		if other.kind == callbacks.Email {
			pending = append(pending, store.ConfirmEmail)
		}
		if err := c.Store.VoidLinks(ctx, b.ID, "", c.now(), pending...); err != nil {
			return err
		}
	}
	return c.confirmContact(ctx, u, proven, by)
}

// clearFailures forgets, after the commit, the failed log-ins by each identifier of a user.
func (c *Core[U]) clearFailures(ctx context.Context, u U) {
	var keys []string
	for _, identifier := range slots(u.Base()) {
		if *identifier == nil {
			continue
		}
		if key := c.Identifiers.CounterKey(**identifier); key != "" {
			keys = append(keys, c.counterKey(identifierLane, key))
		}
	}
	if len(keys) == 0 {
		return
	}
	c.Store.AfterCommit(ctx, func(ctx context.Context) {
		if err := c.forget(ctx, keys...); err != nil {
			c.Logger.WarnContext(ctx, "failed log-ins were not forgotten", slog.Any("user_id", u.Base().ID), slog.Any("error", err))
		}
	})
}

// SetPasswordResetToken implements PasswordOps.
func (m Password[U]) SetPasswordResetToken(ctx context.Context, id roster.ID) (roster.Secret, error) {
	c := m.core
	ctx, err := c.enter(ctx, "SetPasswordResetToken")
	if err != nil {
		return "", err
	}
	if err := c.trustedOnly(ctx); err != nil {
		return "", err
	}
	token := newToken(resetPasswordLink.prefix)
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		if u.Base().Anonymised() {
			return roster.ErrNotFound
		}
		if u.Base().Deleted() || c.shutOut(u.Base()) {
			return errShutOut
		}
		return c.offerReset(ctx, u, callbacks.RequestReset, func(ctx context.Context) error {
			now := c.now()
			if err := c.Store.VoidLinks(ctx, id, "", now, store.ResetPassword); err != nil {
				return err
			}
			return c.Store.InsertLink(ctx, store.Link{
				Hash: resetPasswordLink.hash(token), Purpose: store.ResetPassword, UserID: id,
				CreatedAt: now, ExpiresAt: now.Add(c.Settings.Password.ResetTTL),
			})
		})
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// errShutOut is the answer for users who are sent no way in.
var errShutOut = roster.ErrConflict.WithMessage("the user is banned, archived or deactivated")
