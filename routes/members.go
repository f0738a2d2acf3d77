package routes

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/jsontext"
)

// members are those of a JSON object in a request, and the faults that were found in them so far.
type members struct {
	raw    map[string]json.RawMessage
	path   string // where a nested object is, with a dot at the end
	faults roster.FieldErrors
}

func (m *members) fault(name string, code roster.FieldCode) { m.faults.Add(m.path+name, code) }

// take removes a member and reads it into dest; an absent one, and null, leave dest alone and are false.
func (m *members) take(name string, dest any) bool {
	raw, ok := m.raw[name]
	delete(m.raw, name)
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, dest); err != nil {
		m.fault(name, roster.WrongType)
		return false
	}
	return true
}

// has reports whether a member is there and says something.
func (m *members) has(name string) bool {
	text := string(m.raw[name])
	return text != "" && text != "null" && text != `""`
}

// moment reads a time in RFC 3339.
func (m *members) moment(name string) *time.Time {
	text := m.text(name)
	if text == nil {
		return nil
	}
	t, err := parseMoment(*text)
	if err != nil {
		m.fault(name, roster.Invalid)
		return nil
	}
	return &t
}

// text reads a string; nil when it is absent or null.
func (m *members) text(name string) *string {
	raw := m.raw[name]
	if len(raw) > 0 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		delete(m.raw, name)
		return new(string(raw[1 : len(raw)-1]))
	}
	var s string
	if !m.take(name, &s) {
		return nil
	}
	if !jsontext.Clean(raw) {
		m.fault(name, roster.Invalid)
	}
	return &s
}

// need reads a string that must be there.
func (m *members) need(name string) string {
	faults := len(m.faults)
	s := m.text(name)
	if s == nil {
		if len(m.faults) == faults {
			m.fault(name, roster.Required)
		}
		return ""
	}
	return *s
}

// needOrNull reads a string or null, which must be there.
func (m *members) needOrNull(name string) *string {
	if raw, ok := m.raw[name]; ok && string(raw) == "null" {
		delete(m.raw, name)
		return nil
	}
	value := m.need(name)
	return &value
}

// secret reads a password or a token.
func (m *members) secret(name string) *roster.Secret {
	s := m.text(name)
	if s == nil {
		return nil
	}
	return new(roster.Secret(*s))
}

// boolean reads true or false.
func (m *members) boolean(name string) *bool {
	var b bool
	if !m.take(name, &b) {
		return nil
	}
	return &b
}

// object lets read look into a nested object, if it is there, and tells its faults with the others.
func (m *members) object(name string, read func(inner *members)) {
	inner := &members{path: m.path + name + "."}
	if !m.take(name, &inner.raw) {
		return
	}
	read(inner)
	inner.refuseRest()
	m.faults = append(m.faults, inner.faults...)
}

// rest returns what was not taken, as a JSON object.
func (m *members) rest() json.RawMessage {
	if len(m.raw) == 0 {
		return json.RawMessage("{}")
	}
	text, err := json.Marshal(m.raw)
	if err != nil {
		return json.RawMessage("{}") // the values were read as JSON before
	}
	return text
}

func (m *members) refuseRest() {
	if len(m.raw) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m.raw)) {
		m.fault(name, roster.UnknownField)
	}
}

// finish returns all faults, also that of every member that was not taken.
func (m *members) finish() error {
	m.refuseRest()
	return m.faults.Err()
}
