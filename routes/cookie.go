package routes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/roster-go/roster"
)

// Transport is how the tokens of a session travel.
type Transport string

// The transports.
const (
	// TransportBody has tokens in the bodies of answers and in the Authorization header. No cookie is set or looked at.
	TransportBody Transport = "body"
	// TransportCookie has them in cookies that no script can read. No answer's body has one, but to who changes the password
	// in a session that a header proves: a token that IssueTokens gave them.
	TransportCookie Transport = "cookie"
	// TransportChoose lets the member "transport" of register, login and codes_check say which of the two; "body" unless
	// it is there. From then on the answers of a session come the way that its proof came.
	TransportChoose Transport = "choose"
)

// The cookies of a session, behind their common prefix.
const (
	accessCookie  = "access"
	refreshCookie = "refresh"
	csrfCookie    = "csrf"   // which scripts of the page read, and send back as a header
	deviceCookie  = "device" // of the browser, which stays when a session ends
)

// maxCookie is what a cookie must be shorter than, with its name and attributes: browsers drop what is longer.
const maxCookie = 4096

var cookieNameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// browser is what a server needs to know for tokens in cookies.
type browser struct {
	prefix    string // of the cookies' names
	secure    bool
	choose    bool
	deviceTTL time.Duration
	origins   map[string]bool // those of the program's own pages
}

// newBrowser reads what the configuration says of cookies and of where pages come from; nil where there are no cookies.
func newBrowser(cfg Config, site roster.Site) (*browser, error) {
	var errs []error
	for _, origin := range cfg.Origins {
		if !isOrigin(origin, site.Development) {
			errs = append(errs, fmt.Errorf("config.Origins: %q is no origin of a page: want https://host, in lower case and without a path", origin))
		}
	}
	if !cookieNameForm.MatchString(cmp.Or(cfg.CookieName, defaultCookieName)) {
		errs = append(errs, fmt.Errorf("config.CookieName is %q: want 1 to 64 of A-Z a-z 0-9 _ -", cfg.CookieName))
	}
	switch cfg.Tokens {
	case TransportCookie, TransportChoose:
	case "", TransportBody:
		return nil, errors.Join(errs...)
	default:
		errs = append(errs, fmt.Errorf("config.Tokens is %q: want %q, %q or %q", cfg.Tokens, TransportBody, TransportCookie, TransportChoose))
	}
	base := originOf(site.BaseURL)
	if !isOrigin(base, site.Development) {
		errs = append(errs, errors.New("config.Tokens: cookies need a base URL with https, whose host is written in ASCII"))
	}
	b := &browser{secure: true, choose: cfg.Tokens == TransportChoose, deviceTTL: site.DeviceTTL, origins: map[string]bool{base: true}}
	b.prefix = "__Host-" + cmp.Or(cfg.CookieName, defaultCookieName) + "_"
	if site.Development && isPlain(base) {
		b.prefix, b.secure = b.prefix[len("__Host-"):], false // browsers take that prefix from https alone
	}
	for _, origin := range cfg.Origins {
		b.origins[origin] = true
	}
	return b, errors.Join(errs...)
}

const defaultCookieName = "roster"

func (b *browser) cookie(kind, value string, age int) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // scripts read that of CSRF, and localhost in development has no https
		Name: b.prefix + kind, Value: value, Path: "/", MaxAge: age, Secure: b.secure, HttpOnly: kind != csrfCookie, SameSite: http.SameSiteLaxMode,
	}
	if kind == refreshCookie || kind == csrfCookie {
		c.SameSite = http.SameSiteStrictMode
	}
	return c
}

// read returns a cookie's value; ok is false where it was sent twice: somebody else may have planted one of them.
func (b *browser) read(r *http.Request, kind string) (value roster.Secret, given, ok bool) {
	list := r.CookiesNamed(b.prefix + kind)
	if len(list) == 0 || len(list) == 1 && list[0].Value == "" {
		return "", false, true
	}
	return roster.Secret(list[0].Value), true, len(list) == 1 && len(list[0].Value) < maxCookie
}

// holds reports whether a request has a cookie of a session, whatever it is worth.
func (b *browser) holds(r *http.Request) bool {
	for _, kind := range []string{accessCookie, refreshCookie, csrfCookie} {
		if len(r.CookiesNamed(b.prefix+kind)) > 0 {
			return true
		}
	}
	return false
}

// of are the cookies that hold a pair of tokens. That a token is too long for one is an error.
func (b *browser) of(pair roster.TokenPair) ([]*http.Cookie, error) {
	age := func(d time.Duration) int {
		if !pair.Remember {
			return 0 // none: the cookie ends with the browser
		}
		return max(1, int(d/time.Second))
	}
	list := []*http.Cookie{
		b.cookie(accessCookie, pair.AccessToken.Reveal(), age(pair.ExpiresIn)),
		b.cookie(refreshCookie, pair.RefreshToken.Reveal(), age(pair.RefreshExpiresIn)),
		b.cookie(csrfCookie, pair.CSRFToken.Reveal(), age(pair.RefreshExpiresIn)),
	}
	for _, c := range list {
		if !fits(c) {
			return nil, fmt.Errorf("cookie %s: its token has %d bytes, and makes no cookie below %d: TokenClaims and permissions are what makes tokens long",
				c.Name, len(c.Value), maxCookie)
		}
	}
	return list, nil
}

// device is the cookie that names the browser at its next log-in. What a client made up may be too long for one.
func (b *browser) device(token roster.Secret) []*http.Cookie {
	c := b.cookie(deviceCookie, token.Reveal(), max(1, int(b.deviceTTL/time.Second)))
	if !fits(c) {
		return nil
	}
	return []*http.Cookie{c}
}

// fits reports whether browsers keep a cookie as it is.
func fits(c *http.Cookie) bool {
	return c.Value != "" && c.Valid() == nil && len(c.String()) < maxCookie
}

// cleared takes the cookies of a session back.
func (b *browser) cleared() []*http.Cookie {
	return []*http.Cookie{b.cookie(accessCookie, "", -1), b.cookie(refreshCookie, "", -1), b.cookie(csrfCookie, "", -1)}
}

// tokensView is what the body says of tokens that are in cookies.
type tokensView struct {
	TokenType        string    `json:"token_type"`
	ExpiresIn        int64     `json:"expires_in"`
	RefreshExpiresIn int64     `json:"refresh_expires_in"`
	SessionID        roster.ID `json:"session_id"`
	CSRFToken        string    `json:"csrf_token,omitempty"`
}

// handed are tokens as an answer has them: what its body shows, and its cookies.
type handed struct {
	tokens  any // null without any
	csrf    string
	device  string
	cookies []*http.Cookie
}

// hand makes what an answer has of the tokens that an operation returned. Tokens that make no cookie are worth nothing to
// anybody: their session ends.
func (r *request) hand(ctx context.Context, pair *roster.TokenPair, device roster.Secret) (handed, error) {
	switch {
	case pair == nil:
		return handed{}, nil
	case !r.byCookie:
		return handed{tokens: pair, device: device.Reveal()}, nil
	}
	cookies, err := r.browser.of(*pair)
	if err != nil {
		if _, unended := r.revoke(ctx, pair.RefreshToken); unended != nil {
			r.logger.WarnContext(ctx, "session without cookies was not ended", slog.Any("error", unended))
		}
		return handed{cookies: r.browser.cleared()}, roster.ErrInternal.WithCause(err)
	}
	return handed{
		tokens: tokensView{
			"Bearer", int64(pair.ExpiresIn / time.Second), int64(pair.RefreshExpiresIn / time.Second), pair.SessionID, "",
		},
		csrf: pair.CSRFToken.Reveal(), cookies: append(cookies, r.browser.device(cmp.Or(device, r.device))...),
	}, nil
}

// handPair is hand for an answer that is a pair of tokens, and nothing else.
func (r *request) handPair(ctx context.Context, pair roster.TokenPair) (answer, error) {
	h, err := r.hand(ctx, &pair, "")
	if view, isView := h.tokens.(tokensView); isView {
		view.CSRFToken = h.csrf
		h.tokens = view
	}
	return answer{status: http.StatusOK, body: h.tokens, cookies: h.cookies}, err
}

// deviceToken is what the browser or the body says that the device is; the body counts where both do.
func (r *request) deviceToken() *roster.Secret {
	given := r.body.secret("device_token")
	if given == nil && r.byCookie {
		if value, sent, ok := r.browser.read(r.Request, deviceCookie); sent && ok {
			given = &value
		}
	}
	if given != nil {
		r.device = *given
	}
	return given
}

// forget are the cookies that an answer takes back which ends the session of who asks.
func (r *request) forget() []*http.Cookie {
	if !r.byCookie {
		return nil
	}
	return r.browser.cleared()
}

// SetCookies sets the cookies of a session in a handler of the program's own that has let somebody in, say by an account at
// another provider: pair is what IssueTokens or Login returned, and cfg that of the routes, with Tokens set. A token that is
// too long for a cookie is an error, and nothing is set then.
//
// Such a handler has to make sure itself that a page of its own asked: by the state of OAuth, by RequireUser, or as a handler
// in Config.Replace, before which it is checked.
func SetCookies(w http.ResponseWriter, repo Verifier, cfg Config, pair roster.TokenPair) error {
	b, err := browserFor(repo, cfg)
	if err != nil {
		return err
	}
	cookies, err := b.of(pair)
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	setCookies(w.Header(), append(cookies, b.device(pair.DeviceToken)...))
	return nil
}

// ClearCookies takes back what SetCookies has set, but for the cookie that names the browser. It ends no session.
func ClearCookies(w http.ResponseWriter, repo Verifier, cfg Config) error {
	b, err := browserFor(repo, cfg)
	if err != nil {
		return err
	}
	setCookies(w.Header(), b.cleared())
	return nil
}

func browserFor(repo Verifier, cfg Config) (*browser, error) {
	b, err := newBrowser(cfg, repo.Site())
	switch {
	case err != nil:
		return nil, fmt.Errorf("routes: %w", err)
	case b == nil:
		return nil, errors.New("routes: config.Tokens has no cookies")
	}
	return b, nil
}

func setCookies(h http.Header, list []*http.Cookie) {
	for _, c := range list {
		h.Add("Set-Cookie", c.String())
	}
}
