package mixins

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// maxCursor is the longest cursor that is looked at, in bytes.
const maxCursor = 4096

// sealCursor returns where a page ended, for the client to bring back: readable by this installation alone, and good
// for the same query alone.
func (c *Core[U]) sealCursor(keys []any, q store.Search) string {
	written := make([]any, len(keys))
	for i, key := range keys {
		switch key := key.(type) {
		case float64: // JSON has no infinity
			written[i] = strconv.FormatFloat(key, 'g', -1, 64)
		case time.Time: // nor package time JSON for the year 10000
			written[i] = key.UnixMicro()
		default:
			written[i] = key
		}
	}
	values, err := json.Marshal(written)
	if err != nil {
		return "" // there are only texts, whole numbers and ids in it
	}
	return base64.RawURLEncoding.EncodeToString(c.Secrets.Seal(secrets.Cursor, values, c.fingerprint(q)))
}

// openCursor reads what sealCursor made for the same query.
func (c *Core[U]) openCursor(text string, q store.Search) ([]any, error) {
	if len(text) > maxCursor || strings.ContainsAny(text, "\r\n") { // package base64 would skip line breaks
		return nil, roster.ErrInvalidCursor
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, roster.ErrInvalidCursor
	}
	values, err := c.Secrets.Open(secrets.Cursor, sealed, c.fingerprint(q))
	if err != nil {
		return nil, roster.ErrInvalidCursor
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(values, &raw); err != nil || len(raw) != len(q.Order)+1 {
		return nil, roster.ErrInvalidCursor
	}
	keys := make([]any, len(raw))
	for i, r := range raw {
		kind := store.IDColumn
		if i < len(q.Order) {
			kind = q.Order[i].Operand.Kind
		}
		if keys[i], err = readKey(r, kind); err != nil {
			return nil, roster.ErrInvalidCursor
		}
	}
	return keys, nil
}

func readKey(raw json.RawMessage, kind store.ColumnKind) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	switch kind {
	case store.IntColumn:
		return decodeKey[int64](raw)
	case store.FloatColumn:
		text, err := decodeKey[string](raw)
		if err != nil {
			return nil, err
		}
		return strconv.ParseFloat(text, 64)
	case store.BoolColumn:
		return decodeKey[bool](raw)
	case store.TimeColumn:
		micros, err := decodeKey[int64](raw)
		return time.UnixMicro(micros).UTC(), err
	case store.IDColumn:
		return decodeKey[roster.ID](raw)
	case store.TextColumn:
	}
	return decodeKey[string](raw)
}

func decodeKey[T any](raw json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// fingerprint tells queries apart: by table, words, conditions and order, whatever their limit.
func (c *Core[U]) fingerprint(q store.Search) []byte {
	conditions := make([]string, len(q.Conditions))
	for i, condition := range q.Conditions {
		conditions[i] = fmt.Sprintf("%s %s %#v", condition.Operand.Name, condition.Op, condition.Values)
	}
	slices.Sort(conditions)
	order := make([]string, len(q.Order))
	for i, key := range q.Order {
		order[i] = fmt.Sprintf("%s %t", key.Operand.Name, key.Descending)
	}
	return fmt.Appendf(nil, "%s\n%q\n%q\n%q", c.Store.UsersTable(), q.Words, conditions, order)
}
