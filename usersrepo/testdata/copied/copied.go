// Package copied copies a repo. It compiles; go vet tells.
package copied

import (
	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type Accounts struct{ usersrepo.UsersRepo[*Account] }

func Copy(a *Accounts) {
	b := *a // want: copies lock value
	_ = &b
}
