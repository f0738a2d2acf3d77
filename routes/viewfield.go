package routes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// viewField is a field of the program's own that has a json tag, as encoding/json would show it.
type viewField struct {
	name     string
	typ      reflect.Type
	prefix   []byte // comma, name and colon
	index    []int
	omit     bool // it is left out when it is empty
	optional bool // it may be left out
}

var baseType = reflect.TypeFor[roster.User]()

// newView reads the struct that U points to, and reports all that is wrong with it.
func newView[U roster.Model](own View) (*view[U], error) {
	model := reflect.TypeFor[U]()
	if own.model != nil && own.model != model {
		return nil, fmt.Errorf("config.View is of %s: the repo's users are %s", own.model, model)
	}
	v := &view[U]{own: own.render}
	if model.Elem() == baseType {
		return v, nil
	}
	taken := memberNames(reflect.TypeFor[adminView]())
	var errs []error
	for _, f := range reflect.VisibleFields(model.Elem()) {
		tag, isShown := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		ofBase, maybeAbsent := embedding(model.Elem(), f.Index)
		if !f.IsExported() || f.Anonymous || !isShown || name == "-" || ofBase {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if slices.Contains(taken, name) {
			errs = append(errs, fmt.Errorf("field %s: a user's JSON has another member %q", f.Name, name))
		}
		taken = append(taken, name)
		quoted, err := json.Marshal(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("field %s: %w", f.Name, err))
		}
		omit := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		v.custom = append(v.custom, viewField{
			name, f.Type, slices.Concat([]byte{','}, quoted, []byte{':'}), f.Index, omit, omit || maybeAbsent,
		})
	}
	return v, errors.Join(errs...)
}

// memberNames are those that encoding/json writes of a struct of ours.
func memberNames(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("json"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// embedding reports whether a field is one of the base user's, and whether it is in a struct that is embedded by pointer.
func embedding(t reflect.Type, index []int) (ofBase, maybeAbsent bool) {
	for i := range len(index) - 1 {
		outer := t.FieldByIndex(index[:i+1]).Type
		ofBase = ofBase || outer == baseType
		maybeAbsent = maybeAbsent || outer.Kind() == reflect.Pointer
	}
	return ofBase, maybeAbsent
}

// encode appends a field of a user, unless it is left out or inside of an embedded struct that is not there.
func (f viewField) encode(buffer *bytes.Buffer, user reflect.Value) error {
	field, err := user.FieldByIndexErr(f.index)
	if err != nil || f.omit && field.IsZero() {
		return nil
	}
	var shown any
	switch value := field.Addr().Interface().(type) {
	case *time.Time: // in the form of all others
		shown = stamp(*value)
	case **time.Time:
		shown = stampOf(*value)
	default:
		shown = value
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return fmt.Errorf("encode the field %s: %w", f.name, err)
	}
	buffer.Write(f.prefix)
	buffer.Write(text)
	return nil
}
