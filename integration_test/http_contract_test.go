package integration_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// contract is what the OpenAPI document of a group says, which every answer of every test is held to: its status, its
// type, its headers and its schema (HTTP-71, case 40), and with them what all answers have (HTTP-30, case 43). Requests
// that succeed are held to it too.
type contract struct {
	// strict is the document without what only hooks answer.
	document, strict *openapi3.T
	endpoints        []contractEndpoint
	browsers         bool
}

type contractEndpoint struct {
	routes.Route
	path     *regexp.Regexp // of requests
	template string         // in the document
}

// The documents that were read, by their text: most tests mount the same.
var documents sync.Map

func contractOf(t testing.TB, m *routes.Mounted) contract {
	t.Helper()
	text := m.OpenAPI()
	read, ok := documents.Load(string(text))
	if !ok {
		var c contract
		for _, document := range []**openapi3.T{&c.document, &c.strict} {
			var err error
			if *document, err = openapi3.NewLoader().LoadFromData(text); err != nil {
				t.Fatalf("load the document: %v", err)
			}
		}
		withoutRejections(c.strict)
		read, _ = documents.LoadOrStore(string(text), c)
	}
	c := read.(contract)
	for _, route := range m.Routes() {
		template := regexp.MustCompile(`:(\w+)`).ReplaceAllString(route.Path, "{$1}")
		if item := c.document.Paths.Value(template); item == nil || item.GetOperation(route.Method) == nil {
			t.Fatalf("the document lacks %s %s", route.Method, route.Path)
		}
		c.endpoints = append(c.endpoints, contractEndpoint{
			route, regexp.MustCompile("^" + regexp.MustCompile(`:\w+`).ReplaceAllString(regexp.QuoteMeta(route.Path), "[^/]+") + "$"), template,
		})
	}
	// What has no parameter comes first: /users/lookup is no id.
	slices.SortStableFunc(c.endpoints, func(a, b contractEndpoint) int {
		return strings.Count(a.Path, ":") - strings.Count(b.Path, ":")
	})
	return c
}

// withoutRejections takes out of a document what it says of hooks that refuse with codes of their own.
func withoutRejections(document *openapi3.T) {
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			operation.Responses.Delete("4XX")
			for _, response := range operation.Responses.Map() {
				media := response.Value.Content["application/problem+json"]
				if media != nil && len(media.Schema.Value.AnyOf) == 2 {
					media.Schema = media.Schema.Value.AnyOf[0]
				}
			}
		}
	}
}

// hold checks an answer, if its request was for an endpoint of this contract.
func (c contract) hold(t testing.TB, asked *call, body []byte, a reply) {
	t.Helper()
	for _, e := range c.endpoints {
		if e.Method == asked.Method && e.path.MatchString(asked.URL.EscapedPath()) {
			c.checkHeaders(t, e, a)
			checkProblem(t, a)
			c.validate(t, e, asked, body, a)
			return
		}
	}
}

// checkHeaders checks what every answer has, and what none has (SEC-7).
func (c contract) checkHeaders(t testing.TB, e contractEndpoint, a reply) {
	t.Helper()
	want := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Vary": "Authorization, Cookie, Accept-Language",
	}
	if a.status < 400 {
		switch e.Name {
		case "jwks", "openapi":
			want["Cache-Control"] = "public, max-age=300"
		case "admin_openapi":
			want["Cache-Control"] = "private, no-cache"
		}
	}
	for name, value := range want {
		if got := a.header.Get(name); got != value {
			t.Errorf("%s: %s is %q, want %q", a, name, got, value)
		}
	}
	if id := a.header.Get("X-Request-Id"); !regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(id) {
		t.Errorf("%s: X-Request-Id is %q", a, id)
	}
	for name := range a.header {
		if name == "Set-Cookie" && !c.browsers || strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: there is a header %s", a, name)
		}
	}
	checkCookies(t, e, a)
	mayBeEmpty := a.status == http.StatusNoContent || a.status == http.StatusNotModified || a.header.Get("Content-Type") == "application/x-ndjson"
	if !mayBeEmpty && len(a.body) == 0 {
		t.Errorf("%s: no body", a)
	}
}

// checkProblem checks that a problem document agrees with status and headers.
func checkProblem(t testing.TB, a reply) {
	t.Helper()
	if a.status < 400 {
		return
	}
	var p problem
	a.into(t, &p)
	if p.Status != a.status || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("%s: status line and id are %d %s", a, a.status, a.header.Get("X-Request-Id"))
	}
	if a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: Content-Type is %s", a, a.header.Get("Content-Type"))
	}
	if waits := a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable; waits != (p.RetryAfter > 0) ||
		waits && a.header.Get("Retry-After") != strconv.Itoa(p.RetryAfter) {
		t.Errorf("%s: Retry-After is %q", a, a.header.Get("Retry-After"))
	}
	challenge := ""
	switch {
	case a.status == http.StatusUnauthorized && (strings.Contains(a.what, "/token/introspect") || strings.Contains(a.what, "/token/revocations")):
		challenge = `Basic realm="roster", charset="UTF-8"` // of services
	case a.status != http.StatusUnauthorized || p.Code == "invalid_credentials":
	case p.Code == "unauthenticated":
		challenge = `Bearer realm="roster"`
	default:
		challenge = `Bearer realm="roster", error="invalid_token"`
	}
	if got := a.header.Get("WWW-Authenticate"); got != challenge {
		t.Errorf("%s: WWW-Authenticate is %q, want %q", a, got, challenge)
	}
	sorted := slices.IsSortedFunc(p.Errors, func(a, b roster.FieldError) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Code, b.Code))
	})
	if !sorted {
		t.Errorf("%s: the errors are not sorted", a)
	}
}

func init() {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/csv", openapi3filter.PlainBodyDecoder) // also of what is none
}

// validated are the answers that were found right, without what differs each time: validating takes milliseconds.
var validated sync.Map

var differs = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|` +
	`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|[A-Za-z0-9_.-]{100,}`)

func (c contract) validate(t testing.TB, e contractEndpoint, asked *call, body []byte, a reply) {
	t.Helper()
	document := c.strict
	if asked.rejects {
		document = c.document
	}
	key := sha256.Sum256(slices.Concat(
		fmt.Append(nil, e.Path, e.Name, a.status, asked.rejects), differs.ReplaceAll(a.body, nil), differs.ReplaceAll(body, nil), []byte(asked.URL.RawQuery),
	))
	if _, done := validated.Load(key); done {
		return
	}
	if !asked.rejects {
		c.checkFields(t, a)
	}
	item := document.Paths.Value(e.template)
	request := &openapi3filter.RequestValidationInput{
		Request: asked.Clone(t.Context()), PathParams: map[string]string{},
		Route: &routers.Route{
			Spec: document, Path: e.template, PathItem: item, Method: e.Method, Operation: item.GetOperation(e.Method),
		},
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		},
	}
	names, values := strings.Split(e.Path, "/"), strings.Split(asked.URL.EscapedPath(), "/")
	for i, name := range names {
		if parameter, ok := strings.CutPrefix(name, ":"); ok {
			request.PathParams[parameter] = values[i]
		}
	}
	request.Request.Body = io.NopCloser(bytes.NewReader(body))
	if a.status < 300 {
		if err := openapi3filter.ValidateRequest(t.Context(), request); err != nil {
			t.Errorf("%s: the document does not know such a request: %v", a, err)
			return
		}
	}
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: request.Options,
	})
	if err != nil {
		t.Errorf("%s: not as the document says: %v", a, err)
		return
	}
	validated.Store(key, true)
}

// checkFields checks that the codes of fields are Roster's: the schema allows for those of hooks as well.
func (c contract) checkFields(t testing.TB, a reply) {
	t.Helper()
	if a.status < 400 {
		return
	}
	var p problem
	a.into(t, &p)
	known := c.document.Components.Schemas["FieldCode"].Value.Enum
	for _, f := range p.Errors {
		if !slices.Contains(known, any(string(f.Code))) {
			t.Errorf("%s: the document knows no code %s of a field", a, f.Code)
		}
	}
}
