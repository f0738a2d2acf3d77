package tokens

import (
	"cmp"
	"errors"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Config is what all access tokens of an Issuer, or for a Verifier, have in common.
type Config struct {
	Issuer   string // iss; required
	Audience string // aud; required
	// Leeway is how far clocks may differ, 0 to 60 s: a token lives so much past its exp, and its nbf and iat may
	// lie so far ahead.
	Leeway time.Duration
	// Remember is how many tokens are remembered whose signature has held, so that it is checked once; 0
	// means 10,000, a negative number none. Tokens of more than 2048 bytes are not remembered.
	Remember int
}

// Issuer signs and verifies access tokens. It is safe for concurrent use.
type Issuer struct{ *Verifier }

// NewIssuer returns an issuer that signs with the active key of a set. The error tells all faults at once.
func NewIssuer(config Config, keys *Set) (*Issuer, error) {
	v, err := NewVerifier(config, keys)
	if keys != nil && keys.active.material == nil {
		err = errors.Join(err, errors.New("no key of the set can sign"))
	}
	if err != nil {
		return nil, err
	}
	return &Issuer{v}, nil
}

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	config   Config
	keys     atomic.Pointer[Set]
	verified *verified // nil: none is remembered
}

const maxLeeway = time.Minute

// NewVerifier returns a verifier by the keys of a set, such as that of ParseJWKS. The error tells all faults at once.
func NewVerifier(config Config, keys *Set) (*Verifier, error) {
	var faults []error
	if config.Issuer == "" || !utf8.ValidString(config.Issuer) {
		faults = append(faults, errors.New("the issuer of tokens is missing"))
	}
	if config.Audience == "" || !utf8.ValidString(config.Audience) {
		faults = append(faults, errors.New("the audience of tokens is missing"))
	}
	if config.Leeway < 0 || config.Leeway > maxLeeway {
		faults = append(faults, errors.New("the leeway of tokens must be 0 to 60 s"))
	}
	if keys == nil {
		faults = append(faults, errors.New("the signing keys are missing"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	v := &Verifier{config: config}
	if config.Remember >= 0 {
		v.verified = newVerified(cmp.Or(config.Remember, 10_000))
	}
	v.keys.Store(keys)
	return v, nil
}

// Use replaces the keys at once, for calls that begin after it returns. A nil set is ignored.
func (v *Verifier) Use(keys *Set) {
	if keys != nil {
		v.keys.Store(keys)
	}
}

// Keys returns the set in use.
func (v *Verifier) Keys() *Set { return v.keys.Load() }
