package identifiers

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/roster-go/roster"
)

// maxInput is the length in bytes over which nothing is read.
const maxInput = 1024

// caseFold is stateless, unlike other Casers, so one serves all goroutines.
var caseFold = cases.Fold()

// clean does what comes first for every kind. The code is "" when the text, which is not empty then, may be read.
func clean(input string) (string, roster.FieldCode) {
	if len(input) > maxInput {
		return "", roster.TooLong
	}
	if strings.IndexByte(input, 0) >= 0 || !utf8.ValidString(input) {
		return "", roster.Invalid
	}
	s := strings.TrimSpace(input)
	if s == "" {
		return "", roster.Invalid
	}
	return s, ""
}

// fold returns NFKC(full case fold(s)).
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFKC.String(caseFold.String(strings.Map(lowerCherokee, s)))
}

// lowerCherokee makes case folding right for Cherokee, whose letters fold to upper case (CaseFolding.txt): package
// cases folds the lower case up and the upper case down, so that the two never meet.
func lowerCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToLower(r)
	}
	return r
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decimal returns the value of a decimal digit (Nd) of any script. Unicode encodes each ten in a row, from 0 up, and
// rows that touch are whole.
func decimal(r rune) (value rune, ok bool) {
	if r < utf8.RuneSelf {
		return r - '0', '0' <= r && r <= '9'
	}
	if !unicode.IsDigit(r) {
		return 0, false
	}
	first := r
	for unicode.IsDigit(first - 1) {
		first--
	}
	return (r - first) % 10, true
}

// asciiDigit returns the ASCII digit of a decimal digit, and any other rune as it is.
func asciiDigit(r rune) rune {
	if value, ok := decimal(r); ok {
		return '0' + value
	}
	return r
}

// Fold returns NFKC(full case fold(s)): texts that differ only in case and in width are equal by it. It is what
// text search compares.
func Fold(s string) string { return fold(s) }
