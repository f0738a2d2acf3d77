package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// What Open fails with.
var (
	// ErrSealed is a value that was not sealed here for this purpose and these associated data, or was altered.
	ErrSealed = errors.New("sealed value does not open")
	// ErrUnknownSecret is an ErrSealed whose value names a secret that the ring lacks: taken away too early, perhaps.
	ErrUnknownSecret = fmt.Errorf("%w: unknown secret", ErrSealed)
)

const (
	version  = 1 // the first byte of a sealed value
	saltSize = 16
)

// Seal encrypts and authenticates plaintext under the current secret, and authenticates associated with it: what
// names the place of the value, such as table and row id, so that it opens nowhere else. Associated data of
// several parts must be joined so that no two lists look alike.
//
// The cipher is AES-256-GCM, with a key of its own for each value: HKDF-Expand of the purpose's key and a random
// salt. One key for all would have to be changed after 2^32 values (NIST SP 800-38D, section 8.3), which cursors
// could reach. The result is at most 62 bytes longer than plaintext:
//
//	version (1 byte) ‖ length of the secret's id (1) ‖ id ‖ salt (16) ‖ nonce (12) ‖ ciphertext and tag
func (r *Ring) Seal(p Purpose, plaintext, associated []byte) []byte {
	s := r.current()
	head := header(s.id)
	sealed := append(head, make([]byte, saltSize)...)
	salt := sealed[len(head):]
	_, _ = rand.Read(salt) // never fails: it ends the program rather than give less than random bytes
	aead, err := s.aead(p, salt)
	if err != nil {
		return nil
	}
	return aead.Seal(sealed, nil, plaintext, append(header(s.id), associated...)) //nolint:gosec // it takes no nonce, it makes one
}

// Open returns the plaintext of what Seal made for the same purpose and associated data under any of the ring's
// secrets. It fails with ErrSealed or ErrUnknownSecret and never panics, whatever the bytes.
func (r *Ring) Open(p Purpose, sealed, associated []byte) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != version {
		return nil, ErrSealed
	}
	idEnd := 2 + int(sealed[1])
	saltEnd := idEnd + saltSize
	if len(sealed) < saltEnd || !validID(string(sealed[2:idEnd])) {
		return nil, ErrSealed
	}
	s, ok := r.find(string(sealed[2:idEnd]))
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownSecret, sealed[2:idEnd])
	}
	aead, err := s.aead(p, sealed[idEnd:saltEnd])
	if err != nil {
		return nil, ErrSealed
	}
	plaintext, err := aead.Open(nil, nil, sealed[saltEnd:], append(header(s.id), associated...))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// aead returns the cipher of one value. It fails only where New has seen the same succeed.
func (s *source) aead(p Purpose, salt []byte) (cipher.AEAD, error) {
	k, ok := s.keys(p)
	if !ok {
		return nil, ErrSealed
	}
	key, err := hkdf.Expand(sha256.New, k.seal, string(salt), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Current reports whether a sealed value names the current secret. One that does not should be sealed again
// before its secret is taken away.
func (r *Ring) Current(sealed []byte) bool {
	head := header(r.CurrentID())
	return len(sealed) >= len(head) && string(sealed[:len(head)]) == string(head)
}

func header(id string) []byte {
	return append([]byte{version, byte(len(id))}, id...) //nolint:gosec // an id has at most 16 bytes
}
