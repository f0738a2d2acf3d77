package tokens_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// remembering returns an issuer that remembers so many tokens.
func remembering(t testing.TB, most int, keys ...tokens.Key) *tokens.Issuer {
	t.Helper()
	c := config()
	c.Remember = most
	i, err := tokens.NewIssuer(c, set(t, keys...))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// SESS-17, SESS-18: a token that was verified before is judged by the same rules, all but its signature.
func TestSESS_18_Remembered(t *testing.T) {
	k := key(t, tokens.ES256)
	t.Run("gives each caller claims of their own", func(t *testing.T) {
		c := claims()
		c.Extra = map[string]any{"plan": map[string]any{"name": "pro"}, "tags": []any{"a"}}
		i := issuer(t, k)
		token := sign(t, i, c)
		for range 3 {
			got, err := i.Verify(token, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, got); diff != "" {
				t.Fatal(diff)
			}
			got.AMR[0], got.Permissions[0], got.Extra["new"] = "changed", "changed", 1
			got.Extra["plan"].(map[string]any)["name"] = "changed"
			got.Extra["tags"].([]any)[0] = "changed"
		}
	})
	t.Run("ends with the token", func(t *testing.T) {
		i := issuer(t, k)
		token := sign(t, i, claims())
		for _, after := range []time.Duration{0, 10*time.Minute + 5*time.Second, 10*time.Minute + 4*time.Second, time.Hour} {
			_, err := i.Verify(token, now.Add(after))
			if late := after >= 10*time.Minute+5*time.Second; late != errors.Is(err, roster.ErrTokenExpired) || !late && err != nil {
				t.Errorf("after %s: %v", after, err)
			}
		}
	})
	t.Run("SESS-63 ends with its key", func(t *testing.T) {
		next := fresh(t, tokens.ES256, tokens.Active)
		i := issuer(t, k)
		token := sign(t, i, claims())
		if _, err := i.Verify(token, now); err != nil {
			t.Fatal(err)
		}
		retired, revoked := k, k
		retired.State, revoked.State = tokens.Retired, tokens.Revoked
		i.Use(set(t, retired, next))
		if _, err := i.Verify(token, now); err != nil {
			t.Error(err)
		}
		i.Use(set(t, revoked, next))
		if _, err := i.Verify(token, now); !errors.Is(err, roster.ErrInvalidToken) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("SESS-19 says nothing of a token that differs", func(t *testing.T) {
		i := issuer(t, k)
		token := sign(t, i, claims())
		if _, err := i.Verify(token, now); err != nil {
			t.Fatal(err)
		}
		for at := range len(token) {
			changed := []byte(token)
			changed[at] ^= 1
			if _, err := i.Verify(string(changed), now); !errors.Is(err, roster.ErrInvalidToken) {
				t.Fatalf("byte %d changed: %v", at, err)
			}
		}
	})
	t.Run("is right when there are more than it remembers, or none", func(t *testing.T) {
		for _, most := range []int{-1, 1, 2, 5} {
			i := remembering(t, most, k)
			var list []string
			for n := range 12 {
				c := claims()
				c.Epoch = int64(n)
				list = append(list, sign(t, i, c))
			}
			for range 3 {
				for n, token := range list {
					got, err := i.Verify(token, now)
					if err != nil || got.Epoch != int64(n) {
						t.Fatalf("%d remembered, token %d: epoch %d, %v", most, n, got.Epoch, err)
					}
				}
			}
		}
	})
}

func BenchmarkVerifyRemembered(b *testing.B) {
	i := issuer(b, key(b, tokens.ES256))
	token := sign(b, i, claims())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := i.Verify(token, now); err != nil {
				b.Error(err)
			}
		}
	})
}
