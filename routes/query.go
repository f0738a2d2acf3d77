package routes

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/jsontext"
)

// queryOfURL reads the query string of the list of users: q, sort, limit, cursor, total, and field=value or field.op=value.
func queryOfURL(u *url.URL) (roster.Query, error) {
	values, err := valuesOf(u)
	if err != nil {
		return roster.Query{}, err
	}
	return queryOfValues(values), nil
}

func queryOfValues(values url.Values) roster.Query {
	var q roster.Query
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values.Get(name)
		switch name {
		case "q":
			q.Text = value
		case "sort":
			q.Sort = readSort(value)
		case "cursor":
			q.Cursor = value
		case "total":
			q.Total = readTotal(value)
		case "limit":
			q.Limit = readLimit(value)
		default:
			field, op, given := strings.Cut(name, ".")
			if !given {
				op = string(roster.Eq)
			}
			q.Filters = append(q.Filters, roster.Filter{Field: field, Op: roster.Op(op), Value: roster.Literal(value)})
		}
	}
	return q
}

// invalidLimit is a limit that no query may have.
const invalidLimit = -1

func readLimit(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return invalidLimit
	}
	return n
}

func readTotal(text string) roster.Total {
	if text == "none" {
		return roster.TotalNone
	}
	return roster.Total(text)
}

// readSort reads keys with commas between; "-" before one turns its order around.
func readSort(text string) []roster.Sort {
	var keys []roster.Sort
	for key := range strings.SplitSeq(text, ",") {
		field, descending := strings.CutPrefix(strings.TrimSpace(key), "-")
		keys = append(keys, roster.Sort{Field: field, Descending: descending})
	}
	return keys
}

// queryOfBody reads the same query from a JSON object, with filters as {"field": {"op": value}}.
func queryOfBody(m *members) (roster.Query, error) {
	var q roster.Query
	if text := m.text("q"); text != nil {
		q.Text = *text
	}
	if sort := m.text("sort"); sort != nil {
		q.Sort = readSort(*sort)
	}
	if cursor := m.text("cursor"); cursor != nil {
		q.Cursor = *cursor
	}
	if total := m.text("total"); total != nil {
		q.Total = readTotal(*total)
	}
	m.take("limit", &q.Limit)
	var filters map[string]map[string]json.RawMessage
	m.take("filter", &filters)
	for _, field := range slices.Sorted(maps.Keys(filters)) {
		for _, op := range slices.Sorted(maps.Keys(filters[field])) {
			var value any
			raw := filters[field][op]
			if err := json.Unmarshal(raw, &value); err != nil || !jsontext.Clean(raw) {
				m.faults.Add(field, roster.Invalid)
			}
			q.Filters = append(q.Filters, roster.Filter{Field: field, Op: roster.Op(op), Value: value})
		}
	}
	return q, m.finish()
}
