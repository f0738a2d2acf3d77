package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// GetPasswordStatus implements PasswordOps.
func (m Password[U]) GetPasswordStatus(ctx context.Context, id roster.ID) (roster.PasswordStatus, error) {
	var none roster.PasswordStatus
	c := m.core
	ctx, err := c.enter(ctx, "GetPasswordStatus")
	if err != nil {
		return none, err
	}
	if _, err := c.readable(ctx, id); err != nil {
		return none, err
	}
	stored, err := c.Store.GetPassword(ctx, id)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return roster.PasswordStatus{Status: roster.PasswordToSet}, nil
	case err != nil:
		return none, err
	}
	return roster.PasswordStatus{Status: roster.PasswordToChange, ChangedAt: &stored.ChangedAt}, nil
}

// SetPassword implements PasswordOps.
func (m Password[U]) SetPassword(ctx context.Context, id roster.ID, password roster.Secret, options ...roster.PasswordOption) error {
	c := m.core
	ctx, err := c.enter(ctx, "SetPassword")
	if err != nil {
		return err
	}
	o := roster.PasswordOptionsOf(options...)
	if err := c.judgeOwn(ctx, id); err != nil {
		return err
	}
	if o.Replace || o.SkipPolicy {
		if err := c.trustedOnly(ctx); err != nil {
			return err
		}
	}
	free := func(ctx context.Context) error {
		if o.Replace {
			return nil
		}
		return c.lacksPassword(ctx, id)
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return err
	}
	if u.Base().Anonymised() {
		return roster.ErrNotFound
	}
	if err := free(ctx); err != nil {
		return err
	}
	hash := c.hashChosen
	if o.SkipPolicy {
		hash = func(ctx context.Context, _ roster.ID, password roster.Secret) (string, error) {
			return c.Self.HashPassword(ctx, password)
		}
	}
	encoded, err := hash(ctx, id, password)
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		if u.Base().Anonymised() {
			return roster.ErrNotFound
		}
		if err := c.stillIn(ctx); err != nil {
			return err
		}
		if err := free(ctx); err != nil { // another call may have set one
			return err
		}
		_, err = c.replacePassword(ctx, u, encoded, roster.PasswordSet)
		return err
	})
}

// judgeOwn lets an operation go on that nobody does for others, but the program itself.
func (c *Core[U]) judgeOwn(ctx context.Context, id roster.ID) error {
	actor := roster.ActorFrom(ctx)
	switch {
	case nested(ctx) || actor.Trusted():
		return nil
	case actor.ID == (roster.ID{}):
		return roster.ErrUnauthenticated
	case actor.ID != id:
		return c.forbidden(ctx, "", id)
	}
	return nil
}

// lacksPassword is roster.ErrPasswordAlreadySet for a user who has a password.
func (c *Core[U]) lacksPassword(ctx context.Context, id roster.ID) error {
	_, err := c.Store.GetPassword(ctx, id)
	switch {
	case err == nil:
		return roster.ErrPasswordAlreadySet
	case errors.Is(err, roster.ErrNotFound):
		return nil
	}
	return err
}

// replacePassword stores the password of a user whose row is locked, with its hooks, and returns the user as they are
// then.
func (c *Core[U]) replacePassword(ctx context.Context, u U, encoded string, kind roster.PasswordKind) (U, error) {
	return c.replacePasswordAnd(ctx, u, encoded, kind, func(context.Context) error { return nil })
}

// replacePasswordAnd also does what goes with it, before the user is told of the password.
func (c *Core[U]) replacePasswordAnd(
	ctx context.Context, u U, encoded string, kind roster.PasswordKind, and func(context.Context) error,
) (U, error) {
	id := u.Base().ID
	run := c.hooks.PasswordChange.Begin()
	e := &callbacks.PasswordChange[U]{Event: c.event(ctx), User: u, Kind: kind}
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return u, err
	}
	if err := and(ctx); err != nil {
		return u, err
	}
	if err := c.Self.StorePassword(ctx, id, encoded, kind); err != nil {
		return u, err
	}
	u, err := c.lock(ctx, id) // it has another epoch now
	if err != nil {
		return u, err
	}
	e.User = u
	return u, after(ctx, c, run, e)
}

// ChangePassword implements PasswordOps.
func (m Password[U]) ChangePassword(ctx context.Context, id roster.ID, old, password roster.Secret) (roster.TokenPair, error) {
	var none, pair roster.TokenPair
	c := m.core
	ctx, err := c.enter(ctx, "ChangePassword")
	if err != nil {
		return none, err
	}
	if err := c.judgeOwn(ctx, id); err != nil {
		return none, err
	}
	known, stored, err := c.mayChangePassword(ctx, id)
	if err != nil {
		return none, err
	}
	err = c.Self.CheckPassword(ctx, id, old)
	if errors.Is(err, roster.ErrInvalidPassword) {
		return none, errWrongOld.WithCause(err)
	}
	if err != nil {
		return none, err
	}
	encoded, err := c.hashAnother(ctx, id, stored.Hash, password)
	if err != nil {
		return none, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		now, err := c.Store.GetPassword(ctx, id)
		if err != nil && !errors.Is(err, roster.ErrNotFound) {
			return err
		}
		// A new password raises the epoch; a new hash of the same one, made by a log-in meanwhile, does not.
		if now.Hash != stored.Hash && u.Base().Epoch != known.Base().Epoch {
			return errWrongOld
		}
		if u, err = c.replacePassword(ctx, u, encoded, roster.PasswordChanged); err != nil {
			return err
		}
		pair, err = c.renew(ctx, u)
		return err
	})
	if err != nil {
		return none, err
	}
	return pair, nil
}

// errWrongOld is the answer to a wrong old password.
var errWrongOld = roster.ErrInvalidPassword.WithFields(roster.FieldError{Field: "old_password", Code: roster.PasswordWrong})

// mayChangePassword returns a user who has a password and may change it.
func (c *Core[U]) mayChangePassword(ctx context.Context, id roster.ID) (U, store.Password, error) {
	u, err := c.load(ctx, id)
	if err != nil {
		return u, store.Password{}, err
	}
	switch {
	case u.Base().Anonymised():
		return u, store.Password{}, roster.ErrNotFound
	case !roster.ActorFrom(ctx).Trusted() && !u.Base().Verified():
		return u, store.Password{}, roster.ErrNotVerified
	}
	stored, err := c.Store.GetPassword(ctx, id)
	if errors.Is(err, roster.ErrNotFound) {
		err = roster.ErrPasswordNotSet
	}
	return u, stored, err
}

// hashAnother judges a password that is to take the place of the one with a hash, and returns its own hash.
func (c *Core[U]) hashAnother(ctx context.Context, id roster.ID, stored string, password roster.Secret) (string, error) {
	match, err := c.Passwords.Verify(ctx, stored, password)
	if err != nil {
		return "", err
	}
	if match.OK {
		return "", roster.FieldErrors{{Field: "password", Code: roster.SamePassword}}.Err()
	}
	return c.hashChosen(ctx, id, password)
}

// renew gives the actor's own session new tokens, and makes the refresh token worthless that it had. Without such a session
// there are none.
func (c *Core[U]) renew(ctx context.Context, u U) (roster.TokenPair, error) {
	var none roster.TokenPair
	own := ownSession(ctx, u.Base().ID)
	if own == (roster.ID{}) {
		return none, nil
	}
	x, err := c.Store.LockSession(ctx, own)
	if errors.Is(err, roster.ErrNotFound) || err == nil && x.UserID != u.Base().ID {
		return none, roster.ErrSessionRevoked
	}
	if err != nil {
		return none, err
	}
	refresh, hash, err := c.refresh.New(own, x.Generation+1)
	if err != nil {
		return none, err
	}
	s, now, actor := c.Settings.Session, c.now(), roster.ActorFrom(ctx)
	rotated, err := c.Store.RotateSession(ctx, store.Rotation{
		SessionID: own, Current: x.SecretHash, Next: hash, Now: now, IdleAt: now.Add(s.RefreshIdle),
		ShortIdleAt: now.Add(s.ShortIdle), IP: present(clip(actor.IP)), UserAgent: present(clip(actor.UserAgent)),
	}, nil) // u is locked: it is the same
	if errors.Is(err, roster.ErrNotFound) {
		return none, roster.ErrSessionRevoked
	}
	if err != nil {
		return none, err
	}
	return c.pair(ctx, u, rotated.Session, refresh)
}
