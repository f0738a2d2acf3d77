// Package wrongoperation has a method with the name of an operation and another signature.
package wrongoperation

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type Accounts struct{ usersrepo.UsersRepo[*Account] }

func (a *Accounts) Create(context.Context, *Account) (*Account, error) { return nil, nil }

func Start() error {
	return usersrepo.Init(&Accounts{}, usersrepo.Config{}) // want: wrong type for method Create
}
