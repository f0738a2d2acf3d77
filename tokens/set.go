package tokens

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Set is a snapshot of the signing keys: exactly one active, the others for verifying and publishing. It never
// changes, but that retired keys leave it by themselves when they end, and is safe for concurrent use.
type Set struct {
	keys   []Key
	byID   map[string]verifier
	active signer
	public []published
}

// published is what the JWKS says of a key.
type published struct {
	json []byte
	ends time.Time
}

type verifier struct {
	method   jwt.SigningMethod
	material func() *material // nil: revoked
	ends     time.Time        // zero: never
}

func (v verifier) ended(now time.Time) bool { return over(v.ends, now) }

// over reports whether a time has come; the zero time never does.
func over(ends, now time.Time) bool { return !ends.IsZero() && !now.Before(ends) }

type signer struct {
	verifier
	header string // encoded, with the dot
}

const maxKeyID = 64

var errNoMaterial = errors.New("has no key material")

// NewSet returns the set of keys. The error tells all faults at once: those of FromPEM and FromSecret, not exactly one
// active key, a malformed id or one given twice, an unknown state, an algorithm that is not the key's, no material (which only a revoked key may
// lack), the same material twice.
func NewSet(keys ...Key) (*Set, error) {
	s := &Set{keys: slices.Clone(keys), byID: map[string]verifier{}}
	slices.SortStableFunc(s.keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(a.ID, b.ID))
	})
	var faults []error
	same := map[string]string{}
	active := 0
	for _, k := range s.keys {
		if k.State == Active {
			active++
		}
		if err := check(k); err != nil {
			faults = append(faults, err)
			continue
		}
		if _, twice := s.byID[k.ID]; twice {
			faults = append(faults, fmt.Errorf("key %s: given twice", k.ID))
		}
		if k.material != nil {
			if other, twice := same[k.material().id]; twice {
				faults = append(faults, fmt.Errorf("key %s: is the same as %s", k.ID, other))
			}
			same[k.material().id] = k.ID
		}
		if k.State == Revoked {
			s.byID[k.ID] = verifier{}
			continue
		}
		v := verifier{method: k.Algorithm.method(), material: k.material}
		if k.State == Retired {
			v.ends = k.EndsAt
		}
		s.byID[k.ID] = v
		if k.Algorithm != HS256 {
			j := k.material().jwk
			j.KID, j.Alg, j.Use = k.ID, string(k.Algorithm), "sig"
			text, err := json.Marshal(j)
			if err != nil {
				faults = append(faults, fmt.Errorf("key %s: %w", k.ID, err))
			}
			s.public = append(s.public, published{text, v.ends})
		}
		if k.State == Active {
			s.active = signer{v, header(k)}
		}
	}
	if active != 1 {
		faults = append(faults, fmt.Errorf("%d keys are active: exactly one must be", active))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

func check(k Key) error {
	switch {
	case k.fault != nil:
		return fmt.Errorf("%s key: %w", k.State, k.fault)
	case !validID(k.ID, maxKeyID):
		return errors.New(`a key's id must have 1 to 64 of A-Z, a-z, 0-9, "_" and "-"`)
	case rank(k.State) <= 0:
		return fmt.Errorf("key %s: the state must be next, active, retired or revoked", k.ID)
	case k.material == nil && k.State != Revoked:
		return fmt.Errorf("key %s: %w", k.ID, errNoMaterial)
	case k.material != nil && k.Algorithm != k.material().algorithm:
		return fmt.Errorf("key %s: is of %s, not of %q", k.ID, k.material().algorithm, k.Algorithm)
	}
	return nil
}

func rank(s State) int {
	return slices.Index([]State{"", Active, Next, Retired, Revoked}, s)
}

// header is the same for all tokens of a key; its members are in the order of their names.
func header(k Key) string {
	return encode(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, k.Algorithm, k.ID, typ)) + "."
}

// Keys returns the keys: the active one, then next, retired and revoked ones by id.
func (s *Set) Keys() []Key { return slices.Clone(s.keys) }

// JWKS returns the JSON Web Key Set (RFC 7517) of the keys that are not revoked and, at the time now, not past their end:
// kty, kid, alg, use and the public members. HS256 keys are left out. Equal sets give equal bytes.
func (s *Set) JWKS(now time.Time) []byte {
	var list [][]byte
	for _, p := range s.public {
		if !over(p.ends, now) {
			list = append(list, p.json)
		}
	}
	return slices.Concat([]byte(`{"keys":[`), bytes.Join(list, []byte{','}), []byte("]}"))
}
