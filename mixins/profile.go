package mixins

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// profilesOf are the names of the profiles that a log-in has, in order.
func (c *Core[U]) profilesOf(ctx context.Context, u U, options roster.IssueOptions) ([]string, error) {
	s := c.Settings.Session
	var names []string
	for name, p := range s.Profiles {
		if p.Superusers && u.Base().Superuser || options.Client != "" && slices.Contains(p.Clients, options.Client) {
			names = append(names, name)
		}
	}
	if options.Profile != "" {
		if _, known := s.Profiles[options.Profile]; !known {
			return nil, roster.FieldErrors{{Field: "profile", Code: roster.Invalid}}.Err()
		}
		names = append(names, options.Profile)
	}
	if s.ChooseProfile != nil {
		c.Store.HookRuns(ctx)
		chosen, err := s.ChooseProfile(forHooks(ctx), c.Plan.clone(u), options)
		if err != nil {
			return nil, err
		}
		if _, known := s.Profiles[chosen]; !known && chosen != "" {
			return nil, roster.ErrInternal.WithCause(fmt.Errorf("Session.ChooseProfile: there is no profile %q", chosen))
		}
		if chosen != "" {
			names = append(names, chosen)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// limit gives a new session its ends, and the lives of its profiles.
func (s SessionConfig) limit(x *store.Session, names []string) {
	access, idle, absolute, fresh := s.AccessTTL, s.RefreshIdle, s.RefreshAbsolute, s.FreshFor
	if !x.Remember {
		idle = s.ShortIdle
	}
	for _, name := range names {
		p := s.Profiles[name]
		access, idle = shorter(access, p.AccessTTL), shorter(idle, p.RefreshIdle)
		absolute, fresh = shorter(absolute, p.RefreshAbsolute), shorter(fresh, p.FreshFor)
	}
	x.ExpiresAt = x.CreatedAt.Add(absolute)
	x.IdleAt = earliest(x.ExpiresAt, x.CreatedAt.Add(idle))
	if len(names) > 0 {
		x.Profiles, x.AccessTTL, x.IdleTTL, x.FreshFor = new(strings.Join(names, " ")), access, idle, fresh
	}
}

// shorter is a life, or the other one if that is shorter; 0 is none.
func shorter(life, other time.Duration) time.Duration {
	if other != 0 && other < life {
		return other
	}
	return life
}
