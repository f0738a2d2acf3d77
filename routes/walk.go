package routes

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// maxDepth is how deep objects and arrays may be nested.
const maxDepth = 16

// walk goes through a JSON text that is known to be valid, and looks for what encoding/json lets pass: a member that is
// named twice, nesting that is too deep, a number that nothing can hold.
type walk struct {
	text  []byte
	at    int
	depth int
	bad   bool // there is such a thing
}

// object steps over an object and returns its members.
func (w *walk) object() map[string]json.RawMessage {
	list := map[string]json.RawMessage{}
	w.nested('}', func() {
		name := w.name()
		w.space()
		w.at++ // the colon
		w.space()
		start := w.at
		w.value()
		if _, twice := list[name]; twice {
			w.bad = true
		}
		list[name] = w.text[start:w.at]
	})
	return list
}

// nested steps over an object or array, of whose elements each steps over one.
func (w *walk) nested(end byte, each func()) {
	if w.depth++; w.depth > maxDepth {
		w.bad = true
	}
	w.at++
	for w.space(); !w.bad && w.text[w.at] != end; w.space() {
		each()
		if w.space(); w.text[w.at] == ',' {
			w.at++
		}
	}
	w.at++
	w.depth--
}

func (w *walk) value() {
	switch w.text[w.at] {
	case '{':
		w.object()
	case '[':
		w.nested(']', w.value)
	case '"':
		w.quoted()
	case 't', 'f', 'n':
		w.word()
	default:
		if _, err := strconv.ParseFloat(string(w.word()), 64); err != nil {
			w.bad = true
		}
	}
}

// name steps over the name of a member.
func (w *walk) name() string {
	quoted := w.quoted()
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	if json.Unmarshal(quoted, &name) != nil {
		w.bad = true
	}
	return name
}

// quoted steps over a string.
func (w *walk) quoted() []byte {
	start := w.at
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.text[start:w.at]
}

// word steps over a number, true, false or null.
func (w *walk) word() []byte {
	start := w.at
	for w.at < len(w.text) && strings.IndexByte(",]} \t\r\n", w.text[w.at]) < 0 {
		w.at++
	}
	return w.text[start:w.at]
}

func (w *walk) space() {
	for w.at < len(w.text) && strings.IndexByte(" \t\r\n", w.text[w.at]) >= 0 {
		w.at++
	}
}
