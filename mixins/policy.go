package mixins

import (
	"context"
	"log/slog"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

// checkPolicy returns all that is wrong with a password that somebody chooses for a user, who is as they will be. Every
// way to choose one goes through it. It may wait for a service, so it runs before the transaction.
func (c *Core[U]) checkPolicy(ctx context.Context, u U, password roster.Secret) (roster.FieldErrors, error) {
	if faults := c.Passwords.CheckLimits("password", password); len(faults) > 0 {
		return faults, nil
	}
	faults := c.Passwords.CheckPolicy("password", password, ownerOf(u))
	breached, err := c.Passwords.CheckBreached(ctx, "password", password)
	switch {
	case err != nil && c.Settings.Password.BreachedFailClosed:
		return nil, err
	case err != nil:
		c.Logger.WarnContext(ctx, "password was not looked up among breached ones", slog.Any("error", err))
	}
	faults = append(faults, breached...)
	if check := c.Settings.Password.Check; check != nil {
		if err := faults.Collect(check(ctx, c.Plan.clone(u), password)); err != nil {
			return faults, err
		}
	}
	return faults, nil
}

// ownerOf is what a user's password is compared with.
func ownerOf[U roster.Model](u U) passwords.Owner {
	b := u.Base()
	return passwords.Owner{Username: text(b.Username), Email: text(b.Email), Phone: text(b.Phone)}
}

// hashChosen judges a password that somebody chooses for a stored user, and returns its hash.
func (c *Core[U]) hashChosen(ctx context.Context, id roster.ID, password roster.Secret) (string, error) {
	u, err := c.load(ctx, id)
	if err != nil {
		return "", err
	}
	faults, err := c.checkPolicy(ctx, u, password)
	if err != nil {
		return "", err
	}
	if err := faults.Err(); err != nil {
		return "", err
	}
	return c.Self.HashPassword(ctx, password)
}
