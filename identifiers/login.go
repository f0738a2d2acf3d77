package identifiers

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/roster-go/roster"
)

// Infer tells which kind of identifier a login string can be, valid or not: with an "@" an e-mail address, else a
// username when it begins with a letter, else a phone number. NFKC and white space around make no difference.
func Infer(login string) Kind {
	if len(login) > maxInput {
		login = login[:maxInput] // nobody's, whatever the kind
	}
	s := norm.NFKC.String(strings.TrimSpace(login))
	if strings.Contains(s, "@") {
		return KindEmail
	}
	if first, _ := utf8.DecodeRuneInString(s); unicode.IsLetter(first) {
		return KindUsername
	}
	return KindPhone
}

// Canonical returns the canonical form by which a user with this identifier is looked up, and false when input is
// none of the kind. Reserved names, the lengths and scripts of usernames, the countries of phone numbers and
// EmailConfig.Check are not asked: they judge what is to be stored, and who is there may log in.
func (p *Parser) Canonical(kind Kind, input string) (string, bool) {
	var id Identifier
	var faults []roster.FieldCode
	switch kind {
	case KindUsername:
		id, faults = anyUsername().parse(input)
	case KindEmail:
		id, faults = p.emails.parse(input)
	case KindPhone:
		id, faults = phoneRules{region: p.phones.region}.parse(input)
	default:
		return "", false
	}
	return id.Canonical, len(faults) == 0
}

// CounterKey returns the key under which attempts on a login string are counted: its canonical form, or its NFKC
// and case folded text when it is no identifier. So all spellings by which one user can log in share a key. It is
// "" for a login string of more than MaxLogin bytes, which is nobody's, and for a blank one.
func (p *Parser) CounterKey(login string) string {
	if len(login) > MaxLogin {
		return ""
	}
	if key, ok := p.Canonical(Infer(login), login); ok {
		return key
	}
	text := foldText(login)
	if key, ok := p.Canonical(Infer(text), text); ok {
		return key
	}
	return text
}

// foldText returns any bytes as text that is safe to store.
func foldText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimSpace(strings.ToValidUTF8(s, string(unicode.ReplacementChar))))
	return strings.TrimSpace(fold(norm.NFKC.String(s)))
}
