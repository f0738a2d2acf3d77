package routes

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/roster-go/roster"
)

// checkCSRF refuses a request that a page of another site may have made the browser send: by where it comes from and, where
// an access cookie is the proof, by a token that only the program's own pages can read. claims are those of the access
// token; nil where the request is to set cookies, or not known to be a session's yet.
func (s *server) checkCSRF(ctx context.Context, b *browser, r *http.Request, claims *roster.Claims) error {
	if !b.isOwnPage(r) {
		return errNotOwnPage
	}
	if claims == nil {
		return nil
	}
	if len(r.Header.Values("X-CSRF-Token")) == 0 {
		return errNoCSRFToken
	}
	token, ok := b.sentBack(r)
	if !ok {
		return errWrongCSRFToken
	}
	return s.repo.CheckCSRF(ctx, *claims, token)
}

// What developers are told, who find their own page refused.
var (
	errNotOwnPage     = roster.ErrCSRFFailed.WithMessage("the request names no page whose origin is that of the base URL, or one of Origins")
	errNoCSRFToken    = roster.ErrCSRFFailed.WithMessage("X-CSRF-Token is missing: it says what the CSRF cookie says")
	errWrongCSRFToken = roster.ErrCSRFFailed.WithMessage("X-CSRF-Token is not what the CSRF cookie says")
)

// isOwnPage reports whether a request comes from a page of the program's own, by what browsers let no page write: what
// Fetch Metadata says, the origin, and where neither is sent the page's address.
func (b *browser) isOwnPage(r *http.Request) bool {
	sites, origins := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Origin")
	for _, site := range sites {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	for _, origin := range origins {
		if !b.origins[origin] {
			return false
		}
	}
	if len(sites) > 0 || len(origins) > 0 {
		return true
	}
	referers := r.Header.Values("Referer")
	return len(referers) == 1 && b.origins[originOf(referers[0])]
}

// fromElsewhere reports whether a browser says that a page asks which is of another origin, or may be.
func fromElsewhere(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	return r.Header.Get("Origin") != ""
}

// sentBack returns the token of the CSRF cookie, if the header has the same.
func (b *browser) sentBack(r *http.Request) (roster.Secret, bool) {
	cookie, given, ok := b.read(r, csrfCookie)
	values := r.Header.Values("X-CSRF-Token")
	if !given || !ok || len(values) != 1 {
		return "", false
	}
	return cookie, subtle.ConstantTimeCompare([]byte(values[0]), []byte(cookie.Reveal())) == 1
}

// isUnsafe reports whether a request may change something, by its method (RFC 9110, section 9.2.1).
func isUnsafe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}

// opens reports whether a request opens a connection, such as a WebSocket: pages of other sites can do so too, and over it
// anything may be said. No page can give it a header.
func opens(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

// originOf is the origin of a URL, as browsers write it (RFC 6454, section 6.2); "" where it has none.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Hostname() == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else if u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":")
}

// isOrigin reports whether a text is exactly what browsers send as the origin of a page. Plain http is for this machine,
// where local says so.
func isOrigin(text string, local bool) bool {
	if text == "" || originOf(text) != text {
		return false
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`*@?#\,;"'<>`, r) }) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme != "http" || local && isThisMachine(u.Hostname()))
}

func isPlain(origin string) bool { return strings.HasPrefix(origin, "http:") }

// isThisMachine reports whether a host is this machine.
func isThisMachine(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
