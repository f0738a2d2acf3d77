package routes_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// tagged is a repo whose users have fields with rules.
type tagged struct{ fake }

var taggedFields = []roster.Field{
	{Name: "email", Type: reflect.TypeFor[*string](), Create: true},
	{Name: "company", Type: reflect.TypeFor[string](), Custom: true, Create: true, Update: true},
	{Name: "plan", Type: reflect.TypeFor[*string](), Custom: true, Admin: true},
	{Name: "badge", Type: reflect.TypeFor[string](), Custom: true},
}

func (tagged) Fields() []roster.Field { return taggedFields }

type taggedAdmin struct{ fakeAdmin }

func (taggedAdmin) Fields() []roster.Field { return taggedFields }

func loaded(t *testing.T, m *routes.Mounted) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(m.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	return document
}

func TestOpenAPI(t *testing.T) {
	mount := func(t *testing.T, prefix string) (user, admin *routes.Mounted) {
		t.Helper()
		e := echo.New()
		var err error
		if user, err = routes.User(e.Group(prefix), tagged{}, routes.Config{Services: known}); err != nil {
			t.Fatal(err)
		}
		if admin, err = routes.Admin(e.Group(prefix+"/admin"), taggedAdmin{}, routes.Config{}); err != nil {
			t.Fatal(err)
		}
		return user, admin
	}
	user, admin := mount(t, "/api")

	t.Run("HTTP-70 has what is mounted and nothing else", func(t *testing.T) {
		for _, m := range []*routes.Mounted{user, admin} {
			var want []string
			for _, r := range m.Routes() {
				want = append(want, r.Name+" "+r.Method+" "+inDocument(r.Path))
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, pathsIn(t, m)); diff != "" {
				t.Errorf("(-mounted +document):\n%s", diff)
			}
		}
	})
	t.Run("HTTP-70 describes nothing in its files that cannot be mounted", func(t *testing.T) {
		if n := len(user.Routes()) + len(admin.Routes()); n != operationsInFiles(t) {
			t.Errorf("%d endpoints, %d operations in the files", n, operationsInFiles(t))
		}
	})
	t.Run("HTTP-73 has the same bytes each time", func(t *testing.T) {
		for range 3 {
			u, a := mount(t, "/api")
			if !bytes.Equal(user.OpenAPI(), u.OpenAPI()) || !bytes.Equal(admin.OpenAPI(), a.OpenAPI()) {
				t.Error("the bytes differ")
			}
		}
	})
	t.Run("HTTP-73 is valid under any prefix", func(t *testing.T) {
		for _, prefix := range []string{"", "/a/b", "/tenants/:tenant", "x"} {
			u, a := mount(t, prefix)
			loaded(t, u)
			loaded(t, a)
		}
	})
	t.Run("HTTP-73 names no server and shows no secret", func(t *testing.T) {
		for _, m := range []*routes.Mounted{user, admin} {
			document := loaded(t, m)
			if len(document.Servers) > 0 || bytes.Contains(m.OpenAPI(), []byte(`"example`)) {
				t.Error("there is a server or an example")
			}
		}
	})
	t.Run("HTTP-69 has the program's fields where their rules have them", func(t *testing.T) {
		u, a := loaded(t, user).Components.Schemas, loaded(t, admin).Components.Schemas
		for _, x := range []struct {
			schemas openapi3.Schemas
			name    string
			want    string
		}{
			{u, "User", "company joined plan tags"},
			{u, "Registration", "company"},
			{u, "AccountPatch", "company"},
			{a, "AdminUser", "company joined plan tags"},
			{a, "NewUser", "company plan"},
			{a, "UserPatch", "company plan"},
		} {
			var got []string
			for _, name := range []string{"badge", "company", "joined", "plan", "tags"} {
				if x.schemas[x.name].Value.Properties[name] != nil {
					got = append(got, name)
				}
			}
			if strings.Join(got, " ") != x.want {
				t.Errorf("%s has %v, want %s", x.name, got, x.want)
			}
			if f := x.schemas[x.name].Value.AdditionalProperties; f.Has == nil || *f.Has {
				t.Errorf("%s takes other members", x.name)
			}
		}
	})
	t.Run("HTTP-69 says nothing to everybody of what only administrators see", func(t *testing.T) {
		for _, word := range []string{"AdminUser", "NewUser", "UserPatch", "x-roster-permission", "banned_until"} {
			if bytes.Contains(user.OpenAPI(), []byte(word)) {
				t.Errorf("the users' document has %s", word)
			}
		}
		if n := bytes.Count(admin.OpenAPI(), []byte(`"x-roster-permission"`)); n != len(admin.Routes()) {
			t.Errorf("%d operations tell their permission, want %d", n, len(admin.Routes()))
		}
	})
	t.Run("HTTP-71 lists all codes, and statuses with the problem's schema", func(t *testing.T) {
		for _, m := range []*routes.Mounted{user, admin} {
			document := loaded(t, m)
			for _, schema := range []struct{ name, file, kind string }{{"Code", "../errors.go", "Code"}, {"FieldCode", "../fielderrors.go", "FieldCode"}} {
				var got []string
				for _, v := range document.Components.Schemas[schema.name].Value.Enum {
					got = append(got, v.(string))
				}
				slices.Sort(got)
				if diff := cmp.Diff(constants(t, schema.file, schema.kind), got); diff != "" {
					t.Errorf("(-in Go +in the document):\n%s", diff)
				}
			}
			for path, item := range document.Paths.Map() {
				for method, o := range item.Operations() {
					checkResponses(t, method+" "+path, o)
				}
			}
		}
	})
	t.Run("HTTP-72 needs a session where one is needed", func(t *testing.T) {
		for _, m := range []*routes.Mounted{user, admin} {
			document := loaded(t, m)
			for _, r := range m.Routes() {
				path := inDocument(r.Path)
				security := document.Paths.Value(path).GetOperation(r.Method).Security
				needs := len(*security) == 1 && (*security)[0]["bearer"] != nil
				if needs != (r.Auth == routes.AuthSession) {
					t.Errorf("%s: security %v, mounted with %s", r.Name, *security, r.Auth)
				}
			}
		}
	})
	t.Run("HTTP-137 serves it, HTTP-136", func(t *testing.T) {
		e := echo.New()
		user, err := routes.User(e.Group(""), tagged{}, routes.Config{})
		if err != nil {
			t.Fatal(err)
		}
		admin, err := routes.Admin(e.Group("/admin"), taggedAdmin{}, routes.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for path, x := range map[string]struct {
			m     *routes.Mounted
			token string
			cache string
		}{"/openapi.json": {user, "", "public, max-age=300"}, "/admin/openapi.json": {admin, "access", "private, no-cache"}} {
			w := ask(t, e, "GET "+path, x.token, "")
			if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), x.m.OpenAPI()) || w.Header().Get("Cache-Control") != x.cache {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
			tag := w.Header().Get("ETag")
			for given, status := range map[string]int{
				tag: 304, "W/" + tag: 304, `"a", ` + tag: 304, "*": 304, `"a"`: 200, "": 200, "x" + tag: 200, strings.Trim(tag, `"`): 200,
			} {
				w := ask(t, e, "GET "+path, x.token, "", "If-None-Match", given)
				if w.Code != status || w.Header().Get("ETag") != tag || w.Header().Get("Cache-Control") != x.cache || status == 304 && w.Body.Len() > 0 {
					t.Errorf("If-None-Match: %s is %d %v, want %d", given, w.Code, w.Header(), status)
				}
			}
		}
		wants(t, ask(t, e, "GET /admin/openapi.json", "", ""), 401, "unauthenticated")
	})
}

// checkResponses checks what every operation says of its answers.
func checkResponses(t *testing.T, name string, o *openapi3.Operation) {
	t.Helper()
	if o.Summary == "" {
		t.Errorf("%s has no summary", name)
	}
	for status, response := range o.Responses.Map() {
		r := response.Value
		if r.Headers["X-Request-Id"] == nil || r.Description == nil || *r.Description == "" {
			t.Errorf("%s: %s tells too little", name, status)
		}
		if status == "429" || status == "503" {
			if r.Headers["Retry-After"] == nil {
				t.Errorf("%s: %s has no Retry-After", name, status)
			}
		}
		if status[0] == '4' || status[0] == '5' {
			if r.Content["application/problem+json"] == nil || len(r.Content) != 1 {
				t.Errorf("%s: %s has %v", name, status, r.Content)
			}
		} else if isFile := r.Content["text/csv"] != nil; status != "204" && status != "304" && len(r.Content) != 1 &&
			r.Content["application/json"] == nil && !isFile {
			t.Errorf("%s: %s has %v", name, status, r.Content)
		}
	}
	for _, status := range []string{"400", "413", "415", "422", "500", "503"} {
		isForm := o.RequestBody != nil && o.RequestBody.Value.Content["application/x-www-form-urlencoded"] != nil // RFC 7662 has none
		if o.Responses.Value(status) == nil && !(isForm && status == "422") {
			t.Errorf("%s: no %s", name, status)
		}
	}
}

// constants are the values of a file's constants of one type, sorted.
func constants(t *testing.T, file, kind string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == kind {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, value)
		}
		return true
	})
	slices.Sort(list)
	return list
}

// operationsInFiles counts the operations that the files describe.
func operationsInFiles(t *testing.T) int {
	t.Helper()
	n := 0
	files, err := filepath.Glob("openapi/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Paths map[string]map[string]any }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, operations := range file.Paths {
			n += len(operations)
		}
	}
	return n
}

// inDocument is a path as OpenAPI writes it.
func inDocument(path string) string {
	return regexp.MustCompile(`:(\w+)`).ReplaceAllString(path, "{$1}")
}
