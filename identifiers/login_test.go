package identifiers_test

import (
	"strings"
	"testing"

	"github.com/roster-go/roster/identifiers"
)

// IDENT-30.
func TestInfer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		want   identifiers.Kind
		logins []string
	}{
		{"takes what has an @ for an e-mail address", identifiers.KindEmail, []string{"a@b.c", "@", " 1@x", "+1@2", "a＠b", "﹫", "ab\n@", "\xff@"}},
		{"takes what begins with a letter for a username", identifiers.KindUsername, []string{"alice", " alice ", "ａlice", "山田", "Ⅰvan", "ªb", "x12025550123", "\u00a0b"}},
		{"takes all else for a phone number", identifiers.KindPhone, []string{"+12025550123", "202", "(202)", "٢٠٢", "①", "½x", "", " ", "_a", "\u0301a", "\u200ba", "＋1", "\xff", "\x00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, login := range tt.logins {
				if got := identifiers.Infer(login); got != tt.want {
					t.Errorf("%+q: %s", login, got)
				}
			}
		})
	}
	t.Run("reads the beginning of a huge string only", func(t *testing.T) {
		if got := identifiers.Infer(strings.Repeat("ﷺ", 1<<22) + "@"); got != identifiers.KindUsername {
			t.Errorf("%s", got)
		}
	})
}

// ACCT-17: NFKC, letter case, IDNA and phone formats of the same thing all find it.
func TestCanonical(t *testing.T) {
	p := newParser(t, identifiers.Config{
		Username: identifiers.UsernameConfig{MinLength: 5, MaxLength: 6, Scripts: []string{"Latin"}},
		Phone:    identifiers.PhoneConfig{DefaultRegion: "GB", Countries: []string{"GB"}},
	})
	for _, tt := range []struct {
		name  string
		kind  identifiers.Kind
		input string
		want  string // "": none
	}{
		{"finds a username in other case and width", identifiers.KindUsername, " Ａlice１", "alice1"},
		{"finds an address with its domain in Unicode", identifiers.KindEmail, "Bob@BÜCHER.example", "bob@xn--bcher-kva.example"},
		{"finds a number in its national form", identifiers.KindPhone, "(020) 8366 1177", "+442083661177"},
		{"finds reserved names", identifiers.KindUsername, "admin", "admin"},
		{"finds names that were long or short enough once", identifiers.KindUsername, "ab", "ab"},
		{"finds names in scripts that were allowed once", identifiers.KindUsername, "женя", "женя"},
		{"finds numbers of countries that were accepted once", identifiers.KindPhone, "+1 202 555 0123", "+12025550123"},
		{"finds no invalid name", identifiers.KindUsername, "a b", ""},
		{"finds no name of mixed scripts", identifiers.KindUsername, "pаypal", ""},
		{"finds no invalid address", identifiers.KindEmail, "alice", ""},
		{"finds no invalid number", identifiers.KindPhone, "+999123456789", ""},
		{"finds nothing of an unknown kind", "token", "alice", ""},
		{"finds nothing blank", identifiers.KindUsername, " ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := p.Canonical(tt.kind, tt.input)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("%q, %v", got, ok)
			}
		})
	}
}

// IDENT-32, PROT-20, PROT-21.
func TestCounterKey(t *testing.T) {
	p := newParser(t, identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: "US"}})
	for _, tt := range []struct {
		name, want string
		logins     []string
	}{
		{"is one for the spellings of a username", "alice1", []string{"alice1", " Alice1\n", "ＡＬＩＣＥ１", "alice١"}},
		{"is one for the spellings of an address", "bob@xn--bcher-kva.example", []string{"bob@bücher.example", "BOB@xn--bcher-kva.EXAMPLE", "Bob@BÜCHER。example ", "ｂｏｂ@bücher.example", "bob＠bücher.example"}},
		{"is one for the spellings of a number", "+12025550123", []string{"+12025550123", "(202) 555-0123", "+1 202 555 0123", "011 1 202-555-0123", "+１２０２５５５０１２３", "＋１（２０２）５５５-０１２３"}},
		{"is one for the spellings of what is invalid", "a strasse b", []string{"a straße b", " A STRASSE B", "Ａ\u3000strasse b\t"}},
		{"is one for invalid addresses", "bob@localhost", []string{"bob@localhost", "Bob@LOCALHOST"}},
		{"is one for reserved, short and long names", "me", []string{"me", "ME"}},
		{"is empty for what is blank", "", []string{"", " ", "\u3000\n"}},
		{"is empty for what is too long", "", []string{strings.Repeat("a", 321), strings.Repeat(" ", 316) + "alice", strings.Repeat("\xff", 1<<24)}},
		{"is text for what is none", "\ufffda\ufffdb\ufffd", []string{"\xffa\x00b\xc0", "\xfeA\x01B\x7f"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, login := range tt.logins {
				if got := p.CounterKey(login); got != tt.want {
					t.Errorf("%.40q: %q, want %q", login, got, tt.want)
				}
			}
		})
	}
	t.Run("holds 320 bytes", func(t *testing.T) {
		if login := strings.Repeat("a", identifiers.MaxLogin); p.CounterKey(login) != login {
			t.Error("is cut")
		}
	})
}
