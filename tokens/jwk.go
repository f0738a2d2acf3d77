package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// jwk is the public half of a key (RFC 7517, RFC 7518 section 6, RFC 8037). It has no members for private ones.
type jwk struct {
	KTY string `json:"kty"`
	KID string `json:"kid"`
	Alg string `json:"alg"`
	Use string `json:"use"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
}

func ecJWK(k *ecdsa.PublicKey) (jwk, error) {
	point, err := k.Bytes() // 0x04 ‖ x ‖ y, of 32 bytes each
	if err != nil {
		return jwk{}, err
	}
	return jwk{KTY: "EC", Crv: "P-256", X: encode(point[1:33]), Y: encode(point[33:])}, nil
}

func okpJWK(k ed25519.PublicKey) jwk { return jwk{KTY: "OKP", Crv: "Ed25519", X: encode(k)} }

func rsaJWK(e, n []byte) jwk { return jwk{KTY: "RSA", N: encode(n), E: encode(e)} }

// thumbprint hashes the required members in the order of their names (RFC 7638, section 3).
func (j jwk) thumbprint() string {
	var text string
	switch j.KTY {
	case "EC":
		text = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, j.Crv, j.X, j.Y)
	case "OKP":
		text = fmt.Sprintf(`{"crv":%q,"kty":"OKP","x":%q}`, j.Crv, j.X)
	case "RSA":
		text = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, j.E, j.N)
	}
	sum := sha256.Sum256([]byte(text))
	return encode(sum[:])
}

// base64url is that of JWS (RFC 7515, section 2): no padding, no loose bits.
var base64url = base64.RawURLEncoding.Strict()

func encode(b []byte) string { return base64url.EncodeToString(b) }
