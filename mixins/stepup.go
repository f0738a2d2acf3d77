package mixins

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// sendStepUp sends a code to the signed-in user.
func (c *Core[U]) sendStepUp(ctx context.Context, ref roster.ContactRef) error {
	id, p, err := c.ownPlace(ctx, ref)
	if err != nil {
		return err
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return err
	}
	k := p.contact()
	if p.channel == "" && u.Base().EmailVerifiedAt == nil && u.Base().PhoneVerifiedAt != nil {
		k = phone
	}
	if *k.provenAt(u.Base()) == nil {
		return roster.ErrConflict.WithMessage("the user has no proven contact of this kind")
	}
	return c.sendCodeBy(ctx, id, k, roster.CodeStepUp)
}

// checkStepUp spends a code that was sent to the signed-in user.
func (c *Core[U]) checkStepUp(ctx context.Context, ref roster.ContactRef, code roster.Secret) (roster.CodeResult, error) {
	id, p, err := c.ownPlace(ctx, ref)
	if err != nil {
		return roster.CodeResult{}, err
	}
	k, err := c.codeWay(ctx, p, id, roster.CodeStepUp)
	if err != nil {
		return roster.CodeResult{}, err
	}
	return c.checkCodeBy(ctx, id, k, roster.CodeStepUp, code)
}

// ownPlace is the contact of the signed-in user that a reference names; without any it is either.
func (c *Core[U]) ownPlace(ctx context.Context, ref roster.ContactRef) (id roster.ID, p place, err error) {
	actor := roster.ActorFrom(ctx)
	if actor.SID == (roster.ID{}) {
		return id, p, roster.ErrUnauthenticated
	}
	named := ref.Handle != nil || ref.Login != nil
	if !named {
		ref.Login = new("") // for the channel alone
	}
	if p, err = c.placeOf(ref); err != nil {
		return id, p, err
	}
	if !named {
		return actor.ID, place{channel: ref.Channel}, nil
	}
	owner, err := c.ownerOf(ctx, p)
	switch {
	case err != nil:
		return id, p, err
	case owner == nil || *owner != actor.ID:
		field := "login"
		if ref.Handle != nil {
			field = "handle"
		}
		return id, p, roster.FieldErrors{{Field: field, Code: roster.Invalid}}.Err()
	}
	return actor.ID, p, nil
}

// freshen makes a session as fresh as a log-in would. Access tokens say so from the next refresh on; until then CheckFresh
// asks the database.
func (c *Core[U]) freshen(ctx context.Context, id roster.ID) (until time.Time, err error) {
	x, err := c.Store.GetSession(ctx, id)
	if errors.Is(err, roster.ErrNotFound) {
		return until, roster.ErrSessionRevoked
	}
	if err != nil {
		return until, err
	}
	amr, now := strings.Fields(x.AMR), c.now()
	if !slices.Contains(amr, "otp") {
		amr = append(amr, "otp")
	}
	live, err := c.Store.FreshenSession(ctx, id, strings.Join(amr, " "), now)
	if err == nil && !live {
		err = roster.ErrSessionRevoked
	}
	return now.Add(shorter(c.Settings.Session.FreshFor, x.FreshFor)), err
}
