package mixins

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

// Refresh implements SessionOps.
func (m Session[U]) Refresh(ctx context.Context, refresh roster.Secret) (roster.TokenPair, error) {
	var pair roster.TokenPair
	c := m.core
	ctx, err := c.enter(ctx, "Refresh")
	if err != nil {
		return pair, err
	}
	token, err := c.refresh.Parse(refresh.Reveal())
	if err != nil {
		return pair, err
	}
	pair, ok, err := c.rotate(ctx, token)
	if err == nil && !ok {
		return c.judgeRefresh(ctx, token)
	}
	return pair, err
}

// rotate spends the current refresh token of a session that may go on; ok is false when it is not one.
func (c *Core[U]) rotate(ctx context.Context, token tokens.Refresh) (pair roster.TokenPair, ok bool, err error) {
	s, now, actor := c.Settings.Session, c.now(), roster.ActorFrom(ctx)
	next, hash, err := c.refresh.New(token.SessionID, token.Generation+1)
	if err != nil {
		return pair, false, err
	}
	successor, err := token.SealSuccessor(next, c.node)
	if err != nil {
		return pair, false, err
	}
	rotation := store.Rotation{
		SessionID: token.SessionID, Current: token.Hash, Next: hash, Successor: successor, Now: now,
		IdleAt: now.Add(s.RefreshIdle), ShortIdleAt: now.Add(s.ShortIdle), IP: present(clip(actor.IP)),
		UserAgent: present(clip(actor.UserAgent)), Verified: c.Settings.Account.RequireConfirmed,
	}
	if err := c.confirmKeys(ctx); err != nil { // before the token is spent
		return pair, false, err
	}
	rotate, u := c.Store.Transact, c.Plan.New()
	var dest []any
	switch {
	case !c.Plain: // TokenClaims of the program's may want all of the user, and fail
		dest = c.Plan.dest(u)
	case c.Store.Dialect() == store.PostgreSQL:
		rotate = c.Store.Autocommit // one statement
	}
	err = rotate(ctx, func(ctx context.Context) error {
		x, err := c.Store.RotateSession(ctx, rotation, dest)
		if errors.Is(err, roster.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Plan.settle(u)
		b := u.Base()
		b.ID, b.Permissions, b.Superuser, b.Epoch = x.UserID, x.Permissions, x.Superuser, x.Epoch
		pair, err = c.sign(ctx, u, x.Session, next)
		ok = err == nil
		return err
	})
	return pair, ok, err
}

// judgeRefresh answers a token of ours that is not the current one of a session that may go on. What it ends stays
// ended although the answer is an error, whatever becomes of the transaction in ctx.
func (c *Core[U]) judgeRefresh(ctx context.Context, token tokens.Refresh) (roster.TokenPair, error) {
	var pair roster.TokenPair
	x, u, epoch, err := c.refreshState(ctx, token.SessionID)
	if errors.Is(err, roster.ErrNotFound) {
		return pair, roster.ErrSessionRevoked
	}
	if err != nil {
		return pair, err
	}
	now := c.now()
	current, previous := token.Matches(x.SecretHash), token.Matches(x.PreviousHash)
	var next roster.Secret // of the previous one, within the grace
	if previous && len(x.Successor) > 0 && x.RotatedAt != nil {
		if next, err = c.inGrace(x, token, now); err != nil {
			return pair, err
		}
	}
	state := c.mayLogIn(ctx, u.Base())
	if errors.Is(state, errDeleted) {
		state = roster.ErrSessionRevoked
	}
	switch {
	case x.EndedAt != nil:
		ofState := slices.Contains(endedByState, *x.EndedReason)
		if ofState && (current || previous) && (errors.Is(state, roster.ErrBanned) || errors.Is(state, roster.ErrArchived)) {
			return pair, state
		}
		return pair, roster.ErrSessionRevoked
	case !now.Before(x.IdleAt) || !now.Before(x.ExpiresAt):
		return pair, roster.ErrSessionExpired
	case token.Generation > x.Generation:
		return pair, c.undone(ctx, x) // of a future that a backup has undone
	case x.GlobalEpoch < epoch: // it is over whoever comes: there is no theft to tell of
		return pair, c.endForBlackout(ctx, x)
	case !current && next == "":
		return pair, c.reused(ctx, x, token)
	case state != nil:
		return pair, c.endForState(ctx, x, state)
	}
	if err := c.closedFor(ctx, u.Base().Superuser); err != nil {
		return pair, err
	}
	if current {
		// It was the current one when it was looked up, and is again: something else had the row meanwhile.
		return c.again(ctx, token)
	}
	return c.pair(ctx, u, x, next)
}

// endedByState are the reasons of sessions that ended because of what their user is.
var endedByState = []roster.RevokeReason{roster.RevokedByState, roster.RevokedByBan, roster.RevokedByArchive}

// refreshState returns a session with its user, and the epoch of all users.
func (c *Core[U]) refreshState(ctx context.Context, id roster.ID) (x store.Session, u U, epoch int64, err error) {
	if x, err = c.Store.GetSession(ctx, id); err != nil {
		return x, u, 0, err
	}
	if u, err = c.load(ctx, x.UserID); err != nil {
		return x, u, 0, err
	}
	epoch, err = c.Store.GetGlobalEpoch(ctx)
	return x, u, epoch, err
}

// inGrace returns the successor of the previous token as long as that may still have it: two tabs that refresh at once,
// and a client whose answer was lost. It is "" afterwards. What another node has rotated was rotated by another clock: there
// a difference within the leeway is no sign of theft.
func (c *Core[U]) inGrace(x store.Session, token tokens.Refresh, now time.Time) (roster.Secret, error) {
	s := c.Settings.Session
	elapsed := now.Sub(*x.RotatedAt)
	if s.Grace <= 0 || elapsed > s.Grace+s.Leeway || elapsed < -s.Leeway {
		return "", nil
	}
	next, by, err := token.OpenSuccessor(x.Successor)
	if err != nil {
		return "", roster.ErrInvalidRefresh.WithCause(err)
	}
	if by == c.node && elapsed > s.Grace {
		return "", nil
	}
	return next, nil
}

// again tries once more to rotate a token that is the current one after all.
func (c *Core[U]) again(ctx context.Context, token tokens.Refresh) (roster.TokenPair, error) {
	pair, ok, err := c.rotate(ctx, token)
	if err == nil && !ok {
		err = roster.ErrSessionRevoked
	}
	return pair, err
}

// reused ends a session of whose refresh tokens somebody else has a copy.
func (c *Core[U]) reused(ctx context.Context, x store.Session, token tokens.Refresh) error {
	err := c.Store.Aside(ctx, func(ctx context.Context) error {
		ended, err := c.Store.EndSession(ctx, x.ID, c.now(), roster.RevokedByReuse)
		if err != nil || !ended {
			return err
		}
		if err := c.revoked(ctx, x.UserID, []roster.ID{x.ID}, roster.RevokedByReuse); err != nil {
			return err
		}
		run := c.hooks.TokenReuse.Begin()
		e := &callbacks.TokenReuse{Event: c.event(ctx), UserID: x.UserID, SID: x.ID, Generation: token.Generation}
		if err := c.record(ctx, e); err != nil {
			return err
		}
		c.tell(ctx, "AfterTokenReuse", func(ctx context.Context) error { return fire(ctx, c, run, e) })
		u, err := c.load(ctx, x.UserID)
		if err != nil {
			return err
		}
		c.tell(ctx, "Message", func(ctx context.Context) error {
			return c.noticeOnce(ctx, u, notify.TokenReuse, x.ID.String(), nil)
		})
		return nil
	})
	if err != nil {
		return err
	}
	return roster.ErrTokenReused
}

// undone refuses a token of ours that the database does not know of, and writes it down: the operator may not know of the backup.
func (c *Core[U]) undone(ctx context.Context, x store.Session) error {
	c.recordAside(ctx, deed{
		action: "token.refresh", subject: &x.UserID, session: &x.ID, result: roster.AuditRefused, code: roster.CodeInvalidRefresh,
	})
	return roster.ErrInvalidRefresh
}

// endForBlackout ends a session from before a blackout, which tells nobody of single sessions.
func (c *Core[U]) endForBlackout(ctx context.Context, x store.Session) error {
	err := c.Store.Aside(ctx, func(ctx context.Context) error {
		_, err := c.Store.EndSession(ctx, x.ID, c.now(), roster.RevokedByState)
		return err
	})
	if err != nil {
		return err
	}
	return roster.ErrSessionRevoked
}

// endForState ends a session whose user may not have one any more.
func (c *Core[U]) endForState(ctx context.Context, x store.Session, state error) error {
	err := c.Store.Aside(ctx, func(ctx context.Context) error {
		ended, err := c.Store.EndSession(ctx, x.ID, c.now(), roster.RevokedByState)
		if err != nil || !ended {
			return err
		}
		return c.revoked(ctx, x.UserID, []roster.ID{x.ID}, roster.RevokedByState)
	})
	if err != nil {
		return err
	}
	return state
}
