package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// State is where a key is in its life. It moves in one direction: next, active, retired, revoked.
type State string

// The states.
const (
	Next    State = "next"    // published, so that verifiers know it before it signs
	Active  State = "active"  // signs
	Retired State = "retired" // signs no more, still verifies
	Revoked State = "revoked" // verifies nothing
)

// Key is a signing key. It shows its id, algorithm and state, and never its material, to fmt, JSON and slog.
type Key struct {
	// ID is the kid in tokens, 1 to 64 of A-Z, a-z, 0-9, "_" and "-". Generate and the parsers set it to the
	// thumbprint of the public key (RFC 7638), and for HS256 to a one-way derivation of the secret, so that all
	// processes agree on it; the owner may set another.
	ID        string
	Algorithm Algorithm
	State     State

	// When the key was made and entered each state; zero while it has not.
	CreatedAt, ActivatedAt, RetiredAt, RevokedAt time.Time
	// EndsAt is when a retired key verifies no more and leaves the JWKS, which needs no new Set; zero: never.
	EndsAt time.Time

	// Why there is no material, of a key that was given as text; NewSet tells.
	fault error
	// A func, since that is what fmt shows no content of even where it can call no methods: in unexported fields.
	material func() *material
}

const rsaBits = 3072

// Generate makes a new key in the state Next. An RSA key takes seconds.
func Generate(alg Algorithm, now time.Time) (Key, error) {
	private, err := generate(alg)
	if err != nil {
		return Key{}, fmt.Errorf("generate %s key: %w", alg, err)
	}
	key, err := newKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("generate %s key: %w", alg, err)
	}
	key.State, key.CreatedAt = Next, now
	return key, nil
}

func generate(alg Algorithm) (private any, err error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case HS256:
		secret := make([]byte, minSecret)
		_, err := io.ReadFull(rand.Reader, secret)
		return secret, err
	}
	return nil, errAlgorithm
}

func newKey(private any) (Key, error) {
	m, err := newMaterial(private)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: m.id, Algorithm: m.algorithm, material: func() *material { return m }}, nil
}

// String implements fmt.Stringer.
func (k Key) String() string {
	return fmt.Sprintf("%s %s key %s [redacted]", k.State, k.Algorithm, k.ID)
}

// Format implements fmt.Formatter, for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements slog.LogValuer.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

func validID(id string, longest int) bool {
	if id == "" || len(id) > longest {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
