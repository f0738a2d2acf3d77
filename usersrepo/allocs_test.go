package usersrepo_test

import (
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// HOOK-23: hooks cost a repo without any nothing: no copies of its events. It is not parallel, since it counts what all
// goroutines allocate. What a point costs by itself is tested in callbacks.
func TestHOOK_23_PlainRepo(t *testing.T) {
	links := func(repo *usersrepo.UsersRepo[*account]) float64 {
		u, err := repo.Create(t.Context(), ann(), roster.WithEmailVerified())
		if err != nil {
			t.Fatal(err)
		}
		link := roster.SocialAccount{Provider: "github", Subject: "1"}
		return testing.AllocsPerRun(50, func() {
			if err := repo.LinkSocial(t.Context(), u.ID, link); err != nil {
				t.Fatal(err)
			}
			if err := repo.UnlinkSocial(t.Context(), u.ID, "github", "1"); err != nil {
				t.Fatal(err)
			}
		})
	}
	cfg, _ := config(t)
	plain, err := usersrepo.New[*account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	app, _ := started(t, &accounts{})
	none, own := links(plain), links(&app.UsersRepo)
	if none >= own {
		t.Errorf("%v allocations without a program's type, %v with one: want fewer", none, own)
	}
	t.Logf("%v allocations without a program's type, %v with one", none, own)
}
