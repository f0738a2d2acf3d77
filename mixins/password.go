package mixins

import (
	"context"
	"errors"
	"log/slog"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
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

	// StorePassword writes a hash and does what goes with it: the user's access tokens, sessions, pending links, codes and
	// changes of contacts end, and they are told. Of a password set or changed by its owner, their own session stays.
	// Every way to set a password goes through it, inside its transaction. It is no way in for a program of its own.
	StorePassword(ctx context.Context, id roster.ID, encoded string, kind roster.PasswordKind) error

	// CheckPassword returns nil when a password is the user's, and roster.ErrInvalidPassword when it is not or the user
	// has none, at the same cost. It is counted by user and session: after 10 wrong ones in 15 minutes, by default
	// (Protection.Identifier), one has to wait, and any is roster.ErrTooManyRequests until then.
	CheckPassword(ctx context.Context, id roster.ID, password roster.Secret) error

	// GetPasswordStatus tells whether a user has a password to change or none yet, linked accounts or not. To ask of
	// others than themselves, users need users:read.
	GetPasswordStatus(ctx context.Context, id roster.ID) (roster.PasswordStatus, error)

	// SetPassword sets the password of a user who has none; who has one is roster.ErrPasswordAlreadySet, whatever the
	// password. All sessions end but that of the actor. A password that breaks the policy is a field error of "password".
	// Nobody sets the password of others; the options are for trusted code.
	SetPassword(ctx context.Context, id roster.ID, password roster.Secret, options ...roster.PasswordOption) error

	// ChangePassword replaces a password by its owner, who knows the old one: else it is roster.ErrInvalidPassword of the
	// field old_password, counted as by CheckPassword. Without a password it is roster.ErrPasswordNotSet, for who proved
	// no contact roster.ErrNotVerified, and the same one again is the field error password:same_password. All sessions end
	// but that of the actor, which goes on with the tokens that are returned; without one in ctx they are zero.
	ChangePassword(ctx context.Context, id roster.ID, old, password roster.Secret) (roster.TokenPair, error)

	// IsPasswordResetAvailable tells whether a reset link to the user's e-mail address would be within its quota now. It
	// takes nothing from it, however often it is asked.
	IsPasswordResetAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error)

	// RequestPasswordReset sends whoever a login names what they set another password by: a link to their e-mail address,
	// or a code by SMS when the login is a proven phone number or they have no address. Who proved nothing yet is sent
	// what proves it first, unless Password.ResetForUnverified says otherwise. It changes nothing on the account.
	//
	// It is for people who are not logged in, and nil whatever became of it: whether there is such a user, whether they
	// are banned, and over the quota, by default of 2 in 30 minutes (Protection.Mails), when the earlier link stays good.
	// What is no login is a field error of "login"; an address of the network may ask 20 times in 30 minutes by default
	// (Protection.AskedMessages), and is roster.ErrTooManyRequests beyond.
	RequestPasswordReset(ctx context.Context, login string) error

	// SendPasswordReset sends a user what RequestPasswordReset would, by a channel or, with "", by the one they have.
	// It counts in the quota and is not held by it. Without such a contact, and for a user who is banned, deactivated or
	// archived by an administrator, it is roster.ErrConflict. Users need users:credentials.
	SendPasswordReset(ctx context.Context, id roster.ID, channel roster.Channel) error

	// SetPasswordResetToken returns a token for ResetPassword, for programs that hand it over themselves; earlier ones are
	// void. Nothing is sent and no quota taken, and using it proves no contact. It is for trusted code.
	SetPasswordResetToken(ctx context.Context, id roster.ID) (roster.Secret, error)

	// GetIDForPasswordReset returns whose password a token resets. It does not use the token, however often it is called;
	// the errors are those of ResetPassword.
	GetIDForPasswordReset(ctx context.Context, token roster.Secret) (roster.ID, error)

	// ResetPassword sets another password by a token, once. A token that was mailed proves the address; all sessions end,
	// failed log-ins are forgotten, and nobody is logged in. A token that is unknown, used or void is
	// roster.ErrInvalidToken, a late one roster.ErrExpiredToken; with a password that breaks the policy it stays good.
	ResetPassword(ctx context.Context, token, password roster.Secret) (U, error)

	// RequestPasswordSet mails a user a link by which they set their first password. A user who has one is
	// roster.ErrPasswordAlreadySet, one without an e-mail address roster.ErrNotFound, one who is banned or archived by an
	// administrator roster.ErrConflict. It shares the quota of reset links: beyond it is roster.ErrQuotaExhausted.
	RequestPasswordSet(ctx context.Context, id roster.ID) error

	// SetFirstPassword sets a user's first password by the token of such a link, as ResetPassword does. Who has one by now
	// is roster.ErrPasswordAlreadySet, and the token stays.
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
	if err := c.trustedOnly(ctx); err != nil {
		return err
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
		if err := c.voidPending(ctx, id); err != nil {
			return err
		}
		var keep roster.ID
		switch kind {
		case roster.PasswordChanged, roster.PasswordSet:
			keep = roster.ActorFrom(ctx).SID // the device in use stays known
			c.reopenReset(ctx, u)
		case roster.PasswordCreated, roster.PasswordFirst, roster.PasswordReset:
		}
		if err := c.dropDevices(ctx, id, keep); err != nil {
			return err
		}
		if kind != roster.PasswordChanged { // which proves no more than a log-in
			if err := c.openPassword(ctx, id); err != nil {
				return err
			}
		}
		if err := c.endSessionsFor(withReason(ctx, roster.RevokedByPassword), id, kind); err != nil {
			return err
		}
		if kind == roster.PasswordCreated {
			return nil
		}
		return c.notice(ctx, u, notify.PasswordChanged, nil)
	})
}

// reopenReset lets a user ask at once for another link when theirs have just become void: else whoever knows the password
// and changes it would keep its owner from resetting it.
func (c *Core[U]) reopenReset(ctx context.Context, u U) {
	n := c.canonical(u)
	var keys []string
	for _, key := range append(c.mailKeys(resetQuota, u), c.mailTarget(resetQuota, text(n.Username)), c.mailTarget(resetQuota, text(n.Phone))) {
		keys = append(keys, c.quotaKey(roster.OwnQuota+key))
	}
	c.Store.AfterCommit(ctx, func(ctx context.Context) {
		if err := c.forget(ctx, keys...); err != nil {
			c.Logger.WarnContext(ctx, "quota of resets was not given back", slog.Any("error", err))
		}
	})
}

// voidPending ends what was sent to a user and would lead past their new password: links and codes that set one or log in,
// and changes of contacts that wait. What undoes a change, or proves a contact, stays good.
func (c *Core[U]) voidPending(ctx context.Context, id roster.ID) error {
	purposes := append(codesFor("reset", "login", "step-up"), store.FirstPassword, store.ResetPassword)
	if err := c.Store.VoidLinks(ctx, id, "", c.now(), purposes...); err != nil {
		return err
	}
	return c.endChanges(ctx, id, "")
}

// endSessionsFor ends the sessions that a new password ends.
func (c *Core[U]) endSessionsFor(ctx context.Context, id roster.ID, kind roster.PasswordKind) error {
	var err error
	if own := ownSession(ctx, id); own != (roster.ID{}) && (kind == roster.PasswordSet || kind == roster.PasswordChanged) {
		_, err = c.Self.RevokeOtherSessions(ctx, id, own)
	} else {
		_, err = c.Self.RevokeSessions(ctx, id)
	}
	return err
}

// ownSession is the session of the actor, if they are the user.
func ownSession(ctx context.Context, id roster.ID) roster.ID {
	if actor := roster.ActorFrom(ctx); actor.ID == id {
		return actor.SID
	}
	return roster.ID{}
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
	if calledBy(ctx, "Authenticate") { // the log-in was counted
		a := attemptOf[U](ctx)
		return c.checkPassword(ctx, a, id, password, a == nil || a.device == nil)
	}
	if _, err := c.Self.Get(ctx, id); err != nil {
		return err
	}
	if c.Settings.Protection.Identifier.Off {
		return c.checkPassword(ctx, nil, id, password, false)
	}
	if err := c.takePrompt(ctx, id); err != nil {
		return err
	}
	err = c.checkPassword(ctx, nil, id, password, false)
	switch {
	case err == nil:
		return c.clearPrompt(ctx, id)
	case !errors.Is(err, roster.ErrInvalidPassword):
		c.giveBackPrompt(ctx, id) // it was not judged
	}
	return err
}

// errClosed is the cause of an ErrInvalidPassword that a right password would not have been spared.
var errClosed = errors.New("the password is closed")

// checkPassword judges a password, by itself or as part of an attempt. An open one may be judged from anywhere; a closed one is
// not, where it is minded.
func (c *Core[U]) checkPassword(ctx context.Context, a *attempt[U], id roster.ID, password roster.Secret, mindClosed bool) error {
	stored, err := c.storedFor(ctx, a, id)
	unset := errors.Is(err, roster.ErrNotFound)
	if err != nil && !unset {
		return err
	}
	most := c.Settings.Protection.CloseAfter
	if mindClosed && most > 0 && (stored.ClosedAt != nil || stored.Failures >= most) {
		if err := c.Passwords.VerifyDummy(ctx, password); err != nil {
			return err
		}
		return roster.ErrInvalidPassword.WithCause(errClosed)
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

// storedFor returns the password of a user, or roster.ErrNotFound: as an attempt on them has read it, if one has.
func (c *Core[U]) storedFor(ctx context.Context, a *attempt[U], id roster.ID) (store.Password, error) {
	switch {
	case !a.hasRead(id):
		return c.Store.GetPassword(ctx, id)
	case a.entrant.Password == nil:
		return store.Password{}, roster.ErrNotFound
	}
	return *a.entrant.Password, nil
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
