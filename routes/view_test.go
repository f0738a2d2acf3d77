package routes_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// HTTP-12, HTTP-31: how a user is shown.
func TestView(t *testing.T) {
	t.Run("HTTP-12 shows the base user and the struct's own fields", func(t *testing.T) {
		e, _ := mounted(t, fake{}, routes.Config{})
		want := `{"id":"00010000-0000-7000-8000-000000000000","username":"ann","email":"ann@example.com","email_verified":true,` +
			`"phone":null,"phone_verified":null,"permissions":[],"superuser":false,"language":"en","time_zone":null,` +
			`"created_at":"2026-11-22T10:00:00.123Z","updated_at":"2026-11-22T10:00:00.123Z","last_login_at":"2026-11-22T10:00:00.123Z",` +
			`"version":7,"company":"Acme","plan":null,"joined":"2026-11-22T10:00:00.123Z","tags":["a","b"]}`
		if diff := cmp.Diff(want, ask(t, e, "GET /api/me", "access", "").Body.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("HTTP-12 shows what the program's own view makes, for each viewer", func(t *testing.T) {
		view := routes.ViewOf(func(_ context.Context, u *account, v routes.Viewer) any {
			return map[string]string{"name": *u.Username, "for": string(v)}
		})
		e, m := mounted(t, fake{}, routes.Config{View: view})
		wants(t, ask(t, e, "GET /api/me", "access", ""), 200, `{"for":"self","name":"ann"}`)
		wants(t, ask(t, e, "POST /api/login", "", `{"login":"a","password":"b"}`), 200, `{"user":{"for":"self","name":"ann"},"tokens":{`)
		if _, err := routes.Admin(e.Group("/admin"), fakeAdmin{}, routes.Config{View: view}); err != nil {
			t.Fatal(err)
		}
		wants(t, ask(t, e, "GET /admin/users/"+id.String(), "access", ""), 200, `{"for":"admin","name":"ann"}`)
		wants(t, ask(t, e, "GET /admin/users", "access", ""), 200, `[{"for":"admin_list","name":"ann"}`)
		var document struct {
			Components struct{ Schemas map[string]map[string]any }
		}
		if err := json.Unmarshal(m.OpenAPI(), &document); err != nil {
			t.Fatal(err)
		}
		user := document.Components.Schemas["User"]
		if user["additionalProperties"] != true || user["properties"] != nil || user["required"] != nil {
			t.Errorf("HTTP-69: the document says %v", user)
		}
	})
	t.Run("HTTP-11 answers for what cannot be encoded", func(t *testing.T) {
		view := routes.ViewOf(func(context.Context, *account, routes.Viewer) any { return math.NaN() })
		e, _ := mounted(t, fake{}, routes.Config{View: view})
		w := ask(t, e, "GET /api/me", "access", "")
		wants(t, w, 500, "internal")
		if w.Header().Get("ETag") != "" {
			t.Error("a failure has an ETag")
		}
	})
}

// ornate has a field of each kind that is shown in a way of its own.
type ornate struct {
	roster.User
	Empty    string    `json:"empty,omitempty"`
	Zero     time.Time `json:"zero,omitzero"`
	Hidden   string    `json:"-"`
	Untagged int
	Blob     []byte          `json:"blob"`
	Filled   []byte          `json:"filled"`
	List     []string        `json:"list"`
	Map      map[string]int  `json:"map"`
	Full     map[string]int  `json:"full"`
	Upper    shout           `json:"upper"`
	UpperPtr *shout          `json:"upper_ptr"`
	Level    level           `json:"level"`
	Any      any             `json:"any"`
	HTML     string          `json:"html <&>"`
	Wait     time.Duration   `json:"wait"`
	Raw      json.RawMessage `json:"raw"`
	Object   struct{ X int } `json:"object"`
	Other    roster.ID       `json:"other"`
	Ratio    float32         `json:"ratio"`
	Triple   [3]bool         `json:"triple"`
	Branches tree            `json:"branches"`
	unseen   string
	Address
	*Missing `db:"-"`
}

// tree holds itself.
type tree map[string]tree

// Address is embedded, and flattened.
type Address struct {
	Street string `json:"street"`
}

// Missing is embedded, and not there.
type Missing struct {
	Lost string `json:"lost"`
}

// shout marshals by a method of its pointer.
type shout string

func (s *shout) MarshalJSON() ([]byte, error) { return json.Marshal(strings.ToUpper(string(*s))) }

// level marshals as text.
type level int

func (l level) MarshalText() ([]byte, error) { return []byte{'A' + byte(l)}, nil }

func ornament() *ornate {
	return &ornate{
		User: someone().User, Upper: "loud", Level: 2, Address: Address{Street: "Elm"}, HTML: "<b>", Raw: json.RawMessage(`{"a":1}`),
		Any: 1, Filled: []byte("x"), Full: map[string]int{"a": 1}, unseen: "x", Wait: time.Second, UpperPtr: new(shout("loud")),
	}
}

type ornateRepo struct{ of[*ornate] }

func (ornateRepo) Get(context.Context, roster.ID) (*ornate, error) { return ornament(), nil }

// HTTP-12, HTTP-69: fields look as encoding/json has them, and as the document says.
func TestViewFields(t *testing.T) {
	e := echo.New()
	m, err := routes.User(e.Group("/api"), ornateRepo{}, routes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := ask(t, e, "GET /api/me", "access", "")
	wants(t, w, 200, "street")
	t.Run("HTTP-12 shows fields by their own JSON tags", func(t *testing.T) {
		text, err := json.Marshal(ornament())
		if err != nil {
			t.Fatal(err)
		}
		var all, base, got map[string]json.RawMessage
		for text, into := range map[string]*map[string]json.RawMessage{string(text): &all, w.Body.String(): &got} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		text, err = json.Marshal(someone().User)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &base); err != nil {
			t.Fatal(err)
		}
		delete(all, "Untagged") // encoding/json would show it; ours shows what was meant to be shown
		for name := range base {
			delete(all, name)
			delete(got, name)
		}
		delete(got, "email_verified")
		delete(got, "phone_verified")
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("HTTP-69 describes them", func(t *testing.T) {
		document, err := openapi3.NewLoader().LoadFromData(m.OpenAPI())
		if err != nil {
			t.Fatal(err)
		}
		if err := document.Validate(t.Context()); err != nil {
			t.Error(err)
		}
		var shown any
		if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		if err := document.Components.Schemas["User"].Value.VisitJSON(shown, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %v", w.Body, err)
		}
	})
}
