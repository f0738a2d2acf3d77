// Package noembed holds a repo in a field with a name.
package noembed

import (
	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type Accounts struct{ repo usersrepo.UsersRepo[*Account] }

func Start() error {
	return usersrepo.Init[*Account](&Accounts{}, usersrepo.Config{}) // want: does not satisfy usersrepo.Embedder
}

func StartInferred() error {
	return usersrepo.Init(&Accounts{}, usersrepo.Config{}) // want: does not satisfy usersrepo.Embedder
}
