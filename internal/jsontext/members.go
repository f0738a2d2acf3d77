package jsontext

import (
	"bytes"
	"encoding/json"
	"iter"
)

const space = " \t\r\n"

// Members are the names and values in a text that is a valid JSON object, in its order. The values are parts of the text.
func Members(object []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		rest := bytes.TrimLeft(object, space+"{")
		for rest[0] != '}' {
			at := end(rest)
			name := unquote(rest[:at])
			rest = bytes.TrimLeft(rest[at:], space+":")
			at = end(rest)
			if !yield(name, json.RawMessage(rest[:at:at])) {
				return
			}
			rest = bytes.TrimLeft(rest[at:], space+",")
		}
	}
}

// end is where the value ends that a text begins with.
func end(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			continue
		case '"':
			i += quoted(text[i:]) - 1
		case '}', ']':
			if depth == 0 { // those of the object around a number or a word
				return i
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// quoted is the length of the string that a text begins with.
func quoted(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func unquote(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	var name string
	_ = json.Unmarshal(text, &name) // a valid one is never refused
	return name
}
