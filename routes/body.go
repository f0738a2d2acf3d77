package routes

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/roster-go/roster"
)

// readBody reads a request's body, as far as the limit lets it, and looks at what it claims to be.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, faultOf(roster.CodeBodyTooLarge)
	}
	text, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, faultOf(roster.CodeBodyTooLarge)
	case err != nil:
		return nil, faultOf(roster.CodeMalformedBody).WithCause(err)
	case len(text) > 0 && !isJSON(r.Header.Values("Content-Type")):
		return nil, faultOf(roster.CodeUnsupportedMedia)
	}
	return text, nil
}

func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	kind, parameters, err := mime.ParseMediaType(values[0])
	if err != nil || kind != "application/json" {
		return false
	}
	for name, value := range parameters {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

// parseMembers reads a JSON object, and nothing else; no text at all is an object without members.
func parseMembers(text []byte) (*members, error) {
	m := &members{}
	if len(text) == 0 {
		return m, nil
	}
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, faultOf(roster.CodeMalformedBody)
	}
	w := walk{text: text}
	if w.space(); w.text[w.at] != '{' {
		return nil, faultOf(roster.CodeMalformedBody)
	}
	if m.raw = w.object(); w.bad {
		return nil, faultOf(roster.CodeMalformedBody)
	}
	return m, nil
}
