package routes

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// request is what a handler sees of a request.
type request struct {
	*http.Request
	param func(name string) string
	body  *members
	file  file       // of an endpoint that takes one, instead of body
	form  url.Values // likewise

	browser  *browser // nil: there are no cookies
	byCookie bool     // the answer's tokens are for cookies
	device   roster.Secret
	clearing map[string]string // what browsers are told to drop when a session ends
	revoke   func(ctx context.Context, refresh roster.Secret) (time.Time, error)
	logger   *slog.Logger
}

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID is the id that the client gave its request, or middleware of the host, if it has the form of one.
func requestID(r *http.Request, answer http.Header) string {
	for _, h := range []http.Header{r.Header, answer} {
		if id := first(h, echo.HeaderXRequestID); id != "" && requestIDForm.MatchString(id) {
			return id
		}
	}
	return newRequestID()
}

// newRequestID makes a random UUID, version 4 of RFC 9562: nothing is found in an index by the id of a request, so that there
// is no need of a time in it, as roster.NewID has one.
func newRequestID() string {
	var id roster.ID
	_, _ = rand.Read(id[:]) // which never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}

// first is http.Header.Get for a name in its canonical form, as net/http has those of a request.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// checkQuery refuses a query string where an endpoint takes none: what belongs into a body stays out of logs so.
func checkQuery(u *url.URL, e *endpoint) error {
	if e.query {
		return nil
	}
	_, err := parametersOf(u)
	return err
}

var parameterForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// parameterFault is a path or query parameter, or a header, that makes no sense. What does not look like a name is not
// repeated: it may be a secret.
func parameterFault(name string) error {
	if !parameterForm.MatchString(name) {
		name = ""
	}
	return faultOf(roster.CodeInvalidParameter).WithFields(roster.FieldError{Field: name, Code: roster.Invalid})
}

// idOf is an id in the path; the zero one, which nobody has, when it is none: the operation then says whether the
// actor may know.
func idOf(r *request, name string) roster.ID {
	id, err := roster.ParseID(r.param(name))
	if err != nil {
		return roster.ID{}
	}
	return id
}

// etag is the entity tag (RFC 9110, section 8.8.3) of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads the version of If-Match: nil for "*" and for none.
func ifMatch(r *http.Request) (version *int64, given bool, err error) {
	values := r.Header.Values("If-Match")
	switch {
	case len(values) == 0:
		return nil, false, nil
	case len(values) == 1 && values[0] == "*":
		return nil, true, nil
	}
	n, err := strconv.ParseInt(strings.Trim(values[0], `"`), 10, 64)
	if err != nil || len(values) > 1 || values[0] != etag(n) {
		return nil, true, parameterFault("If-Match")
	}
	return &n, true, nil
}

// hasTag reports whether If-None-Match names an entity tag (RFC 9110, section 13.1.2), which it compares weakly.
func hasTag(r *http.Request, tag string) bool {
	for _, value := range r.Header.Values("If-None-Match") {
		for given := range strings.SplitSeq(value, ",") {
			given = strings.TrimPrefix(strings.TrimSpace(given), "W/")
			if given == tag || given == "*" {
				return true
			}
		}
	}
	return false
}
