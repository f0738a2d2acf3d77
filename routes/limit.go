package routes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
)

// limiter is what shared limits are taken from.
type limiter interface {
	CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error)
}

// limits are how often an address may ask for an endpoint in a minute; 0 is as often as it likes. Each endpoint for users is here. The operations of
// login and username_check count by address themselves, no less strictly.
var limits = map[string]int{
	"register": 10, "login": 0, "logout": 60, "token_verify": 600, "token_refresh": 60, "token_revoke": 60,
	"me": 600, "me_update": 60, "me_close": 10, "me_archive": 10, "me_export": 2, "identities": 60, "identity_unlink": 60,
	"username_change": 10, "username_check": 0,
	"password_status": 60, "password_set": 10, "password_change": 10, "password_forgot": 10, "password_reset": 20, "password_first": 20,
	"confirmations": 60, "email_confirm_request": 10, "phone_confirm_request": 10, "confirm_resend": 10, "email_confirm": 30,
	"phone_confirm": 30, "email_change": 5, "email_change_confirm": 30, "contact_change_cancel": 30, "phone_change": 5,
	"phone_change_confirm": 30,
	"codes_find":           10, "codes_send": 10, "codes_check": 30,
	"sessions": 60, "sessions_revoke_others": 60, "session_revoke": 60,
	"jwks": 600, "openapi": 60, "token_introspect": 0, "revocations": 600,
}

// The names in Config.Limits that stand for more than one endpoint, and the limits of what they stand for.
const (
	otherLimits     = "*"
	adminLimit      = "admin"
	adminWriteLimit = "admin_write"
	refusedLimit    = "service_refused" // requests of services that did not prove themselves

	defaultLimit      = 60
	defaultRefused    = 30
	defaultAdmin      = 600
	defaultAdminWrite = 60
)

// fewest is where a limit is so high that each process counts for itself: what many nodes let through in all is more
// then, and no request has to ask the cache. That of register is of this kind too: its quota by the hour is shared.
const fewest = 60

func isLocal(name string, most int) bool { return most >= fewest || name == "register" }

// limitOf is how often an endpoint may be asked for in a minute, by an address, or by an administrator.
func (c Config) limitOf(e *endpoint) int {
	if e.permission == "" {
		return c.limit(e.name, defaultLimit)
	}
	if isSafe(e.method) {
		return c.limit(adminLimit, defaultAdmin)
	}
	return c.limit(adminWriteLimit, defaultAdminWrite)
}

func (c Config) limit(name string, otherwise int) int {
	if n, ok := c.Limits[name]; ok {
		return n
	}
	if n, ok := c.Limits[otherLimits]; ok && name != adminLimit && name != adminWriteLimit && name != refusedLimit {
		return n
	}
	if n, ok := limits[name]; ok {
		return n
	}
	return otherwise
}

func isSafe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// limitSource counts a request for its address, before it is known who asks.
func (s *server) limitSource(ctx context.Context, e *endpoint) error {
	if e.permission != "" || s.limiter == nil {
		return nil
	}
	source := roster.ActorFrom(ctx).Source()
	if source == "" {
		return nil
	}
	return s.take(ctx, e.name, s.cfg.limitOf(e), roster.OwnQuota+"route:"+e.name+":"+source)
}

// limitAdmin counts a request for the administrator who asks; one that may change something in two ways.
func (s *server) limitAdmin(ctx context.Context, e *endpoint) error {
	if e.permission == "" || s.limiter == nil {
		return nil
	}
	id := roster.ActorFrom(ctx).ID.String()
	if err := s.take(ctx, adminLimit, s.cfg.limit(adminLimit, defaultAdmin), roster.OwnQuota+"route:admin:"+id); err != nil || isSafe(e.method) {
		return err
	}
	return s.take(ctx, adminWriteLimit, s.cfg.limit(adminWriteLimit, defaultAdminWrite), roster.OwnQuota+"route:admin_write:"+id)
}

func (s *server) take(ctx context.Context, name string, most int, key string) error {
	if most == 0 {
		return nil
	}
	if !isLocal(name, most) {
		verdict, err := s.limiter.CheckTimeoutAndIncr(ctx, roster.Limit{Max: most, Window: time.Minute}, key)
		if err != nil {
			return err
		}
		return verdict.Err()
	}
	counts, err := s.counters.IncrBelow(ctx, cache.Limit{Key: key, Max: int64(most), Window: time.Minute})
	switch {
	case err != nil:
		return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
	case !counts[0].OK:
		return roster.ErrTooManyRequests.WithRetryAfter(counts[0].Wait)
	}
	return nil
}

// allow refuses administrators at addresses from which there are none.
func (s *server) allow(ctx context.Context, e *endpoint) error {
	if e.permission == "" || len(s.allowed) == 0 {
		return nil
	}
	addr, err := roster.ActorFrom(ctx).Addr()
	if err != nil {
		return roster.ErrForbidden
	}
	for _, network := range s.allowed {
		if network.Contains(addr) {
			return nil
		}
	}
	return roster.ErrForbidden
}

func parseNetworks(list []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, len(list))
	for i, text := range list {
		var err error
		if networks[i], err = netip.ParsePrefix(text); err != nil {
			return nil, fmt.Errorf("%q is no network in CIDR notation", text)
		}
	}
	return networks, nil
}

// TrustProxies returns an IPExtractor for servers behind proxies of these networks (CIDR): the right-most address in
// X-Forwarded-For that is not of one of them, since whoever asks can write what is left of it. A request that does not
// come through one of the proxies counts for its peer, whatever its headers say. What is no network is an error.
func TrustProxies(networks ...string) (func(r *http.Request) string, error) {
	trusted, err := parseNetworks(networks)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	// Nobody is trusted but those who are named.
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, network := range trusted {
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP: network.Masked().Addr().AsSlice(), Mask: net.CIDRMask(network.Bits(), network.Addr().BitLen()),
		}))
	}
	extract := echo.ExtractIPFromXFFHeader(options...)
	return func(r *http.Request) string { return extract(r) }, nil
}
