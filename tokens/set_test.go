package tokens_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

func TestSESS_60_ExactlyOneActive(t *testing.T) {
	a, b := fresh(t, tokens.ES256, tokens.Active), fresh(t, tokens.EdDSA, tokens.Active)
	next, retired, revoked := b, fresh(t, tokens.ES256, tokens.Retired), tokens.Key{ID: "old", State: tokens.Revoked}
	next.State = tokens.Next
	renamed, wrong, stateless, named := a, a, b, b
	renamed.ID, renamed.State = "again", tokens.Next
	wrong.Algorithm = tokens.HS256
	stateless.State = "asleep"
	named.ID = "../../x"

	t.Run("takes one key, and all states beside the active one", func(t *testing.T) {
		for _, keys := range [][]tokens.Key{{a}, {revoked, retired, next, a}} {
			if _, err := tokens.NewSet(keys...); err != nil {
				t.Error(err)
			}
		}
	})
	for name, c := range map[string]struct {
		keys  []tokens.Key
		fault string
	}{
		"no key":                   {nil, "0 keys are active"},
		"none active":              {[]tokens.Key{next, retired}, "0 keys are active"},
		"two active":               {[]tokens.Key{a, b}, "2 keys are active"},
		"an id twice":              {[]tokens.Key{a, a}, "given twice"},
		"one material twice":       {[]tokens.Key{a, renamed}, "is the same as"},
		"another algorithm":        {[]tokens.Key{wrong}, `is of ES256, not of "HS256"`},
		"an unknown state":         {[]tokens.Key{a, stateless}, "the state must be"},
		"a malformed id":           {[]tokens.Key{a, named}, "id must have"},
		"an active one without it": {[]tokens.Key{{ID: "x", State: tokens.Active, Algorithm: tokens.ES256}}, "has no key material"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := tokens.NewSet(c.keys...); err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
	t.Run("tells all faults at once", func(t *testing.T) {
		_, err := tokens.NewSet(stateless, named, wrong)
		if got := fmt.Sprint(err); strings.Count(got, "\n") != 3 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("lists the active key first and is not changed by its list", func(t *testing.T) {
		s := set(t, revoked, retired, next, a)
		list := s.Keys()
		list[0].State = tokens.Revoked
		var got []tokens.State
		for _, k := range s.Keys() {
			got = append(got, k.State)
		}
		if diff := cmp.Diff([]tokens.State{tokens.Active, tokens.Next, tokens.Retired, tokens.Revoked}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSESS_64_JWKS(t *testing.T) {
	active, next, retired := key(t, tokens.RS256), key(t, tokens.ES256), key(t, tokens.EdDSA)
	next.State, retired.State = tokens.Next, tokens.Retired
	secret, revoked := fresh(t, tokens.HS256, tokens.Next), fresh(t, tokens.ES256, tokens.Revoked)
	s := set(t, revoked, secret, retired, active, next)

	var doc struct{ Keys []map[string]string }
	if err := json.Unmarshal(s.JWKS(now), &doc); err != nil {
		t.Fatal(err)
	}
	t.Run("holds the public members of next, active and retired keys, and no others", func(t *testing.T) {
		var got [][]string
		for _, k := range doc.Keys {
			var names []string
			for _, name := range []string{"kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"} {
				if k[name] != "" {
					names = append(names, name)
				}
			}
			if len(names) != len(k) || k["use"] != "sig" {
				t.Errorf("members of %v", k)
			}
			got = append(got, append([]string{k["kid"], k["alg"]}, names[4:]...))
		}
		want := [][]string{
			{active.ID, "RS256", "n", "e"},
			{next.ID, "ES256", "crv", "x", "y"},
			{retired.ID, "EdDSA", "crv", "x"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("is the same for the same keys, and the caller's own", func(t *testing.T) {
		clear(s.JWKS(now))
		if !bytes.Equal(s.JWKS(now), set(t, next, active, retired, secret).JWKS(now)) {
			t.Error("differs")
		}
	})
	t.Run("is an empty list when the keys are secret", func(t *testing.T) {
		if got := string(set(t, key(t, tokens.HS256)).JWKS(now)); got != `{"keys":[]}` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("is all that another verifier needs", func(t *testing.T) {
		var keys jose.JSONWebKeySet
		if err := json.Unmarshal(s.JWKS(now), &keys); err != nil {
			t.Fatal(err)
		}
		for _, k := range []tokens.Key{active, next, retired} {
			k.State = tokens.Active
			token := sign(t, issuer(t, k), claims())
			parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256})
			if err != nil {
				t.Fatal(err)
			}
			var got josejwt.Claims
			if err := parsed.Claims(keys, &got); err != nil {
				t.Fatalf("%s: %v", k.Algorithm, err)
			}
			if err := got.Validate(josejwt.Expected{
				Issuer: config().Issuer, AnyAudience: []string{config().Audience}, Subject: claims().Subject.String(), Time: now,
			}); err != nil {
				t.Errorf("%s: %v", k.Algorithm, err)
			}
			if typ := parsed.Headers[0].ExtraHeaders["typ"]; typ != "at+jwt" {
				t.Errorf("typ %v", typ)
			}
			altered := token[:len(token)-8] + strings.Repeat("A", 8)
			if parsed, err = josejwt.ParseSigned(altered, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}); err == nil {
				err = parsed.Claims(keys, &got)
			}
			if err == nil {
				t.Errorf("%s: go-jose takes an altered token", k.Algorithm)
			}
		}
	})
}

// SESS-61: a retired key ends by the clock, whoever does nothing.
func TestSESS_61_RetiredKeysEnd(t *testing.T) {
	retired, active := key(t, tokens.ES256), fresh(t, tokens.EdDSA, tokens.Active)
	token := sign(t, issuer(t, retired), claims())
	retired.State, retired.EndsAt = tokens.Retired, now.Add(time.Minute)
	i := issuer(t, active, retired)
	for _, tt := range []struct {
		at   time.Duration
		live bool
	}{{0, true}, {time.Minute - 1, true}, {time.Minute, false}, {time.Hour, false}} {
		at := now.Add(tt.at)
		if got := bytes.Contains(i.Keys().JWKS(at), []byte(retired.ID)); got != tt.live {
			t.Errorf("published after %s: %t", tt.at, got)
		}
		_, err := i.Verify(token, at)
		if got := !errors.Is(err, roster.ErrInvalidToken); got != tt.live || errors.Is(err, tokens.ErrUnknownKey) {
			t.Errorf("verified after %s: %v", tt.at, err)
		}
	}
	if !bytes.Contains(i.Keys().JWKS(now.Add(time.Hour)), []byte(active.ID)) {
		t.Error("the active key left too")
	}
}

// SESS-65: keys of a configuration tell their faults together.
func TestSESS_65_GivenKeys(t *testing.T) {
	good := tokens.FromSecret(tokens.Active, private(t, fresh(t, tokens.HS256, tokens.Next)).([]byte))
	if _, err := tokens.NewSet(good); err != nil {
		t.Error(err)
	}
	_, err := tokens.NewSet(tokens.FromSecret(tokens.Active, []byte("short")), tokens.FromPEM(tokens.Next, []byte("none")))
	want := "active key: parse key: an HS256 secret must have at least 32 bytes, not 5\nnext key: parse key: no PEM block found"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
