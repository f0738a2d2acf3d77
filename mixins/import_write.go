package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
)

// errDry rolls the transaction of a line back that was imported for show.
var errDry = errors.New("nothing is stored by a dry run")

// writeLine creates or changes the user of a line in a transaction, which a dry run rolls back.
func (x *importer[U]) writeLine(ctx context.Context, l *line[U], v verdict[U]) (U, error) {
	var written U
	err := x.core.Store.InTx(ctx, func(ctx context.Context) error {
		var err error
		if v.outcome == creates {
			written, err = x.create(ctx, l)
		} else {
			written, err = x.update(ctx, l, v.target.Base().ID)
		}
		if err == nil && x.options.DryRun {
			return errDry
		}
		return err
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return written, err
}

func (x *importer[U]) create(ctx context.Context, l *line[U]) (U, error) {
	var none U
	if err := x.mayCreate(ctx, l); err != nil {
		return none, err
	}
	return x.core.Self.Create(ctx, l.user, x.createOptions(l)...)
}

// mayCreate refuses rights that the actor lacks. Create itself does not judge: it was called by an operation.
func (x *importer[U]) mayCreate(ctx context.Context, l *line[U]) error {
	rights, err := x.rights(ctx)
	if err != nil || rights.Superuser {
		return err
	}
	if l.superuser != nil && *l.superuser {
		return x.core.forbidden(ctx, roster.PermissionSuperuser, l.id).WithFields(roster.FieldError{
			Field: "superuser", Code: roster.NotHeld,
		})
	}
	if l.permissions == nil {
		return nil
	}
	return x.core.mayHandOut(ctx, rights, roster.PermissionGrant, l.id, *l.permissions)
}

// createOptions are what of a new user is no field.
func (x *importer[U]) createOptions(l *line[U]) []roster.CreateOption {
	options := []roster.CreateOption{roster.WithVia(roster.ViaImport)}
	add := func(given bool, option func() roster.CreateOption) {
		if given {
			options = append(options, option())
		}
	}
	add(l.emailVerified, roster.WithEmailVerified)
	add(l.phoneVerified, roster.WithPhoneVerified)
	add(l.permissions != nil, func() roster.CreateOption { return roster.WithPermissions(*l.permissions...) })
	add(l.superuser != nil, func() roster.CreateOption { return roster.WithSuperuser(*l.superuser) })
	add(l.hash != nil, func() roster.CreateOption { return roster.WithPasswordHash(*l.hash) })
	add(l.created != nil, func() roster.CreateOption { return roster.WithCreatedAt(*l.created) })
	hasEmail := l.user.Base().Email != nil
	add(x.options.Send == roster.SendConfirm && hasEmail && !l.emailVerified, roster.WithConfirmation)
	add(x.options.Send == roster.SendPasswordSet && hasEmail && !l.hasPassword(), roster.WithInvitation)
	return options
}

// hasPassword reports whether a line has the hash of a password, and no mark that there is none.
func (l *line[U]) hasPassword() bool { return l.hash != nil && *l.hash != "" && (*l.hash)[0] != '!' }

// update changes somebody who was there. Update does not judge the actor, since an operation calls it: that is done here,
// under the lock that it takes again.
func (x *importer[U]) update(ctx context.Context, l *line[U], id roster.ID) (U, error) {
	var none U
	c := x.core
	rights, err := x.rights(ctx)
	if err != nil {
		return none, err
	}
	if !c.mayDo(rights, roster.PermissionUpdateUsers) {
		return none, c.forbidden(ctx, roster.PermissionUpdateUsers, id)
	}
	target, err := c.lockFor(ctx, rights, roster.PermissionUpdateUsers, id)
	if err != nil {
		return none, err
	}
	edited := c.Plan.clone(target)
	if err := x.edit(edited, l.members).Err(); err != nil {
		return none, err
	}
	if err := x.guardOwnContacts(ctx, target, edited); err != nil {
		return none, err
	}
	if len(c.Plan.changed(target, edited)) > 0 && !rights.Superuser {
		if err := c.guardAbove(ctx, rights, roster.PermissionUpdateUsers, target.Base()); err != nil {
			return none, err
		}
	}
	return c.Self.Update(ctx, id, func(u U) error { return x.edit(u, l.members).Err() })
}

// guardOwnContacts keeps the actor's own contacts as they are: RequestEmailChange asks for proof, and an import does not.
func (x *importer[U]) guardOwnContacts(ctx context.Context, target, edited U) error {
	if actor := roster.ActorFrom(ctx); actor.Trusted() || actor.ID != target.Base().ID {
		return nil
	}
	was, is := x.core.canonical(target), x.core.canonical(edited)
	var faults roster.FieldErrors
	for _, k := range []contact{email, phone} {
		if !equalValues(k.canonical(was), k.canonical(is)) {
			faults.Add(string(k.kind), roster.ForbiddenField)
		}
	}
	return faults.Err()
}
