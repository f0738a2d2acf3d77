package routes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// What pages of other origins may send, and read of an answer beside what all may (Fetch standard, section 3.3).
const (
	corsRequestHeaders = "Authorization, Content-Type, If-Match, If-None-Match, X-CSRF-Token, X-Request-Id"
	corsAnswerHeaders  = "Clear-Site-Data, Content-Disposition, ETag, Retry-After, WWW-Authenticate, X-Request-Id"
	corsMaxAge         = "600" // seconds
)

// checkCORS tells which origins are none that a browser would send. Pages of Roster's clients may have schemes of their own,
// as apps in a web view have.
func checkCORS(cfg Config) []error {
	var errs []error
	for i, origin := range cfg.CORSOrigins {
		if !isOrigin(origin, true) {
			errs = append(errs, fmt.Errorf("config.CORSOrigins: %q is no origin: want https://host, in lower case and without a path; none stands for others", origin))
		}
		if slices.Contains(cfg.CORSOrigins[:i], origin) {
			errs = append(errs, fmt.Errorf("config.CORSOrigins: %q is there twice", origin))
		}
	}
	return errs
}

// allowOrigin lets the page read the answer if its origin is one of those that are named, and reports whether it is.
func (s *server) allowOrigin(h http.Header, r *http.Request) bool {
	if len(s.cfg.CORSOrigins) == 0 {
		return false
	}
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || !slices.Contains(s.cfg.CORSOrigins, origins[0]) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Expose-Headers", corsAnswerHeaders)
	if s.browser() != nil {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

// preflight answers a browser that asks whether a page may send what it is about to send (Fetch standard, section 4.8). methods
// are those of the path.
func (s *server) preflight(methods []string) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strayed(c) {
			return echo.ErrNotFound
		}
		h, r := c.Response().Header(), c.Request()
		s.setHeaders(h, requestID(r, h))
		h.Set("Allow", strings.Join(append([]string{http.MethodOptions}, methods...), ", "))
		if slices.Contains(methods, r.Header.Get("Access-Control-Request-Method")) && s.allowOrigin(h, r) {
			h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
			h.Set("Access-Control-Allow-Headers", corsRequestHeaders)
			h.Set("Access-Control-Max-Age", corsMaxAge)
		}
		c.Response().WriteHeader(http.StatusNoContent)
		return nil
	}
}

// preflights are the methods of each path that is mounted, in the order of the table.
func preflights(table []endpoint) (paths []string, methods map[string][]string) {
	methods = map[string][]string{}
	for _, e := range table {
		if methods[e.path] == nil {
			paths = append(paths, e.path)
		}
		methods[e.path] = append(methods[e.path], e.method)
	}
	return paths, methods
}
