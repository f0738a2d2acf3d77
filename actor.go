package roster

import (
	"context"
	"net/netip"
	"time"
)

// ActorKind tells what kind of caller acts.
type ActorKind string

// The kinds of actors.
const (
	ActorSystem ActorKind = "system" // trusted Go code; also when the context carries no actor
	ActorUser   ActorKind = "user"   // a person through the user endpoints, signed in or not
	ActorAdmin  ActorKind = "admin"  // a person through the admin endpoints
	ActorCLI    ActorKind = "cli"
	ActorImport ActorKind = "import"
)

// MaxReason is the longest reason that an administrator may give, in characters.
const MaxReason = 500

// Actor is who asks: put into the context by the routes and by the command line, judged by the operations, and
// carried by every event.
type Actor struct {
	Kind ActorKind
	ID   ID // zero when nobody is signed in
	SID  ID // the session; zero without one

	// When the person last proved a secret, and how ("pwd", "otp", …); of the session.
	AuthTime time.Time
	AMR      []string

	IP        string // the address as the transport saw it; "" when there is none
	UserAgent string
	RequestID string
	Language  string // the Accept-Language header: of messages to users who chose none; "" without one

	OnBehalfOf ID     // who asked, where AsSystem has the program act in their stead
	Reason     string // what an administrator gave as reason; MaxReason characters at most
}

// Trusted reports whether the actor is the program itself: it may do everything.
func (a Actor) Trusted() bool {
	switch a.Kind {
	case ActorUser, ActorAdmin:
		return false
	case ActorSystem, ActorCLI, ActorImport:
	}
	return true
}

// Source is the address that limits count: an IPv4 address whole, IPv6 by its /64, IPv4 within IPv6 as IPv4,
// without zone and port. It is "" without an address and "invalid" for one that does not parse.
func (a Actor) Source() string {
	if a.IP == "" {
		return ""
	}
	addr, err := a.Addr()
	if err != nil {
		return "invalid"
	}
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "invalid"
	}
	return prefix.String()
}

// Addr is the address that IP names, without zone and port, IPv4 within IPv6 as IPv4.
func (a Actor) Addr() (netip.Addr, error) {
	addr, err := netip.ParseAddr(a.IP)
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(a.IP)
		if portErr != nil {
			return netip.Addr{}, err
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), nil
}

type actorKey struct{}

// acting is a context with an actor: each request makes two of them, and context.WithValue would allocate twice.
type acting struct {
	context.Context
	actor Actor
}

// Value implements context.Context.
func (c *acting) Value(key any) any {
	if _, ok := key.(actorKey); ok {
		return &c.actor
	}
	return c.Context.Value(key)
}

// WithActor returns a context in which the operations judge a as the caller.
func WithActor(ctx context.Context, a Actor) context.Context { return &acting{ctx, a} }

// AsSystem returns a context in which the caller is the program itself, also behind RequireUser. The address, user
// agent, language and request id of the present actor are kept.
func AsSystem(ctx context.Context) context.Context {
	a := ActorFrom(ctx)
	return WithActor(ctx, Actor{
		Kind: ActorSystem, IP: a.IP, UserAgent: a.UserAgent, RequestID: a.RequestID, Language: a.Language, OnBehalfOf: a.ID,
	})
}

// ActorFrom returns who acts in ctx: the system when nobody was named.
func ActorFrom(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(*Actor); ok {
		return *a
	}
	return Actor{Kind: ActorSystem}
}
