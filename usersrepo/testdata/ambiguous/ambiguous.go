// Package ambiguous embeds two types that have an operation each of the same depth.
package ambiguous

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

type Account struct{ roster.User }

type audit struct{ log }

type log struct{}

func (log) Count(context.Context, roster.Query) (int64, error) { return 0, nil }

type Accounts struct {
	usersrepo.UsersRepo[*Account]
	audit
}

func Start() error {
	return usersrepo.Init(&Accounts{}, usersrepo.Config{}) // want: ambiguous selector *Accounts.Count
}
