package usersrepo

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/tokens"
)

// signingKeys returns the set of the program's own keys, or nil where there are none. The error tells all faults.
func (c Config) signingKeys() (*tokens.Set, error) {
	if len(c.Keys) == 0 {
		return nil, nil //nolint:nilnil // the database has them then
	}
	session := c.settings().Session
	keys := slices.Clone(c.Keys)
	for i, k := range keys {
		if k.EndsAt.IsZero() && !k.RetiredAt.IsZero() {
			keys[i].EndsAt = k.RetiredAt.Add(session.AccessTTL + session.Leeway)
		}
	}
	set, err := tokens.NewSet(keys...)
	var faults []error
	fault := func(err error) { faults = append(faults, fmt.Errorf("%s: %w", "Keys", err)) }
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range list.Unwrap() {
			fault(err)
		}
	} else if err != nil {
		fault(err)
	}
	for _, k := range keys {
		if c.Session.Algorithm != "" && k.State == tokens.Active && k.Algorithm != "" && k.Algorithm != c.Session.Algorithm {
			fault(fmt.Errorf("the active key is of %s, and Session.Algorithm is %s", k.Algorithm, c.Session.Algorithm))
		}
		secret, err := k.MarshalPrivate()
		if err != nil || k.Algorithm != tokens.HS256 {
			continue // it has no material, which was told, or is no secret
		}
		if err := secrets.Check(secret); err != nil {
			fault(fmt.Errorf("key %s: %w", k.ID, err))
		}
		for i, s := range c.Secrets {
			if sameSecret(secret, s.Key) {
				fault(fmt.Errorf("key %s is number %d of Secrets: one key is for one purpose", k.ID, i+1))
			}
		}
	}
	return set, errors.Join(faults...)
}

// sameSecret reports whether two keys are the same, or one the other as text.
func sameSecret(a, b []byte) bool {
	forms := func(key []byte) [][]byte {
		return [][]byte{
			key, []byte(hex.EncodeToString(key)), []byte(base64.StdEncoding.EncodeToString(key)),
			[]byte(base64.RawURLEncoding.EncodeToString(key)),
		}
	}
	return slices.ContainsFunc(forms(a), func(form []byte) bool { return hmac.Equal(form, b) }) ||
		slices.ContainsFunc(forms(b), func(form []byte) bool { return hmac.Equal(form, a) })
}
