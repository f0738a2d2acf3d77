package mixins

import (
	"context"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// OnLimit is what becomes of a log-in by which a user would have more than Session.MaxPerUser sessions.
type OnLimit string

// The choices.
const (
	EvictOldest OnLimit = "evict"  // it ends the least recently used session
	RefuseNew   OnLimit = "refuse" // it is roster.ErrConflict
)

// SessionConfig is how long sessions and tokens live.
type SessionConfig struct {
	Issuer   string // claim iss; "" means the base URL
	Audience string // claim aud; "" means the base URL
	// Algorithm is that of the keys that Roster makes for access tokens, from the next one on; "" means ES256.
	Algorithm tokens.Algorithm
	// AccessTTL is the life of an access token, 1 min to 1 h; 0 means 10 min.
	AccessTTL time.Duration
	// RefreshIdle ends a session that is not used, RefreshAbsolute every session; 0 means 14 and 90 days.
	RefreshIdle, RefreshAbsolute time.Duration
	// ShortIdle is RefreshIdle for log-ins that are not to be remembered; 0 means 12 h.
	ShortIdle time.Duration
	// Grace is how long the previous refresh token still gets the same successor, 0 to 60 s; 0 means 10 s, a
	// negative value none. On another node than made it, whose clock may differ, it is longer by the Leeway.
	Grace time.Duration
	// Leeway is how far clocks may differ, at most 60 s; 0 means 5 s.
	Leeway time.Duration
	// PollInterval is how often Run asks the database what was revoked elsewhere, should nobody tell: within so long every
	// node knows. 1 s to 60 s; 0 means 1 s. Without Run a request asks.
	PollInterval time.Duration
	// MaxStaleness is how long access tokens are accepted while the database does not answer; then they are
	// roster.ErrUnavailable. 1 s to 60 s, more than PollInterval; 0 means 10 s.
	MaxStaleness time.Duration
	// FreshFor is how long a log-in counts as fresh, for what changes a way to log in or destroys an account; 0 means
	// 15 min.
	FreshFor time.Duration
	// MaxPerUser bounds a user's live sessions; 0 means 10. OnLimit says what becomes of one more; "" means EvictOldest.
	MaxPerUser int
	OnLimit    OnLimit
	// Keep is how long ended sessions are kept; 0 means 30 days.
	Keep time.Duration
	// KeyLife is the age at which Run rotates the key that signs access tokens, 1 h to 10 years; 0 means 90 days, a negative
	// value never.
	KeyLife time.Duration
	// Profiles are shorter lives for the sessions of some log-ins, by names of a letter and then letters, digits, . _ and -, 32 at
	// most. A log-in has all whose Superusers or Clients it is of, the one that ChooseProfile answers, and that of
	// roster.IssueOptions.Profile; of each life it has the shortest. It keeps them: what is changed here, and what the user becomes,
	// is for later log-ins.
	Profiles map[string]SessionProfile
	// ChooseProfile chooses a profile for a log-in; "" is none. The user is as the log-in finds them, and ctx names the
	// address and the user agent (roster.ActorFrom). It is asked in the log-in's transaction: what takes long there holds the user's
	// row. An error fails the log-in, and so does a name that Profiles lacks (roster.ErrInternal). nil: none.
	ChooseProfile func(ctx context.Context, user roster.Model, options roster.IssueOptions) (string, error)
}

// SessionProfile is how long sessions live that are to live shorter than others. 0 means as long as others; none may be more.
type SessionProfile struct {
	// Superusers has all log-ins of superusers take it.
	Superusers bool
	// Clients has log-ins take it that name one of these clients (roster.Credentials.Client, client_name over HTTP). Clients name
	// themselves: who names none, or another, has the lives of all. So it is for what a client wants, and no bound on it.
	Clients []string
	// AccessTTL is as in SessionConfig, 1 min at least.
	AccessTTL time.Duration
	// RefreshIdle and RefreshAbsolute are, too; the former also ends sessions that are not to be remembered. It is more than
	// AccessTTL: who refreshes as late as they may would be too late.
	RefreshIdle, RefreshAbsolute time.Duration
	// FreshFor is as in SessionConfig, 1 s at least.
	FreshFor time.Duration
}
