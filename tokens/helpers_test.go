package tokens_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

var (
	now  = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	algs = []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.RS256, tokens.HS256}

	shared = sync.OnceValues(func() (map[tokens.Algorithm]tokens.Key, error) {
		keys := map[tokens.Algorithm]tokens.Key{}
		for _, alg := range algs {
			k, err := tokens.Generate(alg, now)
			if err != nil {
				return nil, err
			}
			k.State = tokens.Active
			keys[alg] = k
		}
		return keys, nil
	})
)

// key returns the active key that all tests share.
func key(t testing.TB, alg tokens.Algorithm) tokens.Key {
	t.Helper()
	keys, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return keys[alg]
}

func fresh(t testing.TB, alg tokens.Algorithm, state tokens.State) tokens.Key {
	t.Helper()
	k, err := tokens.Generate(alg, now)
	if err != nil {
		t.Fatal(err)
	}
	k.State = state
	return k
}

func set(t testing.TB, keys ...tokens.Key) *tokens.Set {
	t.Helper()
	s, err := tokens.NewSet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config() tokens.Config {
	return tokens.Config{Issuer: "https://id.example.com", Audience: "example", Leeway: 5 * time.Second}
}

func issuer(t testing.TB, keys ...tokens.Key) *tokens.Issuer {
	t.Helper()
	i, err := tokens.NewIssuer(config(), set(t, keys...))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func claims() roster.Claims {
	return roster.Claims{
		Issuer:      "https://id.example.com",
		Subject:     uuid.MustParse("0198a1b2-0000-7000-8000-000000000001"),
		Audience:    "example",
		SessionID:   uuid.MustParse("0198a1b2-0000-7000-8000-000000000002"),
		TokenID:     uuid.MustParse("0198a1b2-0000-7000-8000-000000000003"),
		IssuedAt:    now,
		NotBefore:   now,
		ExpiresAt:   now.Add(10 * time.Minute),
		AuthTime:    now.Add(-time.Hour),
		AMR:         []string{"pwd", "otp"},
		Epoch:       3,
		GlobalEpoch: 1,
		Permissions: roster.Permissions{"orders:*", "users:read"},
	}
}

func sign(t testing.TB, i *tokens.Issuer, c roster.Claims) string {
	t.Helper()
	token, err := i.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func unb64(t testing.TB, s string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// private returns what golang-jwt signs with.
func private(t testing.TB, k tokens.Key) any {
	t.Helper()
	raw, err := k.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	if k.Algorithm == tokens.HS256 {
		return raw
	}
	p, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// forge signs any header and claims rightly with the key's own algorithm, whatever the header says.
func forge(t testing.TB, k tokens.Key, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	sig, err := jwt.GetSigningMethod(string(k.Algorithm)).Sign(input, private(t, k))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(string(sig))
}

func hs256(header, payload string, secret []byte) string {
	input := b64(header) + "." + b64(payload)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + b64(string(h.Sum(nil)))
}

func header(k tokens.Key) string {
	return fmt.Sprintf(`{"typ":"at+jwt","kid":"%s","alg":"%s"}`, k.ID, k.Algorithm)
}

// payload is the claims of claims() as JSON; member replaces one, or removes it with "".
func payload(t testing.TB, member, value string) string {
	t.Helper()
	list := [][2]string{
		{"iss", `"https://id.example.com"`},
		{"sub", `"0198a1b2-0000-7000-8000-000000000001"`},
		{"aud", `"example"`},
		{"exp", fmt.Sprint(now.Unix() + 600)},
		{"nbf", fmt.Sprint(now.Unix())},
		{"iat", fmt.Sprint(now.Unix())},
		{"jti", `"0198a1b2-0000-7000-8000-000000000003"`},
		{"sid", `"0198a1b2-0000-7000-8000-000000000002"`},
		{"epoch", `[3,1]`},
		{"auth_time", fmt.Sprint(now.Unix() - 3600)},
		{"amr", `["pwd","otp"]`},
		{"permissions", `["orders:*","users:read"]`},
	}
	var parts []string
	for _, m := range list {
		switch {
		case m[0] != member:
			parts = append(parts, `"`+m[0]+`":`+m[1])
		case value != "":
			parts = append(parts, `"`+m[0]+`":`+value)
		}
		if m[0] == member {
			member = ""
		}
	}
	if member != "" {
		parts = append(parts, `"`+member+`":`+value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// wantInvalid holds for the issuer, and for a verifier that knows its JWKS alone.
func wantInvalid(t testing.TB, i *tokens.Issuer, token string) {
	t.Helper()
	for name, v := range map[string]*tokens.Verifier{"issuer": i.Verifier, "by its JWKS": remote(t, i)} {
		got, err := v.Verify(token, now)
		if !errors.Is(err, roster.ErrInvalidToken) {
			t.Errorf("%s: got %v, want invalid_token", name, err)
		}
		if got.Subject != (roster.ID{}) || got.Issuer != "" || got.Extra != nil {
			t.Errorf("%s: claims came with the error", name)
		}
	}
}

// remote is a verifier of what the JWKS of an issuer says.
func remote(t testing.TB, i *tokens.Issuer) *tokens.Verifier {
	t.Helper()
	keys, err := tokens.ParseJWKS(i.Keys().JWKS(now))
	if err != nil {
		t.Fatal(err)
	}
	v, err := tokens.NewVerifier(config(), keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
