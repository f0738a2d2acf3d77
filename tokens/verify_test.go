package tokens_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

func TestSESS_18_Verify(t *testing.T) {
	for _, alg := range algs {
		t.Run("returns the claims of a token signed by "+string(alg), func(t *testing.T) {
			i := issuer(t, key(t, alg))
			got, err := i.Verify(sign(t, i, claims()), now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(claims(), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("reads members in any order and spelling that JSON allows", func(t *testing.T) {
		k := key(t, tokens.ES256)
		body := strings.ReplaceAll(payload(t, "iss", `"https:\/\/id.example.c\u006fm"`), ",", " ,\n\t")
		got, err := issuer(t, k).Verify(forge(t, k, " "+header(k), body+" "), now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(claims(), got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("reads what Sign writes, whatever the claims", func(t *testing.T) {
		i := issuer(t, key(t, tokens.HS256))
		rapid.Check(t, func(t *rapid.T) {
			c := claims()
			c.AMR = rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "amr")
			c.Permissions = rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "permissions")
			c.Superuser = rapid.Bool().Draw(t, "superuser")
			c.Epoch, c.GlobalEpoch = rapid.Int64Min(0).Draw(t, "epoch"), rapid.Int64Min(0).Draw(t, "global")
			for name, text := range rapid.MapOfN(rapid.StringMatching(`x.{0,9}`), rapid.String(), 0, 4).Draw(t, "extra") {
				if c.Extra == nil {
					c.Extra = map[string]any{}
				}
				c.Extra[name] = text
			}
			token, err := i.Sign(c)
			if err != nil {
				t.Skip(err) // too long
			}
			got, err := i.Verify(token.Reveal(), now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
		})
	})
}

// SESS-66: the owner is told when loading the keys again may help, and only then.
func TestSESS_66_UnknownKey(t *testing.T) {
	k, other := key(t, tokens.ES256), fresh(t, tokens.ES256, tokens.Active)
	i := issuer(t, k)
	token := sign(t, issuer(t, other), claims())
	if _, err := i.Verify(token, now); !errors.Is(err, roster.ErrInvalidToken) || !errors.Is(err, tokens.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
	retired := k
	retired.State = tokens.Retired
	i.Use(set(t, other, retired))
	i.Use(nil)
	if _, err := i.Verify(token, now); err != nil {
		t.Errorf("after Use: %v", err)
	}
	for name, bad := range map[string]string{
		"a malformed kid": forge(t, k, `{"alg":"ES256","kid":"../x","typ":"at+jwt"}`, payload(t, "", "")),
		"garbage":         "a.b.c",
		"a bad signature": token[:len(token)-8] + "AAAAAAAA",
	} {
		if _, err := i.Verify(bad, now); errors.Is(err, tokens.ErrUnknownKey) || !errors.Is(err, roster.ErrInvalidToken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// SESS-60: next, active and retired keys verify; revoked and absent ones do not.
func TestSESS_60_StatesVerify(t *testing.T) {
	active := key(t, tokens.EdDSA)
	for state, want := range map[tokens.State]bool{tokens.Next: true, tokens.Retired: true, tokens.Revoked: false} {
		k := fresh(t, tokens.ES256, tokens.Active)
		token := sign(t, issuer(t, k), claims())
		k.State = state
		_, err := issuer(t, active, k).Verify(token, now)
		if (err == nil) != want || err != nil && (!errors.Is(err, roster.ErrInvalidToken) || errors.Is(err, tokens.ErrUnknownKey)) {
			t.Errorf("%s: got %v", state, err)
		}
	}
	bare := tokens.Key{ID: active.ID, State: tokens.Revoked}
	wantInvalid(t, issuer(t, key(t, tokens.ES256), bare), sign(t, issuer(t, active), claims()))
}

func TestSESS_20_Times(t *testing.T) {
	k := key(t, tokens.HS256)
	i := issuer(t, k)
	end := claims().ExpiresAt
	token := sign(t, i, claims())
	for name, c := range map[string]struct {
		at   time.Time
		want error
	}{
		"at once":                         {now, nil},
		"while the other clock is behind": {now.Add(-5 * time.Second), nil},
		"beyond the leeway before":        {now.Add(-5*time.Second - 1), roster.ErrInvalidToken},
		"at exp":                          {end, nil},
		"within the leeway":               {end.Add(5*time.Second - 1), nil},
		"at exp and leeway":               {end.Add(5 * time.Second), roster.ErrTokenExpired},
		"years later":                     {end.AddDate(10, 0, 0), roster.ErrTokenExpired},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := i.Verify(token, c.at)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && got.Subject != (roster.ID{}) {
				t.Error("claims came with the error")
			}
		})
	}
	late := end.Add(time.Hour)
	expired := func(member, value string) string { return forge(t, k, header(k), payload(t, member, value)) }
	for name, bad := range map[string]string{
		"a wrong signature": token[:len(token)-4] + "AAAA",
		"a wrong issuer":    expired("iss", `"other"`),
		"a wrong audience":  expired("aud", `"other"`),
		"a missing claim":   expired("sid", ""),
		"a future nbf":      expired("nbf", fmt.Sprint(late.Unix()+6)),
		"a future iat":      expired("iat", fmt.Sprint(late.Unix()+6)),
	} {
		t.Run("expired with "+name+" is invalid", func(t *testing.T) {
			if _, err := i.Verify(bad, late); !errors.Is(err, roster.ErrInvalidToken) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("each of nbf and iat counts", func(t *testing.T) {
		for _, member := range []string{"nbf", "iat"} {
			wantInvalid(t, i, expired(member, fmt.Sprint(now.Unix()+6)))
			if _, err := i.Verify(expired(member, fmt.Sprint(now.Unix()+5)), now); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("exp zero is long ago", func(t *testing.T) {
		if _, err := i.Verify(expired("exp", "0"), now); !errors.Is(err, roster.ErrTokenExpired) {
			t.Errorf("got %v", err)
		}
	})
}

// SEC-98: a token of another issuer object with other settings or keys.
func TestSESS_19_AnotherRepo(t *testing.T) {
	k := key(t, tokens.ES256)
	for _, c := range []tokens.Config{{Issuer: "other", Audience: "example"}, {Issuer: config().Issuer, Audience: "other"}} {
		other, err := tokens.NewIssuer(c, set(t, k))
		if err != nil {
			t.Fatal(err)
		}
		wantInvalid(t, issuer(t, k), sign(t, other, claims()))
	}
}

// A token of golang-jwt with our key and claims is one of ours; the corpus above is thus refused for its faults only.
func TestVerifyReadsOtherSigners(t *testing.T) {
	k := key(t, tokens.EdDSA)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": config().Issuer, "aud": config().Audience, "sub": claims().Subject, "sid": claims().SessionID, "jti": claims().TokenID,
		"exp": now.Unix() + 600, "nbf": now.Unix(), "iat": now.Unix(), "auth_time": now.Unix() - 3600, "epoch": []int{3, 1},
		"amr": []string{"pwd", "otp"}, "permissions": claims().Permissions,
	})
	token.Header["typ"], token.Header["kid"] = "at+jwt", k.ID
	text, err := token.SignedString(private(t, k))
	if err != nil {
		t.Fatal(err)
	}
	got, err := issuer(t, k).Verify(text, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims(), got); diff != "" {
		t.Error(diff)
	}
}

func TestIssuerConcurrently(t *testing.T) {
	a, b := fresh(t, tokens.EdDSA, tokens.Active), fresh(t, tokens.ES256, tokens.Next)
	i := issuer(t, a, b)
	rotatedA, rotatedB := a, b
	rotatedA.State, rotatedB.State = tokens.Retired, tokens.Active
	sets := []*tokens.Set{i.Keys(), set(t, rotatedA, rotatedB)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 200 {
			i.Use(sets[n%2])
		}
	})
	for range 4 {
		wg.Go(func() {
			for range 50 {
				token, err := i.Sign(claims())
				if err != nil {
					t.Error(err)
				}
				if _, err := i.Verify(token.Reveal(), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
