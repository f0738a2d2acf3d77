package tokens_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/roster-go/roster/tokens"
)

func TestSESS_60_Generate(t *testing.T) {
	for _, alg := range algs {
		t.Run("makes a next key for "+string(alg), func(t *testing.T) {
			k := key(t, alg)
			if k.Algorithm != alg || !k.CreatedAt.Equal(now) || k.ID == "" {
				t.Errorf("got %v", k)
			}
			if alg != tokens.RS256 {
				if other := fresh(t, alg, tokens.Next); other.ID == k.ID {
					t.Error("two keys have one id")
				}
			}
		})
	}
	t.Run("refuses other algorithms", func(t *testing.T) {
		for _, alg := range []tokens.Algorithm{"", "none", "ES384", "HS512", "es256"} {
			if _, err := tokens.Generate(alg, now); err == nil {
				t.Errorf("%q: no error", alg)
			}
		}
	})
}

func TestKeyIDIsTheThumbprint(t *testing.T) { // RFC 7638, told by another implementation
	for _, alg := range []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.RS256} {
		k := key(t, alg)
		public := private(t, k).(interface{ Public() crypto.PublicKey }).Public()
		sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if want := base64.RawURLEncoding.EncodeToString(sum); k.ID != want {
			t.Errorf("%s: got %s, want %s", alg, k.ID, want)
		}
	}
}

func TestSESS_65_MarshalPrivate(t *testing.T) {
	for _, alg := range algs {
		t.Run("comes back for "+string(alg), func(t *testing.T) {
			k := key(t, alg)
			raw, err := k.MarshalPrivate()
			if err != nil {
				t.Fatal(err)
			}
			got, err := tokens.ParsePrivate(alg, raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != k.ID || got.Algorithm != alg {
				t.Errorf("got %v, want %v", got, k)
			}
			got.State = tokens.Active
			if _, err := issuer(t, got).Verify(sign(t, issuer(t, k), claims()), now); err != nil {
				t.Error(err)
			}
			if _, err := tokens.ParsePrivate(alg, raw[:len(raw)-1]); err == nil {
				t.Error("parsed with a byte missing")
			}
		})
	}
	t.Run("refuses a key of another algorithm", func(t *testing.T) {
		raw, _ := key(t, tokens.EdDSA).MarshalPrivate()
		if _, err := tokens.ParsePrivate(tokens.ES256, raw); err == nil {
			t.Error("no error")
		}
	})
	t.Run("is an error for a key without material", func(t *testing.T) {
		if _, err := (tokens.Key{ID: "x"}).MarshalPrivate(); err == nil {
			t.Error("no error")
		}
	})
}

func pemText(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestSESS_65_ParsePEM(t *testing.T) {
	ec := private(t, key(t, tokens.ES256)).(*ecdsa.PrivateKey)
	rs := private(t, key(t, tokens.RS256)).(*rsa.PrivateKey)
	pkcs8 := func(k any) string {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		return pemText(t, "PRIVATE KEY", der, err)
	}
	sec1 := func(k *ecdsa.PrivateKey) string {
		der, err := x509.MarshalECPrivateKey(k)
		return pemText(t, "EC PRIVATE KEY", der, err)
	}
	params := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"

	for name, c := range map[string]struct {
		text string
		alg  tokens.Algorithm
	}{
		"PKCS #8, P-256":     {pkcs8(ec), tokens.ES256},
		"PKCS #8, Ed25519":   {pkcs8(private(t, key(t, tokens.EdDSA))), tokens.EdDSA},
		"PKCS #8, RSA":       {pkcs8(rs), tokens.RS256},
		"SEC 1":              {sec1(ec), tokens.ES256},
		"SEC 1 of openssl":   {params + sec1(ec) + "\n", tokens.ES256},
		"PKCS #1":            {pemText(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs), nil), tokens.RS256},
		"text before a key":  {"for staging\n" + pkcs8(ec), tokens.ES256},
		"Windows line break": {strings.ReplaceAll(pkcs8(ec), "\n", "\r\n"), tokens.ES256},
	} {
		t.Run("reads "+name, func(t *testing.T) {
			got, err := tokens.ParsePEM([]byte(c.text))
			if err != nil || got.ID != key(t, c.alg).ID {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}

	weakRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecdhKey, err := ec.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	public := pemText(t, "PUBLIC KEY", publicDER, err)
	for name, text := range map[string]string{ // SEC-54
		"nothing":          "",
		"no PEM":           "secret",
		"RSA of 2048 bits": pkcs8(weakRSA),
		"RSA with small e": pkcs8(smallExponent(t, rs)),
		"P-384":            sec1(p384),
		"P-224":            pkcs8(p224),
		"a public key":     public,
		"two keys":         pkcs8(ec) + pkcs8(rs),
		"text behind":      pkcs8(ec) + "x",
		"parameters only":  params,
		"an encrypted key": string(pem.EncodeToMemory(&pem.Block{
			Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x"),
		})),
		"garbage within": pemText(t, "PRIVATE KEY", []byte("garbage"), nil),
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if got, err := tokens.ParsePEM([]byte(text)); err == nil {
				t.Errorf("got %v", got)
			}
		})
	}
	t.Run("reads an ECDH key of P-256 as the ECDSA key that it is written as", func(t *testing.T) {
		if got, err := tokens.ParsePEM([]byte(pkcs8(ecdhKey))); err != nil || got.ID != key(t, tokens.ES256).ID {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// smallExponent returns a sound key of the same primes with a smaller public exponent.
func smallExponent(t *testing.T, k *rsa.PrivateKey) *rsa.PrivateKey {
	t.Helper()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(k.Primes[0], one), new(big.Int).Sub(k.Primes[1], one))
	for e := int64(257); e > 2; e -= 2 { // not every one fits these primes
		if d := new(big.Int).ModInverse(big.NewInt(e), phi); d != nil {
			weak := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: k.N, E: int(e)}, Primes: k.Primes, D: d}
			weak.Precompute()
			if err := weak.Validate(); err != nil {
				t.Fatal(err)
			}
			return weak
		}
	}
	t.Fatal("no exponent fits")
	return nil
}

func TestSEC_54_NewHMAC(t *testing.T) {
	for name, secret := range map[string]string{
		"nothing":            "",
		"31 bytes":           "0Fq8z7bN4xYw2LrTk5VdHs9JcGmPe1A",
		"secret repeated":    strings.Repeat("secret", 6),
		"32 times a":         strings.Repeat("a", 32),
		"16 bytes twice":     strings.Repeat("k3Jz9QpLm2XvT7sR", 2),
		"a sequence":         "abcdefghijklmnopqrstuvwxyz0123456789",
		"few values":         "azzazaazzaazazzazaazazzaazzazaazzaaz",
		"jwt.io's sample":    "a-string-secret-at-least-256-bits-long",
		"documented example": "Example-key-of-the-documentation-X9",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := tokens.NewHMAC([]byte(secret)); err == nil || secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("accepts 32 random bytes, and keeps its own copy", func(t *testing.T) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		before := bytes.Clone(secret)
		k, err := tokens.NewHMAC(secret)
		if err != nil {
			t.Fatal(err)
		}
		clear(secret)
		if raw, err := k.MarshalPrivate(); err != nil || !bytes.Equal(raw, before) {
			t.Errorf("%v", err)
		}
	})
}

func TestSEC_69_KeysRedactThemselves(t *testing.T) {
	type holder struct {
		Key    tokens.Key
		hidden tokens.Key
		List   []*tokens.Key
	}
	for _, alg := range algs {
		k := key(t, alg)
		s := set(t, k)
		hidden := struct {
			set    *tokens.Set
			issuer *tokens.Issuer
		}{s, issuer(t, k)}
		for _, v := range []any{k, &k, holder{k, k, []*tokens.Key{&k}}, s, *s, hidden} {
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
				fmt.Fprintf(&out, verb, v)
			}
			slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("v", v))
			slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("v", v))
			if err := json.NewEncoder(&out).Encode(v); err != nil {
				t.Error(err)
			}
			for _, secret := range privateNumbers(t, k) {
				for _, text := range []string{
					string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"),
					strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"), base64.StdEncoding.EncodeToString(secret), new(big.Int).SetBytes(secret).String(),
				} {
					if strings.Contains(out.String(), text) {
						t.Errorf("%s: %T shows its key: %.300s", alg, v, out.String())
					}
				}
			}
		}
	}
}

func privateNumbers(t *testing.T, k tokens.Key) [][]byte {
	t.Helper()
	switch p := private(t, k).(type) {
	case *ecdsa.PrivateKey:
		d, err := p.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{d}
	case *rsa.PrivateKey:
		return [][]byte{p.D.Bytes(), p.Primes[0].Bytes(), p.Primes[1].Bytes()}
	case ed25519.PrivateKey:
		return [][]byte{p.Seed()}
	case []byte:
		return [][]byte{p}
	}
	t.Fatal("unknown type of key")
	return nil
}
