package tokens_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// jwkOf is the one public key of a set, as it is written.
func jwkOf(t testing.TB, k tokens.Key) map[string]any {
	t.Helper()
	var doc struct{ Keys []map[string]any }
	if err := json.Unmarshal(issuer(t, k).Keys().JWKS(now), &doc); err != nil || len(doc.Keys) != 1 {
		t.Fatalf("got %v, %v", doc, err)
	}
	return doc.Keys[0]
}

func document(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSESS_77_ParseJWKS(t *testing.T) {
	for _, alg := range []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.RS256} {
		t.Run("verifies what "+string(alg)+" has signed", func(t *testing.T) {
			i := issuer(t, key(t, alg))
			v := remote(t, i)
			got, err := v.Verify(sign(t, i, claims()), now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(claims(), got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(string(i.Keys().JWKS(now)), string(v.Keys().JWKS(now))); diff != "" {
				t.Error(diff)
			}
			if _, err := v.Verify(sign(t, i, claims()), claims().ExpiresAt.AddDate(1, 0, 0)); !errors.Is(err, roster.ErrTokenExpired) {
				t.Errorf("late: got %v", err)
			}
		})
	}
	i := issuer(t, key(t, tokens.EdDSA))
	t.Run("signs nothing", func(t *testing.T) {
		keys, err := tokens.ParseJWKS(i.Keys().JWKS(now))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.NewIssuer(config(), keys); err == nil {
			t.Error("an issuer was made of public keys")
		}
		other := issuer(t, key(t, tokens.ES256))
		other.Use(keys)
		if token, err := other.Sign(claims()); err == nil {
			t.Errorf("signed %s", token.Reveal())
		}
		k := keys.Keys()[0]
		if _, err := k.MarshalPrivate(); err == nil {
			t.Error("a private key was marshalled")
		}
		k.State = tokens.Active
		if token, err := issuer(t, k).Sign(claims()); err == nil {
			t.Errorf("signed %s", token.Reveal())
		}
	})
	t.Run("ignores keys that are none of ours (RFC 7517, section 5)", func(t *testing.T) {
		with := func(k tokens.Key, name string, value any) map[string]any {
			j := jwkOf(t, k)
			if j[name] = value; value == nil {
				delete(j, name)
			}
			return j
		}
		ec, ed, rs := key(t, tokens.ES256), key(t, tokens.EdDSA), key(t, tokens.RS256)
		short := with(rs, "n", b64("\xff"+strings.Repeat("\x01", 255)))
		list := []map[string]any{
			with(ec, "use", "enc"), with(ec, "use", nil), with(ec, "alg", "ES384"), with(ec, "alg", nil), with(ec, "alg", "HS256"), with(ec, "alg", "none"),
			with(ec, "alg", "RS256"), with(ec, "kty", "oct"), with(ec, "kid", nil), with(ec, "kid", ""), with(ec, "kid", "../x"), with(ec, "kid", 1),
			with(ec, "kid", strings.Repeat("x", 65)), with(ec, "crv", "P-384"), with(ec, "x", b64(strings.Repeat("\x01", 32))), with(ec, "x", ""),
			with(ec, "y", jwkOf(t, ec)["x"]), with(ec, "x", b64(strings.Repeat("\x00", 33))), with(ec, "x", jwkOf(t, ec)["x"].(string)+"="), with(ed, "x", b64("short")),
			with(ed, "crv", "X25519"), with(ed, "x", nil), short, with(rs, "e", b64("\x03")), with(rs, "e", b64("\x01\x00\x00")), with(rs, "e", b64("\xff\xff\xff\xff")),
			with(rs, "e", b64("\x01\x00\x01\x00\x01")), with(rs, "n", ""), with(rs, "n", b64(strings.Repeat("\xff", 1025))),
			{"kty": "oct", "kid": "shared", "alg": "HS256", "use": "sig", "k": b64(strings.Repeat("k", 32))},
			{},
		}
		for _, j := range list {
			keys, err := tokens.ParseJWKS(document(t, j))
			if err != nil || len(keys.Keys()) != 0 {
				t.Errorf("%v: got %v, %v", j, keys, err)
			}
		}
		good, err := tokens.ParseJWKS(document(t, append(list, jwkOf(t, ed))...))
		if err != nil || len(good.Keys()) != 1 {
			t.Errorf("got %v, %v", good, err)
		}
	})
	t.Run("takes no secret for a public key, SESS-19", func(t *testing.T) {
		secret := b64(strings.Repeat("k", 32))
		forged := hs256(`{"alg":"HS256","kid":"shared","typ":"at+jwt"}`, payload(t, "", ""), []byte(strings.Repeat("k", 32)))
		keys, err := tokens.ParseJWKS(document(t, map[string]any{"kty": "oct", "kid": "shared", "alg": "HS256", "use": "sig", "k": secret}))
		if err != nil {
			t.Fatal(err)
		}
		v, err := tokens.NewVerifier(config(), keys)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(forged, now); !errors.Is(err, roster.ErrInvalidToken) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refuses what is no key set", func(t *testing.T) {
		j := jwkOf(t, key(t, tokens.EdDSA))
		one, _ := json.Marshal(j)
		for _, text := range []string{
			"", "null", "[]", "{}", `"keys"`, `{"keys":null}`, `{"keys":{}}`, `{"keys":"x"}`, `{"Keys":[]}`, `{"keys":[],"keys":[]}`, `{"keys":[1]}`, `{"keys":[null]}`,
			`{"keys":[{"kid":"a","kid":"b"}]}`, `{"keys":[` + string(one) + `,` + string(one) + `]}`, `{"keys":[]}x`, "<html>", "{\"keys\":[\"\xff\"]}",
			`{"keys":[` + strings.TrimSuffix(strings.Repeat("{},", 65), ",") + `]}`, `{"keys":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`,
			`{"keys":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
		} {
			if keys, err := tokens.ParseJWKS([]byte(text)); err == nil {
				t.Errorf("%.60s: got %v", text, keys.Keys())
			}
		}
		if keys, err := tokens.ParseJWKS([]byte(`{"keys":[]}`)); err != nil || len(keys.Keys()) != 0 {
			t.Errorf("none at all: got %v, %v", keys, err)
		}
	})
}

// FuzzParseJWKS: whatever a server says, no panic, and no set that signs or that says otherwise when read again.
func FuzzParseJWKS(f *testing.F) {
	f.Add(issuer(f, func() tokens.Key { k := fixed(f, tokens.ES256); k.State = tokens.Active; return k }()).Keys().JWKS(now))
	f.Add([]byte(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"a","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := tokens.ParseJWKS(text)
		if err != nil {
			return
		}
		if _, err := tokens.NewIssuer(config(), keys); err == nil {
			t.Error("it signs")
		}
		again, err := tokens.ParseJWKS(keys.JWKS(now))
		if err != nil || fmt.Sprint(again.Keys()) != fmt.Sprint(keys.Keys()) {
			t.Errorf("got %v, %v", again, err)
		}
	})
}
