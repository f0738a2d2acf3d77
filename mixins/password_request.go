package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
)

// resetQuota is the quota of links that set a password.
const resetQuota = "password_reset"

// way is how a user gets to a password: by a link, or by a code of a purpose, to a contact.
type way struct {
	contact
	kind callbacks.PasswordRequestKind
	link *linkKind // nil: a code
	code string    // its purpose
}

// wayToFirst is the way of an invitation.
var wayToFirst = way{contact: email, kind: callbacks.RequestFirst, link: &setPasswordLink}

// wayTo finds the way for a user's state, by a contact that they have. When the other contact is proven and this one is not,
// as an administrator may send it, whoever proves this one by a way to a password takes the account over as a whole: see proveBy.
func (c *Core[U]) wayTo(b *roster.User, hasPassword bool, k contact) way {
	proven := *k.provenAt(b) != nil || *k.other().provenAt(b) != nil || c.Settings.Password.ResetForUnverified == SendReset
	switch {
	case k.kind == callbacks.Phone && !proven:
		return way{contact: k, kind: callbacks.RequestActivation, code: string(roster.CodeVerify)}
	case k.kind == callbacks.Phone:
		return way{contact: k, kind: callbacks.RequestReset, code: notify.ToReset}
	case !proven:
		return way{contact: k, kind: callbacks.RequestActivation, link: &confirmEmailLink}
	case !hasPassword:
		return way{contact: k, kind: callbacks.RequestFirst, link: &setPasswordLink}
	}
	return way{contact: k, kind: callbacks.RequestReset, link: &resetPasswordLink}
}

// preferredContact is what a user is reached by: a proven phone number if it is preferred, else the e-mail address, else the phone number; ok is false when they have none.
func preferredContact(b *roster.User, preferred contact) (k contact, ok bool) {
	switch {
	case preferred.kind == callbacks.Phone && b.Phone != nil && b.PhoneVerifiedAt != nil:
		return phone, true
	case b.Email != nil:
		return email, true
	}
	return phone, b.Phone != nil
}

// offerReset tells the hooks of a way to a password that make makes.
func (c *Core[U]) offerReset(ctx context.Context, u U, kind callbacks.PasswordRequestKind, make func(context.Context) error) error {
	run := c.hooks.PasswordResetRequest.Begin()
	e := &callbacks.PasswordResetRequest[U]{Event: c.event(ctx), User: u, Kind: kind, Via: viaOf(ctx)}
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return err
	}
	if err := make(ctx); err != nil {
		return err
	}
	return after(ctx, c, run, e)
}

// send sends a user, whose row is locked, what a way asks for.
func (c *Core[U]) send(ctx context.Context, u U, w way) error {
	return c.offerReset(ctx, u, w.kind, func(ctx context.Context) error {
		if w.link != nil {
			return c.mailLink(ctx, u, *w.link)
		}
		return c.sendCode(ctx, u, c.codeBy(w, u))
	})
}

// codeBy is the code of a way, to the contact that the user has.
func (c *Core[U]) codeBy(w way, u U) code {
	return code{contact: w.contact, purpose: w.code, to: **w.value(u.Base()), canonical: text(w.canonical(c.canonical(u)))}
}

// takeWay takes from the quota of what a way sends; but not once more from that of the target that somebody typed.
func (c *Core[U]) takeWay(ctx context.Context, u U, w way, typed string) error {
	canonical := text(w.canonical(c.canonical(u)))
	switch {
	case w.link == nil:
		return c.takeCode(ctx, u.Base().ID, canonical)
	case w.kind == callbacks.RequestActivation:
		return c.takeMail(ctx, confirmMails, u)
	case canonical != typed:
		return c.spend(ctx, c.Settings.Protection.Mails, c.mailTarget(resetQuota, canonical))
	}
	return nil
}

// RequestPasswordReset implements PasswordOps.
func (m Password[U]) RequestPasswordReset(ctx context.Context, login string) error {
	c := m.core
	ctx, err := c.enter(ctx, "RequestPasswordReset")
	if err != nil {
		return err
	}
	preferred := email
	kind := identifiers.Infer(login)
	if kind == identifiers.KindPhone {
		preferred = phone
	}
	typed, ok := c.Identifiers.Canonical(kind, login)
	switch {
	case login == "":
		return roster.FieldErrors{{Field: "login", Code: roster.Required}}.Err()
	case !ok || len(login) > identifiers.MaxLogin:
		return roster.FieldErrors{{Field: "login", Code: roster.Invalid}}.Err()
	}
	hasPassword := false
	find := func(ctx context.Context) (U, error) {
		u, err := c.lookUp(ctx, "", login)
		id := roster.NewID() // nobody's: the same is asked for them
		if err == nil {
			id = u.Base().ID
		}
		_, lookup := c.Store.GetPassword(ctx, id)
		if hasPassword = lookup == nil; !hasPassword && !errors.Is(lookup, roster.ErrNotFound) {
			return u, lookup
		}
		return u, err
	}
	send := func(ctx context.Context, u U) error {
		k, ok := preferredContact(u.Base(), preferred)
		if ok && outranked(u.Base(), k) {
			k = k.other()
		}
		if !ok || c.sender(k.channel) == nil {
			return errNothingToSend
		}
		w := c.wayTo(u.Base(), hasPassword, k)
		err := c.takeWay(ctx, u, w, typed)
		if errors.Is(err, roster.ErrQuotaExhausted) {
			return errNothingToSend
		}
		if err != nil {
			return err
		}
		return c.send(ctx, u, w)
	}
	defer c.quietly(ctx)()
	return c.askQuietly(ctx, asked[U]{kind: resetQuota, typed: typed, within: c.withinMails, find: find, send: send})
}

// SendPasswordReset implements PasswordOps.
func (m Password[U]) SendPasswordReset(ctx context.Context, id roster.ID, channel roster.Channel) error {
	c := m.core
	ctx, err := c.enter(ctx, "SendPasswordReset")
	if err != nil {
		return err
	}
	rights, err := c.judgeAdmin(ctx, roster.PermissionSendCredentials, id)
	if err != nil {
		return err
	}
	if channel != "" && channel != roster.ChannelEmail && channel != roster.ChannelPhone {
		return roster.FieldErrors{{Field: "channel", Code: roster.Invalid}}.Err()
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		b := u.Base()
		if b.Anonymised() {
			return roster.ErrNotFound
		}
		if err := c.guardAbove(ctx, rights, roster.PermissionSendCredentials, b); err != nil {
			return err
		}
		if b.Deleted() || c.shutOut(b) {
			return errShutOut
		}
		k, ok := preferredContact(b, email)
		if channel != "" {
			k = contactFor(string(channel))
			ok = *k.value(b) != nil
		}
		if !ok || c.sender(k.channel) == nil {
			return roster.ErrConflict.WithMessage("the user has no contact of this kind")
		}
		_, err = c.Store.GetPassword(ctx, id)
		if err != nil && !errors.Is(err, roster.ErrNotFound) {
			return err
		}
		w := c.wayTo(b, err == nil, k)
		err = c.takeWay(ctx, u, w, "")
		if w.link != nil && w.kind != callbacks.RequestActivation && err == nil {
			err = c.spend(ctx, c.Settings.Protection.Mails, resetQuota+":account:"+id.String())
		}
		if err != nil && !errors.Is(err, roster.ErrQuotaExhausted) {
			return err
		}
		return c.send(ctx, u, w)
	})
}

// IsPasswordResetAvailable implements PasswordOps.
func (m Password[U]) IsPasswordResetAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "IsPasswordResetAvailable")
	if err != nil {
		return roster.Verdict{}, err
	}
	u, err := c.readable(ctx, id)
	if err != nil {
		return roster.Verdict{}, err
	}
	return c.peekQuota(ctx, c.Settings.Protection.Mails, c.mailKeys(resetQuota, u)...)
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
		if u, ok := c.prepaid(ctx, id); ok {
			return c.send(ctx, u, wayToFirst)
		}
		u, err := c.reachable(ctx, id, email)
		if err != nil {
			return err
		}
		if err := c.guardAbove(ctx, rights, roster.PermissionUpdateUsers, u.Base()); err != nil {
			return err
		}
		if err := c.lacksPassword(ctx, id); err != nil {
			return err
		}
		if err := c.takeMail(ctx, resetQuota, u); err != nil {
			return err
		}
		return c.send(ctx, u, wayToFirst)
	})
}
