package mixins

import (
	"context"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// Username is the component that checks and changes usernames.
type Username[U roster.Model] struct{ core *Core[U] }

// NewUsername returns the component on a core.
func NewUsername[U roster.Model](c *Core[U]) Username[U] { return Username[U]{c} }

// UsernameOps are the operations of Username.
type UsernameOps[U roster.Model] interface {
	// CheckUsername tells whether the actor could have a username now; their own, and one that is held for them, they
	// could. It reserves nothing, and an invalid one is an answer, no error. An address may ask 30 times a minute by
	// default (Protection.UsernameChecks); beyond that it is roster.ErrTooManyRequests.
	CheckUsername(ctx context.Context, name string) (roster.UsernameStatus, error)

	// ChangeUsername gives a user another username, or a first one. The old name is held for its owner. One that another
	// user has, or that is held for another, is roster.ErrIdentifierTaken; the very same one roster.ErrSameValue. People
	// may do so to themselves 5 times in 24 hours by default (Username.ChangeQuota), other spellings of the same name not
	// counted; beyond that it is roster.ErrQuotaExhausted. Those who hold users:update may do so to others and are not
	// counted.
	ChangeUsername(ctx context.Context, id roster.ID, name string, options ...roster.UsernameOption) (U, error)
}

// CheckUsername implements UsernameOps.
func (m Username[U]) CheckUsername(ctx context.Context, name string) (roster.UsernameStatus, error) {
	c := m.core
	ctx, err := c.enter(ctx, "CheckUsername")
	if err != nil {
		return roster.UsernameStatus{}, err
	}
	if err := c.spendSource(ctx, c.Settings.Protection.UsernameChecks, "username_check"); err != nil {
		return roster.UsernameStatus{}, err
	}
	id, faults := c.Identifiers.Username(name)
	reserved := slices.Contains(faults, roster.Reserved)
	status := roster.UsernameStatus{Name: name, Reason: roster.UsernameInvalid}
	if id.Canonical == "" {
		status.Problems = slices.DeleteFunc(faults, func(code roster.FieldCode) bool { return code == roster.Reserved })
		return status, nil
	}
	status.Name, status.Canonical, status.Reason = id.Stored, id.Canonical, roster.UsernameFree
	actor := roster.ActorFrom(ctx).ID
	taken, err := c.Store.TakenIdentifiers(ctx, actor, store.Identifiers{Username: &id.Canonical}, c.holds(&id.Canonical))
	if err == nil && reserved {
		// One who was given a reserved name has it.
		reserved, err = c.lacksUsername(ctx, actor, id.Canonical)
	}
	switch {
	case err != nil:
		return roster.UsernameStatus{}, err
	case reserved:
		status.Reason = roster.UsernameReserved
	case len(taken) > 0:
		status.Reason = roster.UsernameTaken
	}
	status.Available = status.Reason == roster.UsernameFree
	return status, nil
}

// lacksUsername reports whether a user is not the one who has a username.
func (c *Core[U]) lacksUsername(ctx context.Context, id roster.ID, canonical string) (bool, error) {
	if id == (roster.ID{}) {
		return true, nil
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return true, err
	}
	return text(c.canonical(u).Username) != canonical, nil
}

// ChangeUsername implements UsernameOps.
func (m Username[U]) ChangeUsername(ctx context.Context, id roster.ID, name string, options ...roster.UsernameOption) (U, error) {
	var none, result U
	c := m.core
	ctx, err := c.enter(ctx, "ChangeUsername")
	if err != nil {
		return none, err
	}
	o := roster.UsernameOptionsOf(options...)
	if actor := roster.ActorFrom(ctx); (o.IgnoreHold || o.AllowReserved) && actor.Kind == roster.ActorUser && !nested(ctx) {
		return none, c.forbidden(ctx, "", id)
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		old, err := c.lockJudged(ctx, roster.PermissionUpdateUsers, id)
		if err != nil {
			return err
		}
		if actor := roster.ActorFrom(ctx); old.Base().Deleted() && actor.Kind == roster.ActorUser && actor.ID == id {
			return roster.ErrNotFound
		}
		ch := change[U]{core: c, old: old, user: c.Plan.clone(old), rename: &o}
		ch.user.Base().Username = &name
		result, err = ch.apply(ctx)
		if err == nil && !ch.written {
			return roster.ErrSameValue
		}
		return err
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

// spendRename takes from the quota of a user who changes the own username; another spelling of it is none of that.
func (ch *change[U]) spendRename(ctx context.Context) error {
	c := ch.core
	if ch.rename == nil || equalValues(ch.names.Username, ch.oldNames.Username) {
		return nil
	}
	switch roster.ActorFrom(ctx).Kind {
	case roster.ActorAdmin, roster.ActorCLI, roster.ActorImport:
		return nil
	case roster.ActorUser, roster.ActorSystem:
	}
	return c.spend(ctx, c.Settings.Username.ChangeQuota, "username:"+ch.user.Base().ID.String())
}

// beforeUsername runs the Before hooks of a new username; they may change it.
func (ch *change[U]) beforeUsername(ctx context.Context, event callbacks.Event) (*callbacks.Run[*callbacks.UsernameChange[U]], error) {
	c, b := ch.core, ch.user.Base()
	// Spaces around a username are no part of it.
	username := b.Username
	normalise(&username, "username", new(roster.FieldErrors), c.Identifiers.Username)
	old := ch.old.Base().Username
	if equalValues(username, old) {
		return nil, nil
	}
	run := c.hooks.UsernameChange.Begin()
	e := &callbacks.UsernameChange[U]{Event: event, User: c.Plan.clone(ch.user), Old: text(old), New: text(b.Username)}
	if err := before(ctx, c, run, e); err != nil {
		return nil, err
	}
	if e.New != text(b.Username) {
		b.Username = present(e.New)
		if ch.rename != nil {
			b.Username = &e.New // "" is no name, and clears none here
		}
	}
	return &run, nil
}
