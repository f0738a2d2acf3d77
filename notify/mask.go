package notify

import "strings"

// maxFailure is the length of what is kept of a failure, in characters.
const maxFailure = 500

// describe says what failed, for the outbox and the log: one line, without the address, link, token or code of the
// message, however the other side repeats them.
func describe(failure error, m Message) string {
	if failure == nil {
		return ""
	}
	text := failure.Error()
	for _, hidden := range []struct{ text, name string }{
		{m.Link.Reveal(), "[link]"},
		{m.Token.Reveal(), "[token]"},
		{m.To, "[address]"},
		{strings.TrimPrefix(m.To, "+"), "[address]"},
		{m.Code.Reveal(), "[code]"}, // last: it may stand in a number by chance
	} {
		if hidden.text != "" {
			text = strings.ReplaceAll(text, hidden.text, hidden.name)
		}
	}
	words := strings.Split(oneLine(text), " ")
	for i, word := range words {
		switch {
		case strings.Contains(word, "://"):
			words[i] = "[link]"
		case strings.Contains(word, "@"), strings.Contains(strings.ToLower(word), "%40"):
			words[i] = "[address]"
		}
	}
	return shorten(strings.Join(words, " "), maxFailure)
}
