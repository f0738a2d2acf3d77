package tokens_test

import (
	"errors"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/tokens"
)

// SESS-65: the tags come from the program's secrets, and outlive a change of them.
func TestSESS_65_TagsOfARing(t *testing.T) {
	var list []secrets.Secret
	for _, id := range []string{"2026", "2027"} {
		s, err := secrets.Generate(id)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	codecOf := func(p secrets.Purpose, list ...secrets.Secret) *tokens.RefreshCodec {
		t.Helper()
		r, err := secrets.New(list)
		if err != nil {
			t.Fatal(err)
		}
		c, err := tokens.NewRefreshCodec(r.For(p))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old, added := list[0], list[1]
	token, _ := newRefresh(t, codecOf(secrets.RefreshTag, old), 1)
	for name, c := range map[string]*tokens.RefreshCodec{
		"the same secrets":                  codecOf(secrets.RefreshTag, old),
		"a secret added, not yet in use":    codecOf(secrets.RefreshTag, old, added),
		"a new secret, the old for reading": codecOf(secrets.RefreshTag, added, old),
	} {
		if _, err := c.Parse(token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]*tokens.RefreshCodec{
		"the old secret gone": codecOf(secrets.RefreshTag, added),
		"another purpose":     codecOf(secrets.Cursor, old),
	} {
		if _, err := c.Parse(token); !errors.Is(err, roster.ErrInvalidRefresh) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
