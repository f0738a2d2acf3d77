// Package wronghook has a hook of another signature.
package wronghook

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type Accounts struct{ usersrepo.UsersRepo[*Account] }

func (a *Accounts) BeforeCreate(context.Context, callbacks.Create[*Account]) error { return nil }

func Start() error {
	return usersrepo.Init(&Accounts{}, usersrepo.Config{}) // want: wrong type for method BeforeCreate
}
