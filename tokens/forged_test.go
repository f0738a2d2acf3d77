package tokens_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// SEC-47: the key fixes the one algorithm.
func TestSEC_47_Algorithms(t *testing.T) {
	body := payload(t, "", "")
	for _, alg := range algs {
		k := key(t, alg)
		i := issuer(t, k)
		h := func(alg string) string { return fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"at+jwt"}`, alg, k.ID) }
		if _, err := i.Verify(forge(t, k, header(k), body), now); err != nil {
			t.Fatal(err) // the corpus below would prove nothing
		}
		for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
			wantInvalid(t, i, b64(h(none))+"."+b64(body)+".")
			wantInvalid(t, i, forge(t, k, h(none), body))
		}
		for _, other := range []string{"ES256", "EdDSA", "RS256", "HS256", "ES384", "PS256", "Ed25519", strings.ToLower(string(alg)), string(alg) + " "} {
			if other != string(alg) {
				wantInvalid(t, i, forge(t, k, h(other), body))
			}
		}
		wantInvalid(t, i, forge(t, k, fmt.Sprintf(`{"kid":"%s","typ":"at+jwt"}`, k.ID), body))
		wantInvalid(t, i, forge(t, k, fmt.Sprintf(`{"alg":null,"kid":"%s","typ":"at+jwt"}`, k.ID), body))
		wantInvalid(t, i, forge(t, k, fmt.Sprintf(`{"alg":["%s"],"kid":"%s","typ":"at+jwt"}`, alg, k.ID), body))

		// Another key's signature under this kid, also of another algorithm.
		for _, otherAlg := range algs {
			if otherAlg != alg {
				wantInvalid(t, i, forge(t, key(t, otherAlg), header(k), body))
				wantInvalid(t, i, forge(t, key(t, otherAlg), h(string(otherAlg)), body))
			}
		}
		if alg == tokens.HS256 {
			continue
		}
		// HS256 with every spelling of the public key as the secret.
		for _, secret := range publicSpellings(t, i, k) {
			wantInvalid(t, i, hs256(h("HS256"), body, secret))
			wantInvalid(t, i, hs256(h(string(alg)), body, secret))
		}
	}
}

func publicSpellings(t *testing.T, i *tokens.Issuer, k tokens.Key) [][]byte {
	t.Helper()
	signer := private(t, k).(crypto.Signer)
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return [][]byte{
		der, text, []byte(strings.TrimSpace(string(text))), []byte(base64.StdEncoding.EncodeToString(der)), i.Keys().JWKS(now), {}, []byte(k.ID),
	}
}

// SEC-51: kid is looked up in the fixed set only, and nothing in the header is followed.
func TestSEC_51_Headers(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer server.Close()

	k := key(t, tokens.ES256)
	other := fresh(t, tokens.ES256, tokens.Active)
	i := issuer(t, k)
	body := payload(t, "", "")
	for _, kid := range []string{
		``, `""`, `null`, `1`, `["x"]`, `"../../x"`, `"' OR 1=1"`, `"\u0000"`, `"` + strings.Repeat("k", 65) + `"`, `"` + strings.Repeat("k", 5<<10) + `"`, `"` + strings.Repeat("k", 10<<10) + `"`,
		`"` + k.ID + ` "`, `"` + k.ID[1:] + `"`, `"` + strings.ToLower(k.ID) + `"`, `"` + server.URL + `"`,
	} {
		member := `"kid":` + kid + `,`
		if kid == "" {
			member = ""
		}
		token := forge(t, k, `{"alg":"ES256",`+member+`"typ":"at+jwt"}`, body)
		wantInvalid(t, i, token)
	}
	for _, more := range []string{
		`"jku":"` + server.URL + `"`, `"x5u":"` + server.URL + `"`, `"jwk":{"kty":"EC"}`, `"x5c":["MIIB"]`, `"crit":["exp"]`, `"crit":[]`,
		`"b64":false`, `"b64":true`, `"zip":"DEF"`, `"cty":"JWT"`, `"x5t":"x"`, `"x":{}`, `"":""`,
		`"alg":"ES256"`, `"alg":"none"`, `"kid":"` + k.ID + `"`, `"typ":"at+jwt"`, `"\u0061lg":"ES256"`, `"ALG":"none"`,
	} {
		h := header(k)
		wantInvalid(t, i, forge(t, k, h[:len(h)-1]+","+more+"}", body))
		wantInvalid(t, i, forge(t, k, "{"+more+","+h[1:], body))
	}
	// A key that comes with the token, in full.
	wantInvalid(t, i, forge(t, other, fmt.Sprintf(`{"alg":"ES256","kid":"%s","typ":"at+jwt","jwk":%s}`, other.ID, set(t, other).JWKS(now)), body))
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls to the address in the header", n)
	}
}

// SEC-50: every other kind of token is refused here.
func TestSEC_50_Types(t *testing.T) {
	k := key(t, tokens.ES256)
	i := issuer(t, k)
	body := payload(t, "", "")
	for _, typ := range []string{`"JWT"`, `"jwt"`, `"AT+JWT"`, `"application/at+jwt"`, `"at+jwt "`, `"logout+jwt"`, `""`, `null`, `1`} {
		wantInvalid(t, i, forge(t, k, fmt.Sprintf(`{"alg":"ES256","kid":"%s","typ":%s}`, k.ID, typ), body))
	}
	wantInvalid(t, i, forge(t, k, fmt.Sprintf(`{"alg":"ES256","kid":"%s"}`, k.ID), body))

	refresh, _, err := codec(t).New(claims().SessionID, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{refresh.Reveal(), "pr_" + strings.Repeat("x", 43), "123456", "Bearer " + sign(t, i, claims())} {
		wantInvalid(t, i, other)
	}
	if _, err := codec(t).Parse(sign(t, i, claims())); !errors.Is(err, roster.ErrInvalidRefresh) { // SESS-71
		t.Errorf("an access token as a refresh token: %v", err)
	}
}

// SEC-48, SESS-19: one changed bit or cut byte at any place.
func TestSEC_48_BitsAndCuts(t *testing.T) {
	for _, alg := range algs {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			i := issuer(t, key(t, alg))
			token := sign(t, i, claims())
			for n := range len(token) {
				for bit := range 8 {
					flipped := []byte(token)
					flipped[n] ^= 1 << bit
					wantInvalid(t, i, string(flipped))
				}
				wantInvalid(t, i, token[:n])
				wantInvalid(t, i, token[:n]+token[n+1:])
				if t.Failed() {
					t.Fatalf("at byte %d", n)
				}
			}
		})
	}
}
