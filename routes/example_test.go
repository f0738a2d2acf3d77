package routes_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/roster-go/roster/routes"
)

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
