package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// FindContacts implements OneTimeOps.
func (m OneTime[U]) FindContacts(ctx context.Context, login string) ([]roster.MaskedContact, error) {
	c := m.core
	ctx, err := c.enter(ctx, "FindContacts")
	if err != nil {
		return nil, err
	}
	defer c.quietly(ctx)()
	u, err := c.lookUp(ctx, "", login)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return c.decoysOf(login), nil
	case err != nil:
		return nil, err
	case u.Base().Deleted() || c.shutOut(u.Base()):
		return c.decoysOf(login), nil
	}
	n := c.canonical(u)
	var list []roster.MaskedContact
	for _, k := range []contact{email, phone} {
		value, canonical := *k.value(u.Base()), k.canonical(n)
		if value != nil && canonical != nil && c.sender(k.channel) != nil {
			list = append(list, roster.MaskedContact{
				Channel: roster.Channel(k.kind), Masked: k.mask(*canonical), Handle: c.sealHandle(login, k, u.Base().ID, *canonical),
			})
		}
	}
	if len(list) == 0 { // none at all would tell that there is an account
		list = c.decoysOf(login)
	}
	return list, nil
}

func (c *Core[U]) decoysOf(login string) []roster.MaskedContact {
	if c.Settings.OneTime.NoDecoys {
		return nil
	}
	return c.decoys(login)
}

// SendCode implements OneTimeOps.
func (m OneTime[U]) SendCode(ctx context.Context, ref roster.ContactRef, purpose roster.CodePurpose) error {
	c := m.core
	ctx, err := c.enter(ctx, "SendCode")
	if err != nil {
		return err
	}
	if purpose == roster.CodeStepUp {
		return c.sendStepUp(ctx, ref)
	}
	p, err := c.askedPlace(ref, purpose)
	if err != nil {
		return err
	}
	defer c.quietly(ctx)()
	return c.askQuietly(ctx, asked[U]{
		kind: "code", typed: p.key, within: c.withinCodes,
		find: func(ctx context.Context) (U, error) {
			if err := c.noteAsked(ctx, p.key); err != nil {
				return *new(U), err
			}
			return c.at(ctx, p)
		},
		target: func(u U) string {
			k, _ := c.contactAt(u.Base(), p, purpose)
			return text(k.canonical(c.canonical(u)))
		},
		send: func(ctx context.Context, u U) error {
			k, ok := c.contactAt(u.Base(), p, purpose)
			if !ok || c.checkKind(k, purpose) != nil || c.sender(k.channel) == nil || outranked(u.Base(), k) || c.codeDue(u, k, purpose) != nil {
				return errNothingToSend
			}
			return c.sendCodeBy(c.withFresh(ctx, u), u.Base().ID, k, purpose)
		},
	})
}

// askedPlace judges what somebody says who is not logged in.
func (c *Core[U]) askedPlace(ref roster.ContactRef, purpose roster.CodePurpose) (place, error) {
	p, err := c.placeOf(ref)
	if err != nil {
		return p, err
	}
	if p.channel == "" {
		return p, c.checkPurpose(purpose)
	}
	return p, c.checkKind(p.contact(), purpose)
}

// contactAt is the contact of a user that a place is; where it is either, the one that the user has.
func (c *Core[U]) contactAt(b *roster.User, p place, purpose roster.CodePurpose) (contact, bool) {
	k := p.contact()
	switch usual := c.usualContact(purpose); {
	case p.channel == "" && usual.kind == email.kind:
		return preferredContact(b, email)
	case p.channel == "":
		k = usual
	}
	return k, *k.value(b) != nil
}

// withinCodes takes from the quotas of codes, and reports whether it was within both.
func (c *Core[U]) withinCodes(ctx context.Context, key string) (bool, error) {
	p := c.Settings.Protection
	for _, quota := range []struct {
		LaneConfig
		key string
	}{{p.CodePause, "pause:" + key}, {p.Codes, key}} {
		within, err := c.within(ctx, quota.LaneConfig, quota.key)
		if err != nil || !within {
			return false, err
		}
	}
	return true, nil
}

// sendCodeBy goes through the operation that programs override.
func (c *Core[U]) sendCodeBy(ctx context.Context, id roster.ID, k contact, purpose roster.CodePurpose) error {
	if k.channel == notify.SMS {
		return c.Self.SendPhoneCode(ctx, id, purpose)
	}
	return c.Self.SendEmailCode(ctx, id, purpose)
}

func (c *Core[U]) checkCodeBy(ctx context.Context, id roster.ID, k contact, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error) {
	if k.channel == notify.SMS {
		return c.Self.CheckPhoneCode(ctx, id, purpose, code)
	}
	return c.Self.CheckEmailCode(ctx, id, purpose, code)
}

// CheckCode implements OneTimeOps.
func (m OneTime[U]) CheckCode(
	ctx context.Context, ref roster.ContactRef, purpose roster.CodePurpose, code roster.Secret, options ...roster.LoginOption,
) (roster.CodeOutcome[U], error) {
	var outcome, none roster.CodeOutcome[U]
	c := m.core
	ctx, err := c.enter(ctx, "CheckCode")
	if err != nil {
		return none, err
	}
	if purpose == roster.CodeStepUp {
		outcome.CodeResult, err = c.checkStepUp(ctx, ref, code)
		return outcome, err
	}
	p, err := c.askedPlace(ref, purpose)
	if err != nil {
		return none, err
	}
	defer c.quietly(ctx)()
	if tidyCode(code) == "" {
		return none, roster.FieldErrors{{Field: "code", Code: roster.Required}}.Err()
	}
	if purpose == roster.CodeLogin {
		outcome.Login, err = c.logInAt(ctx, ref, code, roster.LoginOptionsOf(options...))
	} else {
		outcome.CodeResult, err = c.checkOpenly(ctx, p, purpose, code)
	}
	if err != nil {
		return none, err
	}
	return outcome, nil
}

// logInAt logs in by a code. What log-ins call wrong credentials is a wrong code here.
func (c *Core[U]) logInAt(ctx context.Context, ref roster.ContactRef, code roster.Secret, o roster.LoginOptions) (*roster.Login[U], error) {
	credentials := roster.Credentials{
		Handle: ref.Handle, Login: ref.Login, Channel: ref.Channel, Code: &code, Remember: o.Remember, Captcha: o.Captcha, DeviceToken: o.DeviceToken,
		Client: o.Client,
	}
	login, err := c.Self.Login(ctx, credentials)
	if errors.Is(err, roster.ErrInvalidCredentials) {
		err = roster.ErrInvalidCode
	}
	if err != nil {
		return nil, err
	}
	return &login, nil
}

// checkOpenly spends a code of somebody who is not logged in. Neither the answer nor the work tells whether there was one.
func (c *Core[U]) checkOpenly(ctx context.Context, p place, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error) {
	var none roster.CodeResult
	ip := roster.ActorFrom(ctx).IP
	ctx, a := withAttempt[U](ctx, p.login)
	var err error
	if a.code, err = c.aimedAt(ctx, p.key); err != nil {
		return none, err
	}
	verdict, err := c.Self.IsBruteforce(ctx, ip, p.login)
	if err == nil {
		err = verdict.Err()
	}
	if err != nil {
		return none, err
	}
	owner, err := c.ownerOf(ctx, p)
	var result roster.CodeResult
	if err == nil {
		result, err = c.tryCode(ctx, p, owner, purpose, code)
	}
	switch {
	case err == nil:
		return result, c.clearLanes(ctx, ip, p.login)
	case !errors.Is(err, roster.ErrInvalidCode):
		c.giveBack(ctx, ip, p.login) // it was not judged, or was right
	}
	return none, err
}

// tryCode tries a code at a place; owner nil is nobody. Whatever is wrong with it is roster.ErrInvalidCode.
func (c *Core[U]) tryCode(ctx context.Context, p place, owner *roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error) {
	id := roster.NewID()
	if p.channel != "" && c.checkKind(p.contact(), purpose) != nil {
		owner = nil // no such code is ever sent
	}
	if owner != nil {
		id = *owner
	}
	k, err := c.codeWay(ctx, p, id, purpose)
	if err != nil {
		return roster.CodeResult{}, err
	}
	if owner == nil {
		return roster.CodeResult{}, c.tryNobodysCode(ctx, k, purpose)
	}
	return c.checkCodeBy(ctx, id, k, purpose, code)
}

// codeWay is where a code went: where a username was typed, where the last one did.
func (c *Core[U]) codeWay(ctx context.Context, p place, id roster.ID, purpose roster.CodePurpose) (contact, error) {
	if p.channel != "" {
		return p.contact(), nil
	}
	usual := c.usualContact(purpose)
	link, err := c.Store.NewestCode(ctx, id, codesFor(purpose), c.now())
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return usual, nil
	case err != nil:
		return usual, err
	}
	for _, k := range []contact{email, phone} {
		if link.Purpose == store.CodeFor(string(purpose), string(k.kind)) && c.checkKind(k, purpose) == nil {
			return k, nil
		}
	}
	return usual, nil
}

// usualContact is where codes for a purpose go by which nobody has said where.
func (c *Core[U]) usualContact(purpose roster.CodePurpose) contact {
	if c.checkKind(email, purpose) != nil {
		return phone
	}
	return email
}

// tryNobodysCode does the work of a try for an account that is not there.
func (c *Core[U]) tryNobodysCode(ctx context.Context, k contact, purpose roster.CodePurpose) error {
	id := roster.NewID()
	if _, err := c.load(ctx, id); err != nil && !errors.Is(err, roster.ErrNotFound) {
		return err
	}
	if _, err := c.Store.LiveCode(ctx, id, store.CodeFor(string(purpose), string(k.kind)), codeTries, c.now()); err != nil && !errors.Is(err, roster.ErrNotFound) {
		return err
	}
	if err := c.takeNobodysTry(ctx, id); err != nil {
		return err
	}
	return roster.ErrInvalidCode
}
