package mixins

import (
	"context"
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
type OneTimeOps interface {
	// SendEmailCode mails a user a code that is good for one purpose; an earlier one of the purpose is void then. It has 6
	// digits and is good for 10 minutes by default (OneTime.EmailDigits, OneTime.CodeTTL). Without an e-mail address it is
	// roster.ErrNotFound, as it is to reset a password by one that is not proven unless Password.ResetForUnverified says
	// otherwise; to prove one that is proven roster.ErrAlreadyConfirmed; of a banned user or one archived by an
	// administrator roster.ErrConflict. By default 5 codes in 30 minutes and one in 30 seconds can be sent
	// (Protection.Codes, Protection.CodePause); beyond that it is roster.ErrQuotaExhausted, and the earlier code stays good.
	SendEmailCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error

	// SendPhoneCode is SendEmailCode by SMS, for the phone number. OneTime.PhoneDigits is how many digits it has.
	SendPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error

	// CheckEmailCode spends a code, which proves the address that it was mailed to; one to reset the password gives a token
	// for that, good for 10 minutes. Spaces and hyphens in it do not count. A wrong one, and any when none is out, is
	// roster.ErrInvalidCode. After each wrong one the user has to wait, 1 s and twice as long each time, 15 min at most:
	// until then the right one is roster.ErrTooManyRequests too. After 5 wrong ones a code is good for nothing.
	CheckEmailCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error)

	// CheckPhoneCode is CheckEmailCode for codes by SMS.
	CheckPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose, code roster.Secret) (roster.CodeResult, error)
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

func checkPurpose(purpose roster.CodePurpose) error {
	if purpose != roster.CodeVerify && purpose != roster.CodeReset {
		return roster.FieldErrors{{Field: "purpose", Code: roster.Invalid}}.Err()
	}
	return nil
}

// sendOwnCode sends a code to a contact that a user has.
func (c *Core[U]) sendOwnCode(ctx context.Context, id roster.ID, k contact, purpose roster.CodePurpose) error {
	rights, err := c.judge(ctx, roster.PermissionSendCredentials, id)
	if err != nil {
		return err
	}
	if err := checkPurpose(purpose); err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.reachable(ctx, id, k)
		if err != nil {
			return err
		}
		if err := c.guardAbove(ctx, rights, roster.PermissionSendCredentials, u.Base()); err != nil {
			return err
		}
		proven := *k.provenAt(u.Base()) != nil
		switch {
		case purpose == roster.CodeVerify && proven:
			return roster.ErrAlreadyConfirmed
		case purpose == roster.CodeReset && !proven && c.Settings.Password.ResetForUnverified != SendReset:
			return roster.ErrNotFound
		}
		if err := c.takeCode(ctx, id, text(k.canonical(c.canonical(u)))); err != nil {
			return err
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
	if err := checkPurpose(purpose); err != nil {
		return none, err
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return none, err
	}
	if purpose == roster.CodeVerify && *k.value(u.Base()) != nil && *k.provenAt(u.Base()) != nil {
		return none, roster.ErrAlreadyConfirmed
	}
	err = c.spendCode(ctx, id, store.CodeFor(string(purpose), string(k.kind)), typed, func(ctx context.Context, u U, l store.Link) error {
		if !c.stillOf(l, u) {
			return roster.ErrInvalidCode
		}
		if purpose == roster.CodeVerify {
			return c.confirmContact(ctx, u, k, callbacks.ByCode)
		}
		if err := c.openPassword(ctx, id); err != nil {
			return err
		}
		result = roster.CodeResult{ResetToken: newToken(resetPasswordLink.prefix), ExpiresIn: resetTokenTTL}
		now := c.now()
		if err := c.Store.VoidLinks(ctx, id, "", now, store.ResetPassword); err != nil {
			return err
		}
		return c.Store.InsertLink(ctx, store.Link{
			Hash: resetPasswordLink.hash(result.ResetToken), Purpose: store.ResetPassword, UserID: id, Address: l.Address,
			CreatedAt: now, ExpiresAt: now.Add(resetTokenTTL),
		})
	})
	if err != nil {
		return none, err
	}
	return result, nil
}
