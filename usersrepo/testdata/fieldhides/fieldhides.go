// Package fieldhides has a field with the name of an operation.
package fieldhides

import (
	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type Accounts struct {
	usersrepo.UsersRepo[*Account]
	Login string
}

func Start() error {
	return usersrepo.Init(&Accounts{}, usersrepo.Config{}) // want: *Accounts.Login is a field, not a method
}
