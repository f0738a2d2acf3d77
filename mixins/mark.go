package mixins

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// pageLimit judges how many lines a page of a list has.
func pageLimit(limit int, faults *roster.FieldErrors) int {
	switch {
	case limit == 0:
		return defaultLimit
	case limit < 1 || limit > maxLimit:
		faults.Add("limit", roster.Invalid)
	}
	return limit
}

// sealMark returns where a page of a list by time ended, good for the same list and query alone.
func (c *Core[U]) sealMark(list string, m store.Mark, query any) string {
	return c.sealPlace(fmt.Appendf(nil, "%d %s %q", m.At.UnixMicro(), m.ID, m.Key), c.listed(list, query))
}

// openMark reads what sealMark made for the same list and query; "" is nil.
func (c *Core[U]) openMark(list, text string, query any) (*store.Mark, error) {
	if text == "" {
		return nil, nil
	}
	content, err := c.openPlace(text, c.listed(list, query))
	if err != nil {
		return nil, err
	}
	var m store.Mark
	var micros int64
	var id string
	if _, err := fmt.Sscanf(string(content), "%d %s %q", &micros, &id, &m.Key); err != nil {
		return nil, roster.ErrInvalidCursor
	}
	m.At = time.UnixMicro(micros).UTC()
	if err := m.ID.UnmarshalText([]byte(id)); err != nil { // ParseID would refuse the zero one
		return nil, roster.ErrInvalidCursor
	}
	return &m, nil
}

// listed tells a query from all others, and from those on other tables.
func (c *Core[U]) listed(list string, query any) []byte {
	text, err := json.Marshal(query)
	if err != nil { // of a time beyond the year 9999, which no entry has
		text = nil
	}
	return fmt.Appendf(nil, "%s\n%s\n%s", c.Store.UsersTable(), list, text)
}
