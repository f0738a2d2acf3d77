package passwords

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/roster-go/roster"
)

// MinLengthNIST is the Config.MinLength that NIST SP 800-63B-4 asks for where the password is the only factor.
const MinLengthNIST = 15

// CheckLimits returns the fault of a password that nobody may have, whoever sets it: it is empty, no UTF-8 or holds
// U+0000 (invalid), or is longer than Config.MaxLength (too_long). The fault is told of the given field. Login needs
// no check: such a password is wrong.
func (p *Passwords) CheckLimits(field string, password roster.Secret) roster.FieldErrors {
	text := password.Reveal()
	tooLong := roster.FieldErrors{{Field: field, Code: roster.TooLong, Params: map[string]any{"max": p.maxLength}}}
	// NFKC makes one code point of at most four, of at most four bytes each: these need no normalising.
	if len(text)/16 > p.maxLength {
		return tooLong
	}
	if text == "" || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return roster.FieldErrors{{Field: field, Code: roster.Invalid}}
	}
	if utf8.RuneCountInString(text)/4 > p.maxLength || length(password) > p.maxLength {
		return tooLong
	}
	return nil
}

// CheckMinimum returns the fault too_short of a password of less than Config.MinLength. It says nothing of one that
// CheckLimits refuses. It is a rule for people who choose a password; Go callers may do without.
func (p *Passwords) CheckMinimum(field string, password roster.Secret) roster.FieldErrors {
	if len(p.CheckLimits(field, password)) > 0 || length(password) >= p.minLength {
		return nil
	}
	return roster.FieldErrors{{Field: field, Code: roster.TooShort, Params: map[string]any{"min": p.minLength}}}
}

// length counts the code points that are hashed.
func length(password roster.Secret) int { return utf8.RuneCountInString(normal(password).Reveal()) }

// normal is the form that is counted and hashed: keyboards and input methods write the same text differently.
func normal(password roster.Secret) roster.Secret {
	return roster.Secret(norm.NFKC.String(password.Reveal()))
}
