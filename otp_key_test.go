package roster_test

import (
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/roster-go/roster"
)

// OTP-3, OTP-10: keys are as long as asked for, and every character is equally likely at every place.
func TestOTPKeyFunc(t *testing.T) {
	for name, tt := range map[string]struct {
		generate roster.OTPKeyFunc
		alphabet string
		length   int
	}{
		"digits":       {roster.Digits(6), "0123456789", 6},
		"alphanumeric": {roster.Alphanumeric(20), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 20},
		"alphabet":     {roster.Alphabet("äöü", 3), "äöü", 3},
	} {
		t.Run(name, func(t *testing.T) {
			letters := []rune(tt.alphabet)
			count := map[rune]int{}
			const keys = 20_000
			for range keys {
				key, err := tt.generate()
				if err != nil {
					t.Fatal(err)
				}
				if len([]rune(key)) != tt.length {
					t.Fatalf("key %q", key)
				}
				count[[]rune(key)[0]]++ // the first: leading zeros are kept
			}
			// Pearson's test: the sum is above 2n+60 less than once in a million times, for up to 62 characters.
			want, sum := float64(keys)/float64(len(letters)), 0.0
			for _, r := range letters {
				d := float64(count[r]) - want
				sum += d * d / want
				delete(count, r)
			}
			if limit := float64(2*len(letters) + 60); sum > limit || len(count) > 0 {
				t.Errorf("uneven: %.0f, limit %.0f, others %v", sum, limit, count)
			}
		})
	}
}

func TestOTPKeyFuncRefuses(t *testing.T) {
	for name, generate := range map[string]roster.OTPKeyFunc{
		"no length": roster.Digits(0), "negative": roster.Alphanumeric(-1), "too long": roster.Digits(257),
		"no alphabet": roster.Alphabet("", 6), "one letter": roster.Alphabet("a", 6), "a letter twice": roster.Alphabet("aba", 6),
	} {
		if key, err := generate(); err == nil || key != "" {
			t.Errorf("%s: %q, %v", name, key, err)
		}
	}
}

// OTP-3: a failing source is an error. Nothing here runs in parallel.
func TestOTPKeyFuncWithoutRandomness(t *testing.T) {
	broken := errors.New("broken")
	defer func(r io.Reader) { rand.Reader = r }(rand.Reader)
	rand.Reader = iotest.ErrReader(broken)
	if key, err := roster.Digits(6)(); !errors.Is(err, broken) || key != "" {
		t.Errorf("%q, %v", key, err)
	}
	rand.Reader = io.MultiReader(strings.NewReader("\x00"), iotest.ErrReader(broken))
	if key, err := roster.Digits(6)(); !errors.Is(err, broken) || key != "" {
		t.Errorf("%q, %v", key, err)
	}
}
