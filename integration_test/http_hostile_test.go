package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// hostile is a text as JSON, which some of it is not.
type hostile string

// text is what a reader of the JSON gets; false: there is no such text.
func (h hostile) text() (string, bool) {
	var s string
	err := json.Unmarshal([]byte(h), &s)
	return s, err == nil && !strings.ContainsRune(s, '\uFFFD') && !strings.ContainsRune(s, 0)
}

// hostiles are the texts that have harmed other programs: 500 of them, the same in each run.
func hostiles() []hostile {
	seeds := []string{
		"\x00", "a\x00b", "\x01\x02\x1f", "\x7f\u0080\u009f", "\r\nBcc: x@example.com", "x\nSet-Cookie: a=b", "\t\v\f", "\u2028\u2029", "\u0085",
		"\u202eevil", "\u2066a\u2069", "\u061c\u200e\u200f", "שלום", "مرحبا", "a\u200bb", "\u200d\u200c", "\ufeff", "\u2060\u180e", "\u00ad",
		"e" + strings.Repeat("\u0301", 500), strings.Repeat("Z̷̢̛", 100), strings.Repeat("a", 10_000), strings.Repeat("😀", 2_500), strings.Repeat(" ", 1_000),
		"' OR '1'='1", "'; DROP TABLE users; --", "\"; DELETE FROM users; --", "1; SELECT pg_sleep(10)", "$1", "?", "?1", ":id", "@p1", "%", "%%", "_", "a%b_c\\", "\\",
		"\\%", "[a-z]", "*", "(", "(?:a+)+$", "^", "{{.}}", "{{.Secret}}", "{{template \"x\"}}", "${jndi:ldap://x}", "<%= 7*7 %>", "#{7*7}", "{%raw%}", "%n%s%x",
		"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "{\"a\":1}", "[1,2]", "null", "true", "NaN", "-1", "1e309", "0x41", "../../etc/passwd", "..\\..\\x", "/dev/null",
		"file:///etc/passwd", "%2e%2e%2f", "C:\\CON", "аdmin", "ⅻ", "ＡＤＭＩＮ", "ı", "İ", "ß", "ﬁ", "K", "ǆ", "ｱ", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇦🇹", "\U000e0001\U000e0041",
		"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "data:text/html,x", "&lt;&#0;", "<!--", "]]>", "<?xml ?>", "=cmd|' /C calc'!A0",
		"+1", "@SUM(1)", "a,b;c|d", "`id`", "$(id)", "; ls", "&& ls", "admin\u00a0", " admin", "admin ", ".", "..", "~", "-", "--help", "\U0010ffff", "\ufffe\uffff", "\ue000",
		"a@b", "a@@b.example", "\"a b\"@example.com", "a@[127.0.0.1]", "a@example.com\r\n", "+12025550123;ext=1", "+99999999999999999999", "٣٤٥٦", "00000000-0000-0000-0000-000000000000",
		"2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "de-AT-u-co-phonebk", "Europe/../../etc", "Local", "",
	}
	var list []hostile
	for _, wrap := range []string{"%", "a%b", "%%", " %", "%\n"} {
		for _, seed := range seeds {
			text, _ := json.Marshal(strings.ReplaceAll(wrap, "%", seed))
			list = append(list, hostile(text))
		}
	}
	list = list[:480]
	for _, broken := range []string{
		`"\ud800"`, `"\udc00"`, `"a\ud800b"`, `"\ud800\ud800"`, `"\udfff\ud800"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\uD800\u0041"`, "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"a\xffb\"", "\"\x00\"", "\"\n\"", `"\x41"`, `"\u00"`, `"`, `"\"`,
	} {
		list = append(list, hostile(broken))
	}
	return list
}

// member is a string somewhere in the body of an endpoint.
type stringMember struct{ path []string }

// stringsIn are the members of a schema that take a string, and those that must be there.
func stringsIn(document map[string]any, schema map[string]any, path ...string) (members []stringMember) {
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		schema = document["components"].(map[string]any)["schemas"].(map[string]any)[name].(map[string]any)
	}
	kinds, _ := schema["type"].([]any)
	kinds = append(kinds, schema["type"])
	switch {
	case slices.Contains(kinds, any("string")), schema["enum"] != nil, schema["type"] == nil && schema["properties"] == nil:
		return []stringMember{{slices.Clone(path)}}
	case slices.Contains(kinds, any("array")):
		items, _ := schema["items"].(map[string]any)
		return stringsIn(document, items, append(path, "[]")...)
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		members = append(members, stringsIn(document, properties[name].(map[string]any), append(path, name)...)...)
	}
	if _, open := schema["additionalProperties"].(map[string]any); open {
		members = append(members, stringMember{append(slices.Clone(path), "company", "contains")}, stringMember{append(slices.Clone(path), "created_at", "gt")})
	}
	return members
}

// bodyOf is an object in which these members are a text.
func bodyOf(members []stringMember, text hostile) string {
	tree := map[string]any{}
	for _, m := range members {
		at := tree
		for i, name := range m.path {
			rest := m.path[i+1:]
			switch {
			case len(rest) == 0:
				at[name] = text
			case rest[0] == "[]":
				at[name] = []any{text}
			default:
				if _, there := at[name].(map[string]any); !there {
					at[name] = map[string]any{}
				}
				at = at[name].(map[string]any)
				continue
			}
			break
		}
	}
	var write func(v any) string
	write = func(v any) string {
		switch v := v.(type) {
		case hostile:
			return string(v)
		case []any:
			return "[" + write(v[0]) + "]"
		}
		object := v.(map[string]any)
		var list []string
		for _, name := range slices.Sorted(maps.Keys(object)) {
			list = append(list, fmt.Sprintf("%q:%s", name, write(object[name])))
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	return write(tree)
}

// unprotected lets one address ask for anything as often as it likes.
func unprotected(cfg *usersrepo.Config) {
	p := reflect.ValueOf(&cfg.Protection).Elem()
	for _, field := range p.Fields() {
		if field.Type() == reflect.TypeFor[mixins.LaneConfig]() {
			field.Set(reflect.ValueOf(mixins.LaneConfig{Off: true}))
		}
	}
	cfg.Protection.CloseAfter, cfg.Username.ChangeQuota.Off = -1, true
}

// SEC-101, HTTP-15, HTTP-33: 500 texts that have harmed other programs, in each member of each body: nothing fails, and
// what is kept comes back byte for byte.
func TestHTTPHostile(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{}, unprotected)
	root, anna := s.superuser(t, "root1"), s.guest(t, "anna")
	victim := s.add(t, person("victim", "victim@example.com", ""))
	texts := hostiles()
	same(t, 500, len(texts))
	// ask does without a connection and the contract, which take longer than the answers.
	ask := func(what, body string, g *guest) (int, problem, []byte) {
		method, path, _ := strings.Cut(what, " ")
		for again := false; ; again = true {
			r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("If-Match", "*")
			if g != nil {
				r.Header.Set("Authorization", "Bearer "+g.access.Reveal())
			}
			w := httptest.NewRecorder()
			s.echo.ServeHTTP(w, r)
			var p problem
			if w.Code >= 400 {
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
					t.Errorf("%s %.200s: %d %s", what, body, w.Code, w.Body)
				}
			}
			if w.Code != http.StatusUnauthorized || g == nil || again {
				return w.Code, p, w.Body.Bytes()
			}
			*g = s.login(t, g.Person) // what was taken has ended the session
		}
	}
	began := time.Now()
	asked, failed, stride := 0, 0, 1
	if racing {
		stride = 7 // all texts are asked all the same, each of some endpoints
	}
	for _, m := range []*routes.Mounted{s.user, s.admin} {
		var document map[string]any
		if err := json.Unmarshal(m.OpenAPI(), &document); err != nil {
			t.Fatal(err)
		}
		for _, route := range m.Routes() {
			template := regexp.MustCompile(`:(\w+)`).ReplaceAllString(route.Path, "{$1}")
			operation := document["paths"].(map[string]any)[template].(map[string]any)[strings.ToLower(route.Method)].(map[string]any)
			required, ok := operation["requestBody"].(map[string]any)
			if !ok {
				continue
			}
			asJSON, ok := required["content"].(map[string]any)["application/json"].(map[string]any)
			if !ok {
				continue // a file
			}
			schema := asJSON["schema"].(map[string]any)
			members := stringsIn(document, schema)
			what := route.Method + " " + strings.NewReplacer(":id", victim.ID.String(), ":sid", s.NewID().String(), ":key", "x").Replace(route.Path)
			g := &anna
			switch {
			case route.Permission != "":
				g = &root
			case route.Auth == routes.AuthNone:
				g = nil
			}
			for i := asked % stride; i < len(texts); i += stride {
				text, sets := texts[i], [][]stringMember{members}
				if len(members) > 1 { // each alone, in turn
					sets = append(sets, members[i%len(members):i%len(members)+1])
				}
				for _, set := range sets {
					body := bodyOf(set, text)
					status, p, answer := ask(what, body, g)
					asked++
					if status >= 500 || status == 422 && len(p.Errors) == 0 {
						if failed++; failed < 30 {
							t.Errorf("%s %.300s: %d %s", what, body, status, answer)
						}
					}
				}
			}
		}
	}
	t.Logf("%d requests in %s", asked, time.Since(began))

	// What is free text, each with the place where it is read back.
	for name, x := range map[string]struct {
		what   string
		member string
		g      *guest
		read   string
		path   []string
	}{
		"a custom field":                {"PATCH /api/me", "company", &anna, "GET /api/me", []string{"company"}},
		"one that may be null":          {"PATCH /api/me", "nick", &anna, "GET /api/me", []string{"nick"}},
		"one that administrators write": {"PATCH /admin/users/" + victim.ID.String(), "plan", &root, "GET /admin/users/" + victim.ID.String(), []string{"plan"}},
		"the reason of a ban":           {"PUT /admin/users/" + victim.ID.String() + "/ban", "reason", &root, "GET /admin/users/" + victim.ID.String(), []string{"banned", "reason"}},
		"the note of a ban":             {"PUT /admin/users/" + victim.ID.String() + "/ban", "note", &root, "GET /admin/users/" + victim.ID.String(), []string{"banned", "note"}},
		"the message of a blackout":     {"PUT /admin/blackout", "message", &root, "GET /admin/blackout", []string{"message"}},
	} {
		t.Run("keeps "+name+" byte for byte, or refuses it by name", func(t *testing.T) {
			taken := 0
			for _, text := range texts {
				body := bodyOf([]stringMember{{[]string{x.member}}}, text)
				status, p, answer := ask(x.what, body, x.g)
				switch want, isText := text.text(); {
				case status == 200 && isText:
					taken++
					_, _, shown := ask(x.read, "", x.g)
					var got any
					if err := json.Unmarshal(shown, &got); err != nil {
						t.Fatal(err)
					}
					for _, name := range x.path {
						object, _ := got.(map[string]any)
						got = object[name]
					}
					if got != any(want) && !(want == "" && got == nil) {
						t.Errorf("sent %q, got %q", want, got)
					}
				case status == 400 && p.Code == string(roster.CodeMalformedBody) && !isText:
				case status == 422 && len(p.Errors) == 1 && p.Errors[0].Field == x.member && p.Errors[0].Code != "":
				default:
					t.Errorf("%.200s: %d %.300s", body, status, answer)
				}
			}
			if taken < 100 {
				t.Errorf("only %d texts were taken", taken)
			}
		})
	}
	if log := s.log.String(); bytes.Contains([]byte(log), []byte("panic")) {
		t.Errorf("the log tells of a panic:\n%.2000s", log)
	}
}
