package mixins

import (
	"cmp"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// Plan is what a program's user struct says, read once: its columns, its names in JSON, and who may do what with
// each field.
type Plan[U roster.Model] struct {
	elem   reflect.Type
	fields []field // the base user's first
	byName map[string]*field
}

type field struct {
	roster.Field
	index    []int
	kind     store.ColumnKind
	nullable bool
	hidden   bool // it has no name in JSON
}

// baseRules say who may do what with the fields of the base user, in the words of the roster tag.
var baseRules = map[string]string{
	"username":      "create,admin,filter,sort",
	"email":         "create,admin,filter,sort",
	"phone":         "create,admin,filter",
	"language":      "create,update,admin,filter",
	"time_zone":     "create,update,admin",
	"id":            "filter",
	"superuser":     "filter",
	"created_at":    "filter,sort",
	"updated_at":    "filter,sort",
	"last_login_at": "filter,sort",
}

var (
	baseType    = reflect.TypeFor[roster.User]()
	timeType    = reflect.TypeFor[time.Time]()
	idType      = reflect.TypeFor[roster.ID]()
	bytesType   = reflect.TypeFor[[]byte]()
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
)

// NewPlan reads the struct that U points to, and reports all that is wrong with it at once.
func NewPlan[U roster.Model]() (*Plan[U], error) {
	t := reflect.TypeFor[U]()
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("the type of users must be a pointer to a struct that embeds roster.User, not %s", t)
	}
	p := &Plan[U]{elem: t.Elem(), byName: map[string]*field{}}
	if p.elem != baseType {
		if base, ok := p.elem.FieldByName("User"); !ok || base.Type != baseType || !base.Anonymous {
			return nil, fmt.Errorf("the type of users must be a pointer to a struct that embeds roster.User by value: %s does not", t)
		}
	}
	var faults []error
	p.read(p.elem, nil, p.elem == baseType, &faults)
	slices.SortStableFunc(p.fields, func(a, b field) int { return cmp.Compare(order(a), order(b)) })
	columns := map[string]string{"username_canonical": "the base user", "email_canonical": "the base user", "search": "the base user"}
	for i := range p.fields {
		f := &p.fields[i]
		place := "field " + f.Name
		if other, doubled := columns[f.Column]; doubled {
			faults = append(faults, fmt.Errorf("%s: column %q is taken by %s", place, f.Column, other))
		}
		columns[f.Column] = place
		if f.hidden {
			continue
		}
		if _, doubled := p.byName[f.Name]; doubled {
			faults = append(faults, fmt.Errorf("%s: two fields have this name in JSON", place))
		}
		p.byName[f.Name] = f
	}
	return p, errors.Join(faults...)
}

func order(f field) int {
	if f.Custom {
		return 1
	}
	return 0
}

// read collects the fields of a struct; embedded structs without a column are flattened.
func (p *Plan[U]) read(t reflect.Type, index []int, base bool, faults *[]error) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clip(index), i)
		column, hasColumn := sf.Tag.Lookup("db")
		rules, hasRules := sf.Tag.Lookup("roster")
		fault := func(format string, args ...any) {
			*faults = append(*faults, fmt.Errorf("field "+sf.Name+": "+format, args...))
		}
		switch {
		case sf.Anonymous && !hasColumn && sf.Type.Kind() == reflect.Struct:
			p.read(sf.Type, at, base || sf.Type == baseType, faults)
			continue
		case sf.Anonymous && !hasColumn && sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Struct:
			fault("embed %s by value", sf.Type.Elem())
			continue
		case !hasColumn || column == "-" || !sf.IsExported():
			switch {
			case hasRules && !sf.IsExported():
				fault("it has a roster tag but is not exported: begin its name with a capital letter")
			case hasRules:
				fault("it has a roster tag but no column: give it a db tag")
			}
			continue
		}
		f := field{Field: roster.Field{Column: column, Type: sf.Type, Custom: !base}, index: at}
		tag, isShown := sf.Tag.Lookup("json")
		f.Name, _, _ = strings.Cut(tag, ",")
		if f.Name == "" {
			f.Name = sf.Name
		}
		if !isShown || f.Name == "-" {
			f.Name, f.hidden = column, true
			if hasRules && rules != "keep" {
				fault("it has a roster tag but no name in JSON")
			}
		}
		if base {
			rules = baseRules[f.Name]
		} else if _, clash := reservedNames[f.Name]; clash {
			fault("the name %q in JSON is the base user's", f.Name)
		}
		for word := range strings.SplitSeq(rules, ",") {
			if !f.allow(strings.TrimSpace(word)) {
				fault("unknown word %q in the roster tag: want create, update, admin, filter, sort, search or keep", word)
			}
		}
		if !isColumn(sf.Type) {
			fault("no column takes a %s: give the type the methods of driver.Valuer and sql.Scanner", sf.Type)
		}
		f.kind, f.nullable = kindOf(sf.Type)
		p.fields = append(p.fields, f)
	}
}

// isColumn reports whether package database/sql can write a type and read it.
func isColumn(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == timeType, (t.Implements(valuerType) || reflect.PointerTo(t).Implements(valuerType)) && reflect.PointerTo(t).Implements(scannerType):
		return true
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	default:
		return false
	}
}

// reservedNames are members of a user's JSON that are derived from the base user.
var reservedNames = map[string]struct{}{
	"email_verified": {}, "phone_verified": {}, "banned": {}, "archived": {}, "deleted": {}, "has_password": {},
	"permission": {}, "provider": {}, "password": {}, "password_confirm": {}, "password_hash": {}, "captcha": {}, "remember": {},
	"device_token": {}, "transport": {}, "client_name": {}, "send": {}, "reason": {}, "epoch": {}, "session_count": {},
}

func (f *field) allow(word string) bool {
	switch word {
	case "":
	case "create":
		f.Create = true
	case "update":
		f.Update = true
	case "admin":
		f.Admin = true
	case "filter":
		f.Filter = true
	case "sort":
		f.Sort = true
	case "search":
		f.Search = true
	case "keep":
		f.Keep = true
	default:
		return false
	}
	return true
}

// kindOf tells how values of a Go type are compared in SQL, and whether it can hold NULL.
func kindOf(t reflect.Type) (kind store.ColumnKind, nullable bool) {
	if t.Kind() == reflect.Pointer {
		kind, _ = kindOf(t.Elem())
		return kind, true
	}
	switch {
	case t == timeType:
		return store.TimeColumn, false
	case t == idType:
		return store.IDColumn, false
	case reflect.PointerTo(t).Implements(scannerType):
		return store.TextColumn, true // it may know NULL; a Scan that does not will say so
	}
	switch t.Kind() {
	case reflect.Bool:
		return store.BoolColumn, false
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return store.IntColumn, false
	case reflect.Float32, reflect.Float64:
		return store.FloatColumn, false
	case reflect.Slice:
		return store.TextColumn, true
	default:
		return store.TextColumn, false
	}
}

// Columns describes the plan to the store.
func (p *Plan[U]) Columns() []store.Column {
	list := make([]store.Column, len(p.fields))
	for i, f := range p.fields {
		list[i] = store.Column{
			Name: f.Column, Field: f.Name, Custom: f.Custom, Nullable: f.nullable,
			SQLType: store.ColumnType(f.kind, f.nullable, f.Type == bytesType),
		}
	}
	return list
}

// New returns an empty user.
func (p *Plan[U]) New() U { return reflect.New(p.elem).Interface().(U) }

// dest returns the addresses of a user's columns, to scan into.
func (p *Plan[U]) dest(u U) []any {
	v := reflect.ValueOf(u).Elem()
	list := make([]any, len(p.fields), len(p.fields)+4)
	for i := range p.fields {
		list[i] = v.FieldByIndex(p.fields[i].index).Addr().Interface()
	}
	return list
}

// values returns the values of a user's columns.
func (p *Plan[U]) values(u U) []any {
	v := reflect.ValueOf(u).Elem()
	list := make([]any, len(p.fields), len(p.fields)+3)
	for i := range p.fields {
		list[i] = v.FieldByIndex(p.fields[i].index).Interface()
	}
	return list
}

// value returns one column's value.
func (f *field) value(u roster.Model) reflect.Value {
	return reflect.ValueOf(u).Elem().FieldByIndex(f.index)
}

// settle brings all times to UTC and whole microseconds, which is what both databases keep.
func (p *Plan[U]) settle(u U) {
	for i := range p.fields {
		f := &p.fields[i]
		if f.kind != store.TimeColumn {
			continue
		}
		switch t := f.value(u).Addr().Interface().(type) {
		case *time.Time:
			*t = t.UTC().Truncate(time.Microsecond)
		case **time.Time:
			if *t != nil {
				settled := (*t).UTC().Truncate(time.Microsecond)
				*t = &settled
			}
		}
	}
}

// changed returns the fields in which two users differ.
func (p *Plan[U]) changed(a, b U) []*field {
	var list []*field
	for i := range p.fields {
		f := &p.fields[i]
		if !equalValues(f.value(a).Interface(), f.value(b).Interface()) {
			list = append(list, f)
		}
	}
	return list
}

// maxSortable is how long a text may be that lists can be sorted by, in bytes: a cursor holds it.
const maxSortable = 400

// checkTexts adds a fault for each of the program's texts that is new in u and that no database keeps as it is, or no
// cursor could hold.
func (p *Plan[U]) checkTexts(old, u U, faults *roster.FieldErrors) {
	for _, f := range p.changed(old, u) {
		v := f.value(u)
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if !f.Custom || v.Kind() != reflect.String || v.Type().Implements(valuerType) {
			continue
		}
		switch {
		case !storable(v.String()):
			faults.Add(f.Name, roster.Invalid)
		case f.Sort && len(v.String()) > maxSortable:
			*faults = append(*faults, roster.FieldError{Field: f.Name, Code: roster.TooLong, Params: map[string]any{"max": maxSortable}})
		}
	}
}

// storable reports whether a text can be kept: PostgreSQL takes neither U+0000 nor what is not UTF-8.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

func equalValues(a, b any) bool {
	switch a := a.(type) {
	case time.Time:
		return a.Equal(b.(time.Time))
	case *time.Time:
		b := b.(*time.Time)
		return a == b || a != nil && b != nil && a.Equal(*b)
	}
	return reflect.DeepEqual(a, b)
}
