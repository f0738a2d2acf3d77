package identifiers_test

import (
	"strings"
	"testing"

	"golang.org/x/net/idna"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

// longDomain returns a valid domain of n bytes.
func longDomain(n int) string { return strings.Repeat("b.", n)[:n-5] + "b.com" }

// The vectors of IDENT-11 to IDENT-14 that are valid.
func TestEmailValid(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	for _, tt := range []struct {
		name, input, stored, canonical string
	}{
		{"IDENT-11 lowers the domain", "a@EXAMPLE.com", "a@example.com", "a@example.com"},
		{"IDENT-1 trims", " a@example.com ", "a@example.com", "a@example.com"},
		{"IDENT-11 keeps the case of the local part", "Bob@Example.COM", "Bob@example.com", "bob@example.com"},
		{"IDENT-11 encodes the domain", "a@bücher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"IDENT-11 folds before it encodes", "a@bÜcher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"IDENT-11 composes before it encodes", "a@bu\u0308cher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"IDENT-11 keeps an encoded domain", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"IDENT-11 lowers an encoded domain", "a@XN--Bcher-KVA.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"IDENT-11 is not transitional", "a@faß.de", "a@xn--fa-hia.de", "a@xn--fa-hia.de"},
		{"IDENT-11 maps the ideographic dot", "a@münchen。de", "a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"},
		{"IDENT-11 maps full width", "a@ｅxample.com", "a@example.com", "a@example.com"},
		{"IDENT-11 keeps look-alikes apart", "a@exаmple.com", "a@xn--exmple-4nf.com", "a@xn--exmple-4nf.com"},
		{"IDENT-11 takes Hebrew", "a@אב.com", "a@xn--4dbc.com", "a@xn--4dbc.com"},
		{"IDENT-14 keeps sub-addresses", "A+x@example.com", "A+x@example.com", "a+x@example.com"},
		{"IDENT-14 keeps dots", "a.b@example.com", "a.b@example.com", "a.b@example.com"},
		{"IDENT-12 takes all of a dot-atom", "!#$%&'*+-/=?^_`{|}~0.9@example.com", "!#$%&'*+-/=?^_`{|}~0.9@example.com", "!#$%&'*+-/=?^_`{|}~0.9@example.com"},
		{"IDENT-12 takes 64 bytes", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
		{"IDENT-13 takes 254 bytes", "a@" + longDomain(252), "a@" + longDomain(252), "a@" + longDomain(252)},
		{"IDENT-13 takes labels of 63", "a@" + strings.Repeat("b", 63) + ".com", "a@" + strings.Repeat("b", 63) + ".com", "a@" + strings.Repeat("b", 63) + ".com"},
		{"IDENT-13 takes inner hyphens and digits", "a@1-2.3com.x1", "a@1-2.3com.x1", "a@1-2.3com.x1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := identifiers.Identifier{Stored: tt.stored, Canonical: tt.canonical}
			for _, input := range []string{tt.input, tt.stored} {
				got, codes := p.Email(t.Context(), input)
				same(t, input, got, codes, want)
			}
		})
	}
}

// The vectors of IDENT-11 to IDENT-13 that are not.
func TestEmailFaults(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	for _, tt := range []struct {
		name  string
		codes []roster.FieldCode
		input []string
	}{
		{"IDENT-13 refuses broken IDNA", []roster.FieldCode{roster.Invalid}, []string{
			"a@xn--123.example", "a@xn--.com", "a@xn--a-.com", "a@xn--bücher.com", "a@xn--fA-HIA\u200d.de", "a@ab\u200dc.com", "a@1a.אב.com", "a@r3---sn.com", "a@℀.com", "a@\u0301.com", "a@\ufffd.com",
		}},
		{"IDENT-13 refuses domains that could not be typed as stored", []roster.FieldCode{roster.Invalid}, []string{"a@\u2137\u06f1a.com", "a@xn--a-3hc57f.com"}},
		{"IDENT-13 refuses what DNS does not carry", []roster.FieldCode{roster.Invalid}, []string{
			"a@ex_ample.com", "a@-a.com", "a@a-.com", "a@a..com", "a@.com", "a@example.com.", "a@example.com。", "a@*.com", "a@ex ample.com", "a@ex\u3000ample.com", "a@a/b.com", "a@a:25.com", "a@a＠b.com",
			"a@" + strings.Repeat("b", 64) + ".com",
		}},
		{"IDENT-13 refuses addresses of machines", []roster.FieldCode{roster.Invalid}, []string{"a@127.0.0.1", "a@[127.0.0.1]", "a@[IPv6:::1]", "a@１２７.0.0.１", "a@example.12", "a@0"}},
		{"IDENT-13 refuses one label", []roster.FieldCode{roster.Invalid}, []string{"a@localhost", "a@com"}},
		{"IDENT-11 wants one @", []roster.FieldCode{roster.Invalid}, []string{"a", "alice", "@", "@example.com", "a@", "a@b@example.com", "a@@example.com", "a＠example.com", "＠@example.com"}},
		{"IDENT-12 refuses dots at the ends and in a row", []roster.FieldCode{roster.Invalid}, []string{".a@example.com", "a.@example.com", "a..b@example.com", ".@example.com"}},
		{"IDENT-12 refuses quotes, comments and names", []roster.FieldCode{roster.Invalid}, []string{
			`"a b"@example.com`, `"a"@example.com`, "a b@example.com", "a (b)@example.com", "Bob <a@example.com>", "<a@example.com>", `a\b@example.com`, "a,b@example.com", "mailto:a@example.com",
		}},
		{"IDENT-12 refuses headers", []roster.FieldCode{roster.Invalid}, []string{"a@example.com\r\nBcc: x@y.z", "a\r\n@example.com", "a@exam\nple.com", "a\x7f@example.com", "a@example.com,b", "a@example.com\u2028b"}},
		{"IDENT-12 refuses what is not ASCII", []roster.FieldCode{roster.Invalid}, []string{"ａ@example.com", "é@example.com", "a\u200b@example.com"}},
		{"IDENT-12 refuses 65 bytes", []roster.FieldCode{roster.TooLong}, []string{strings.Repeat("a", 65) + "@example.com"}},
		{"IDENT-13 refuses 255 bytes", []roster.FieldCode{roster.TooLong}, []string{"a@" + longDomain(253), strings.Repeat("a", 64) + "@" + longDomain(190)}},
		{"IDENT-13 tells all faults", []roster.FieldCode{roster.Invalid, roster.TooLong}, []string{strings.Repeat("a", 65) + "@localhost", "a@" + longDomain(253) + ".", ".@" + longDomain(253)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, input := range tt.input {
				got, codes := p.Email(t.Context(), input)
				same(t, input, got, codes, identifiers.Identifier{}, tt.codes...)
			}
		})
	}
}

// IDENT-12 with AllowUTF8Local, and IDENT-7 in it.
func TestEmailUTF8Local(t *testing.T) {
	p := newParser(t, identifiers.Config{Email: identifiers.EmailConfig{AllowUTF8Local: true}})
	for _, tt := range []struct {
		name, input, stored, canonical string
	}{
		{"normalises and folds", "Ele\u0301na.ß１@example.com", "El\u00e9na.ß1@example.com", "el\u00e9na.ss1@example.com"},
		{"maps full width", "ａ@example.com", "a@example.com", "a@example.com"},
		{"takes letters, marks and digits of other scripts", "नाम१@example.com", "नाम१@example.com", "नाम१@example.com"},
		{"takes scripts that belong together", "山田taro@example.com", "山田taro@example.com", "山田taro@example.com"},
		{"takes 64 bytes", strings.Repeat("é", 32) + "@example.com", strings.Repeat("é", 32) + "@example.com", strings.Repeat("é", 32) + "@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := identifiers.Identifier{Stored: tt.stored, Canonical: tt.canonical}
			for _, input := range []string{tt.input, tt.stored} {
				got, codes := p.Email(t.Context(), input)
				same(t, input, got, codes, want)
			}
		})
	}
	for _, tt := range []struct {
		name  string
		code  roster.FieldCode
		input []string
	}{
		{"refuses mixed scripts", roster.MixedScripts, []string{"pаypal@example.com"}},
		{"refuses what is no letter, mark or digit", roster.Invalid, []string{"a＠b@example.com", "😀@example.com", "½@example.com", "a\u200db@example.com", "a\u3000b@example.com", "a．．b@example.com", "\u0301a@example.com", "1\u0301@example.com", "a\ufe0f@example.com", "a\u0085b@example.com"}},
		{"refuses 65 bytes", roster.TooLong, []string{strings.Repeat("é", 32) + "a@example.com"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, input := range tt.input {
				got, codes := p.Email(t.Context(), input)
				same(t, input, got, codes, identifiers.Identifier{}, tt.code)
			}
		})
	}
}

// IDENT-13 with AllowLocalDomains.
func TestEmailLocalDomains(t *testing.T) {
	p := newParser(t, identifiers.Config{Email: identifiers.EmailConfig{AllowLocalDomains: true}})
	t.Run("takes one label", func(t *testing.T) {
		got, codes := p.Email(t.Context(), "Root@LocalHost")
		same(t, "Root@LocalHost", got, codes, identifiers.Identifier{Stored: "Root@localhost", Canonical: "root@localhost"})
	})
	t.Run("lifts nothing else", func(t *testing.T) {
		for _, input := range []string{"a@", "a@.", "a@12", "a@-", "a@local_host", "a@localhost.", "a@[::1]"} {
			got, codes := p.Email(t.Context(), input)
			same(t, input, got, codes, identifiers.Identifier{}, roster.Invalid)
		}
	})
}

// IDENT-11: domains that skip IDNA come out as they would of it.
func TestDomainWithoutIDNA(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	rapid.Check(t, func(t *rapid.T) {
		domain := rapid.StringMatching(`[a-zA-Z0-9_.* -]{1,12}\.(com|Com|c-|-o|xn--p1ai|1)`).Draw(t, "domain")
		host, err := idna.Lookup.ToASCII(domain)
		id, codes := p.Email(t.Context(), "a@"+domain)
		if codes == nil && (err != nil || id.Stored != "a@"+host) {
			t.Errorf("%q: %q, but IDNA says %q, %v", domain, id.Stored, host, err)
		}
		if codes != nil && err == nil && !strings.Contains("."+host+".", "..") && !strings.HasSuffix(host, ".1") {
			t.Errorf("%q: %v, but IDNA says %q", domain, codes, host)
		}
	})
}
