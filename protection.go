package roster

import "time"

// Verdict answers whether something may be done now.
type Verdict struct {
	Allowed   bool
	Limit     int
	Remaining int
	// RetryAfter is the rest of the wait when it may not; ResetAt is the same as a time.
	RetryAfter time.Duration
	ResetAt    time.Time
	// Lane names the counter that refused. It is never told to clients.
	Lane string
	// Captcha asks for proof of being human: some failures came before, from this address for this login. What it is,
	// and whether it is good, the program's hooks say.
	Captcha bool
}

// Err returns nil for an allowed verdict, else too_many_requests with the rest of the wait.
func (v Verdict) Err() error {
	if v.Allowed {
		return nil
	}
	return ErrTooManyRequests.WithRetryAfter(v.RetryAfter)
}

// Limit lets Max takes pass in a window that starts with the first.
type Limit struct {
	Max    int
	Window time.Duration
}

// OwnQuota begins the keys of the quotas that are Roster's own. Those of a program must not, or they are the same: nobody checks it.
const OwnQuota = "roster:"

// LoginFailure tells why a log-in failed, to hooks and logs; never to the person.
type LoginFailure string

// The reasons.
const (
	FailedUnknown     LoginFailure = "unknown"
	FailedPassword    LoginFailure = "wrong_password"
	FailedCode        LoginFailure = "wrong_code"
	FailedNoPassword  LoginFailure = "no_password"
	FailedClosed      LoginFailure = "password_closed"
	FailedBanned      LoginFailure = "banned"
	FailedArchived    LoginFailure = "archived"
	FailedDeleted     LoginFailure = "deleted"
	FailedNotVerified LoginFailure = "not_verified"
	FailedThrottled   LoginFailure = "throttled"
	FailedVetoed      LoginFailure = "vetoed"
	FailedBackend     LoginFailure = "backend"
)

// LockoutKind tells what is locked.
type LockoutKind string

// The things that are locked.
const (
	LockoutAddress    LockoutKind = "address"
	LockoutIdentifier LockoutKind = "identifier"
	LockoutPair       LockoutKind = "pair" // an identifier from an address
	LockoutDevice     LockoutKind = "device"
	LockoutAccount    LockoutKind = "account" // its password is closed
)
