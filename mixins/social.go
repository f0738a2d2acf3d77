package mixins

import (
	"context"
	"encoding/json"
	"regexp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/internal/jsontext"
	"github.com/roster-go/roster/notify"
)

var providerForm = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

const maxSubject = 255 // bytes

// LinkSocial implements CRUDOps.
func (m CRUD[U]) LinkSocial(ctx context.Context, id roster.ID, account roster.SocialAccount) error {
	c := m.core
	ctx, err := c.enter(ctx, "LinkSocial")
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockJudged(ctx, roster.PermissionUpdateUsers, id)
		if err != nil {
			return err
		}
		if err := checkSocial(account); err != nil {
			return err
		}
		own, err := c.Store.UpdateSocial(ctx, id, account)
		if err != nil || own {
			return err
		}
		run := c.hooks.SocialLink.Begin()
		e := &callbacks.SocialLink[U]{Event: c.event(ctx), User: u, Provider: account.Provider, Subject: account.Subject}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		account.LinkedAt = c.now()
		if err := c.Store.InsertSocial(ctx, id, account); err != nil {
			return err
		}
		if err := after(ctx, c, run, e); err != nil {
			return err
		}
		return c.notice(ctx, u, notify.SocialLinked, map[string]any{"Provider": account.Provider})
	})
}

// UnlinkSocial implements CRUDOps.
func (m CRUD[U]) UnlinkSocial(ctx context.Context, id roster.ID, provider, subject string) error {
	c := m.core
	ctx, err := c.enter(ctx, "UnlinkSocial")
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockJudged(ctx, roster.PermissionUpdateUsers, id)
		if err != nil {
			return err
		}
		if !linkable(provider, subject) {
			return roster.ErrNotFound
		}
		// Deleting first tells an unknown link from a last one; both errors undo it.
		if err := c.Store.DeleteSocial(ctx, id, provider, subject); err != nil {
			return err
		}
		last, err := c.lastCredential(ctx, u.Base())
		if err != nil {
			return err
		}
		if last {
			return roster.ErrLastCredential
		}
		run := c.hooks.SocialUnlink.Begin()
		e := &callbacks.SocialUnlink[U]{Event: c.event(ctx), User: u, Provider: provider, Subject: subject}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := after(ctx, c, run, e); err != nil {
			return err
		}
		return c.notice(ctx, u, notify.SocialUnlinked, map[string]any{"Provider": provider})
	})
}

// dropSocial takes all links of a user away.
func (c *Core[U]) dropSocial(ctx context.Context, id roster.ID) error {
	list, err := c.Store.ListSocial(ctx, id)
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := c.Store.DeleteSocial(ctx, id, a.Provider, a.Subject); err != nil {
			return err
		}
	}
	return nil
}

// ListSocial implements CRUDOps.
func (m CRUD[U]) ListSocial(ctx context.Context, id roster.ID) ([]roster.SocialAccount, error) {
	c := m.core
	ctx, err := c.enter(ctx, "ListSocial")
	if err != nil {
		return nil, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadUsers, id); err != nil {
		return nil, err
	}
	list, err := c.Store.ListSocial(ctx, id)
	if err == nil && len(list) == 0 {
		_, err = c.Self.Get(ctx, id) // no links, or no such user
	}
	if actor := roster.ActorFrom(ctx); !nested(ctx) && !actor.Trusted() && actor.ID != id {
		for i := range list {
			list[i].Subject = identifiers.MaskText(list[i].Subject)
		}
	}
	return list, err
}

func checkSocial(a roster.SocialAccount) error {
	var faults roster.FieldErrors
	switch {
	case a.Provider == "":
		faults.Add("provider", roster.Required)
	case !providerForm.MatchString(a.Provider):
		faults.Add("provider", roster.Invalid)
	}
	switch {
	case a.Subject == "":
		faults.Add("subject", roster.Required)
	case len(a.Subject) > maxSubject:
		faults.Add("subject", roster.TooLong)
	case !storable(a.Subject):
		faults.Add("subject", roster.Invalid)
	}
	// Data that is no JSON is told when it is stored.
	if data, err := json.Marshal(a.Data); err == nil && !jsontext.Clean(data) {
		faults.Add("data", roster.Invalid)
	}
	return faults.Err()
}

// linkable reports whether there can be a link with an account of this name.
func linkable(provider, subject string) bool {
	return checkSocial(roster.SocialAccount{Provider: provider, Subject: subject}) == nil
}
