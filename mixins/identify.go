package mixins

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// names are a user's identifiers as they are compared.
type names store.Identifiers

// slotKinds is the order of the slots of a user and of names.
var slotKinds = [...]identifiers.Kind{identifiers.KindUsername, identifiers.KindEmail, identifiers.KindPhone}

func (n *names) slots() [3]**string { return [...]**string{&n.Username, &n.Email, &n.Phone} }

// slots are the places of a user's identifiers.
func slots(u *roster.User) [3]**string { return [...]**string{&u.Username, &u.Email, &u.Phone} }

// emailReader is identifiers.Parser.Email, or KnownEmail.
type emailReader = func(ctx context.Context, input string) (identifiers.Identifier, []roster.FieldCode)

// identify brings a user's identifiers to their stored form, and returns the canonical ones. It adds the faults of
// those that are not valid.
func (c *Core[U]) identify(ctx context.Context, u U, readEmail emailReader, faults *roster.FieldErrors) names {
	b := u.Base()
	var n names
	n.Username = normalise(&b.Username, "username", faults, c.Identifiers.Username)
	n.Email = normalise(&b.Email, "email", faults, func(s string) (identifiers.Identifier, []roster.FieldCode) {
		return readEmail(ctx, s)
	})
	n.Phone = normalise(&b.Phone, "phone", faults, c.Identifiers.Phone)
	return n
}

func normalise(value **string, name string, faults *roster.FieldErrors, parse func(string) (identifiers.Identifier, []roster.FieldCode)) *string {
	if *value == nil {
		return nil
	}
	id, codes := parse(**value)
	for _, code := range codes {
		faults.Add(name, code)
	}
	if id.Canonical == "" {
		return nil
	}
	*value = &id.Stored
	return &id.Canonical
}

// requireIdentifier adds a fault when a user has no identifier at all.
func requireIdentifier(u *roster.User, faults *roster.FieldErrors) {
	if u.Username == nil && u.Email == nil && u.Phone == nil {
		faults.Add("", roster.Required)
	}
}

// checkPreferences judges the language and the time zone.
func checkPreferences(u *roster.User, faults *roster.FieldErrors) {
	if u.Language != nil {
		tag, ok := identifiers.Language(*u.Language)
		if !ok {
			faults.Add("language", roster.Invalid)
		}
		u.Language = &tag
	}
	if u.TimeZone != nil && !identifiers.TimeZone(*u.TimeZone) {
		faults.Add("time_zone", roster.Invalid)
	}
}

// lift takes one code of a field away from faults.
func lift(faults roster.FieldErrors, field string, code roster.FieldCode) roster.FieldErrors {
	var rest roster.FieldErrors
	for _, f := range faults {
		if f.Field != field || f.Code != code {
			rest = append(rest, f)
		}
	}
	return rest
}

// holds returns what a username is held under.
func (c *Core[U]) holds(username *string) store.Holds {
	h := store.Holds{Now: c.now()}
	if username != nil {
		h.Hashes = c.Secrets.MACs(secrets.NameHold, []byte(*username))
	}
	return h
}

// derived are the columns that no field of the user holds.
func (c *Core[U]) derived(u U, n names) store.Derived {
	return store.Derived{Username: n.Username, Email: n.Email, Search: c.searchText(u, n)}
}

// searchText is all that text search looks into, folded, with a line for each value so that no word spans two.
func (c *Core[U]) searchText(u U, n names) string {
	var lines []string
	for _, s := range []*string{n.Username, n.Email, n.Phone} {
		if s != nil {
			lines = append(lines, identifiers.Fold(*s))
		}
	}
	for i := range c.Plan.fields {
		f := &c.Plan.fields[i]
		if !f.Search {
			continue
		}
		v := f.value(u)
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if !v.IsZero() {
			lines = append(lines, identifiers.Fold(fmt.Sprint(v.Interface())))
		}
	}
	return strings.Join(lines, "\n")
}
