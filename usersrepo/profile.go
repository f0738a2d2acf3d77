package usersrepo

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/roster-go/roster/mixins"
)

var profileName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,31}$`)

// profileFaults are the faults of all profiles of sessions, whose settings have their defaults.
func profileFaults(s mixins.SessionConfig) (faults []error) {
	for _, name := range slices.Sorted(maps.Keys(s.Profiles)) {
		p := s.Profiles[name]
		fault := func(wrong bool, format string, args ...any) {
			if wrong {
				faults = append(faults, fmt.Errorf("Session.Profiles: %q: %s", name, fmt.Sprintf(format, args...)))
			}
		}
		fault(!profileName.MatchString(name), "want a name of a letter and then letters, digits, . _ and -, 32 at most")
		lives := []struct {
			name              string
			life, least, most time.Duration
		}{
			{"AccessTTL", p.AccessTTL, time.Minute, s.AccessTTL},
			{"RefreshIdle", p.RefreshIdle, time.Minute, s.RefreshIdle},
			{"RefreshAbsolute", p.RefreshAbsolute, time.Minute, s.RefreshAbsolute},
			{"FreshFor", p.FreshFor, time.Second, s.FreshFor},
		}
		none := true
		for _, l := range lives {
			none = none && l.life == 0
			switch {
			case l.life > l.most:
				fault(true, "%s is %s: a profile has no longer lives than Session.%s, %s", l.name, l.life, l.name, l.most)
			case l.life != 0 && l.life < l.least:
				fault(true, "%s is %s: want %s to %s", l.name, l.life, l.least, l.most)
			}
		}
		fault(none, "it has no life that is shorter: want AccessTTL, RefreshIdle, RefreshAbsolute or FreshFor")
		access := s.AccessTTL
		if p.AccessTTL != 0 {
			access = p.AccessTTL
		}
		fault(p.RefreshIdle > 0 && p.RefreshIdle <= access, "RefreshIdle is %s: want more than AccessTTL, %s", p.RefreshIdle, access)
		fault(p.RefreshAbsolute > 0 && p.RefreshIdle > p.RefreshAbsolute,
			"RefreshIdle is %s: want at most its RefreshAbsolute, %s", p.RefreshIdle, p.RefreshAbsolute)
		fault(slices.Contains(p.Clients, ""), "Clients: want no name that is empty")
	}
	return faults
}
