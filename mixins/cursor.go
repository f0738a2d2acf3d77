package mixins

import (
	"bytes"
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

// maxCursor is the longest cursor that is made and looked at, in bytes.
const maxCursor = 1024

var errLongKey = roster.ErrValidationFailed.WithFields(roster.FieldError{Field: "sort", Code: roster.TooLong})

// sealPlace returns where a page ended, for the client to bring back: readable by this installation alone, and good for
// the same query alone.
func (c *Core[U]) sealPlace(content, query []byte) string {
	return base64.RawURLEncoding.EncodeToString(c.Secrets.Seal(secrets.Cursor, content, query))
}

// openPlace reads what sealPlace made for the same query.
func (c *Core[U]) openPlace(text string, query []byte) ([]byte, error) {
	if len(text) > maxCursor || strings.ContainsAny(text, "\r\n") { // package base64 would skip line breaks
		return nil, roster.ErrInvalidCursor
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, roster.ErrInvalidCursor
	}
	content, err := c.Secrets.Open(secrets.Cursor, sealed, query)
	if err != nil {
		return nil, roster.ErrInvalidCursor
	}
	return content, nil
}

// sealCursor returns where a page of users ended. A page cannot end at a user whose sort keys are longer than a cursor
// may be.
func (c *Core[U]) sealCursor(keys []any, q store.Search) (string, error) {
	written := make([]any, len(keys))
	var texts []byte // behind the JSON, as they are: escaped they would be longer
	for i, key := range keys {
		switch key := key.(type) {
		case float64: // JSON has no infinity
			written[i] = strconv.FormatFloat(key, 'g', -1, 64)
		case time.Time: // nor package time JSON for the year 10000
			written[i] = key.UnixMicro()
		case string:
			written[i] = key
			if keyKind(q, i) == store.TextColumn {
				written[i], texts = len(key), append(texts, key...)
			}
		default:
			written[i] = key
		}
	}
	values, err := json.Marshal(written)
	if err != nil {
		return "", roster.ErrInternal.WithCause(err)
	}
	content := slices.Concat(values, []byte{'\n'}, texts)
	cursor := c.sealPlace(content, c.fingerprint(q))
	if len(cursor) > maxCursor {
		return "", errLongKey
	}
	return cursor, nil
}

// openCursor reads what sealCursor made for the same query.
func (c *Core[U]) openCursor(text string, q store.Search) ([]any, error) {
	content, err := c.openPlace(text, c.fingerprint(q))
	if err != nil {
		return nil, err
	}
	values, texts, _ := bytes.Cut(content, []byte{'\n'})
	var raw []json.RawMessage
	if err := json.Unmarshal(values, &raw); err != nil || len(raw) != len(q.Order)+1 {
		return nil, roster.ErrInvalidCursor
	}
	keys := make([]any, len(raw))
	for i, r := range raw {
		if keyKind(q, i) == store.TextColumn && string(r) != "null" {
			n, err := decodeKey[int](r)
			if err != nil || n < 0 || n > len(texts) {
				return nil, roster.ErrInvalidCursor
			}
			keys[i], texts = string(texts[:n]), texts[n:]
			continue
		}
		if keys[i], err = readKey(r, keyKind(q, i)); err != nil {
			return nil, roster.ErrInvalidCursor
		}
	}
	return keys, nil
}

// keyKind is how the key at i of a row is compared; the last one is the id.
func keyKind(q store.Search, i int) store.ColumnKind {
	if i < len(q.Order) {
		return q.Order[i].Operand.Kind
	}
	return store.IDColumn
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
