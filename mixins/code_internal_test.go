package mixins

import (
	"testing"
)

// SEC-19, OTP-30: all codes are equally likely, the first and the last ones too.
func TestNewCode(t *testing.T) {
	const draws, buckets = 200_000, 100
	var firsts, lasts [buckets]int
	for range draws {
		code, err := newCode(decimal, 6)
		if err != nil || len(code) != 6 {
			t.Fatal(code, err)
		}
		firsts[int(code[0]-'0')*10+int(code[1]-'0')]++
		lasts[int(code[4]-'0')*10+int(code[5]-'0')]++
	}
	for name, counts := range map[string][buckets]int{"first digits": firsts, "last digits": lasts} {
		const expected = draws / buckets
		chi := 0.0
		for _, n := range counts {
			chi += float64((n-expected)*(n-expected)) / expected
		}
		// With 99 degrees of freedom more than 190 comes once in ten million times.
		if chi > 190 {
			t.Errorf("%s: chi-square %.0f", name, chi)
		}
	}
}
