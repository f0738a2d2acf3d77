package passwords

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/roster-go/roster"
)

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

// length counts the code points that are hashed.
func length(password roster.Secret) int { return utf8.RuneCountInString(normal(password).Reveal()) }

// normal is the form that is counted and hashed: keyboards and input methods write the same text differently.
func normal(password roster.Secret) roster.Secret {
	return roster.Secret(norm.NFKC.String(password.Reveal()))
}
