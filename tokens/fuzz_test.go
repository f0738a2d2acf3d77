package tokens_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// fixed returns a key that is the same in every process: fuzzing shares its inputs among several.
func fixed(f *testing.F, alg tokens.Algorithm) tokens.Key {
	f.Helper()
	seed := sha256.Sum256([]byte("fuzz " + alg))
	var p any
	var err error
	switch alg {
	case tokens.HS256:
		k, err := tokens.NewHMAC(seed[:])
		if err != nil {
			f.Fatal(err)
		}
		return k
	case tokens.EdDSA:
		p = ed25519.NewKeyFromSeed(seed[:])
	case tokens.RS256:
		f.Fatal("an RSA key takes too long to make")
	case tokens.ES256:
		if p, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]); err != nil {
			f.Fatal(err)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(p)
	if err != nil {
		f.Fatal(err)
	}
	k, err := tokens.ParsePrivate(alg, der)
	if err != nil {
		f.Fatal(err)
	}
	return k
}

// FuzzVerify: SESS-22, SEC-53. No panic, and nothing passes that was not signed.
func FuzzVerify(f *testing.F) {
	signed := map[string]bool{}
	var keys []tokens.Key
	for _, alg := range []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.HS256} {
		k := fixed(f, alg)
		k.State = tokens.Active
		token := sign(f, issuer(f, k), claims())
		// Signatures of ES256 are random; what they cover is not.
		signed[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
		f.Add(forge(f, k, header(k), payload(f, "exp", `"1"`)))
		if alg != tokens.ES256 {
			k.State = tokens.Next
		}
		keys = append(keys, k)
	}
	for _, seed := range []string{"", "..", "e30.e30.", "e30.e30.AA", "rt1.k1.AA"} {
		f.Add(seed)
	}
	i := issuer(f, keys...)
	byJWKS := remote(f, i)
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range []*tokens.Verifier{i.Verifier, byJWKS} {
			_, err := v.Verify(token, now)
			switch {
			case err == nil && !signed[token[:strings.LastIndexByte(token, '.')]]:
				t.Errorf("accepted %q", token)
			case err != nil && !errors.Is(err, roster.ErrInvalidToken):
				t.Errorf("got %v", err)
			}
		}
	})
}

// FuzzClaims: what a right signature covers may be anything, too.
func FuzzClaims(f *testing.F) {
	k := fixed(f, tokens.HS256)
	k.State = tokens.Active
	i := issuer(f, k)
	f.Add(header(k), payload(f, "", ""))
	f.Add(header(k), payload(f, "x", `{"a":[1,"b",{"c":null}],"d":"\u00e9\ud800"}`))
	f.Add(`{"alg" : "HS256"}`, `{"":[],"":{}}`)
	secret := private(f, k).([]byte)
	f.Fuzz(func(t *testing.T, header, payload string) {
		got, err := i.Verify(hs256(header, payload, secret), now)
		incomplete := got.Issuer != config().Issuer || got.Audience != config().Audience || got.Subject == (roster.ID{}) ||
			got.SessionID == (roster.ID{}) || got.TokenID == (roster.ID{}) || got.ExpiresAt.Before(now.Add(-time.Minute))
		switch {
		case err == nil && incomplete:
			t.Errorf("accepted %q", payload)
		case err != nil && !errors.Is(err, roster.ErrInvalidToken) && !errors.Is(err, roster.ErrTokenExpired):
			t.Errorf("got %v", err)
		}
	})
}
