package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/store"
)

// Get implements CRUDOps.
func (m CRUD[U]) Get(ctx context.Context, id roster.ID) (U, error) {
	return m.find(ctx, "Get", func(ctx context.Context, dest []any) error {
		return m.core.Store.GetUser(ctx, store.ByID, id, dest)
	})
}

// GetByEmail implements CRUDOps.
func (m CRUD[U]) GetByEmail(ctx context.Context, email string) (U, error) {
	return m.findBy(ctx, "GetByEmail", identifiers.KindEmail, email)
}

// GetByUsername implements CRUDOps.
func (m CRUD[U]) GetByUsername(ctx context.Context, username string) (U, error) {
	return m.findBy(ctx, "GetByUsername", identifiers.KindUsername, username)
}

// GetByPhone implements CRUDOps.
func (m CRUD[U]) GetByPhone(ctx context.Context, phone string) (U, error) {
	return m.findBy(ctx, "GetByPhone", identifiers.KindPhone, phone)
}

// GetBySocial implements CRUDOps.
func (m CRUD[U]) GetBySocial(ctx context.Context, provider, subject string) (U, error) {
	return m.find(ctx, "GetBySocial", func(ctx context.Context, dest []any) error {
		if !linkable(provider, subject) {
			return roster.ErrNotFound
		}
		return m.core.Store.GetUserBySocial(ctx, provider, subject, dest)
	})
}

// GetByLogin implements CRUDOps.
func (m CRUD[U]) GetByLogin(ctx context.Context, login string) (U, error) {
	var none U
	inner, err := m.core.enter(ctx, "GetByLogin")
	if err != nil {
		return none, err
	}
	u, err := m.core.byKind(inner, identifiers.Infer(login), login)
	return m.core.mayRead(inner, u, err)
}

// byKind finds a user by an identifier of a kind, through the program's own look-ups.
func (c *Core[U]) byKind(ctx context.Context, kind identifiers.Kind, value string) (U, error) {
	switch kind {
	case identifiers.KindEmail:
		return c.Self.GetByEmail(ctx, value)
	case identifiers.KindPhone:
		return c.Self.GetByPhone(ctx, value)
	default:
		return c.Self.GetByUsername(ctx, value)
	}
}

var keyOf = map[identifiers.Kind]store.UserKey{
	identifiers.KindUsername: store.ByUsername,
	identifiers.KindEmail:    store.ByEmail,
	identifiers.KindPhone:    store.ByPhone,
}

func (m CRUD[U]) findBy(ctx context.Context, name string, kind identifiers.Kind, value string) (U, error) {
	return m.find(ctx, name, func(ctx context.Context, dest []any) error {
		canonical, ok := m.core.Identifiers.Canonical(kind, value)
		if !ok {
			return roster.ErrNotFound
		}
		return m.core.Store.GetUser(ctx, keyOf[kind], canonical, dest)
	})
}

func (m CRUD[U]) find(ctx context.Context, name string, get func(ctx context.Context, dest []any) error) (U, error) {
	var none U
	c := m.core
	inner, err := c.enter(ctx, name)
	if err != nil {
		return none, err
	}
	u := c.Plan.New()
	if err := get(inner, c.Plan.dest(u)); err != nil {
		return c.mayRead(inner, none, err)
	}
	c.Plan.settle(u)
	return c.mayRead(inner, u, nil)
}

// load reads a user without asking who may: operations do, by what they find.
func (c *Core[U]) load(ctx context.Context, id roster.ID) (U, error) {
	u := c.Plan.New()
	if err := c.Store.GetUser(ctx, store.ByID, id, c.Plan.dest(u)); err != nil {
		var none U
		return none, err
	}
	c.Plan.settle(u)
	return u, nil
}

// mayRead lets a look-up tell what it found. Who may not read others is refused alike, whether there is such a user
// or not.
func (c *Core[U]) mayRead(ctx context.Context, u U, err error) (U, error) {
	var none U
	actor := roster.ActorFrom(ctx)
	if nested(ctx) || actor.Trusted() || err == nil && u.Base().ID == actor.ID {
		return u, err
	}
	if errors.Is(err, roster.ErrUnavailable) { // it is not known whose it is, and may be theirs
		return none, err
	}
	if _, refused := c.permit(ctx, roster.PermissionReadUsers, roster.ID{}); refused != nil {
		return none, refused
	}
	var found *roster.ID
	if err == nil {
		found = &u.Base().ID
	}
	if err := c.recordRead(ctx, found, nil, err); err != nil {
		return none, err
	}
	return u, err
}
