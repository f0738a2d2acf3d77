package routes

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/roster-go/roster"
)

// service is a program that asks about tokens: the hashes of its secrets.
type service struct {
	name    string
	secrets [][sha256.Size]byte
}

type services []service

func newServices(config map[string][]roster.Secret) services {
	var list services
	for _, name := range slices.Sorted(maps.Keys(config)) {
		s := service{name: name}
		for _, secret := range config[name] {
			s.secrets = append(s.secrets, sha256.Sum256([]byte(secret.Reveal())))
		}
		list = append(list, s)
	}
	return list
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

const minServiceSecret = 32 // bytes

// checkServices tells what is wrong with Config.Services, and no secret.
func checkServices(config map[string][]roster.Secret) []error {
	var errs []error
	owner := map[roster.Secret]string{}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if !serviceName.MatchString(name) {
			errs = append(errs, fmt.Errorf("config.Services: the name %q: want 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"", name))
		}
		if len(config[name]) == 0 {
			errs = append(errs, fmt.Errorf("config.Services: %q has no secret", name))
		}
		for i, secret := range config[name] {
			if n := len(secret.Reveal()); n < minServiceSecret {
				errs = append(errs, fmt.Errorf("config.Services: secret %d of %q has %d bytes: want %d or more, of chance", i+1, name, n, minServiceSecret))
				continue
			}
			if other, twice := owner[secret]; twice {
				errs = append(errs, fmt.Errorf("config.Services: secret %d of %q is one of %q too", i+1, name, other))
			}
			owner[secret] = name
		}
	}
	return errs
}

// has reports whether a service has a secret. It takes the same time whichever it has, and for a name that none has.
func (list services) has(name string, secrets ...string) bool {
	right := 0
	for _, secret := range secrets {
		given := sha256.Sum256([]byte(secret))
		for _, s := range list {
			same := subtle.ConstantTimeCompare([]byte(s.name), []byte(name)) // names are no secret
			for _, hash := range s.secrets {
				right |= same & subtle.ConstantTimeCompare(hash[:], given[:])
			}
		}
	}
	return right == 1
}

// admitService lets services through. Those that prove nothing are counted by their address: the right secret is let
// through however many were wrong before, since nobody finds 32 bytes by trying.
func (s *server) admitService(ctx context.Context, r *http.Request) error {
	given := len(r.Header.Values("Authorization"))
	name, secret, ok := r.BasicAuth()
	if ok && given == 1 {
		candidates := []string{secret}
		// RFC 6749, section 2.3.1 has both encoded as in a form, RFC 7617 has not; names are the same either way.
		if decoded, err := url.QueryUnescape(secret); err == nil && decoded != secret {
			candidates = append(candidates, decoded)
		}
		if s.services.has(name, candidates...) {
			return nil
		}
	}
	if source := roster.ActorFrom(ctx).Source(); source != "" && s.limiter != nil {
		if err := s.take(ctx, refusedLimit, s.cfg.limit(refusedLimit, defaultRefused), "route:"+refusedLimit+":"+source); err != nil {
			return err
		}
	}
	if given == 0 {
		return roster.ErrUnauthenticated
	}
	return roster.ErrInvalidCredentials
}

// introspect answers by RFC 7662. Whatever is no live access token is inactive, for one reason or another; what cannot be
// judged is an error.
func (s session) introspect(ctx context.Context, r *request) (answer, error) {
	if !r.form.Has("token") {
		return answer{}, parameterFault("token")
	}
	claims, err := s.repo.VerifyToken(ctx, roster.Secret(r.form.Get("token")))
	if known, isOurs := errors.AsType[*roster.Error](err); isOurs && statuses[known.Code] == http.StatusUnauthorized {
		return ok(map[string]bool{"active": false})
	}
	if err != nil {
		return answer{}, err
	}
	view := claimsView(claims)
	view["active"], view["token_type"] = true, "Bearer"
	return ok(view)
}

// maxWait is the longest that revocations waits for something new.
const maxWait = 30 * time.Second

// revocationsView is what was revoked, as services see it.
type revocationsView struct {
	Position    string          `json:"position"`
	More        bool            `json:"more"`
	GlobalEpoch int64           `json:"global_epoch"`
	AccessTTL   int64           `json:"access_ttl"`
	Sessions    []roster.ID     `json:"sessions"`
	Users       []userEpochView `json:"users"`
}

type userEpochView struct {
	ID    roster.ID `json:"id"`
	Epoch int64     `json:"epoch"`
}

func (s session) revocations(ctx context.Context, r *request) (answer, error) {
	given, err := parametersOf(r.URL, "after", "wait")
	if err != nil {
		return answer{}, err
	}
	wait := 0
	if given.values.Has("wait") {
		if wait, err = strconv.Atoi(given.text("wait")); err != nil || wait < 0 || wait > int(maxWait/time.Second) {
			return answer{}, parameterFault("wait")
		}
	}
	list, err := s.repo.ListRevocations(roster.AsSystem(ctx), given.text("after"), time.Duration(wait)*time.Second)
	if err != nil {
		return answer{}, err
	}
	view := revocationsView{
		Position: list.Position, More: list.More, GlobalEpoch: list.GlobalEpoch, AccessTTL: int64(list.AccessTTL / time.Second),
		Sessions: list.Sessions, Users: []userEpochView{},
	}
	if view.Sessions == nil {
		view.Sessions = []roster.ID{}
	}
	for _, u := range list.Users {
		view.Users = append(view.Users, userEpochView(u))
	}
	return ok(view)
}
