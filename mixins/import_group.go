package mixins

import (
	"context"
	"errors"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// Where nothing of the program's runs with each line, users who clash with nobody are stored together: what comes of it
// is what would come of one after the other. When they cannot be, they are stored one after the other after all.

// newUser is a line whose user nothing keeps from being stored but the database.
type newUser[U roster.Model] struct {
	*line[U]
	newcomer newcomer[U]
}

// together reports whether lines may be stored together.
func (x *importer[U]) together() bool {
	c := x.core
	if !c.Plain || x.options.DryRun || x.options.Send != "" && x.options.Send != roster.SendNone {
		return false
	}
	run := c.hooks.Create.Begin()
	return !run.HasBefore() && !run.HasAfter() && !run.HasOn()
}

// newUser judges the user of a line as Create would; nil: that is to tell what is wrong.
func (x *importer[U]) newUser(ctx context.Context, l *line[U]) *newUser[U] {
	n := &newUser[U]{line: l, newcomer: newcomer[U]{
		core: x.core, user: x.core.Plan.clone(l.user), options: roster.CreateOptionsOf(x.createOptions(l)...),
	}}
	if l.superuser != nil && *l.superuser || l.permissions != nil && len(*l.permissions) > 0 {
		return nil // who may give them is judged in the transaction that does
	}
	if err := n.newcomer.prepare(ctx); err != nil || len(n.newcomer.validate(ctx, n.newcomer.user)) > 0 {
		return nil
	}
	return n
}

// inGroup reports whether a line may be about a user who waits to be stored.
func (x *importer[U]) inGroup(l *line[U]) bool {
	if len(x.group) == 0 {
		return false
	}
	return x.claims[l.id] > 0 || slices.ContainsFunc(l.keys(), func(key string) bool { return x.names[key] > 0 })
}

// addToGroup lets a user wait, and their id and identifiers be known as taken meanwhile.
func (x *importer[U]) addToGroup(n *newUser[U]) {
	x.group = append(x.group, n)
	if n.id != (roster.ID{}) {
		x.claims[n.id] = n.number
	}
	for _, key := range n.keys() {
		x.names[key] = n.number
	}
}

// storeGroup stores the users who wait.
func (x *importer[U]) storeGroup(ctx context.Context) error {
	group := x.group
	x.group = x.group[:0:0]
	if len(group) == 0 {
		return nil
	}
	for _, n := range group { // the database knows them from now on, or does not
		delete(x.claims, n.id)
		for _, key := range n.keys() {
			delete(x.names, key)
		}
	}
	err := x.core.Store.InTx(ctx, func(ctx context.Context) error { return x.insert(ctx, group) })
	switch {
	case err == nil:
		for _, n := range group {
			x.claims[n.newcomer.user.Base().ID] = n.number
		}
		x.report.Created += len(group)
		return nil
	case ctx.Err() != nil, errors.Is(err, roster.ErrUnavailable), errors.Is(err, errNoImport):
		return err
	}
	return x.storeSingly(ctx, group)
}

// storeSingly finds out which of some users cannot be stored.
func (x *importer[U]) storeSingly(ctx context.Context, group []*newUser[U]) error {
	for _, n := range group {
		found, err := x.find(ctx, []*line[U]{n.line})
		if err != nil {
			return err
		}
		if _, err := x.settle(ctx, n.line, x.decide(n.line, found)); err != nil {
			return err
		}
	}
	return nil
}

// insert does what Create does for each, in few statements.
func (x *importer[U]) insert(ctx context.Context, group []*newUser[U]) error {
	c := x.core
	if _, err := x.rights(ctx); err != nil {
		return err
	}
	users := make([]store.NewUser, len(group))
	var entries []*store.AuditEntry
	holds := store.Holds{Now: c.now()}
	for i, l := range group {
		n := &l.newcomer
		n.begin()
		users[i] = store.NewUser{
			ID: n.user.Base().ID, Values: c.Plan.values(n.user), Derived: c.derived(n.user, n.names), Hash: n.encoded,
		}
		if n.names.Username != nil {
			holds.Hashes = append(holds.Hashes, c.holds(n.names.Username).Hashes...)
		}
		if (deed{subject: &users[i].ID}).concerns(roster.ActorFrom(ctx)) {
			d, _ := c.deedOf(ctx, &callbacks.Create[U]{User: n.user})
			entries = append(entries, c.entry(ctx, d))
		}
	}
	if err := c.Store.InsertUsers(ctx, users, holds); err != nil {
		return err
	}
	return c.Store.InsertAudits(ctx, entries)
}
