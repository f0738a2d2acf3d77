package identifiers_test

import (
	"context"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

// fataler is what a test, a fuzz target and a property have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// wide returns parsers that accept much, so that the properties are asked of much.
func wide(t testing.TB) []*identifiers.Parser {
	t.Helper()
	names := identifiers.UsernameConfig{MinLength: 1, MaxLength: identifiers.MaxLogin}
	return []*identifiers.Parser{
		newParser(t, identifiers.Config{}),
		newParser(t, identifiers.Config{
			Username: names,
			Email:    identifiers.EmailConfig{AllowUTF8Local: true, AllowLocalDomains: true},
			Phone:    identifiers.PhoneConfig{DefaultRegion: "US"},
		}),
		newParser(t, identifiers.Config{Username: names, Phone: identifiers.PhoneConfig{DefaultRegion: "ET"}}),
	}
}

type parse func(string) (identifiers.Identifier, []roster.FieldCode)

func parsesOf(p *identifiers.Parser) map[identifiers.Kind]parse {
	return map[identifiers.Kind]parse{
		identifiers.KindUsername: p.Username,
		identifiers.KindEmail: func(s string) (identifiers.Identifier, []roster.FieldCode) {
			return p.Email(context.Background(), s)
		},
		identifiers.KindPhone: p.Phone,
	}
}

// check holds input to what is promised of all input, and reports whether it is valid as some kind.
func check(t fataler, p *identifiers.Parser, input string) (valid bool) {
	t.Helper()
	for kind, parse := range parsesOf(p) {
		id, codes := parse(input)
		lifted := len(codes) == 1 && codes[0] == roster.Reserved
		if (id != identifiers.Identifier{}) != (len(codes) == 0 || lifted) {
			t.Fatalf("%s %+q: %+v with %v", kind, input, id, codes)
		}
		if len(codes) > 0 && !lifted {
			continue
		}
		if valid {
			t.Fatalf("%+q is valid as two kinds", input)
		}
		valid = true
		if got := identifiers.Infer(input); got != kind {
			t.Fatalf("%+q is a valid %s, inferred %s", input, kind, got)
		}
		again, codes := parse(id.Stored)
		if again != id || len(codes) > 0 && !lifted {
			t.Fatalf("%s %+q: %+v, and again %+v with %v", kind, input, id, again, codes)
		}
		for other, parse := range parsesOf(p) {
			if _, codes := parse(id.Stored); other != kind && len(codes) == 0 {
				t.Fatalf("%s %+q: stored form %+q is a valid %s", kind, input, id.Stored, other)
			}
		}
		for _, form := range []string{id.Stored, id.Canonical} {
			if !utf8.ValidString(form) || strings.ContainsFunc(form, hidden) || !norm.NFKC.IsNormalString(form) || form == "" {
				t.Fatalf("%s %+q: form %+q", kind, input, form)
			}
		}
		canonical, ok := p.Canonical(kind, input)
		if canonical != id.Canonical || !ok {
			t.Fatalf("%s %+q: looked up by %+q, stored as %+q", kind, input, canonical, id.Canonical)
		}
		if key := p.CounterKey(input); len(input) <= identifiers.MaxLogin && key != id.Canonical {
			t.Fatalf("%s %+q: counted by %+q, stored as %+q", kind, input, key, id.Canonical)
		}
		if len(id.Stored) > identifiers.MaxLogin {
			t.Fatalf("%s %+q: stored form of %d bytes", kind, input, len(id.Stored))
		}
	}
	return valid
}

// checkKey holds the key of attempts on login to what is promised of it.
func checkKey(t fataler, p *identifiers.Parser, login string) {
	t.Helper()
	key := p.CounterKey(login)
	if !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) || strings.TrimSpace(key) != key {
		t.Fatalf("%+q: key %+q", login, key)
	}
	if again := p.CounterKey(key); len(key) <= identifiers.MaxLogin && again != key {
		t.Fatalf("%+q: key %+q, and of that %+q", login, key, again)
	}
	if padded := " " + login + "\n"; len(padded) <= identifiers.MaxLogin && p.CounterKey(padded) != key {
		t.Fatalf("%+q: key %+q, with white space %+q", login, key, p.CounterKey(padded))
	}
}

// hidden reports whether r does not belong into an identifier of any kind.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
}

// Of all code points, and of those that normalising and folding change most.
func texts() *rapid.Generator[string] {
	odd := []rune{
		'\u00df', '\u1e9e', '\u0130', '\u0131', '\u017f', '\u212a', '\u0345', '\u1fb3', '\u0390', '\u03c2', '\u0301', '\u0307', '\u0323', '\ufb03', '\ufdfa', '\u00a8',
		'\u3000', '\u00ad', '\u200d', '\u200c', '\ufe0f', '\u034f', '\u1160', '\uff20', '\uff0b', '\uff0e', '\u3002', '\u00bd', '\u2460', '\u0661', '\uff11', '\U0001d7d8', '\u1369',
		'\u0430', '\u03b1', '\u5c71', '\u30e6', '\uc704', '\u05d0', '\u13a0', '\uab70', '\u2116', '\u2100', '\u2603', '\u0e34', '\u094d', '\u0915',
	}
	plain := []rune("abcdxyzABNXTE0123456789.-_@+() /")
	character := rapid.OneOf(rapid.SampledFrom(plain), rapid.SampledFrom(plain), rapid.SampledFrom(odd), rapid.Rune())
	return rapid.StringOfN(character, 0, 40, -1)
}

func emails() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return texts().Draw(t, "local") + "@" + texts().Draw(t, "label") + rapid.SampledFrom([]string{".com", "。ｃｏｍ", ".xn--p1ai", ".рф", ""}).Draw(t, "top")
	})
}

func numbers() *rapid.Generator[string] {
	return rapid.StringMatching(`(\+1|\+44|\+251|\+49|\+39|\+54 9|\+52|\+7|011|00|0|1)?[ (]?[0-9٠-٩]{2,4}[ )-]?[0-9]{3,4}[ -]?[0-9]{3,4}( x1|SIXFLAG)?`)
}

// IDENT-3.
func TestKindsAreDisjoint(t *testing.T) {
	p := newParser(t, identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: "US"}})
	for kind, inputs := range map[identifiers.Kind][]string{
		identifiers.KindUsername: {"alice", "a.b-c_d", "山田taro", "sixflag"},
		identifiers.KindEmail:    {"a@example.com", "+12025550123@example.com", "alice+x@bücher.example"},
		identifiers.KindPhone:    {"+12025550123", "(202) 555-0123", "202-555-0123", "800sixflag"},
	} {
		t.Run("refuses every "+string(kind)+" as another kind", func(t *testing.T) {
			for _, input := range inputs {
				for other, parse := range parsesOf(p) {
					if got, codes := parse(input); other != kind && len(codes) == 0 {
						t.Errorf("%q is a valid %s: %+v", input, other, got)
					}
				}
			}
		})
	}
}

// IDENT-1, IDENT-3: stored forms are fixed points, and no text is valid as two kinds.
func TestPropertiesOfAllInput(t *testing.T) {
	parsers := wide(t)
	for name, inputs := range map[string]*rapid.Generator[string]{"texts": texts(), "addresses": emails(), "numbers": numbers()} {
		t.Run("hold for "+name, func(t *testing.T) {
			valid := 0
			rapid.Check(t, func(t *rapid.T) {
				input := inputs.Draw(t, "input")
				for _, p := range parsers {
					if check(t, p, input) {
						valid++
					}
					checkKey(t, p, input)
				}
			})
			if valid == 0 {
				t.Error("no valid input was tried")
			}
		})
	}
	t.Run("hold for every character", func(t *testing.T) {
		for r := range unicode.MaxRune {
			if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) && !unicode.In(r, unicode.Han, unicode.Hangul) {
				check(t, parsers[1], "a"+string(r)+"b")
				check(t, parsers[1], string(r)+"bc@"+string(r)+".de")
			}
		}
	})
}

// IDENT-4, IDENT-11: the short ways through ASCII give what the long way gives.
func TestASCIIFold(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	fold := cases.Fold()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z][A-Za-z0-9._-]{5,20}`).Draw(t, "name")
		want := identifiers.Identifier{Stored: norm.NFKC.String(name), Canonical: norm.NFKC.String(fold.String(norm.NFKC.String(name)))}
		if got, _ := p.Username(name); got != want {
			t.Errorf("username %q: %+v, want %+v", name, got, want)
		}

		local := rapid.StringMatching(`[A-Za-z0-9!#$%&'*+/=?^_{|}~-]{1,20}`).Draw(t, "local")
		want = identifiers.Identifier{Stored: local + "@example.com", Canonical: norm.NFKC.String(fold.String(local)) + "@example.com"}
		if got, _ := p.Email(t.Context(), local+"@example.com"); got != want {
			t.Errorf("local part %q: %+v, want %+v", local, got, want)
		}
	})
}
