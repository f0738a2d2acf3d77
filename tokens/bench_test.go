package tokens_test

import (
	"testing"
)

func BenchmarkSign(b *testing.B) {
	for _, alg := range algs {
		i, c := issuer(b, key(b, alg)), claims()
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.Sign(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range algs {
		i := remembering(b, -1, key(b, alg))
		token := sign(b, i, claims())
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.Verify(token, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyRefused is what a flood of well-formed tokens of an unknown key costs.
func BenchmarkVerifyRefused(b *testing.B) {
	token := sign(b, issuer(b, key(b, "HS256")), claims())
	i := issuer(b, key(b, "ES256"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Verify(token, now); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkRefreshNew(b *testing.B) {
	c := codec(b)
	b.ReportAllocs()
	for b.Loop() {
		newRefresh(b, c, 7)
	}
}

func BenchmarkRefreshParse(b *testing.B) {
	c := codec(b)
	token, _ := newRefresh(b, c, 7)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Parse(token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSuccessor(b *testing.B) {
	c := codec(b)
	token, _ := newRefresh(b, c, 7)
	next, _, err := c.New(claims().SessionID, 8)
	if err != nil {
		b.Fatal(err)
	}
	r, err := c.Parse(token)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := r.SealSuccessor(next, "node")
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := r.OpenSuccessor(sealed); err != nil {
			b.Fatal(err)
		}
	}
}
