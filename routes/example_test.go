package routes_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// Routes of your own on net/http, or on any router that takes its middleware, are behind the same checks.
func ExampleRequireUserHTTP() {
	accounts := fake{}                                   // your repo
	cfg := routes.Config{Tokens: routes.TransportCookie} // that of routes.User
	user := routes.RequireUserHTTP(accounts, cfg)        // func(http.Handler) http.Handler
	fresh := routes.RequireFreshHTTP(accounts, cfg)      // and logged in shortly before
	staff := routes.RequirePermissionHTTP(accounts, "reports:read", cfg)

	mux := http.NewServeMux()
	mux.Handle("GET /hello", user(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "Hello", roster.ActorFrom(r.Context()).ID)
	})))
	mux.Handle("DELETE /everything", fresh(http.NotFoundHandler()))
	mux.Handle("GET /reports", staff(http.NotFoundHandler()))

	for _, token := range []string{"", "Bearer access"} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/hello", http.NoBody)
		r.Header.Set("Authorization", token)
		if token == "" {
			r.Header.Del("Authorization")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 401 Bearer realm="roster"
	// 200
}

// A handler that lets somebody in by an account at another provider sets the same cookies as the endpoints do.
func ExampleSetCookies() {
	accounts, cfg := fake{}, routes.Config{Tokens: routes.TransportCookie}
	callback := func(w http.ResponseWriter, _ *http.Request) {
		// The provider's answer, and its state, were checked here; then: pair, err := accounts.IssueTokens(…)
		if err := routes.SetCookies(w, accounts, cfg, pair); err != nil {
			http.Error(w, "log in again", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
	w := httptest.NewRecorder()
	callback(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/callback", http.NoBody))
	for _, c := range w.Result().Cookies() {
		fmt.Println(c.Name)
	}
	// Output:
	// __Host-roster_access
	// __Host-roster_refresh
	// __Host-roster_csrf
	// __Host-roster_device
}

// Changing what only a log-in shortly before may change.
func ExampleRequireFresh() {
	accounts, cfg := fake{}, routes.Config{}
	e := echo.New()
	e.DELETE("/everything", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, routes.RequireFresh(accounts, cfg))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodDelete, "/everything", http.NoBody))
	fmt.Println(w.Code)
	// Output: 401
}

// Behind a proxy, limits count the address that it has seen, and nothing that a client claims.
func ExampleTrustProxies() {
	extract, err := routes.TrustProxies("10.0.0.0/8")
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := routes.Config{IPExtractor: extract} // for routes.User, routes.Admin and routes.RequireUser
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/me", nil)
	r.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9") // the client claims the first, the proxy adds the second
	r.RemoteAddr = "10.1.2.3:4711"
	fmt.Println("by the proxy:", cfg.IPExtractor(r))
	r.RemoteAddr = "192.0.2.1:4711"
	fmt.Println("past it:", cfg.IPExtractor(r))
	_, err = routes.TrustProxies("10.0.0.1")
	fmt.Println(err)
	// Output:
	// by the proxy: 203.0.113.9
	// past it: 192.0.2.1
	// routes: "10.0.0.1" is no network in CIDR notation
}
