package mixins

import (
	"context"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// OneTime is the component of one-time passwords.
type OneTime[U roster.Model] struct{ core *Core[U] }

// NewOneTime returns the component on a core.
func NewOneTime[U roster.Model](c *Core[U]) OneTime[U] { return OneTime[U]{c} }

// OneTimeOps are the operations of OneTime.
type OneTimeOps[U roster.Model] interface {
	OTPOps

	// SendEmailCode mails a user a code that is good for one purpose; an earlier one of the purpose is void then. It has 6
	// digits and is good for 10 minutes by default (OneTime.EmailDigits, OneTime.CodeTTL). Without an e-mail address it is
	// roster.ErrNotFound, as it is to log in, to step up and, unless Password.ResetForUnverified says otherwise, to reset a
	// password by one that is not proven; to prove one that is proven roster.ErrAlreadyConfirmed; of a banned user or one
	// archived by an administrator roster.ErrConflict; to step up without a session of the user's roster.ErrUnauthenticated.
	// By default 5 codes in 30 minutes and one in 30 seconds can be sent (Protection.Codes, Protection.CodePause); beyond
	// that it is roster.ErrQuotaExhausted, and the earlier code stays good.
	SendEmailCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error

	// SendPhoneCode is SendEmailCode by SMS, for the phone number. OneTime.PhoneDigits is how many digits it has.
	SendPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error

	// CheckEmailCode spends a code, which proves the address that it was mailed to; one to reset the password gives a token
	// for that, good for 10 minutes, and one to step up makes the actor's session fresh. One to log in is spent by Login:
	// here it makes no session. Spaces and hyphens in it do not count. A wrong one, and any when none is out, is
	// roster.ErrInvalidCode. After each wrong one the user has to wait, 1 s and twice as long each time, 15 min at most:
	// until then the right one is roster.ErrTooManyRequests too. After 5 wrong ones a code is good for nothing.
	CheckEmailCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error)

	// CheckPhoneCode is CheckEmailCode for codes by SMS.
	CheckPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error)

	// FindContacts returns the contacts of the account that a login names, masked, for somebody to choose where a code
	// goes. For a login that nobody has, and of users who may not log in, it makes some up, the same each time, unless
	// OneTime.NoDecoys: then there are none, which tells who has an account.
	FindContacts(ctx context.Context, login string) ([]roster.MaskedContact, error)

	// SendCode is SendEmailCode or SendPhoneCode for people who are not logged in: it is nil whether there is such a contact
	// or not, and when nothing may be sent to it. An address of the network may ask 20 times in 30 minutes by default
	// (Protection.AskedMessages), and is roster.ErrTooManyRequests beyond that. To step up it is for those who are logged
	// in, and without a reference the proven contact is meant.
	SendCode(ctx context.Context, ref roster.ContactRef, purpose roster.CodePurpose) error

	// CheckCode is CheckEmailCode or CheckPhoneCode for people who are not logged in; a code to log in goes through Login.
	// Whatever is wrong is roster.ErrInvalidCode, also that there is no such contact. After each wrong code the address of
	// the network has to wait, 1 s and twice as long each time, 15 min at most, and after 10 from all addresses together
	// everybody does while a code is out: roster.ErrTooManyRequests. The waits end a day after the last wrong one, and with a
	// right one. After 100 wrong codes in a day none is right for the account any more.
	CheckCode(
		ctx context.Context, ref roster.ContactRef, purpose roster.CodePurpose, code roster.Secret, options ...roster.LoginOption,
	) (roster.CodeOutcome[U], error)
}

// SendEmailCode implements OneTimeOps.
func (m OneTime[U]) SendEmailCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error {
	ctx, err := m.core.enter(ctx, "SendEmailCode")
	if err != nil {
		return err
	}
	return m.core.sendOwnCode(ctx, id, email, purpose)
}

// SendPhoneCode implements OneTimeOps.
func (m OneTime[U]) SendPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error {
	ctx, err := m.core.enter(ctx, "SendPhoneCode")
	if err != nil {
		return err
	}
	return m.core.sendOwnCode(ctx, id, phone, purpose)
}

// CheckEmailCode implements OneTimeOps.
func (m OneTime[U]) CheckEmailCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error) {
	ctx, err := m.core.enter(ctx, "CheckEmailCode")
	if err != nil {
		return roster.CodeResult{}, err
	}
	return m.core.checkOwnCode(ctx, id, email, purpose, code)
}

// CheckPhoneCode implements OneTimeOps.
func (m OneTime[U]) CheckPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error) {
	ctx, err := m.core.enter(ctx, "CheckPhoneCode")
	if err != nil {
		return roster.CodeResult{}, err
	}
	return m.core.checkOwnCode(ctx, id, phone, purpose, code)
}

var errPurpose = roster.FieldErrors{{Field: "purpose", Code: roster.Invalid}}.Err()

// checkPurpose refuses a purpose that there is not, or that the program has switched off for both channels.
func (c *Core[U]) checkPurpose(purpose roster.CodePurpose) error {
	if c.checkKind(email, purpose) == nil {
		return nil
	}
	return c.checkKind(phone, purpose)
}

// checkKind refuses a purpose that there is not, or that the program has switched off for a channel.
func (c *Core[U]) checkKind(k contact, purpose roster.CodePurpose) error {
	switch purpose {
	case roster.CodeVerify, roster.CodeReset, roster.CodeStepUp:
	case roster.CodeLogin:
		if !slices.Contains(c.Settings.Account.Backends, roster.Backend(roster.CodeBackend)) {
			return errPurpose
		}
	default:
		return errPurpose
	}
	if slices.Contains(c.Settings.OneTime.Off, roster.CodeKind{Channel: roster.Channel(k.kind), Purpose: purpose}) {
		return errPurpose
	}
	return nil
}

// codeDue reports why a user is sent no code for a purpose.
func (c *Core[U]) codeDue(u U, k contact, purpose roster.CodePurpose) error {
	proven := *k.provenAt(u.Base()) != nil
	switch {
	case purpose == roster.CodeVerify && proven:
		return roster.ErrAlreadyConfirmed
	case purpose == roster.CodeReset && !proven && c.Settings.Password.ResetForUnverified == SendReset:
		return nil
	case purpose != roster.CodeVerify && !proven:
		return roster.ErrNotFound
	}
	return nil
}

// sendOwnCode sends a code to a contact that a user has.
func (c *Core[U]) sendOwnCode(ctx context.Context, id roster.ID, k contact, purpose roster.CodePurpose) error {
	rights, err := c.judge(ctx, roster.PermissionSendCredentials, id)
	if err != nil {
		return err
	}
	if err := c.checkKind(k, purpose); err != nil {
		return err
	}
	if purpose == roster.CodeStepUp && ownSession(ctx, id) == (roster.ID{}) {
		return roster.ErrUnauthenticated
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		if u, ok := c.prepaid(ctx, id); ok {
			return c.sendCode(ctx, u, c.codeBy(way{contact: k, code: string(purpose)}, u))
		}
		u, err := c.reachable(ctx, id, k)
		if err != nil {
			return err
		}
		if err := c.guardAbove(ctx, rights, roster.PermissionSendCredentials, u.Base()); err != nil {
			return err
		}
		if err := c.codeDue(u, k, purpose); err != nil {
			return err
		}
		if !calledBy(ctx, "SendCode") || purpose == roster.CodeStepUp { // for strangers it has taken from the quotas, quietly
			if err := c.takeCode(ctx, id, text(k.canonical(c.canonical(u)))); err != nil {
				return err
			}
		}
		w := way{contact: k, kind: callbacks.RequestReset, code: string(purpose)}
		if purpose == roster.CodeReset {
			return c.send(ctx, u, w)
		}
		return c.sendCode(ctx, u, c.codeBy(w, u))
	})
}

// resetTokenTTL is how long the token is good that a code gives.
const resetTokenTTL = 10 * time.Minute

// checkOwnCode spends a code that was sent to a contact that a user has.
func (c *Core[U]) checkOwnCode(ctx context.Context, id roster.ID, k contact, purpose roster.CodePurpose, typed roster.Secret) (roster.CodeResult, error) {
	var none, result roster.CodeResult
	if _, err := c.judge(ctx, roster.PermissionUpdateUsers, id); err != nil {
		return none, err
	}
	if err := c.checkKind(k, purpose); err != nil {
		return none, err
	}
	by := owner
	if calledBy(ctx, "Authenticate") || calledBy(ctx, "CheckCode") && purpose != roster.CodeStepUp {
		by = stranger
	}
	session := ownSession(ctx, id)
	if purpose == roster.CodeStepUp && session == (roster.ID{}) {
		return none, roster.ErrUnauthenticated
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return none, err
	}
	if purpose == roster.CodeVerify && *k.value(u.Base()) != nil && *k.provenAt(u.Base()) != nil && by == owner {
		return none, roster.ErrAlreadyConfirmed
	}
	err = c.spendCode(ctx, id, store.CodeFor(string(purpose), string(k.kind)), typed, by, func(ctx context.Context, u U, l store.Link) error {
		if !c.stillOf(l, u) {
			return roster.ErrInvalidCode
		}
		if purpose == roster.CodeVerify {
			return c.confirmContact(ctx, u, k, callbacks.ByCode)
		}
		if err := c.openPassword(ctx, id); err != nil {
			return err
		}
		if purpose == roster.CodeReset {
			result, err = c.resetTokenFor(ctx, id, l)
			return err
		}
		if err := c.confirmContact(ctx, u, k, callbacks.ByCode); err != nil {
			return err
		}
		if purpose == roster.CodeStepUp {
			result.FreshUntil, err = c.freshen(ctx, session)
		}
		return err
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

// resetTokenFor gives the token that a code to reset the password is good for.
func (c *Core[U]) resetTokenFor(ctx context.Context, id roster.ID, l store.Link) (roster.CodeResult, error) {
	result := roster.CodeResult{ResetToken: newToken(resetPasswordLink.prefix), ExpiresIn: resetTokenTTL}
	now := c.now()
	if err := c.Store.VoidLinks(ctx, id, "", now, store.ResetPassword); err != nil {
		return result, err
	}
	return result, c.Store.InsertLink(ctx, store.Link{
		Hash: resetPasswordLink.hash(result.ResetToken), Purpose: store.ResetPassword, UserID: id, Address: l.Address,
		CreatedAt: now, ExpiresAt: now.Add(resetTokenTTL),
	})
}
