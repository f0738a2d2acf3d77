package mixins

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// linkKind is a kind of token that is mailed as a link: random, stored as its hash, good for one purpose, once.
type linkKind struct {
	purpose store.LinkPurpose
	prefix  string
	message string // the kind of the mail
	ttl     func(Settings) time.Duration
	page    func(Settings) string
}

var (
	confirmEmailLink = linkKind{
		store.ConfirmEmail, "ec_", notify.EmailConfirm,
		func(s Settings) time.Duration { return s.Confirm.EmailTTL },
		func(s Settings) string { return s.Notify.Links.ConfirmEmail },
	}
	changeEmailLink = linkKind{
		store.ChangeEmail, "ch_", notify.EmailChangeNew,
		func(s Settings) time.Duration { return s.Confirm.ChangeTTL },
		func(s Settings) string { return s.Notify.Links.ConfirmEmailChange },
	}
	// cancelLink takes a change of contact back; its message says which contact.
	cancelLink = linkKind{
		store.CancelChange, "cx_", "",
		func(s Settings) time.Duration {
			if s.Confirm.RevertWindow > 0 {
				return s.Confirm.RevertWindow
			}
			return s.Confirm.ChangeTTL
		},
		func(s Settings) string { return s.Notify.Links.CancelChange },
	}
	resetPasswordLink = linkKind{
		store.ResetPassword, "pr_", notify.PasswordReset,
		func(s Settings) time.Duration { return s.Password.ResetTTL },
		func(s Settings) string { return s.Notify.Links.ResetPassword },
	}
	setPasswordLink = linkKind{
		store.FirstPassword, "ps_", notify.PasswordFirst,
		func(s Settings) time.Duration { return s.Password.FirstTTL },
		func(s Settings) string { return s.Notify.Links.SetPassword },
	}
)

const tokenBytes = 32

func newToken(prefix string) roster.Secret {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // it never fails; without randomness the program ends
	return roster.Secret(prefix + base64.RawURLEncoding.EncodeToString(b[:]))
}

// hash is what is stored of a token: 256 random bits need no salt. It is nil for what cannot be one of the kind.
func (k linkKind) hash(token roster.Secret) []byte {
	text, ok := strings.CutPrefix(token.Reveal(), k.prefix)
	if !ok {
		return nil
	}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(b) != tokenBytes {
		return nil
	}
	sum := sha256.Sum256([]byte(token.Reveal()))
	return sum[:]
}

// linkTo says to whom a link goes, and by what message.
type linkTo struct {
	kind      string
	channel   notify.Channel // "" means Email
	to        string         // as it is stored
	canonical string         // as it is compared
	change    *roster.ID     // of contact, that it is about
	vars      map[string]any
}

// as is the same link in a message of another kind.
func (k linkKind) as(message string) linkKind {
	k.message = message
	return k
}

// mailLink mails a new link to a user's e-mail address; older ones of its purpose are void.
func (c *Core[U]) mailLink(ctx context.Context, u U, kind linkKind) error {
	b := u.Base()
	if _, isFresh := c.freshUser(ctx, b.ID); !isFresh {
		if err := c.Store.VoidLinks(ctx, b.ID, "", c.now(), kind.purpose); err != nil {
			return err
		}
	}
	return c.queueLink(ctx, u, kind, c.toEmail(u, kind))
}

// toEmail is a link to a user's own address.
func (c *Core[U]) toEmail(u U, kind linkKind) linkTo {
	return linkTo{kind: kind.message, to: *u.Base().Email, canonical: text(c.canonical(u).Email)}
}

// queueLink queues the message that carries a new link.
func (c *Core[U]) queueLink(ctx context.Context, u U, kind linkKind, to linkTo) error {
	return c.queue(ctx, u, c.linkMessage(u, kind, to))
}

// linkMessage makes a new link and the message that carries it.
func (c *Core[U]) linkMessage(u U, kind linkKind, to linkTo) outgoing {
	token, now := newToken(kind.prefix), c.now()
	link := store.Link{
		Hash: kind.hash(token), Purpose: kind.purpose, UserID: u.Base().ID, Address: to.canonical, ChangeID: to.change,
		CreatedAt: now, ExpiresAt: now.Add(kind.ttl(c.Settings)),
	}
	return outgoing{
		kind: to.kind, channel: to.channel, to: to.to, vars: to.vars, link: &link, priority: urgent,
		secrets: messageSecrets{Token: token.Reveal(), Link: c.pageURL(kind.page(c.Settings), token)},
	}
}

// pageURL is where a mail leads: a page of the program, with the token in the fragment, which reaches no server's log.
func (c *Core[U]) pageURL(page string, token roster.Secret) string {
	if strings.HasPrefix(page, "/") {
		page = strings.TrimRight(c.Settings.BaseURL, "/") + page
	}
	return page + "#token=" + url.QueryEscape(token.Reveal())
}

// findLink returns a link that was not voided, used ones too.
func (c *Core[U]) findLink(ctx context.Context, kind linkKind, token roster.Secret) (store.Link, error) {
	if token == "" {
		return store.Link{}, roster.FieldErrors{{Field: "token", Code: roster.Required}}.Err()
	}
	hash := kind.hash(token)
	if hash == nil {
		return store.Link{}, roster.ErrInvalidToken
	}
	link, err := c.Store.GetLink(ctx, kind.purpose, hash)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return link, roster.ErrInvalidToken
	case err != nil:
		return link, err
	case link.VoidedAt != nil:
		return link, roster.ErrInvalidToken
	case link.UsedAt == nil && !c.now().Before(link.ExpiresAt):
		return link, roster.ErrExpiredToken
	}
	return link, nil
}

// liveLink returns a link that can still be used.
func (c *Core[U]) liveLink(ctx context.Context, kind linkKind, token roster.Secret) (store.Link, error) {
	link, err := c.findLink(ctx, kind, token)
	if err == nil && link.UsedAt != nil {
		err = roster.ErrInvalidToken
	}
	return link, err
}

// stillOf reports whether a link is about what its user is now.
func (c *Core[U]) stillOf(link store.Link, u U) bool {
	b, n := u.Base(), c.canonical(u)
	return link.UserID == b.ID && !b.Deleted() && (link.Address == text(n.Email) || link.Address == text(n.Phone))
}

// useLink consumes a link of a user whose row is locked: of any number of callers one succeeds.
func (c *Core[U]) useLink(ctx context.Context, link store.Link, u U) error {
	if !c.stillOf(link, u) {
		return roster.ErrInvalidToken
	}
	used, err := c.Store.UseLink(ctx, link.Purpose, link.Hash, c.now())
	if err == nil && !used {
		err = roster.ErrInvalidToken
	}
	return err
}
