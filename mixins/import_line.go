package mixins

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/jsontext"
)

// line is a line of an import as it was read.
type line[U roster.Model] struct {
	number int
	faults roster.FieldErrors

	id      roster.ID                  // zero: none was given
	user    U                          // the members that are fields, for one who is not there yet
	members map[string]json.RawMessage // the same, for one who is
	names   names                      // canonical, of those that are valid
	created *time.Time

	emailVerified, phoneVerified bool
	permissions                  *[]string
	superuser                    *bool
	hash                         *roster.Secret
	// fixed are fields that nobody writes; a line may repeat them, as an export has them.
	fixed map[string]json.RawMessage
	// states are banned, archived and deleted, where the line says that the user is.
	states []string
}

// hashMember is the hash of a password.
const hashMember = "password_hash"

// ignored are members of an export that no import looks at.
var ignored = []string{"updated_at", "last_login_at", "version", "has_password"}

// read takes a line apart. What is wrong with its identifiers is told where the user is created or changed.
func (x *importer[U]) read(raw roster.ImportLine) *line[U] {
	l := &line[U]{number: raw.Number, user: x.core.Plan.New(), faults: slices.Clone(raw.Faults), fixed: map[string]json.RawMessage{}}
	if len(l.faults) > 0 {
		return l
	}
	if raw.Document == nil {
		l.members = x.members(raw.Cells)
	} else {
		var code roster.FieldCode
		if l.members, code = readObject(raw.Document); code != "" {
			l.faults.Add("", code)
			return l
		}
	}
	x.rename(l)
	l.takeSpecial()
	for _, name := range ignored {
		delete(l.members, name)
	}
	for _, name := range []string{"banned", "archived", "deleted"} {
		if value, given := l.members[name]; given && !isNull(value) && string(value) != "false" {
			l.states = append(l.states, name)
		}
		delete(l.members, name)
	}
	for _, name := range []string{"username", "email", "phone"} {
		if string(l.members[name]) == `""` { // so other programs write that there is none
			l.members[name] = json.RawMessage("null")
		}
	}
	for name, value := range l.members {
		if f, ok := x.core.Plan.byName[name]; ok && f.Custom && !f.WritableBy(roster.WriterAdmin) {
			l.fixed[name] = value
			delete(l.members, name)
		}
	}
	l.faults = append(l.faults, x.core.Plan.decodeMembers(l.user, l.members, roster.WriterAdmin)...)
	if len(l.faults) == 0 {
		l.names = x.core.canonical(l.user)
	}
	return l
}

// readObject reads a JSON object each of whose members stands there once.
func readObject(text []byte) (map[string]json.RawMessage, roster.FieldCode) {
	switch text = bytes.TrimSpace(text); {
	case !json.Valid(text) || !jsontext.Clean(text):
		return nil, roster.Invalid
	case text[0] != '{':
		return nil, roster.WrongType
	}
	list := map[string]json.RawMessage{}
	for name, value := range jsontext.Members(bytes.Clone(text)) { // whoever yields lines may use the memory again
		if _, twice := list[name]; twice {
			return nil, roster.Invalid
		}
		list[name] = value
	}
	return list, ""
}

// rename gives members the names that the options say. Two that come to one name are a fault.
func (x *importer[U]) rename(l *line[U]) {
	if len(x.options.Fields) == 0 {
		return
	}
	renamed := make(map[string]json.RawMessage, len(l.members))
	for name, value := range l.members {
		to := x.nameOf(name)
		if to == "" {
			continue
		}
		if _, twice := renamed[to]; twice {
			l.faults.Add(to, roster.Invalid)
		}
		renamed[to] = value
	}
	l.members = renamed
}

// nameOf is the member that a name in the file stands for; "": none.
func (x *importer[U]) nameOf(name string) string {
	if to, ok := x.options.Fields[name]; ok {
		return to
	}
	return name
}

// takeSpecial reads the members that are no fields which Create writes.
func (l *line[U]) takeSpecial() {
	var id string
	if takeMember(l, "id", &id) {
		var err error
		if l.id, err = roster.ParseID(id); err != nil || l.id == (roster.ID{}) {
			l.faults.Add("id", roster.Invalid)
		}
		l.user.Base().ID = l.id
	}
	var created string
	if takeMember(l, "created_at", &created) {
		t, ok := parseTime(created)
		if !ok {
			l.faults.Add("created_at", roster.Invalid)
		}
		l.created = &t
	}
	takeMember(l, "email_verified", &l.emailVerified)
	takeMember(l, "phone_verified", &l.phoneVerified)
	var permissions []string
	if takeMember(l, "permissions", &permissions) {
		l.permissions = &permissions
	}
	var superuser bool
	if takeMember(l, "superuser", &superuser) {
		l.superuser = &superuser
	}
	var hash string
	if takeMember(l, hashMember, &hash) {
		l.hash = new(roster.Secret(hash))
	}
}

// takeMember removes a member and reads it; null is as good as absent.
func takeMember[U roster.Model, V any](l *line[U], name string, into *V) bool {
	value, given := l.members[name]
	delete(l.members, name)
	if !given || isNull(value) {
		return false
	}
	if err := json.Unmarshal(value, into); err != nil {
		code := roster.Invalid
		if _, wrong := errors.AsType[*json.UnmarshalTypeError](err); wrong {
			code = roster.WrongType
		}
		l.faults.Add(name, code)
		return false
	}
	return true
}

func isNull(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }

// timeLayouts are how times are written: RFC 3339, and as databases print them.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07"}

func parseTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 0 && t.Year() < 10_000 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
