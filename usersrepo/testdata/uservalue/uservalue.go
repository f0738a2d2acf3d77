// Package uservalue names the struct of a user where its pointer belongs.
package uservalue

import (
	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type Accounts struct{ usersrepo.UsersRepo[Account] } // want: Account does not satisfy roster.Model
