package routes

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/roster-go/roster"
)

// parameters are those of a query string, and the faults that were found in them so far.
type parameters struct {
	values url.Values
	faults roster.FieldErrors
}

// valuesOf reads a query string in which each name stands once at most.
func valuesOf(u *url.URL) (url.Values, error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(values) == 0 && u.RawQuery != "" {
		return nil, parameterFault("")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 {
			return nil, parameterFault(name)
		}
	}
	return values, nil
}

// parametersOf reads a query string in which only some names stand.
func parametersOf(u *url.URL, names ...string) (*parameters, error) {
	values, err := valuesOf(u)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) {
			return nil, parameterFault(name)
		}
	}
	return &parameters{values: values}, nil
}

func (p *parameters) text(name string) string { return p.values.Get(name) }

func (p *parameters) id(name string) *roster.ID {
	return parameter(p, name, roster.ParseID)
}

func (p *parameters) moment(name string) *time.Time {
	return parameter(p, name, parseMoment)
}

func (p *parameters) boolean(name string) *bool {
	return parameter(p, name, strconv.ParseBool)
}

func (p *parameters) limit() int {
	if !p.values.Has("limit") {
		return 0
	}
	return readLimit(p.values.Get("limit"))
}

// parameter reads a value; nil when it is absent or faulty.
func parameter[T any](p *parameters, name string, parse func(text string) (T, error)) *T {
	if !p.values.Has(name) {
		return nil
	}
	v, err := parse(p.values.Get(name))
	if err != nil {
		p.faults.Add(name, roster.Invalid)
		return nil
	}
	return &v
}

func parseMoment(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) }

// lines is a page of a list; next is null at the end.
type lines[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
	Total *int64  `json:"total,omitempty"`
}

// listOf is a page with its items as they are shown.
func listOf[V, T any](items []V, page roster.Page[T]) (answer, error) {
	a := lines[V]{Items: items, Total: page.Total}
	if page.Next != "" {
		a.Next = &page.Next
	}
	return ok(a)
}

func idText(id *roster.ID) *string {
	if id == nil {
		return nil
	}
	return new(id.String())
}
