package routes

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/roster-go/roster"
)

// readBody reads a request's body, as far as the limit lets it, and looks at what it claims to be.
func readBody(r *http.Request, limit int64) ([]byte, error) { return readText(r, limit, isJSON) }

// readForm is readBody for endpoints that take a form, as the standard that they follow has it.
func readForm(r *http.Request, limit int64) ([]byte, error) { return readText(r, limit, isForm) }

func readText(r *http.Request, limit int64, isKind func(values []string) bool) ([]byte, error) {
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
	case len(text) > 0 && !isKind(r.Header.Values("Content-Type")):
		return nil, faultOf(roster.CodeUnsupportedMedia)
	}
	return text, nil
}

func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	return values[0] == "application/json" || isMedia(values[0], "application/json")
}

func isForm(values []string) bool {
	return len(values) == 1 && isMedia(values[0], "application/x-www-form-urlencoded")
}

// isMedia reports whether a Content-Type is of a kind, in UTF-8.
func isMedia(value, want string) bool {
	kind, parameters, err := mime.ParseMediaType(value)
	if err != nil || kind != want {
		return false
	}
	for name, value := range parameters {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

// parseForm reads a form. A parameter that is given twice is refused (RFC 6749, section 3.2), as is what is not encoded.
func parseForm(text []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, faultOf(roster.CodeMalformedBody)
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, parameterFault(name)
		}
	}
	return form, nil
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
