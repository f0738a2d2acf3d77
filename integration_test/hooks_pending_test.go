package integration_test

import (
	"context"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
)

// HOOK-13: BeforeContactChange may change nothing, least of all the rights of the user.
func TestHOOK_13_BeforeContactChange(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", "")))(t)
		during(w, "BeforeContactChange", func(_ context.Context, e *callbacks.ContactChange[*Person]) error {
			e.User.Superuser, e.User.Company, e.New = true, "spoilt", "spoilt@example.com"
			return nil
		})
		u := must(w.Update(t.Context(), ann.ID, func(p *Person) error {
			address := "anna@example.com"
			p.Email = &address
			return nil
		}))(t)
		if u.Superuser || u.Company != "" || *u.Email != "anna@example.com" {
			t.Errorf("superuser %v, company %q, e-mail address %q; want what the hook did without effect", u.Superuser, u.Company, *u.Email)
		}
	})
}

// HOOK-61: BeforeMessage may not change whose message it is.
func TestHOOK_61_BeforeMessageUserID(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		during(w, "BeforeMessage", func(_ context.Context, e *callbacks.Message[*Person]) error {
			*e.UserID = roster.ID{1}
			return nil
		})
		ann := must(w.Create(t.Context(), person("", "ann@example.com", ""), roster.WithConfirmation()))(t)
		same(t, 1, count(t, kit.DB, "roster_messages WHERE user_id = $1", ann.ID))
	})
}

// HOOK-68: what an operation returns is what it has stored.
func TestHOOK_68_SetFirstPasswordReturnsWhatIsStored(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		must(w.Create(t.Context(), person("", "ann@example.com", ""), roster.WithInvitation()))(t)
		u := must(w.SetFirstPassword(t.Context(), lastMail(t, w, kit, "ann@example.com").Token, "a long passphrase"))(t)
		same(t, must(w.Get(t.Context(), u.ID))(t), u)
	})
}
