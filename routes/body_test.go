package routes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// echoing hands back the document that it was given.
type echoing struct {
	fake
	got *json.RawMessage
}

func (x echoing) UpdateAccount(_ context.Context, _ roster.ID, patch json.RawMessage, _ ...roster.UpdateOption) (*account, error) {
	*x.got = patch
	return someone(), nil
}

// patcher sends bodies to PATCH /me, and returns the status and what reached the operation.
func patcher(t testing.TB) func(body []byte) (status int, got json.RawMessage) {
	t.Helper()
	var got json.RawMessage
	e := echo.New()
	if _, err := routes.User(e.Group(""), echoing{got: &got}, routes.Config{Limits: map[string]int{"*": 0}}); err != nil {
		t.Fatal(err)
	}
	return func(body []byte) (int, json.RawMessage) {
		got = nil
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPatch, "/me", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer access")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Code, got
	}
}

// HTTP-15: the parser of bodies.
func TestBody(t *testing.T) {
	patch := patcher(t)
	depth := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for body, want := range map[string]int{
		``: 200, `{}`: 200, " {\t} \n": 200, `{"a":1}`: 200, `{"a":1,"b":2}`: 200, `{"a":"x\"y\\"}`: 200, `{"a":[1,{"a":1},[{"a":2}]]}`: 200,
		`{"a":{"a":{"a":1}}}`: 200, depth(16): 200, `{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`: 200,
		`{"a":1.7976931348623157e308}`: 200, `{"a":1e-400}`: 200, `{"a":true,"b":false,"c":null}`: 200, `{"\u00e9":1,"e\u0301":2}`: 200,
		`{"":1}`: 200, `{"a":[ ]}`: 200, `{"a":[1 , 2]}`: 200, `{"a":"\ud800"}`: 200, `{"a":"{}{}"}`: 200, `{"a":"]"}`: 200,

		depth(17): 400, `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`: 400, `{"a":` + strings.Repeat("[", 20000): 400,
		`{"a":1,"a":2}`: 400, `{"a":1,"\u0061":2}`: 400, `{"a":{"b":1,"b":1}}`: 400, `{"a":[[{"b":1,"b":1}]]}`: 400, `{"":1,"":2}`: 400,
		`{"a":{},"b":{},"a":{}}`: 400, `{"a":1e309}`: 400, `{"a":[1,-1e309]}`: 400, `{"a":1,"b":{"c":2e999},"d":3}`: 400,
		`[]`: 400, `null`: 400, `1`: 400, `"a"`: 400, `{"a":1}{}`: 400, `{"a":1},`: 400, `{"a":1}]`: 400, `{"a" 1}`: 400, `{"a":1 "b":2}`: 400,
		"{\"a\":\"\x01\"}": 400, "{\"a\":\"\xed\xa0\x80\"}": 400, "\x00": 400, "{}\x00": 400, `{"a":.5}`: 400, `{"a":+1}`: 400, `{"a":0x1}`: 400,
		`{"a":"\ud800","\ud801":1,"\udfff":1}`: 400, // names that no text can be
	} {
		t.Run("HTTP-15 judges "+shorten(body), func(t *testing.T) {
			status, got := patch([]byte(body))
			if status != want {
				t.Errorf("%d, want %d", status, want)
			}
			if want == 200 {
				sameJSON(t, []byte(body), got)
			}
		})
	}
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// sameJSON checks that what reached the operation is what was sent.
func sameJSON(t *testing.T, sent, got []byte) {
	t.Helper()
	if len(sent) == 0 {
		sent = []byte("{}")
	}
	var texts [2][]byte
	for i, text := range [][]byte{sent, got} {
		var v any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		texts[i], _ = json.Marshal(v)
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Errorf("%s became %s", sent, got)
	}
}

// Whatever is sent is refused, or is JSON that reaches the operation as it was sent.
func FuzzBody(f *testing.F) {
	patch := patcher(f)
	for _, seed := range []string{`{}`, `{"a":{"b":[1,2.5e3,"x\u0000"]},"c":null}`, `{"a":1,"a":2}`, `[`, "{\"\xff\":1}", `{"a":1e999}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		status, got := patch(body)
		switch {
		case status == 413 && len(body) > 64<<10, status == 400:
			return
		case status != 200:
			t.Fatalf("%q: %d", body, status)
		}
		if len(body) > 0 && (!utf8.Valid(body) || namesTwice(body)) {
			t.Errorf("%q was taken", body)
		}
		sameJSON(t, body, got)
	})
}

// namesTwice reports, by the way of encoding/json's tokens, whether an object names a member twice.
func namesTwice(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	type object struct {
		names map[string]bool
		value bool // the next token is a value
	}
	var open []*object
	for {
		token, err := d.Token()
		if err == io.EOF || err != nil {
			return false
		}
		var top *object
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		switch delimiter := token.(type) {
		case json.Delim:
			if delimiter == '}' || delimiter == ']' {
				open = open[:len(open)-1]
				continue
			}
			if top != nil {
				top.value = false
			}
			next := &object{}
			if delimiter == '{' {
				next.names = map[string]bool{}
			}
			open = append(open, next)
		default:
			if top == nil || top.names == nil || top.value {
				if top != nil {
					top.value = false
				}
				continue
			}
			if top.names[token.(string)] {
				return true
			}
			top.names[token.(string)], top.value = true, true
		}
	}
}
