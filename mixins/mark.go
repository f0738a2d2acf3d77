package mixins

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// pageLimit judges how many lines a page of a list has.
func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return defaultLimit, nil
	case limit < 1 || limit > maxLimit:
		return 0, roster.FieldErrors{{Field: "limit", Code: roster.Invalid}}.Err()
	}
	return limit, nil
}

// sealMark returns where a page of a list by time ended, for the client to bring back: readable by this installation
// alone, and good for the same list and query alone.
func (c *Core[U]) sealMark(list string, m store.Mark, query any) string {
	content := fmt.Appendf(nil, "%d %s", m.At.UnixMicro(), m.ID)
	return base64.RawURLEncoding.EncodeToString(c.Secrets.Seal(secrets.Cursor, content, listed(list, query)))
}

// openMark reads what sealMark made for the same list and query; "" is nil.
func (c *Core[U]) openMark(list, text string, query any) (*store.Mark, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxCursor || strings.ContainsAny(text, "\r\n") { // package base64 would skip line breaks
		return nil, roster.ErrInvalidCursor
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, roster.ErrInvalidCursor
	}
	content, err := c.Secrets.Open(secrets.Cursor, sealed, listed(list, query))
	if err != nil {
		return nil, roster.ErrInvalidCursor
	}
	var micros int64
	var id string
	if _, err := fmt.Sscan(string(content), &micros, &id); err != nil {
		return nil, roster.ErrInvalidCursor
	}
	m := &store.Mark{At: time.UnixMicro(micros).UTC()}
	if m.ID, err = roster.ParseID(id); err != nil {
		return nil, roster.ErrInvalidCursor
	}
	return m, nil
}

// listed tells a query from all others.
func listed(list string, query any) []byte {
	text, err := json.Marshal(query)
	if err != nil { // of a time beyond the year 9999, which no entry has
		return []byte(list)
	}
	return append([]byte(list+" "), text...)
}
