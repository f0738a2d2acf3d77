package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/roster-go/roster"
)

// separator stands between a successor and the name of the node that made it. No token has one in it.
const separator = " "

// SealSuccessor encrypts the token that replaces this one, and the name of the node that made it, to be kept for the
// grace. Only who presents this token again can have them opened: the key is derived from its secret, of which the
// database has the hash only. A next that has a space in it is an error: it is no token.
//
// The cipher is AES-256-GCM. Its random nonces are safe here: a key seals once, or a few times when requests race.
func (r Refresh) SealSuccessor(next roster.Secret, by string) ([]byte, error) {
	aead, err := r.aead()
	if err != nil {
		return nil, fmt.Errorf("seal successor: %w", err)
	}
	if strings.Contains(next.Reveal(), separator) {
		return nil, errors.New("seal successor: not a token")
	}
	return aead.Seal(nil, nil, []byte(next.Reveal()+separator+by), r.place()), nil //nolint:gosec // it takes no nonce, it makes one
}

// OpenSuccessor returns the token that SealSuccessor sealed for this one, and the name of the node that made it: "" where
// none was sealed with it.
func (r Refresh) OpenSuccessor(sealed []byte) (next roster.Secret, by string, err error) {
	aead, err := r.aead()
	if err != nil {
		return "", "", fmt.Errorf("open successor: %w", err)
	}
	opened, err := aead.Open(nil, nil, sealed, r.place())
	if err != nil {
		return "", "", errors.New("open successor: not sealed for this token")
	}
	text, by, _ := strings.Cut(string(opened), separator)
	return roster.Secret(text), by, nil
}

func (r Refresh) aead() (cipher.AEAD, error) {
	if r.secret == nil {
		return nil, errors.New("the token was not parsed")
	}
	key, err := hkdf.Key(sha256.New, r.secret(), nil, "roster/v1/refresh-successor", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// place binds the sealed value to its session and generation.
func (r Refresh) place() []byte {
	return binary.BigEndian.AppendUint64(r.SessionID[:], uint64(r.Generation)) //nolint:gosec // not negative
}
