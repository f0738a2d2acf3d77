package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
)

// Archive implements AccountOps.
func (m Account[U]) Archive(ctx context.Context, id roster.ID, password roster.Secret) error {
	c := m.core
	ctx, err := c.enter(ctx, "Archive")
	if err != nil {
		return err
	}
	return c.leave(ctx, id, password, func(ctx context.Context, u U) error {
		return c.archive(ctx, u, roster.ArchivedBySelf, "")
	})
}

// Close implements AccountOps.
func (m Account[U]) Close(ctx context.Context, id roster.ID, password roster.Secret) error {
	c := m.core
	ctx, err := c.enter(ctx, "Close")
	if err != nil {
		return err
	}
	return c.leave(ctx, id, password, func(ctx context.Context, u U) error {
		mode := c.Settings.Account.CloseMode
		if err := c.Self.Delete(withClosing(ctx, id), id, mode); err != nil {
			return err
		}
		return c.sayClosed(ctx, u, mode) // a deletion cancels what was queued before
	})
}

// leave lets people do away with their own account: it asks for what proves that it is them, and calls do with the row
// locked.
func (c *Core[U]) leave(ctx context.Context, id roster.ID, password roster.Secret, do func(ctx context.Context, u U) error) error {
	if err := c.judgeOwn(ctx, id); err != nil {
		return err
	}
	u, err := c.load(ctx, id)
	switch {
	case err != nil:
		return err
	case u.Base().Deleted():
		return roster.ErrNotFound
	case !roster.ActorFrom(ctx).Trusted() && !u.Base().Verified():
		return roster.ErrNotVerified
	}
	if err := c.proveOwner(ctx, id, password); err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		if u.Base().Deleted() { // by another call
			return roster.ErrNotFound
		}
		if err := c.stillIn(ctx); err != nil {
			return err
		}
		return do(ctx, u)
	})
}

// errWrongPassword is the answer to a password that is not the account's.
var errWrongPassword = roster.ErrInvalidPassword.WithFields(roster.FieldError{Field: "password", Code: roster.PasswordWrong})

// proveOwner asks a user for their password, however fresh their session is; who has none gives "" and needs a fresh one.
func (c *Core[U]) proveOwner(ctx context.Context, id roster.ID, password roster.Secret) error {
	_, err := c.Store.GetPassword(ctx, id)
	switch {
	case errors.Is(err, roster.ErrNotFound) && password == "":
		return c.Self.CheckFresh(ctx)
	case err != nil && !errors.Is(err, roster.ErrNotFound):
		return err
	}
	err = c.Self.CheckPassword(ctx, id, password)
	if errors.Is(err, roster.ErrInvalidPassword) {
		return errWrongPassword.WithCause(err)
	}
	return err
}

// sayClosed tells the owner of a closed account so at each contact that they had proven. Of a user who is to be forgotten
// the message does not say whose it is: nothing is to lead from the one to the other.
func (c *Core[U]) sayClosed(ctx context.Context, u U, mode roster.DeleteMode) error {
	for _, k := range []contact{email, phone} {
		to := *k.value(u.Base())
		if to == nil || *k.provenAt(u.Base()) == nil || c.sender(k.channel) == nil {
			continue
		}
		err := c.queue(ctx, u, outgoing{
			kind: notify.Closed, channel: k.channel, to: *to, priority: later, unowned: mode != roster.Deactivate,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type closingKey struct{}

// withClosing tells an inner Delete whose own account it closes.
func withClosing(ctx context.Context, id roster.ID) context.Context {
	return context.WithValue(ctx, closingKey{}, id)
}

// deletedVia tells by which way a user is deleted.
func deletedVia(ctx context.Context, id roster.ID) roster.Via {
	if closing, ok := ctx.Value(closingKey{}).(roster.ID); ok && closing == id {
		return roster.ViaSelf
	}
	return viaOf(ctx)
}

// archivedBySelf reports whether an account was put aside by its owner, who brings it back by logging in.
func archivedBySelf(b *roster.User) bool {
	return b.ArchivedBy != nil && *b.ArchivedBy == roster.ArchivedBySelf
}
