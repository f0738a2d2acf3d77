package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// Confirm is the component that proves contacts.
type Confirm[U roster.Model] struct{ core *Core[U] }

// NewConfirm returns the component on a core.
func NewConfirm[U roster.Model](c *Core[U]) Confirm[U] { return Confirm[U]{c} }

// ConfirmOps are the operations of Confirm.
type ConfirmOps[U roster.Model] interface {
	// RequestEmailConfirmation mails a user a link that proves their e-mail address. Without an address it is
	// roster.ErrNotFound, with a proven one roster.ErrAlreadyConfirmed, of a banned user or one archived by an
	// administrator roster.ErrConflict, and over the quota roster.ErrQuotaExhausted: an earlier link stays good then.
	RequestEmailConfirmation(ctx context.Context, id roster.ID) error

	// ConfirmEmail proves an e-mail address by the token of such a link. The same token again is no error until the link
	// ends, while the address is still the user's and proven. One that is unknown or void, or used and ended, is
	// roster.ErrInvalidToken, one that came too late roster.ErrExpiredToken. Nobody is logged in by it.
	ConfirmEmail(ctx context.Context, token roster.Secret) (U, error)

	// IsEmailConfirmationAvailable tells whether RequestEmailConfirmation would be within its quota now. It takes nothing
	// from it, however often it is asked.
	IsEmailConfirmationAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error)

	// IsPhoneConfirmationAvailable tells so of RequestPhoneConfirmation.
	IsPhoneConfirmationAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error)

	// ResendEmailConfirmation is RequestEmailConfirmation for people who are not logged in: it is nil whether anybody has
	// the address or not, and mails nothing to one that is proven. What is no address is a field error of "email"; an
	// address of the network may ask 20 times in 30 minutes by default (Protection.AskedMessages), and is
	// roster.ErrTooManyRequests beyond that.
	ResendEmailConfirmation(ctx context.Context, address string) error

	// RequestPhoneConfirmation sends a user a code by SMS that proves their phone number; see SendPhoneCode.
	RequestPhoneConfirmation(ctx context.Context, id roster.ID) error

	// ConfirmPhone proves a user's phone number by that code; see CheckPhoneCode.
	ConfirmPhone(ctx context.Context, id roster.ID, code roster.Secret) (U, error)

	// SetEmailConfirmed marks a user's e-mail address as proven, or as not. Without an address it is roster.ErrNotFound;
	// what is so already changes nothing. It is for those who hold users:credentials, and not for the own account.
	SetEmailConfirmed(ctx context.Context, id roster.ID, confirmed bool) (U, error)

	// SetPhoneConfirmed does so with the phone number.
	SetPhoneConfirmed(ctx context.Context, id roster.ID, confirmed bool) (U, error)

	// RequestEmailChange mails a link to another e-mail address, which becomes the user's once ConfirmEmailChange proves
	// it; until then the present one stays, and is mailed a link that cancels the change if it is proven. A later request
	// voids an earlier one. The present address is roster.ErrSameValue, another user's roster.ErrIdentifierTaken; with
	// Account.ConcealRegistration only administrators are told so, and the owner of the address is: others get nil, and a change
	// that nothing completes. 2 in 30 minutes can be asked for by default (Protection.Mails), beyond that it is roster.ErrQuotaExhausted. nil takes the
	// address away at once; the last way to log in is roster.ErrLastCredential.
	RequestEmailChange(ctx context.Context, id roster.ID, address *string) error

	// ConfirmEmailChange makes the address the user's that the token was mailed to. When somebody else took it meanwhile,
	// it is roster.ErrIdentifierTaken and the request is void.
	ConfirmEmailChange(ctx context.Context, token roster.Secret) (U, error)

	// RequestPhoneChange is RequestEmailChange for the phone number: the new one is sent a code, and the link that cancels
	// goes to the proven e-mail address, else by SMS to the proven old number. Changes of either contact share one quota,
	// and the code counts among codes as well.
	RequestPhoneChange(ctx context.Context, id roster.ID, number *string) error

	// ConfirmPhoneChange makes the number the user's that the code was sent to; without a request it is
	// roster.ErrInvalidCode.
	ConfirmPhoneChange(ctx context.Context, id roster.ID, code roster.Secret) (U, error)

	// CancelContactChange takes a change of a contact back by the token that the old contact got: before it is done, or
	// after it within Confirm.RevertWindow, 72 hours by default from when it was asked for. Then the old contact is the
	// user's again, and proven if it was the one that got the token; what was changed later is undone too. If somebody else
	// has it now, it is roster.ErrIdentifierTaken. All sessions of the user end, and they are sent what sets another password.
	CancelContactChange(ctx context.Context, token roster.Secret) (U, error)

	// PendingContactChanges returns the changes of a user's contacts that are not proven yet.
	PendingContactChanges(ctx context.Context, id roster.ID) ([]roster.PendingChange, error)
}

// RequestEmailConfirmation implements ConfirmOps.
func (m Confirm[U]) RequestEmailConfirmation(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "RequestEmailConfirmation")
	if err != nil {
		return err
	}
	if _, err := c.judge(ctx, roster.PermissionSendCredentials, id); err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		if u, ok := c.prepaid(ctx, id); ok {
			return c.mailLink(ctx, u, confirmEmailLink)
		}
		u, err := c.reachable(ctx, id, email)
		if err != nil {
			return err
		}
		if u.Base().EmailVerifiedAt != nil {
			return roster.ErrAlreadyConfirmed
		}
		if err := c.takeMail(ctx, confirmMails, u); err != nil {
			return err
		}
		return c.mailLink(ctx, u, confirmEmailLink)
	})
}

// shutOut reports whether a user was banned, or archived by an administrator: no link is sent to them, and of those that
// they hold none but a confirmation is good.
func (c *Core[U]) shutOut(b *roster.User) bool {
	return b.Banned(c.now()) || b.ArchivedBy != nil && *b.ArchivedBy == roster.ArchivedByAdmin
}

// ConfirmEmail implements ConfirmOps.
func (m Confirm[U]) ConfirmEmail(ctx context.Context, token roster.Secret) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "ConfirmEmail")
	if err != nil {
		return result, err
	}
	link, err := c.findLink(ctx, confirmEmailLink, token)
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
		result = u
		// Mail programs open links twice, also at once: another call may have used it before the row was locked.
		if link, err = c.findLink(ctx, confirmEmailLink, token); err != nil {
			return err
		}
		if link.UsedAt != nil && c.stillOf(link, u) && u.Base().EmailVerifiedAt != nil && c.now().Before(link.ExpiresAt) {
			return nil
		}
		if err := c.useLink(ctx, link, u); err != nil {
			return err
		}
		if err := c.Store.VoidLinks(ctx, u.Base().ID, "", c.now(), store.CodeFor(string(roster.CodeVerify), string(email.kind))); err != nil {
			return err
		}
		return c.confirmContact(ctx, u, email, callbacks.ByLink)
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// IsEmailConfirmationAvailable implements ConfirmOps.
func (m Confirm[U]) IsEmailConfirmationAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "IsEmailConfirmationAvailable")
	if err != nil {
		return roster.Verdict{}, err
	}
	u, err := c.readable(ctx, id)
	if err != nil {
		return roster.Verdict{}, err
	}
	return c.peekQuota(ctx, c.Settings.Protection.Mails, c.mailKeys(confirmMails, u)...)
}

// IsPhoneConfirmationAvailable implements ConfirmOps.
func (m Confirm[U]) IsPhoneConfirmationAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "IsPhoneConfirmationAvailable")
	if err != nil {
		return roster.Verdict{}, err
	}
	u, err := c.readable(ctx, id)
	if err != nil {
		return roster.Verdict{}, err
	}
	keys := c.codeKeys(id, text(c.canonical(u).Phone))
	verdict, err := c.peekQuota(ctx, c.Settings.Protection.Codes, keys...)
	if err != nil || !verdict.Allowed {
		return verdict, err
	}
	pause, err := c.peekQuota(ctx, c.Settings.Protection.CodePause, pauseKeys(keys)...)
	if err != nil || !pause.Allowed {
		return pause, err
	}
	return verdict, nil
}

// readable returns a user whom the actor may look at.
func (c *Core[U]) readable(ctx context.Context, id roster.ID) (U, error) {
	if _, err := c.judge(ctx, roster.PermissionReadUsers, id); err != nil {
		var none U
		return none, err
	}
	return c.load(ctx, id)
}

// RequestPhoneConfirmation implements ConfirmOps.
func (m Confirm[U]) RequestPhoneConfirmation(ctx context.Context, id roster.ID) error {
	ctx, err := m.core.enter(ctx, "RequestPhoneConfirmation")
	if err != nil {
		return err
	}
	if _, err := m.core.judge(ctx, roster.PermissionSendCredentials, id); err != nil {
		return err
	}
	return m.core.Self.SendPhoneCode(ctx, id, roster.CodeVerify)
}

// ConfirmPhone implements ConfirmOps.
func (m Confirm[U]) ConfirmPhone(ctx context.Context, id roster.ID, code roster.Secret) (U, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "ConfirmPhone")
	if err != nil {
		return none, err
	}
	if _, err := c.judge(ctx, roster.PermissionUpdateUsers, id); err != nil {
		return none, err
	}
	if _, err := c.Self.CheckPhoneCode(ctx, id, roster.CodeVerify, code); err != nil {
		return none, err
	}
	return c.load(ctx, id)
}

// SetEmailConfirmed implements ConfirmOps.
func (m Confirm[U]) SetEmailConfirmed(ctx context.Context, id roster.ID, confirmed bool) (U, error) {
	ctx, err := m.core.enter(ctx, "SetEmailConfirmed")
	if err != nil {
		var none U
		return none, err
	}
	return m.core.setConfirmed(ctx, id, email, confirmed)
}

// SetPhoneConfirmed implements ConfirmOps.
func (m Confirm[U]) SetPhoneConfirmed(ctx context.Context, id roster.ID, confirmed bool) (U, error) {
	ctx, err := m.core.enter(ctx, "SetPhoneConfirmed")
	if err != nil {
		var none U
		return none, err
	}
	return m.core.setConfirmed(ctx, id, phone, confirmed)
}

func (c *Core[U]) setConfirmed(ctx context.Context, id roster.ID, k contact, confirmed bool) (U, error) {
	var none, result U
	rights, err := c.judgeOther(ctx, roster.PermissionSendCredentials, id)
	if err != nil {
		return none, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		result = u
		b := u.Base()
		if b.Anonymised() {
			return roster.ErrNotFound
		}
		if err := c.guardAbove(ctx, rights, roster.PermissionSendCredentials, b); err != nil {
			return err
		}
		switch {
		case *k.value(b) == nil:
			return roster.ErrNotFound
		case (*k.provenAt(b) != nil) == confirmed:
			return c.recordUnchanged(ctx, id)
		}
		if confirmed {
			return c.confirmContact(ctx, u, k, callbacks.ByAdmin)
		}
		old, run := c.Plan.clone(u), c.hooks.Update.Begin()
		e := &callbacks.Update[U]{Event: c.event(ctx), Old: old, User: u, Changed: []string{k.proven}}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := c.markContact(ctx, u, k, nil); err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

// ResendEmailConfirmation implements ConfirmOps.
func (m Confirm[U]) ResendEmailConfirmation(ctx context.Context, address string) error {
	c := m.core
	ctx, err := c.enter(ctx, "ResendEmailConfirmation")
	if err != nil {
		return err
	}
	wanted, codes := c.Identifiers.KnownEmail(ctx, address)
	if len(codes) > 0 {
		var faults roster.FieldErrors
		for _, code := range codes {
			faults.Add("email", code)
		}
		return faults.Err()
	}
	defer c.quietly(ctx)()
	return c.askQuietly(ctx, asked[U]{
		kind: confirmMails, typed: wanted.Canonical, within: c.withinMails,
		find: func(ctx context.Context) (U, error) { return c.Self.GetByEmail(ctx, address) },
		send: func(ctx context.Context, u U) error {
			if u.Base().EmailVerifiedAt != nil || outranked(u.Base(), email) {
				return errNothingToSend
			}
			return c.mailLink(ctx, u, confirmEmailLink.as(notify.EmailConfirmAgain))
		},
	})
}
