package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// oneLine makes text safe to stand in a line: what controls a terminal, a mail header or the direction of writing
// becomes a space, and of several spaces one stays.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || turnsText(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))), " ")
}

// turnsText finds the characters that show text in another order than it has (Unicode Annex 9: embeddings,
// overrides and isolates), and the separators of lines and paragraphs.
func turnsText(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' || r == '\u2028' || r == '\u2029'
}

// shorten cuts text to most characters, the last of them an ellipsis.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// unlink keeps mail programs from making a link of a name that a stranger chose: "evil.example" becomes
// "evil. example", and still reads as what it was.
func unlink(name string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(name, "://", ": //") {
		b.WriteRune(r)
		if strings.ContainsRune(".。．｡", r) {
			b.WriteByte(' ')
		}
	}
	return oneLine(b.String())
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
