// Package usersrepo puts the components of Roster together: UsersRepo has them all embedded, for a program to embed
// in a type of its own and to override what it will.
package usersrepo

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
)

//go:generate go run ../internal/generate

// UsersRepo is user management on a program's own user type U, a pointer to a struct that embeds roster.User:
//
//	type Accounts struct {
//		usersrepo.UsersRepo[*Account]
//	}
//
//	accounts := &Accounts{}
//	err := usersrepo.Init(accounts, usersrepo.Config{DB: db, …})
//
// A method or a hook that the program defines on Accounts is the one that runs: for the program's own calls, for the
// routes and inside the other components. Its operations are listed with their contracts in docs/operations.md and on
// the interfaces of package mixins, one for each component.
//
// A repo must not be copied.
type UsersRepo[U roster.Model] struct {
	mixins.CRUD[U]           // create, find, change, delete, search
	mixins.Protection[U]     // slow down and lock out guessing
	mixins.Confirm[U]        // prove contacts
	mixins.Username[U]       // check and change usernames
	mixins.Password[U]       // hash, check and set passwords
	mixins.Management[U]     // who may do what
	mixins.Account[U]        // register, log in, log out
	mixins.Session[U]        // token pairs: issue, verify, refresh, revoke
	mixins.OneTime[U]        // one-time passwords
	mixins.Administration[U] // outbox, cleaning, counters
	mixins.Transfer[U]       // users out and in, as rows of files
	callbacks.Nop[U]         // every hook, doing nothing

	// On is where functions are added to events, also before the repo is initialised.
	On callbacks.Set[U]

	core *mixins.Core[U]
}

// Embedder is what only a type that embeds UsersRepo can be.
type Embedder[U roster.Model] interface {
	mixins.Self[U]
	base() *UsersRepo[U]
}

func (r *UsersRepo[U]) base() *UsersRepo[U] { return r }

// InTx runs fn in a transaction: operations called with its context join it, and store.TxFrom gives it to the
// program's own statements. Within another transaction it is a savepoint: its failure undoes just what fn did.
func (r *UsersRepo[U]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if r.core == nil {
		return roster.ErrNotInitialized
	}
	return r.core.Store.InTx(ctx, fn)
}

// Run does what has to be done all the time, until ctx ends: it sends messages and cleans up. Every node may run it.
func (r *UsersRepo[U]) Run(ctx context.Context) error {
	if r.core == nil {
		return roster.ErrNotInitialized
	}
	return r.core.Run(ctx)
}

// Check compares the users table with the struct, and returns a store.SchemaError that names every column which is
// missing, with the statement that adds it.
func (r *UsersRepo[U]) Check(ctx context.Context) error {
	if r.core == nil {
		return roster.ErrNotInitialized
	}
	return r.core.Store.Check(ctx)
}

// ConcealsRegistration reports whether Config.Account.ConcealRegistration is on; false before the repo is initialised.
func (r *UsersRepo[U]) ConcealsRegistration() bool {
	return r.core != nil && r.core.Settings.Account.ConcealRegistration
}

var _ Embedder[*roster.User] = (*UsersRepo[*roster.User])(nil)
