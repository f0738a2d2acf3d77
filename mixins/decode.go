package mixins

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/jsontext"
)

// decode writes the members of a JSON object into a user, key by key: a key that is absent leaves its field alone, null
// clears a field that can be empty. It returns a fault for each key that is unknown, forbidden to w or of a wrong type.
func (p *Plan[U]) decode(u U, raw json.RawMessage, w roster.Writer) roster.FieldErrors {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return roster.FieldErrors{{Code: roster.WrongType}}
	}
	return p.decodeMembers(u, members, w)
}

func (p *Plan[U]) decodeMembers(u U, members map[string]json.RawMessage, w roster.Writer) roster.FieldErrors {
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
	if !jsontext.Clean(raw) {
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
