package roster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// OTPKeyFunc makes the key of a one-time password, 1 to 256 bytes. Keys under 16 characters are short: they can be guessed,
// so they are good only together with what they are related to. It is called again when a key is taken.
type OTPKeyFunc func() (string, error)

const (
	decimals      = "0123456789"
	alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + decimals
	maxOTPKey     = 256
)

// Digits makes keys of n decimal digits, leading zeros included.
func Digits(n int) OTPKeyFunc { return Alphabet(decimals, n) }

// Alphanumeric makes keys of n characters out of A–Z, a–z and 0–9.
func Alphanumeric(n int) OTPKeyFunc { return Alphabet(alphanumerics, n) }

// Alphabet makes keys of n characters, each equally likely any of alphabet. An alphabet of less than two characters or
// with one twice, and an n that is not 1 to 256, is an error of each call.
func Alphabet(alphabet string, n int) OTPKeyFunc {
	letters := []rune(alphabet)
	return func() (string, error) {
		sorted := slices.Sorted(slices.Values(letters))
		switch {
		case n < 1 || n > maxOTPKey:
			return "", fmt.Errorf("keys of %d characters: want 1 to %d", n, maxOTPKey)
		case len(slices.Compact(sorted)) != len(letters) || len(letters) < 2:
			return "", errors.New("alphabet of keys: want two characters or more, each once")
		}
		key := make([]rune, n)
		below := big.NewInt(int64(len(letters)))
		for i := range key {
			at, err := rand.Int(rand.Reader, below) // which is unbiased
			if err != nil {
				return "", fmt.Errorf("generate key: %w", err)
			}
			key[i] = letters[at.Int64()]
		}
		return string(key), nil
	}
}
