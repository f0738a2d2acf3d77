package tokens

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// material is what a key signs and verifies with, in the types that golang-jwt takes.
type material struct {
	algorithm Algorithm
	private   any
	public    any // the secret itself for HS256
	jwk       jwk // empty for HS256
	id        string
}

const (
	minSecret  = 32
	maxRSABits = 8192
)

var (
	errAlgorithm = errors.New("the algorithm must be ES256, EdDSA, RS256 or HS256")
	errType      = errors.New("must be an ECDSA P-256, Ed25519 or RSA key")
)

func newMaterial(private any) (*material, error) {
	m := &material{private: private}
	var err error
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, errors.New("an ECDSA key must be on the curve P-256")
		}
		m.algorithm, m.public = ES256, &k.PublicKey
		m.jwk, err = ecJWK(&k.PublicKey)
	case ed25519.PrivateKey:
		public := ed25519.PublicKey(bytes.Clone(k[ed25519.PrivateKeySize-ed25519.PublicKeySize:]))
		m.algorithm, m.public = EdDSA, public
		m.jwk = okpJWK(public)
	case *rsa.PrivateKey:
		if err := checkRSA(&k.PublicKey); err != nil {
			return nil, err
		}
		m.algorithm, m.public = RS256, &k.PublicKey
		m.jwk = rsaJWK(big.NewInt(int64(k.E)).Bytes(), k.N.Bytes())
	case []byte:
		if err := checkSecret(k); err != nil {
			return nil, err
		}
		m.algorithm, m.public = HS256, k
	default:
		return nil, errType
	}
	if err != nil {
		return nil, err
	}
	m.id, err = m.thumbprint()
	return m, err
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < rsaBits || bits > maxRSABits {
		return fmt.Errorf("an RSA key must have %d to %d bits, not %d", rsaBits, maxRSABits, bits)
	}
	if k.E < 65537 {
		return errors.New("an RSA key must have a public exponent of at least 65537")
	}
	return nil
}

// thumbprint is that of RFC 7638. A secret has none, since a plain hash of a poor one could be guessed: its id is
// derived instead, and tells as much as any signature does.
func (m *material) thumbprint() (string, error) {
	if m.algorithm != HS256 {
		return m.jwk.thumbprint(), nil
	}
	id, err := hkdf.Key(sha256.New, m.public.([]byte), nil, "roster/v1/kid", 16)
	if err != nil {
		return "", fmt.Errorf("derive kid: %w", err)
	}
	return encode(id), nil
}

// checkSecret refuses the plainest faults of a secret that a person chose. A program that has package secrets at
// hand asks its Check, which finds more.
func checkSecret(secret []byte) error {
	if len(secret) < minSecret {
		return fmt.Errorf("an HS256 secret must have at least %d bytes, not %d", minSecret, len(secret))
	}
	for period := 1; period <= len(secret)/2; period++ {
		if bytes.Equal(secret[period:], secret[:len(secret)-period]) { //nolint:forbidigo // a key with itself, when it is read
			return errors.New("an HS256 secret must not repeat a pattern")
		}
	}
	values := map[byte]bool{}
	near := 0
	for i, b := range secret {
		values[b] = true
		if i > 0 && (b-secret[i-1]+1) <= 2 {
			near++
		}
	}
	if len(values) < 8 || near*4 >= len(secret)*3 {
		return errors.New("an HS256 secret must be random")
	}
	text := strings.ToLower(string(secret))
	for _, word := range []string{"secret", "changeme", "password", "example", "your-256-bit"} {
		if strings.Contains(text, word) {
			return errors.New("an HS256 secret must not be a well-known sample")
		}
	}
	return nil
}
