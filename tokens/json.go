package tokens

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a token's JSON may nest, its outermost object included.
const maxDepth = 8

// members calls each, unless nil, with the name and the raw value of every member of data, in order. Data must be
// one JSON object in UTF-8. Unlike encoding/json this refuses doubled members, at every level, and nesting beyond
// maxDepth.
func members(data []byte, each func(name, value string) error) error {
	// With the grammar checked, the walk below only has to find where things end.
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("not JSON")
	}
	w := walker{text: string(data)}
	if w.space(); w.text[w.pos] != '{' {
		return errors.New("not a JSON object")
	}
	return w.object(1, each)
}

// walker steps through valid JSON.
type walker struct {
	text string
	pos  int
}

func (w *walker) space() {
	for w.pos < len(w.text) && strings.IndexByte(" \t\r\n", w.text[w.pos]) >= 0 {
		w.pos++
	}
}

// value passes one value and returns its text.
func (w *walker) value(depth int) (string, error) {
	w.space()
	start := w.pos
	var err error
	switch w.text[w.pos] {
	case '{':
		err = w.object(depth, nil)
	case '[':
		err = w.array(depth, nil)
	case '"':
		w.string()
	default: // a number, true, false or null
		n := strings.IndexAny(w.text[w.pos:], ",]} \t\r\n")
		if n < 0 {
			n = len(w.text) - w.pos
		}
		w.pos += n
	}
	return w.text[start:w.pos], err
}

func (w *walker) object(depth int, each func(name, value string) error) error {
	if depth > maxDepth {
		return errors.New("nested too deep")
	}
	var few [16]string // enough for our own claims, without an allocation
	seen := few[:0]
	for w.pos++; ; w.pos++ { // past the brace, then past each comma
		if w.space(); w.text[w.pos] == '}' {
			w.pos++
			return nil
		}
		name, ok := unquote(w.string())
		if !ok || slices.Contains(seen, name) {
			return errors.New("a member is given twice")
		}
		seen = append(seen, name)
		w.space()
		w.pos++ // the colon
		value, err := w.value(depth + 1)
		if err == nil && each != nil {
			err = each(name, value)
		}
		if err != nil {
			return err
		}
		if w.space(); w.text[w.pos] == '}' {
			w.pos++
			return nil
		}
	}
}

func (w *walker) array(depth int, each func(value string) error) error {
	if depth > maxDepth {
		return errors.New("nested too deep")
	}
	for w.pos++; ; w.pos++ { // past the bracket, then past each comma
		if w.space(); w.text[w.pos] == ']' {
			w.pos++
			return nil
		}
		value, err := w.value(depth + 1)
		if err == nil && each != nil {
			err = each(value)
		}
		if err != nil {
			return err
		}
		if w.space(); w.text[w.pos] == ']' {
			w.pos++
			return nil
		}
	}
}

// string passes a string and returns it with its quotes.
func (w *walker) string() string {
	start := w.pos
	for w.pos++; w.text[w.pos] != '"'; w.pos++ {
		if w.text[w.pos] == '\\' {
			w.pos++
		}
	}
	w.pos++
	return w.text[start:w.pos]
}

// unquote returns the content of a raw value that is a string.
func unquote(raw string) (string, bool) {
	if raw[0] != '"' {
		return "", false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	err := json.Unmarshal([]byte(raw), &s)
	return s, err == nil
}
