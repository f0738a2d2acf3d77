package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// maxJWKS bounds a JSON Web Key Set, in keys and in bytes: Roster's have two or three, of less than 1 KiB each.
const (
	maxJWKS      = 64
	maxJWKSBytes = 64 << 10
)

// ParseJWKS returns the set of the public keys of a JSON Web Key Set (RFC 7517), as Set.JWKS and the endpoint of it write
// one. The set verifies and cannot sign: its keys are Retired. Keys that are none of ours are left out, as section 5 has
// it: of another type, use or algorithm, without alg or kid, too weak, or a secret. None at all is no error, and verifies
// nothing. What is no such document, or gives a kid or a member twice, is one.
func ParseJWKS(text []byte) (*Set, error) {
	if len(text) > maxJWKSBytes {
		return nil, fmt.Errorf("parse JWKS: longer than %d bytes", maxJWKSBytes)
	}
	list := ""
	if err := members(text, func(name, value string) error {
		if name == "keys" {
			list = value
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("parse JWKS: %w", err)
	}
	var raw []json.RawMessage
	if list == "" || json.Unmarshal([]byte(list), &raw) != nil || raw == nil {
		return nil, errors.New("parse JWKS: no list of keys")
	}
	if len(raw) > maxJWKS {
		return nil, fmt.Errorf("parse JWKS: more than %d keys", maxJWKS)
	}
	s := &Set{byID: map[string]verifier{}}
	for _, one := range raw {
		j, err := parseJWK(one)
		if err != nil {
			return nil, fmt.Errorf("parse JWKS: %w", err)
		}
		m, ok := j.public()
		if !ok {
			continue
		}
		if _, twice := s.byID[j.KID]; twice {
			return nil, fmt.Errorf("parse JWKS: key %s is given twice", j.KID)
		}
		k := Key{ID: j.KID, Algorithm: m.algorithm, State: Retired, material: func() *material { return m }}
		s.keys = append(s.keys, k)
		s.byID[k.ID] = verifier{method: m.algorithm.method(), material: k.material}
		text, err := json.Marshal(j)
		if err != nil {
			return nil, fmt.Errorf("parse JWKS: %w", err)
		}
		s.public = append(s.public, published{json: text})
	}
	return s, nil
}

// parseJWK reads the members that we know, under exactly their names. One of another type than text is as if it were not
// there.
func parseJWK(text []byte) (jwk, error) {
	var j jwk
	into := map[string]*string{
		"kty": &j.KTY, "kid": &j.KID, "alg": &j.Alg, "use": &j.Use, "crv": &j.Crv, "x": &j.X, "y": &j.Y, "n": &j.N, "e": &j.E,
	}
	err := members(text, func(name, value string) error {
		if field := into[name]; field != nil {
			*field, _ = unquote(value)
		}
		return nil
	})
	return j, err
}

// public returns what a key verifies with, if it is one that Roster could have made.
func (j jwk) public() (*material, bool) {
	m := &material{algorithm: Algorithm(j.Alg), jwk: j}
	if j.Use != "sig" || !validID(j.KID, maxKeyID) {
		return nil, false
	}
	switch {
	case j.Alg == string(ES256) && j.KTY == "EC" && j.Crv == "P-256":
		x, okX := decode(j.X)
		y, okY := decode(j.Y)
		if !okX || !okY || len(x) != 32 || len(y) != 32 {
			return nil, false
		}
		k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil { // not on the curve
			return nil, false
		}
		m.public = k
	case j.Alg == string(EdDSA) && j.KTY == "OKP" && j.Crv == "Ed25519":
		x, ok := decode(j.X)
		if !ok || len(x) != ed25519.PublicKeySize {
			return nil, false
		}
		m.public = ed25519.PublicKey(x)
	case j.Alg == string(RS256) && j.KTY == "RSA":
		n, okN := decode(j.N)
		e, okE := decode(j.E)
		if !okN || !okE || len(n) > maxRSABits/8 || len(e) > 4 {
			return nil, false
		}
		k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if checkRSA(k) != nil || k.E%2 == 0 || k.E > 1<<31-1 { // beyond it crypto/rsa refuses
			return nil, false
		}
		m.public = k
	default:
		return nil, false
	}
	m.id = j.thumbprint()
	return m, true
}
