package mixins

import (
	"context"
	"errors"
	"log/slog"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// Password is the component of passwords.
type Password[U roster.Model] struct{ core *Core[U] }

// NewPassword returns the component on a core.
func NewPassword[U roster.Model](c *Core[U]) Password[U] { return Password[U]{c} }

// PasswordOps are the operations of Password.
type PasswordOps[U roster.Model] interface {
	// HashPassword returns the hash that is stored of a password. Every way to set one goes through it, before its
	// transaction begins. Too many at once are roster.ErrUnavailable.
	HashPassword(ctx context.Context, password roster.Secret) (string, error)

	// StorePassword writes a hash and does what goes with it: the user's access tokens, sessions and pending links end.
	// Every way to set a password goes through it, inside its transaction. It is no way in for a program of its own.
	StorePassword(ctx context.Context, id roster.ID, encoded string, kind roster.PasswordKind) error

	// CheckPassword returns nil when a password is the user's, and roster.ErrInvalidPassword when it is not or the user
	// has none, at the same cost. It is counted per user: ten wrong ones in 15 minutes, then a wait.
	CheckPassword(ctx context.Context, id roster.ID, password roster.Secret) error

	// RequestPasswordSet mails a user a link by which they set their first password. A user who has one is
	// roster.ErrPasswordAlreadySet, one without an e-mail address roster.ErrNotFound, one who is banned or archived by an
	// administrator roster.ErrConflict.
	RequestPasswordSet(ctx context.Context, id roster.ID) error

	// SetFirstPassword sets a user's first password by the token of such a link, which proves the address that it was
	// mailed to. Nobody is logged in by it. A token that is unknown, used or void is roster.ErrInvalidToken, a late one
	// roster.ErrExpiredToken; with a password that breaks the policy the token stays good.
	SetFirstPassword(ctx context.Context, token, password roster.Secret) (U, error)
}

// HashPassword implements PasswordOps.
func (m Password[U]) HashPassword(ctx context.Context, password roster.Secret) (string, error) {
	ctx, err := m.core.enter(ctx, "HashPassword")
	if err != nil {
		return "", err
	}
	return m.core.Passwords.Hash(ctx, password)
}

// StorePassword implements PasswordOps.
func (m Password[U]) StorePassword(ctx context.Context, id roster.ID, encoded string, kind roster.PasswordKind) error {
	c := m.core
	ctx, err := c.enter(ctx, "StorePassword")
	if err != nil {
		return err
	}
	if !nested(ctx) && !roster.ActorFrom(ctx).Trusted() {
		return roster.ErrForbidden
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		now := c.now()
		password := store.Password{Hash: encoded, ChangedAt: now}
		if _, isFresh := c.freshUser(ctx, id); isFresh && kind == roster.PasswordCreated {
			return c.Store.PutPassword(ctx, id, password) // there is nothing yet that could end
		}
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		if err := c.Store.PutPassword(ctx, id, password); err != nil {
			return err
		}
		if err := c.raiseEpoch(ctx, u.Base()); err != nil {
			return err
		}
		if err := c.Store.VoidLinks(ctx, id, "", now, store.FirstPassword); err != nil {
			return err
		}
		_, err = c.Self.RevokeSessions(withReason(ctx, roster.RevokedByPassword), id)
		return err
	})
}

// raiseEpoch makes the access tokens that a user has so far worthless. The row must be locked.
func (c *Core[U]) raiseEpoch(ctx context.Context, b *roster.User) error {
	forgetFresh[U](ctx)
	return c.Store.UpdateUser(ctx, b.ID, []store.Assignment{{Column: "epoch", Value: b.Epoch + 1}}, store.Holds{})
}

// errNoPassword is the cause of an ErrInvalidPassword that no password would have been spared, for hooks and logs.
var errNoPassword = errors.New("no password is set")

// CheckPassword implements PasswordOps.
func (m Password[U]) CheckPassword(ctx context.Context, id roster.ID, password roster.Secret) error {
	c := m.core
	ctx, err := c.enter(ctx, "CheckPassword")
	if err != nil {
		return err
	}
	if _, err := c.judge(ctx, roster.PermissionUpdateUsers, id); err != nil {
		return err
	}
	if calledBy(ctx, "Authenticate") {
		return c.checkPassword(ctx, id, password) // the log-in was counted
	}
	if _, err := c.Self.Get(ctx, id); err != nil {
		return err
	}
	if c.Settings.Protection.Identifier.Off {
		return c.checkPassword(ctx, id, password)
	}
	if err := c.takePrompt(ctx, id); err != nil {
		return err
	}
	err = c.checkPassword(ctx, id, password)
	switch {
	case err == nil:
		return c.clearPrompt(ctx, id)
	case !errors.Is(err, roster.ErrInvalidPassword):
		c.giveBackPrompt(ctx, id) // it was not judged
	}
	return err
}

func (c *Core[U]) checkPassword(ctx context.Context, id roster.ID, password roster.Secret) error {
	stored, err := c.Store.GetPassword(ctx, id)
	unset := errors.Is(err, roster.ErrNotFound)
	if err != nil && !unset {
		return err
	}
	match, err := c.Passwords.Verify(ctx, stored.Hash, password)
	if match.Unreadable {
		c.Logger.ErrorContext(ctx, "stored password hash cannot be read", slog.Any("user_id", id))
	}
	switch {
	case err != nil:
		return err
	case unset:
		return roster.ErrInvalidPassword.WithCause(errNoPassword)
	case !match.OK:
		return roster.ErrInvalidPassword
	}
	if match.Stale {
		c.rehash(ctx, id, stored.Hash, password)
	}
	return nil
}

// rehash replaces a hash of another kind or cost by a new one of the same password, unless it was replaced meanwhile.
// That it fails is no reason to refuse the password.
func (c *Core[U]) rehash(ctx context.Context, id roster.ID, old string, password roster.Secret) {
	encoded, err := c.Self.HashPassword(ctx, password)
	if err == nil {
		err = c.Store.SwapPassword(ctx, id, old, encoded)
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "password was not hashed anew", slog.Any("user_id", id), slog.Any("error", err))
	}
}

// RequestPasswordSet implements PasswordOps.
func (m Password[U]) RequestPasswordSet(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RequestPasswordSet")
	if err != nil {
		return err
	}
	rights, err := c.judge(ctx, roster.PermissionUpdateUsers, id)
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.reachable(ctx, id, email)
		if err != nil {
			return err
		}
		if err := guardSuperuser(rights, u.Base()); err != nil {
			return err
		}
		if _, err := c.Store.GetPassword(ctx, id); !errors.Is(err, roster.ErrNotFound) {
			if err != nil {
				return err
			}
			return roster.ErrPasswordAlreadySet
		}
		if err := c.takeMail(ctx, "first_password", u); err != nil {
			return err
		}
		run := c.hooks.PasswordResetRequest.Begin()
		e := &callbacks.PasswordResetRequest[U]{Event: c.event(ctx), User: u, Kind: callbacks.RequestFirst, Via: viaOf(ctx)}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := c.mailLink(ctx, u, setPasswordLink); err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
}

// SetFirstPassword implements PasswordOps.
func (m Password[U]) SetFirstPassword(ctx context.Context, token, password roster.Secret) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "SetFirstPassword")
	if err != nil {
		return result, err
	}
	link, err := c.liveLink(ctx, setPasswordLink, token)
	if err != nil {
		return result, err
	}
	if _, err := c.Store.GetPassword(ctx, link.UserID); !errors.Is(err, roster.ErrNotFound) {
		if err != nil {
			return result, err
		}
		return result, roster.ErrPasswordAlreadySet
	}
	encoded, err := c.hashChosen(ctx, link.UserID, password)
	if errors.Is(err, roster.ErrNotFound) {
		err = roster.ErrInvalidToken
	}
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
		if c.shutOut(u.Base()) {
			return roster.ErrInvalidToken
		}
		if err := c.useLink(ctx, link, u); err != nil {
			return err
		}
		if b := u.Base(); b.EmailVerifiedAt == nil && b.PhoneVerifiedAt == nil {
			// Whoever linked accounts has not shown that this one is theirs; the owner of the address comes now.
			if err := c.dropSocial(ctx, b.ID); err != nil {
				return err
			}
		}
		run := c.hooks.PasswordChange.Begin()
		e := &callbacks.PasswordChange[U]{Event: c.event(ctx), User: u, Kind: roster.PasswordFirst}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := c.Self.StorePassword(ctx, u.Base().ID, encoded, roster.PasswordFirst); err != nil {
			return err
		}
		if u, err = c.lock(ctx, link.UserID); err != nil { // it has another epoch now
			return err
		}
		e.User = u
		if err := after(ctx, c, run, e); err != nil {
			return err
		}
		if err := c.confirmContact(ctx, u, email, callbacks.ByFirstPassword); err != nil {
			return err
		}
		result = u
		return nil
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}
