package tokens_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

func TestSESS_1_Sign(t *testing.T) {
	k := key(t, tokens.ES256)
	i := issuer(t, k)
	parts := strings.Split(sign(t, i, claims()), ".")

	t.Run("writes the header alg, kid, typ", func(t *testing.T) {
		if got, want := unb64(t, parts[0]), `{"alg":"ES256","kid":"`+k.ID+`","typ":"at+jwt"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("writes the claims, times as whole seconds", func(t *testing.T) {
		if got, want := unb64(t, parts[1]), payload(t, "", ""); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("writes superuser only when true, and empty lists as lists", func(t *testing.T) {
		c := claims()
		c.Superuser, c.AMR, c.Permissions = true, nil, nil
		body := unb64(t, strings.Split(sign(t, i, c), ".")[1])
		if !strings.Contains(body, `"amr":[],"permissions":[],"superuser":true}`) {
			t.Error(body)
		}
	})
	t.Run("names its own issuer and audience", func(t *testing.T) {
		c := claims()
		c.Issuer, c.Audience = "https://evil.example", "other"
		got, err := i.Verify(sign(t, i, c), now)
		if err != nil || got.Issuer != config().Issuer || got.Audience != config().Audience {
			t.Errorf("got %q, %q, %v", got.Issuer, got.Audience, err)
		}
	})
	t.Run("cuts times to seconds", func(t *testing.T) {
		c := claims()
		c.ExpiresAt = c.ExpiresAt.Add(999 * time.Millisecond)
		got, err := i.Verify(sign(t, i, c), now)
		if err != nil || !got.ExpiresAt.Equal(claims().ExpiresAt) {
			t.Errorf("got %v, %v", got.ExpiresAt, err)
		}
	})
}

func TestSESS_2_ExtraClaims(t *testing.T) {
	i := issuer(t, key(t, tokens.ES256))
	t.Run("are merged and come back", func(t *testing.T) {
		c := claims()
		c.Extra = map[string]any{"plan": "pro", "seats": 5, "tags": []string{"a<b"}, "null": nil, "deep": map[string]any{"x": true}}
		got, err := i.Verify(sign(t, i, c), now)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"plan": "pro", "seats": 5.0, "tags": []any{"a<b"}, "null": nil, "deep": map[string]any{"x": true}}
		if diff := cmp.Diff(want, got.Extra); diff != "" {
			t.Error(diff)
		}
	})
	for name, extra := range map[string]any{
		"nesting deeper than Verify reads": nest(8),
		"doubled members":                  json.RawMessage(`{"a":1,"a":2}`),
		"what JSON cannot say":             func() {},
		"broken JSON":                      json.RawMessage(`{`),
		"too much":                         strings.Repeat("x", tokens.MaxToken),
	} {
		t.Run("are refused with "+name, func(t *testing.T) {
			c := claims()
			c.Extra = map[string]any{"x": extra}
			if token, err := i.Sign(c); token != "" || !errors.Is(err, roster.ErrInternal) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("two names that become one are refused", func(t *testing.T) {
		c := claims()
		c.Extra = map[string]any{"\xff": 1, "\xfe": 2}
		if _, err := i.Sign(c); !errors.Is(err, roster.ErrInternal) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("as deep as can be are read", func(t *testing.T) {
		c := claims()
		c.Extra = map[string]any{"x": nest(7)}
		if _, err := i.Verify(sign(t, i, c), now); err != nil {
			t.Error(err)
		}
	})
}

func nest(depth int) any {
	var v any = 1
	for range depth {
		v = []any{v}
	}
	return v
}

func TestSEC_57_ReservedClaims(t *testing.T) {
	i := issuer(t, key(t, tokens.ES256))
	var names []string
	var all map[string]any
	if err := json.Unmarshal([]byte(payload(t, "superuser", "true")), &all); err != nil {
		t.Fatal(err)
	}
	names = append(slices.Sorted(maps.Keys(all)), "act", "scope", "gen", "csrf", "SUB", "Exp", "\u017fub")
	for _, name := range names {
		c := claims()
		c.Extra = map[string]any{name: "x"}
		if token, err := i.Sign(c); token != "" || !errors.Is(err, roster.ErrInternal) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(names) != 20 {
		t.Errorf("%d names tried", len(names))
	}
}

func TestSESS_4_TokenIDs(t *testing.T) {
	i := issuer(t, key(t, tokens.ES256))
	c := claims()
	c.TokenID = roster.ID{}
	seen := map[roster.ID]bool{}
	for range 100 {
		got, err := i.Verify(sign(t, i, c), now)
		if err != nil {
			t.Fatal(err)
		}
		if seen[got.TokenID] || got.TokenID.Version() != 7 || got.TokenID.Variant().String() != "RFC4122" {
			t.Fatalf("got %v again or not a UUIDv7", got.TokenID)
		}
		if sec, nsec := got.TokenID.Time().UnixTime(); !time.Unix(sec, nsec).Equal(now) {
			t.Fatalf("made at %v", time.Unix(sec, nsec))
		}
		seen[got.TokenID] = true
	}
}

// SESS-6: a missing life is an error, not a default.
func TestSESS_6_RequiredClaims(t *testing.T) {
	i := issuer(t, key(t, tokens.ES256))
	for name, change := range map[string]func(*roster.Claims){
		"no sub":           func(c *roster.Claims) { c.Subject = roster.ID{} },
		"no sid":           func(c *roster.Claims) { c.SessionID = roster.ID{} },
		"no exp":           func(c *roster.Claims) { c.ExpiresAt = time.Time{} },
		"no nbf":           func(c *roster.Claims) { c.NotBefore = time.Time{} },
		"no iat":           func(c *roster.Claims) { c.IssuedAt = time.Time{} },
		"no auth_time":     func(c *roster.Claims) { c.AuthTime = time.Time{} },
		"no life":          func(c *roster.Claims) { c.ExpiresAt = c.IssuedAt },
		"less than none":   func(c *roster.Claims) { c.ExpiresAt = c.IssuedAt.Add(-time.Hour) },
		"the year 10000":   func(c *roster.Claims) { c.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a negative epoch": func(c *roster.Claims) { c.Epoch = -1 },
		"another negative": func(c *roster.Claims) { c.GlobalEpoch = -1 },
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			c := claims()
			change(&c)
			if token, err := i.Sign(c); token != "" || !errors.Is(err, roster.ErrInternal) {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, config := range map[string]tokens.Config{
		"no issuer":         {Audience: "a"},
		"no audience":       {Issuer: "i"},
		"broken UTF-8":      {Issuer: "\xff", Audience: "a"},
		"negative leeway":   {Issuer: "i", Audience: "a", Leeway: -1},
		"more than 60 s":    {Issuer: "i", Audience: "a", Leeway: time.Minute + 1},
		"everything at all": {},
	} {
		t.Run("NewIssuer refuses "+name, func(t *testing.T) {
			if _, err := tokens.NewIssuer(config, set(t, key(t, tokens.ES256))); err == nil {
				t.Error("no error")
			}
		})
	}
	t.Run("NewIssuer tells all faults at once", func(t *testing.T) {
		if _, err := tokens.NewIssuer(tokens.Config{Leeway: -1}, nil); strings.Count(fmt.Sprint(err), "\n") != 3 {
			t.Error(err)
		}
	})
}

func TestSESS_72_TokensRedactThemselves(t *testing.T) {
	i := issuer(t, key(t, tokens.ES256))
	token, err := i.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("token", token))
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x", token, token, token, token, token, token)
	_, err = i.Verify(token.Reveal()[1:], now)
	fmt.Fprint(&out, err)
	for part := range strings.SplitSeq(token.Reveal(), ".") {
		if strings.Contains(out.String(), part[1:]) {
			t.Error(out.String())
		}
	}
}
