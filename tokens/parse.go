package tokens

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParsePEM reads a private key of the program's own: PKCS #8 ("PRIVATE KEY"), SEC 1 ("EC PRIVATE KEY") or PKCS #1
// ("RSA PRIVATE KEY"), not encrypted, and nothing else but EC parameters. The type of the key decides the
// algorithm. ECDSA keys must be on P-256, RSA keys have 3072 to 8192 bits. State and times are the caller's to set.
func ParsePEM(text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" { // openssl writes them before the key
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return Key{}, errors.New("parse key: no PEM block found")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("parse key: more than one key")
	}
	if block.Headers["DEK-Info"] != "" {
		return Key{}, errors.New("parse key: must not be encrypted")
	}
	var private any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return Key{}, fmt.Errorf("parse key: %q is not a private key in PKCS #8, SEC 1 or PKCS #1", block.Type)
	}
	return parsed(private, err)
}

// NewHMAC returns the HS256 key of a secret: at least 32 bytes, random. State and times are the caller's to set.
func NewHMAC(secret []byte) (Key, error) {
	return parsed(bytes.Clone(secret), nil)
}

// FromPEM is ParsePEM for a list of keys in a configuration: what is wrong with it, NewSet tells together with all else.
func FromPEM(state State, text []byte) Key { return given(ParsePEM(text))(state) }

// FromSecret is NewHMAC in the same way.
func FromSecret(state State, secret []byte) Key { return given(NewHMAC(secret))(state) }

func given(key Key, err error) func(State) Key {
	return func(state State) Key {
		key.State, key.fault = state, err
		return key
	}
}

// MarshalPrivate returns the private key in clear, for the caller to seal and store: PKCS #8 in DER, or the secret
// itself for HS256.
func (k Key) MarshalPrivate() ([]byte, error) {
	if k.material == nil {
		return nil, fmt.Errorf("marshal key: %w", errNoMaterial)
	}
	if secret, ok := k.material().private.([]byte); ok {
		return bytes.Clone(secret), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.material().private)
	if err != nil {
		return nil, fmt.Errorf("marshal key: %w", err)
	}
	return der, nil
}

// ParsePrivate reads what MarshalPrivate wrote for a key of that algorithm. The id is the derived one; the caller
// sets the stored id, state and times.
func ParsePrivate(alg Algorithm, private []byte) (Key, error) {
	if alg == HS256 {
		return NewHMAC(private)
	}
	key, err := parsed(x509.ParsePKCS8PrivateKey(private))
	if err == nil && key.Algorithm != alg {
		return Key{}, fmt.Errorf("parse key: is of %s, not of %s", key.Algorithm, alg)
	}
	return key, err
}

func parsed(private any, err error) (Key, error) {
	if err != nil {
		// The parsers' errors describe the form, never the content.
		return Key{}, fmt.Errorf("parse key: %w", err)
	}
	key, err := newKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("parse key: %w", err)
	}
	return key, nil
}
