package mixins

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"unicode"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// code is a code on its way to a contact, which need not be the user's yet.
type code struct {
	contact
	purpose   string
	to        string     // as it is stored
	canonical string     // as it is compared
	change    *roster.ID // of contact, that it proves
	message   string     // its kind; "" means that of codes
}

// changePurpose is that of codes which prove the number of a change.
const changePurpose = "change"

// codeTries is how often a code can be tried.
const codeTries = 5

// takeCode takes from the quotas of codes, of the account and of the contact.
func (c *Core[U]) takeCode(ctx context.Context, id roster.ID, canonical string) error {
	p, keys := c.Settings.Protection, c.codeKeys(id, canonical)
	if err := c.spend(ctx, p.CodePause, pauseKeys(keys)...); err != nil {
		return err
	}
	return c.spend(ctx, p.Codes, keys...)
}

func (c *Core[U]) codeKeys(id roster.ID, canonical string) []string {
	return []string{"code:account:" + id.String(), c.mailTarget("code", canonical)}
}

func pauseKeys(keys []string) []string {
	return []string{"pause:" + keys[0], "pause:" + keys[1]}
}

// sendCode sends a new code to a user whose row is locked; older ones of its purpose are void.
func (c *Core[U]) sendCode(ctx context.Context, u U, to code) error {
	id, now, purpose := u.Base().ID, c.now(), store.CodeFor(to.purpose, string(to.kind))
	if err := c.Store.VoidLinks(ctx, id, "", now, purpose); err != nil {
		return err
	}
	digits, err := newCode(c.Settings.OneTime.form(to.contact))
	if err != nil {
		return roster.ErrInternal.WithCause(err)
	}
	link := store.Link{
		Hash: c.codeHash(id, purpose, digits), Purpose: purpose, UserID: id, Address: to.canonical, ChangeID: to.change,
		CreatedAt: now, ExpiresAt: now.Add(c.Settings.OneTime.CodeTTL),
	}
	m := outgoing{
		kind: notify.CodeEmail, channel: to.channel, to: to.to, link: &link, priority: urgent,
		vars: map[string]any{"Purpose": to.purpose}, secrets: messageSecrets{Code: digits},
	}
	switch {
	case to.message != "":
		m.kind = to.message
	case to.channel == notify.SMS && to.purpose == string(roster.CodeVerify):
		m.kind = notify.PhoneConfirm
	case to.channel == notify.SMS:
		m.kind = notify.CodeSMS
	}
	return c.queue(ctx, u, m)
}

// newCode returns characters of an alphabet, all codes equally likely.
func newCode(alphabet string, length int) (string, error) {
	code, below := make([]byte, length), big.NewInt(int64(len(alphabet)))
	for i := range code {
		n, err := rand.Int(rand.Reader, below)
		if err != nil {
			return "", err
		}
		code[i] = alphabet[n.Int64()]
	}
	return string(code), nil
}

// codesFor are the purposes of codes, to either contact.
func codesFor(purposes ...roster.CodePurpose) []store.LinkPurpose {
	var list []store.LinkPurpose
	for _, purpose := range purposes {
		for _, k := range []contact{email, phone} {
			list = append(list, store.CodeFor(string(purpose), string(k.kind)))
		}
	}
	return list
}

const codeNonce = 16 // bytes

// codeHash is what is stored of a code: a nonce, so that no two rows are alike, and a MAC of it under a key that the
// database does not have. The few values of a code could be tried against anything else.
func (c *Core[U]) codeHash(id roster.ID, purpose store.LinkPurpose, digits string) []byte {
	nonce := make([]byte, codeNonce)
	_, _ = rand.Read(nonce) // it never fails; without randomness the program ends
	return append(nonce, c.Secrets.MAC(secrets.ContactCode, nonce, id[:], []byte(purpose), []byte(digits))...)
}

func (c *Core[U]) isCode(l store.Link, digits string) bool {
	if len(l.Hash) <= codeNonce {
		return false
	}
	nonce, mac := l.Hash[:codeNonce], l.Hash[codeNonce:]
	return c.Secrets.VerifyMAC(secrets.ContactCode, mac, nonce, l.UserID[:], []byte(l.Purpose), []byte(digits))
}

// tidyCode takes spaces and hyphens out of a code as typed.
func tidyCode(typed roster.Secret) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, typed.Reveal())
}

// tryer is who tries a code. Strangers are those who are not logged in: their tries are counted apart, so that they make
// nobody wait who is.
type tryer bool

const (
	owner    tryer = false
	stranger tryer = true
)

// spendCode judges a code and consumes it; use does, in the same transaction, what the code is for. A try is counted
// before the code is looked at, and stands whatever becomes of the transaction; it is given back when the code is right.
func (c *Core[U]) spendCode(
	ctx context.Context, id roster.ID, purpose store.LinkPurpose, typed roster.Secret, by tryer,
	use func(context.Context, U, store.Link) error,
) error {
	digits := tidyCode(typed)
	if digits == "" {
		return roster.FieldErrors{{Field: "code", Code: roster.Required}}.Err()
	}
	link, err := c.Store.LiveCode(ctx, id, purpose, codeTries, c.now())
	switch {
	case errors.Is(err, roster.ErrNotFound) && by == stranger:
		if err := c.takeNobodysTry(ctx, id); err != nil {
			return err
		}
		return roster.ErrInvalidCode
	case errors.Is(err, roster.ErrNotFound):
		return roster.ErrInvalidCode // nobody has to wait for a code that was not sent
	case err != nil:
		return err
	}
	take, giveBack := c.takeTry, c.giveBackTry
	if by == stranger {
		take, giveBack = c.takeOpenTry, c.giveBackOpenTry
	}
	if err := take(ctx, link); err != nil {
		return err
	}
	if !c.isCode(link, digits) {
		return roster.ErrInvalidCode
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lock(ctx, id)
		if errors.Is(err, roster.ErrNotFound) {
			return roster.ErrInvalidCode
		}
		if err != nil {
			return err
		}
		if u.Base().Deleted() || c.shutOut(u.Base()) {
			return roster.ErrInvalidCode
		}
		used, err := c.Store.UseLink(ctx, purpose, link.Hash, c.now())
		if err != nil {
			return err
		}
		if !used {
			return roster.ErrInvalidCode
		}
		if err := c.Store.ForgetTries(ctx, store.CodeScope(id, purpose)); err != nil {
			return err
		}
		return use(ctx, u, link)
	})
	switch {
	case err != nil && !errors.Is(err, roster.ErrInvalidCode):
		giveBack(ctx, link)
	case err == nil:
		c.Store.AfterCommit(ctx, func(ctx context.Context) {
			if err := c.forget(ctx, c.budget(ctx, id).Key); err != nil {
				c.Logger.WarnContext(ctx, "wrong codes were not forgotten", slog.Any("error", err))
			}
		})
	}
	return err
}

// takeTry counts a try, first against the user, who may have to wait, then against the code.
func (c *Core[U]) takeTry(ctx context.Context, link store.Link) error {
	take := func(ctx context.Context) (bool, error) {
		now := c.now()
		wait, err := c.Store.TakeTry(ctx, store.CodeScope(link.UserID, link.Purpose), now)
		if err != nil {
			return false, err
		}
		if !wait.IsZero() {
			return false, tooEarly(wait, now)
		}
		return c.Store.TryCode(ctx, link.Hash, codeTries, now)
	}
	ok, err := take(ctx)
	if err != nil {
		return err
	}
	// What runs in another's transaction is counted again when that is rolled back.
	c.Store.OnRollback(ctx, func(ctx context.Context) {
		if _, err := take(ctx); err != nil {
			c.Logger.WarnContext(ctx, "a try of a code was not counted", slog.Any("error", err))
		}
	})
	if !ok {
		return roster.ErrInvalidCode
	}
	return nil
}

func (c *Core[U]) giveBackTry(ctx context.Context, link store.Link) {
	ctx = context.WithoutCancel(ctx)
	if err := c.Store.GiveBackTry(ctx, store.CodeScope(link.UserID, link.Purpose), link.Hash, c.now()); err != nil {
		c.Logger.WarnContext(ctx, "a try of a code was not given back", slog.Any("error", err))
	}
}
