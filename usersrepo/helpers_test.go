package usersrepo_test

import (
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

type account struct {
	roster.User
	Company string `db:"company" json:"company" roster:"create,update"`
}

// ann is a user who is not stored yet.
func ann() *account { return &account{User: roster.User{Email: new("ann@example.com")}} }

type accounts struct{ usersrepo.UsersRepo[*account] }

// config is a configuration on a database of its own.
func config(t testing.TB) (usersrepo.Config, *rostertest.Kit) {
	t.Helper()
	return rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
}

// started is a program's value after its Init.
func started[A usersrepo.Embedder[*account]](t testing.TB, app A) (A, *rostertest.Kit) {
	t.Helper()
	cfg, kit := config(t)
	if err := usersrepo.Init(app, cfg); err != nil {
		t.Fatalf("init: %v", err)
	}
	return app, kit
}
