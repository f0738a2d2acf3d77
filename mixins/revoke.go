package mixins

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

type reasonKey struct{}

// withReason tells an inner RevokeSessions why the outer operation ends sessions.
func withReason(ctx context.Context, reason roster.RevokeReason) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

func reasonOf(ctx context.Context, otherwise roster.RevokeReason) roster.RevokeReason {
	if reason, ok := ctx.Value(reasonKey{}).(roster.RevokeReason); ok {
		return reason
	}
	if roster.ActorFrom(ctx).Kind == roster.ActorAdmin {
		return roster.RevokedByAdmin
	}
	return otherwise
}

// revoked tells the audit trail and the hooks which sessions an operation has ended, in the transaction that ended them.
func (c *Core[U]) revoked(ctx context.Context, user roster.ID, sessions []roster.ID, reason roster.RevokeReason) error {
	if len(sessions) == 0 {
		return nil
	}
	run := c.hooks.SessionRevoke.Begin()
	e := &callbacks.SessionRevoke{Event: c.event(ctx), UserID: user, SIDs: sessions, Reason: reason}
	if err := c.record(ctx, e); err != nil {
		return err
	}
	c.tell(ctx, "AfterSessionRevoke", func(ctx context.Context) error { return fire(ctx, c, run, e) })
	return nil
}

// tell runs the After hooks of what has happened, or queues a message about it: neither can undo it. Their failure takes
// back what they wrote themselves, and is logged.
func (c *Core[U]) tell(ctx context.Context, hook string, fn func(ctx context.Context) error) {
	if err := c.Store.InTx(ctx, fn); err != nil {
		c.reportHook(ctx, hook, err)
	}
}

// judgeRevoke lets an actor go on who may end a user's sessions: their own, or those of others who are no superusers
// unless the actor is one.
func (c *Core[U]) judgeRevoke(ctx context.Context, id roster.ID) error {
	rights, err := c.judge(ctx, roster.PermissionEndSessions, id)
	if err != nil || rights.Superuser {
		return err
	}
	u, err := c.Self.Get(ctx, id)
	if err != nil {
		return err
	}
	return c.guardSuperuser(ctx, rights, roster.PermissionEndSessions, u.Base())
}

// RevokeSession implements SessionOps.
func (m Session[U]) RevokeSession(ctx context.Context, id, session roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RevokeSession")
	if err != nil {
		return err
	}
	if err := c.judgeRevoke(ctx, id); err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		x, err := c.Store.GetSession(ctx, session)
		if err != nil {
			return err
		}
		if x.UserID != id || x.EndedAt != nil {
			return roster.ErrNotFound
		}
		reason := reasonOf(ctx, roster.RevokedByOther)
		ended, err := c.Store.EndSession(ctx, session, c.now(), reason)
		if err != nil {
			return err
		}
		if !ended {
			return roster.ErrNotFound
		}
		return c.revoked(ctx, id, []roster.ID{session}, reason)
	})
}

// RevokeOtherSessions implements SessionOps.
func (m Session[U]) RevokeOtherSessions(ctx context.Context, id, session roster.ID) (int, error) {
	return m.revokeAll(ctx, "RevokeOtherSessions", id, session, roster.RevokedByOther)
}

// RevokeSessions implements SessionOps.
func (m Session[U]) RevokeSessions(ctx context.Context, id roster.ID) (int, error) {
	return m.revokeAll(ctx, "RevokeSessions", id, roster.ID{}, roster.RevokedAll)
}

func (m Session[U]) revokeAll(ctx context.Context, name string, id, except roster.ID, otherwise roster.RevokeReason) (int, error) {
	c := m.core
	ctx, err := c.enter(ctx, name)
	if err != nil {
		return 0, err
	}
	if err := c.judgeRevoke(ctx, id); err != nil {
		return 0, err
	}
	var ended []roster.ID
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		reason := reasonOf(ctx, otherwise)
		var err error
		if ended, err = c.Store.EndSessions(ctx, id, except, c.now(), reason); err != nil {
			return err
		}
		return c.revoked(ctx, id, ended, reason)
	})
	if err == nil && len(ended) == 0 && !nested(ctx) {
		_, err = c.Self.Get(ctx, id) // no sessions, or no such user
	}
	if err != nil {
		return 0, err
	}
	return len(ended), nil
}

// Revoke implements SessionOps.
func (m Session[U]) Revoke(ctx context.Context, refresh roster.Secret) (time.Time, error) {
	c := m.core
	ctx, err := c.enter(ctx, "Revoke")
	if err != nil {
		return time.Time{}, err
	}
	token, err := c.refresh.Parse(refresh.Reveal())
	if err != nil {
		return time.Time{}, err
	}
	x, err := c.sessionOfRefresh(ctx, token)
	if err != nil {
		return time.Time{}, err
	}
	if x.EndedAt == nil {
		err := c.Self.RevokeSession(withReason(ctx, roster.RevokedByToken), x.UserID, x.ID)
		if err != nil && !errors.Is(err, roster.ErrNotFound) { // another call may have ended it
			return time.Time{}, err
		}
		if x, err = c.sessionOfRefresh(ctx, token); err != nil {
			return time.Time{}, err
		}
	}
	if x.EndedAt == nil {
		return time.Time{}, roster.ErrConflict.WithMessage("the session goes on: an override of RevokeSession has kept it")
	}
	return *x.EndedAt, nil
}

// sessionOfRefresh returns the session of a refresh token, ended or not.
func (c *Core[U]) sessionOfRefresh(ctx context.Context, token tokens.Refresh) (store.Session, error) {
	x, err := c.Store.GetSession(ctx, token.SessionID)
	if errors.Is(err, roster.ErrNotFound) || err == nil && token.Generation > x.Generation {
		return x, roster.ErrInvalidRefresh
	}
	return x, err
}

// ListSessions implements SessionOps.
func (m Session[U]) ListSessions(ctx context.Context, id roster.ID) ([]roster.Session, error) {
	c := m.core
	ctx, err := c.enter(ctx, "ListSessions")
	if err != nil {
		return nil, err
	}
	if _, err := c.judge(ctx, roster.PermissionEndSessions, id); err != nil {
		return nil, err
	}
	rows, err := c.Store.ListSessions(ctx, id, c.now())
	if err == nil && len(rows) == 0 {
		_, err = c.Self.Get(ctx, id) // no sessions, or no such user
	}
	if err != nil {
		return nil, err
	}
	list := make([]roster.Session, len(rows))
	for i, x := range rows {
		list[i] = roster.Session{
			ID: x.ID, UserID: x.UserID, CreatedAt: x.CreatedAt, LastUsedAt: x.LastUsedAt, ExpiresAt: x.IdleAt,
			AuthTime: x.AuthTime, AMR: strings.Fields(x.AMR), IP: text(x.IP), UserAgent: text(x.UserAgent),
			Device: deviceOf(text(x.UserAgent)),
		}
		if x.Profiles != nil {
			list[i].Profiles = strings.Fields(*x.Profiles)
		}
	}
	return list, nil
}

// sessionOf returns the session of a refresh token or of an access token, ended ones and late tokens too.
func (c *Core[U]) sessionOf(ctx context.Context, token roster.Secret) (store.Session, error) {
	var id roster.ID
	if refresh, err := c.refresh.Parse(token.Reveal()); err == nil {
		id = refresh.SessionID
	} else {
		claims, err := c.issuer.VerifyExpired(token.Reveal(), c.now())
		if again, _ := c.learnKey(ctx, err); again {
			claims, err = c.issuer.VerifyExpired(token.Reveal(), c.now())
		}
		if err != nil {
			return store.Session{}, roster.ErrInvalidToken
		}
		id = claims.SessionID
	}
	return c.Store.GetSession(ctx, id)
}

// logout ends a session because its owner asks; one that has ended, or is gone with its user, is no error.
func (c *Core[U]) logout(ctx context.Context, x store.Session) error {
	if x.EndedAt != nil {
		return nil
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		run := c.hooks.Logout.Begin()
		e := &callbacks.Logout{Event: c.event(ctx), UserID: x.UserID, SID: x.ID}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		err := c.Self.RevokeSession(withReason(ctx, roster.RevokedByLogout), x.UserID, x.ID)
		if err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
}
