package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// MAC returns the HMAC-SHA-256 of data under the current secret's key for the purpose, 32 bytes. Each part is
// preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
func (r *Ring) MAC(p Purpose, data ...[]byte) []byte {
	return r.current().mac(p, data)
}

// MACs returns the MACs of data under all secrets, the current one first: to look up what was stored under any.
func (r *Ring) MACs(p Purpose, data ...[]byte) [][]byte {
	var list [][]byte
	for _, s := range r.sources() {
		list = append(list, s.mac(p, data))
	}
	return list
}

// VerifyMAC reports whether mac is the whole MAC of data under any of the secrets, in constant time for each.
func (r *Ring) VerifyMAC(p Purpose, mac []byte, data ...[]byte) bool {
	return len(mac) == sha256.Size && slices.ContainsFunc(r.sources(), func(s source) bool {
		return hmac.Equal(mac, s.mac(p, data))
	})
}

// For returns the MAC keys of one purpose, by the ids of their secrets.
func (r *Ring) For(p Purpose) Keys { return Keys{ring: r, purpose: p} }

// Keys are the MAC keys of one purpose, for values that say which secret they were made under and for packages
// that must reach no other purpose. It is what tokens.TagKeys asks for.
type Keys struct {
	ring    *Ring
	purpose Purpose
}

// CurrentID returns the id of the secret for new values.
func (k Keys) CurrentID() string { return k.ring.CurrentID() }

// MAC is Ring.MAC under the secret of that id. It is false when there is none.
func (k Keys) MAC(id string, data ...[]byte) ([]byte, bool) {
	s, ok := k.ring.find(id)
	if !ok {
		return nil, false
	}
	mac := s.mac(k.purpose, data)
	return mac, mac != nil
}

func (s *source) mac(p Purpose, data [][]byte) []byte {
	k, ok := s.keys(p)
	if !ok {
		return nil
	}
	h := hmac.New(sha256.New, k.mac)
	var length [8]byte
	for _, part := range data {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return h.Sum(nil)
}
