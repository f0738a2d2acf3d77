package routes

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// Config is how endpoints behave. The zero value is safe.
type Config struct {
	// IPExtractor tells the address of a client, which limits count and sessions show. nil: the peer of the connection.
	// Behind a proxy use one that trusts it alone: TrustProxies.
	IPExtractor func(r *http.Request) string
	// MaxBody bounds a request's body, in bytes; 0 means 64 KiB. The file of an import has 32 MiB at least.
	MaxBody int64
	// Timeout bounds the work on a request; 0 means 10 s. Of exports and imports it bounds how long the client may take for
	// a piece of the file. How long a client may take to send one is for the program's
	// http.Server to bound, by its ReadTimeout.
	Timeout time.Duration
	// MinDuration is the least time that the endpoints take which must not tell whether an account exists: login, register,
	// password_forgot, confirm_resend, email_change, phone_change and those of codes. They take the same time without it; it hides what a busy machine may add. 0: as
	// long as the work takes. Not of handlers in Replace.
	MinDuration time.Duration
	// ProblemBase is the URL that the codes of errors are appended to for the member "type"; "" means about:blank.
	ProblemBase string
	// Realm is named in WWW-Authenticate; "" means "roster".
	Realm string

	// Tokens is how the tokens of sessions travel; "" means TransportBody. Cookies are for pages that browsers load from the
	// origin of the repo's base URL: other origins' pages, and apps, take TransportBody.
	Tokens Transport
	// CookieName is what the names of the cookies hold: __Host-<name>_access, _refresh, _csrf and _device; "" means "roster".
	// Repos that browsers reach on one host need different names. In development over plain http the names have no prefix.
	CookieName string
	// Origins are further origins, such as "https://www.example.com", whose pages may change something by cookies: other names of
	// the same program, as a proxy gives them. That of the base URL always may.
	Origins []string
	// CORSOrigins are the origins of pages that may read answers from elsewhere (CORS); none: no answer has a header of it.
	// Each is named as browsers send it; none stands for others.
	CORSOrigins []string
	// ClearSiteData is what browsers are told to drop when somebody logs out, closes or archives the own account: "cache",
	// "cookies", "storage", "executionContexts", "*". nil means "cache"; an empty list that is not nil, nothing.
	ClearSiteData []string

	// Limits are how often an address may ask for an endpoint in a minute, by its name; 0 is without a limit, and what is
	// not named keeps its default, which Mounted.Routes tells. "*" is the limit of all endpoints that are not named.
	// Endpoints for administrators are counted by administrator: "admin" are all requests together, 600 unless it is set,
	// "admin_write" those that may change something, 60. A limit of 60 or more is counted by each process for itself.
	Limits map[string]int
	// AllowIPs are the networks (CIDR) from which administrators may come; none: from anywhere. Others are forbidden,
	// whoever they are. The address is that of IPExtractor.
	AllowIPs []string

	// Services are programs of your own that may ask whether an access token is live (token_introspect) and what was revoked
	// (revocations): by their names, each with its secrets, of 32 bytes at least, all of which are right, so that one can be
	// replaced. They prove themselves by HTTP Basic (RFC 7617). None: the two endpoints are not mounted. "service_refused" in
	// Limits is how often an address may come with a wrong secret, or none, in a minute.
	Services map[string][]roster.Secret

	// UsernameCheck is who may ask whether a username is free: AuthNone means anyone, AuthSession people who are logged in.
	// "" is AuthNone; where registrations are concealed (Account.ConcealRegistration) the endpoint is not mounted then,
	// unless Replace has it. Nobody may ask where Without names it.
	UsernameCheck Auth

	// Without names endpoints that are not mounted.
	Without []string
	// Replace has handlers of the program's own for endpoints, under the same path and the same limits and checks of who
	// asks. They read the request and write the answer themselves: neither View nor RequireReason is of them, no ETag is
	// sent and no If-Match read, and where a password in the body does for a fresh session they ask for either.
	Replace map[string]echo.HandlerFunc
	// Wrap has middleware for endpoints, run in the order given, outside of the check of the session.
	Wrap map[string][]echo.MiddlewareFunc
	// RequireReason refuses what bans, deletes, or sets or ends a blackout when the administrator gives no reason: 422,
	// reason:required.
	RequireReason bool
	// View makes what clients see of a user; see ViewOf. The zero View shows the base user and the struct's own fields.
	// Exports show these in any case, to those who may export: they are to be imported again.
	View View

	// Logger is told of errors that clients are not; nil: slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.IPExtractor == nil {
		c.IPExtractor = peer
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.MaxBody = cmp.Or(c.MaxBody, 64<<10)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Realm = cmp.Or(c.Realm, "roster")
	if c.ClearSiteData == nil {
		c.ClearSiteData = []string{"cache"}
	}
	return c
}

// siteData is what Clear-Site-Data can name (Clear Site Data, section 3.1).
var siteData = []string{"cache", "cookies", "storage", "executionContexts", "*"}

// clearing is the header by which browsers drop what they hold of a session; nil: none.
func (c Config) clearing() map[string]string {
	if len(c.ClearSiteData) == 0 {
		return nil
	}
	return map[string]string{"Clear-Site-Data": `"` + strings.Join(c.ClearSiteData, `", "`) + `"`}
}

// peer is the address at the other end of the connection.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
