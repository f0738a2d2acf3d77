package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/revocations"
	"github.com/roster-go/roster/tokens"
)

// Config is whose tokens are verified, and how. JWKS, Issuer and Audience are required.
type Config struct {
	// JWKS is the address of the keys: https://…/.well-known/jwks.json. Plain http is for this machine alone.
	JWKS string
	// Issuer and Audience are the claims iss and aud of the tokens: Session.Issuer and Session.Audience of the repo, which are
	// its base URL unless they are set.
	Issuer, Audience string
	// Leeway is how far clocks may differ, 60 s at most; 0 means 5 s, a negative value none.
	Leeway time.Duration
	// MaxKeyAge is how long keys are used when they cannot be fetched anew: then tokens are roster.ErrUnavailable. 5 min to
	// 24 h; 0 means 1 h.
	MaxKeyAge time.Duration
	// Revocations says where to learn what was revoked; nil: nowhere.
	Revocations *Revocations

	// Client asks; nil: one with the transport of package http. How it takes redirects and how long it waits are set here: it
	// follows none to another host.
	Client *http.Client
	// Now is the clock; nil: that of the machine.
	Now func() time.Time
	// Logger is told when keys or revocations cannot be had, and when they can again; nil: slog.Default.
	Logger *slog.Logger
}

// Revocations is where to learn what was revoked.
type Revocations struct {
	// URL is the address of the endpoint: https://…/token/revocations.
	URL string
	// Service and Secret are what this service is known by: one of routes.Config.Services. A secret has 32 bytes at least.
	Service string
	Secret  roster.Secret
	// MaxStaleness is how old what is known may be: beyond it tokens are roster.ErrUnavailable. 3 s to 60 s; 0 means 10 s.
	MaxStaleness time.Duration
}

const minSecret = 32 // bytes; package routes takes none that are shorter

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	tokens      *tokens.Verifier
	keys        *keys
	revocations *revoked // nil: none are known
	now         func() time.Time
	running     atomic.Bool
}

// New returns a verifier; it asks for nothing yet. The error tells all faults at once, and no secret.
func New(cfg Config) (*Verifier, error) {
	var faults []error
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default of Config.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Leeway = cmp.Or(cfg.Leeway, 5*time.Second); cfg.Leeway < 0 {
		cfg.Leeway = 0
	}
	cfg.MaxKeyAge = cmp.Or(cfg.MaxKeyAge, time.Hour)
	if cfg.MaxKeyAge < keyLife || cfg.MaxKeyAge > 24*time.Hour {
		faults = append(faults, errors.New("MaxKeyAge must be 5 min to 24 h"))
	}
	if err := checkURL(cfg.JWKS); err != nil {
		faults = append(faults, fmt.Errorf("JWKS: %w", err))
	}
	none, err := tokens.ParseJWKS([]byte(`{"keys":[]}`))
	if err != nil {
		return nil, err
	}
	v := &Verifier{now: cfg.Now}
	v.tokens, err = tokens.NewVerifier(tokens.Config{Issuer: cfg.Issuer, Audience: cfg.Audience, Leeway: cfg.Leeway}, none)
	faults = append(faults, err)
	asks := newAsker(cfg)
	v.keys = newKeys(cfg, asks, v.tokens)
	if r := cfg.Revocations; r != nil {
		own := *r
		own.MaxStaleness = cmp.Or(own.MaxStaleness, 10*time.Second)
		if err := checkURL(own.URL); err != nil {
			faults = append(faults, fmt.Errorf("Revocations.URL: %w", err))
		}
		if strings.Contains(own.URL, "?") {
			faults = append(faults, errors.New("Revocations.URL must have no query"))
		}
		if own.Service == "" || own.Secret == "" {
			faults = append(faults, errors.New("Revocations.Service and Secret are needed"))
		}
		if n := len(own.Secret.Reveal()); n > 0 && n < minSecret {
			faults = append(faults, fmt.Errorf("Revocations.Secret has %d bytes: want %d or more, as the server does", n, minSecret))
		}
		if own.MaxStaleness < 3*time.Second || own.MaxStaleness > time.Minute {
			faults = append(faults, errors.New("Revocations.MaxStaleness must be 3 s to 60 s"))
		}
		v.revocations = newRevoked(own, cfg, asks)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	return v, nil
}

// checkURL refuses addresses over which anybody could answer.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("must be an https URL without a user and a fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return errors.New("must be an https URL")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() == "localhost" || err == nil && addr.IsLoopback() {
		return nil
	}
	return errors.New("must be an https URL: plain http is for this machine alone")
}

// VerifyToken returns the claims of a live access token. Others are roster.ErrInvalidToken, late ones roster.ErrTokenExpired,
// and with Config.Revocations those of a session that was ended roster.ErrSessionRevoked, and those from before a change of
// the user's rights roster.ErrTokenExpired. While it cannot be told, for want of keys or of what was revoked, the error is
// roster.ErrUnavailable, whatever the token. Without Run a call asks for what is needed, and waits for it.
func (v *Verifier) VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error) {
	if err := v.keys.ready(ctx, v.running.Load()); err != nil {
		return roster.Claims{}, err
	}
	claims, err := v.tokens.Verify(access.Reveal(), v.now())
	if errors.Is(err, tokens.ErrUnknownKey) {
		if unknown := v.keys.reload(ctx); unknown != nil {
			return roster.Claims{}, unknown
		}
		claims, err = v.tokens.Verify(access.Reveal(), v.now())
	}
	if v.revocations != nil {
		if unknown := v.revocations.ready(ctx, v.running.Load()); unknown != nil {
			return roster.Claims{}, unknown // it is not said whether the token was good
		}
		if err == nil {
			err = v.revocations.known.Judge(&claims, v.now())
		}
	}
	if err != nil {
		return roster.Claims{}, err
	}
	return claims, nil
}

// Run keeps keys and revocations current until ctx ends, and then returns nil. Servers that do not answer are no error: they
// are logged and asked again. A second Run at a time is one.
func (v *Verifier) Run(ctx context.Context) error {
	if !v.running.CompareAndSwap(false, true) {
		return errors.New("verifier: is running already")
	}
	defer v.running.Store(false)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if v.revocations != nil {
			v.revocations.follow(ctx)
		}
	}()
	v.keys.follow(ctx)
	<-ended
	return nil
}

func unavailable(err error) error {
	return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
}

const never = revocations.Never

// since is how long ago a moment was; never: there was none, or the clock was set back since, and nobody can tell.
func since(now func() time.Time, at *atomic.Pointer[time.Time]) time.Duration {
	if t := at.Load(); t != nil {
		return revocations.Age(now(), *t)
	}
	return never
}
