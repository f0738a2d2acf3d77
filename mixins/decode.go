package mixins

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/roster-go/roster"
)

// decode writes the members of a JSON object into a user, key by key: a key that is absent leaves its field alone, null
// clears a field that can be empty. It returns a fault for each key that is unknown, forbidden to w or of a wrong type.
func (p *Plan[U]) decode(u U, raw json.RawMessage, w roster.Writer) roster.FieldErrors {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return roster.FieldErrors{{Code: roster.WrongType}}
	}
	var faults roster.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f, ok := p.byName[name]
		_, derived := reservedNames[name]
		switch {
		case !ok && derived:
			faults.Add(name, roster.ForbiddenField)
		case !ok:
			faults.Add(name, roster.UnknownField)
		case !f.WritableBy(w):
			faults.Add(name, roster.ForbiddenField)
		default:
			if code := f.decode(u, members[name]); code != "" {
				faults.Add(name, code)
			}
		}
	}
	return faults
}

func (f *field) decode(u roster.Model, raw json.RawMessage) roster.FieldCode {
	raw = bytes.TrimSpace(raw)
	if !cleanText(raw) {
		return roster.Invalid
	}
	if string(raw) == "null" {
		if !f.nullable {
			return roster.Required
		}
		f.value(u).SetZero()
		return ""
	}
	// A value of its own: the old one may be shared, and a slice or map would be merged into.
	fresh := reflect.New(f.Type)
	if err := json.Unmarshal(raw, fresh.Interface()); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return roster.WrongType
		}
		return roster.Invalid
	}
	f.value(u).Set(fresh.Elem())
	return ""
}

// cleanText reports whether the strings of a JSON value are such as can be kept: UTF-8, without U+0000, which
// PostgreSQL does not store, and without half of a surrogate pair, which is no character.
func cleanText(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false // package json would read another text
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		unit := hexUnit(raw, i+1)
		switch {
		case unit == 0:
			return false
		case 0xDC00 <= unit && unit <= 0xDFFF:
			return false
		case 0xD800 <= unit && unit <= 0xDBFF:
			low := -1
			if i+6 < len(raw) && raw[i+5] == '\\' && raw[i+6] == 'u' {
				low = hexUnit(raw, i+7)
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

func hexUnit(raw []byte, at int) int {
	if at+4 > len(raw) {
		return -1
	}
	unit := 0
	for _, c := range raw[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			unit = unit<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			unit = unit<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return unit
}
