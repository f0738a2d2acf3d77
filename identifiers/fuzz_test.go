package identifiers_test

import (
	"testing"
	"unicode/utf8"

	"github.com/roster-go/roster/identifiers"
)

func fuzz(f *testing.F, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add(seed)
	}
	parsers := wide(f)
	f.Fuzz(func(t *testing.T, input string) {
		for _, p := range parsers {
			check(t, p, input)
		}
		if masked := identifiers.Mask(identifiers.Infer(input), input); masked == "" || !utf8.ValidString(masked) {
			t.Fatalf("%+q: masked as %q", input, masked)
		}
	})
}

func FuzzUsername(f *testing.F) {
	fuzz(f, "alice", "Ａlice", "e\u0301ric", "ﷺ", "山田taro", "ユーザー", "name٠", "İstanbul", "ᏣᎳᎩ", "a\u0345bc", "α\u0345\u0301", "ΐΐΐ", "ŉab", "q\u0301\u0302\u0303\u0304ab", "pаypal", "Straße")
}

func FuzzEmail(f *testing.F) {
	fuzz(f, "a@example.com", "Bob@Bücher.Example", "a@faß.de", "a@münchen。de", "a@xn--bcher-kva.example", "a@xn--.com", "a@1a.☃.com", "a@אב.com", "é.ß@x.y", "a＠b.c", "a@ab\u200dc.com", "a@\u00adxn--a.b", "a@١.com")
}

func FuzzPhone(f *testing.F) {
	fuzz(f, "+12025550123", "(202) 555-0123", "800sixflag", "011442083661177", "+４４２０８３６６１１７７", "0911123456", "+1 202 555 0123 x123", "+54 9 11 2345 6789", "+39 02 3661 8300", "(+44) 20 8366 1177")
}

func FuzzCounterKey(f *testing.F) {
	for _, seed := range []string{"alice", " BOB@bücher.example", "(202) 555-0123", "a straße b", "\xff\x00", "ｂｏｂ＠b.c", "¨a", "α\u0345\u0301 b", "ﷺ"} {
		f.Add(seed)
	}
	parsers := wide(f)
	f.Fuzz(func(t *testing.T, login string) {
		for _, p := range parsers {
			checkKey(t, p, login)
		}
	})
}
