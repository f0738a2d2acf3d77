package tokens

import "github.com/golang-jwt/jwt/v5"

// Algorithm is how an access token is signed: a name of RFC 7518, section 3.1, or RFC 8037.
type Algorithm string

// The algorithms. There are no others: a key has exactly one, and a token never chooses it.
const (
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256; the default
	EdDSA Algorithm = "EdDSA" // Ed25519
	RS256 Algorithm = "RS256" // RSA PKCS #1 v1.5 with SHA-256, 3072 to 8192 bits
	HS256 Algorithm = "HS256" // HMAC-SHA-256, a secret of at least 32 bytes; not in the JWKS
)

func (a Algorithm) method() jwt.SigningMethod {
	switch a {
	case ES256:
		return jwt.SigningMethodES256
	case EdDSA:
		return jwt.SigningMethodEdDSA
	case RS256:
		return jwt.SigningMethodRS256
	case HS256:
		return jwt.SigningMethodHS256
	}
	return nil
}
