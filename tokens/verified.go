package tokens

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/roster-go/roster"
)

// verified remembers tokens whose signature has held, so that it is checked once. It is bounded: when as many have come as it
// holds, those that nobody has shown since the last time are forgotten. Signatures are kept as their SHA-256 alone: without
// them what is remembered is of no use to who reads the memory.
type verified struct {
	limit int

	mu       sync.RWMutex
	new, old map[[sha256.Size]byte]*seen // by the hashes of the signatures
}

// seen is a token and the keys by which it was judged: with others it is judged anew. It does not change.
type seen struct {
	signed string // what the signature is of
	keys   *Set
	ends   time.Time // of its key; zero: never
	claims roster.Claims
}

func newVerified(limit int) *verified {
	return &verified{limit: max(limit/2, 1), new: map[[sha256.Size]byte]*seen{}}
}

// get returns what is known of the token of these two parts, or nil.
func (v *verified) get(signed string, hash [sha256.Size]byte, keys *Set, now time.Time) *seen {
	v.mu.RLock()
	x, recent := v.new[hash]
	found := recent
	if !found {
		x, found = v.old[hash]
	}
	v.mu.RUnlock()
	if !found || x.keys != keys || over(x.ends, now) || x.signed != signed {
		return nil
	}
	if !recent {
		v.put(hash, x)
	}
	return x
}

func (v *verified) put(hash [sha256.Size]byte, x *seen) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.new) >= v.limit {
		v.old, v.new = v.new, make(map[[sha256.Size]byte]*seen)
	}
	v.new[hash] = x
}

func (v *verified) drop(hash [sha256.Size]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.new, hash)
	delete(v.old, hash)
}

// own is claims that their receiver may change.
func own(c *roster.Claims) roster.Claims {
	copied := *c
	copied.AMR, copied.Permissions, copied.Extra = slices.Clone(c.AMR), slices.Clone(c.Permissions), cloneExtra(c.Extra)
	return copied
}

func cloneExtra(extra map[string]any) map[string]any {
	extra = maps.Clone(extra)
	for name, value := range extra {
		extra[name] = cloneValue(value)
	}
	return extra
}

// cloneValue copies what encoding/json makes of a value.
func cloneValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return cloneExtra(value)
	case []any:
		list := slices.Clone(value)
		for i := range list {
			list[i] = cloneValue(list[i])
		}
		return list
	}
	return value
}
