package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
)

// MinKey is the least length of a key, in bytes.
const MinKey = 32

// minEntropy is far below what 32 random hexadecimal digits are estimated at, the poorest key worth having.
const minEntropy = 80

// Check judges a symmetric key that a person chose: nil for a good one, else all its faults. A key that is itself
// hexadecimal or base64 is judged as what it stands for, too. Faults never repeat the key.
func Check(key []byte) error {
	var faults []error
	if len(key) < MinKey {
		faults = append(faults, fmt.Errorf("%d bytes: at least %d are needed", len(key), MinKey))
	}
	for _, form := range forms(key) {
		if fault := pattern(form); fault != nil {
			faults = append(faults, fault)
			break
		}
	}
	return errors.Join(faults...)
}

func forms(key []byte) [][]byte {
	list := [][]byte{key}
	text := string(key)
	if b, err := hex.DecodeString(text); err == nil && len(b) > 0 {
		list = append(list, b)
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) > 0 {
		list = append(list, b)
	}
	return list
}

func pattern(key []byte) error {
	switch {
	case len(key) == 0:
		return nil // told by its length
	case sample(key):
		return errors.New("contains a well-known sample value")
	case period(key) == 1:
		return errors.New("repeats one byte")
	case period(key) > 1:
		return errors.New("repeats a pattern")
	case steps(key):
		return errors.New("is a sequence")
	case len(key) >= MinKey && entropy(key) < minEntropy:
		return errors.New("has too little entropy")
	}
	return nil
}

// sample looks for words that only examples hold: six letters hit a random key of 44 characters once in ten million.
func sample(key []byte) bool {
	text := strings.ToLower(string(key))
	for _, word := range []string{
		"secret", "changeme", "change-me", "change_me", "password", "passw0rd", "example", "sample-", "insecure",
		"default", "replace", "roster", "your-256-bit", "testtest", "qwerty", "letmein",
	} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// period returns the length of the block that the whole key repeats, or 0.
func period(key []byte) int {
	for p := 1; p <= len(key)/2; p++ {
		if bytes.Equal(key[p:], key[:len(key)-p]) { //nolint:forbidigo // a key with itself, when the program begins
			return p
		}
	}
	return 0
}

// steps reports whether most bytes follow from the one before, as in 00 01 02 … and abcdef….
func steps(key []byte) bool {
	if len(key) < 8 {
		return false
	}
	near := 0
	for i := 1; i < len(key); i++ {
		if d := int8(key[i] - key[i-1]); -1 <= d && d <= 1 { //nolint:gosec // the difference wraps on purpose
			near++
		}
	}
	return near*4 >= len(key)*3
}

// entropy estimates the bits of a key by how often each byte value occurs in it.
func entropy(key []byte) float64 {
	var count [256]float64
	for _, b := range key {
		count[b]++
	}
	bits, n := 0.0, float64(len(key))
	for _, c := range count {
		if c > 0 {
			bits += c * math.Log2(n/c)
		}
	}
	return bits
}
