// Package jsontext looks at JSON for what package json lets pass, and writes what it does not escape.
package jsontext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean reports whether the strings in a JSON text are texts: it is UTF-8, and none of them holds U+0000, which PostgreSQL
// cannot store, or half of a surrogate pair, which is no character and which decoders replace silently.
func Clean(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			continue
		}
		i++
		if text[i] != 'u' {
			continue
		}
		unit := codeUnit(text, i+1)
		switch {
		case unit == 0:
			return false
		case 0xDC00 <= unit && unit <= 0xDFFF:
			return false
		case 0xD800 <= unit && unit <= 0xDBFF:
			low := -1
			if i+6 < len(text) && text[i+5] == '\\' && text[i+6] == 'u' {
				low = codeUnit(text, i+7)
			}
			if low < 0xDC00 || low > 0xDFFF {
				return false
			}
			i += 6
		}
		i += 4
	}
	return true
}

// codeUnit reads the four hexadecimal digits of an escape; -1 when they are none.
func codeUnit(text []byte, at int) int {
	if at+4 > len(text) {
		return -1
	}
	unit := 0
	for _, c := range text[at : at+4] {
		switch lower := c | 0x20; {
		case '0' <= c && c <= '9':
			unit = unit<<4 | int(c-'0')
		case 'a' <= lower && lower <= 'f':
			unit = unit<<4 | int(lower-'a'+10)
		default:
			return -1
		}
	}
	return unit
}

// Escape writes as \uXXXX what in a JSON text, or a line of a log, would speak to a terminal or hide what stands there:
// control characters but for white space, and those that turn the direction of writing.
func Escape(text string) string {
	if strings.IndexFunc(text, speaks) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if speaks(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func speaks(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' || unicode.Is(unicode.Bidi_Control, r) || r == 0xFEFF
}
