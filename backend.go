package roster

import (
	"context"
	"errors"
)

// Backend judges credentials for Authenticate, which asks the back ends of Config.Account.Backends in their order: the
// first that accepts a user or vetoes decides. It is called at the same time by many goroutines.
//
// Credentials hold what the person typed. An error says that they could not be judged: the log-in ends as ErrUnavailable,
// is not counted, and no further back end is asked. So does a panic.
type Backend interface {
	Judge(ctx context.Context, credentials Credentials) (Judgement, error)
}

// BackendFunc is a function as a Backend.
type BackendFunc func(ctx context.Context, credentials Credentials) (Judgement, error)

// Judge implements Backend.
func (f BackendFunc) Judge(ctx context.Context, credentials Credentials) (Judgement, error) {
	return f(ctx, credentials)
}

// Judgement is what a Backend says of credentials: Accept, Pass or Veto. The zero one is Pass.
type Judgement struct {
	accepted bool
	vetoed   bool
	id       ID
	amr      []string
}

// Accept says that the credentials are those of a user; of one who is not there it is Pass, and logged. The state of the account is judged after it: a banned user does
// not get in. amr tells how they were judged (RFC 8176); none means "pwd" for a password and "otp" for a code.
func Accept(id ID, amr ...string) Judgement { return Judgement{accepted: true, id: id, amr: amr} }

// Pass leaves the credentials to the next back end.
func Pass() Judgement { return Judgement{} }

// Veto refuses the credentials, whatever further back ends would say.
func Veto() Judgement { return Judgement{vetoed: true} }

// Accepted returns the user whom the credentials were accepted for, and how they were judged.
func (j Judgement) Accepted() (id ID, amr []string, ok bool) { return j.id, j.amr, j.accepted }

// Vetoed reports whether the credentials were refused for good.
func (j Judgement) Vetoed() bool { return j.vetoed }

// The back ends of Roster itself, to name in Config.Account.Backends. PasswordBackend judges passwords, CodeBackend
// one-time codes that were sent by SendCode to log in.
const (
	PasswordBackend builtinBackend = "password"
	CodeBackend     builtinBackend = "code"
)

type builtinBackend string

// Judge implements Backend: a repo never calls it, since it knows the two by name.
func (b builtinBackend) Judge(context.Context, Credentials) (Judgement, error) {
	return Judgement{}, errors.New("the " + string(b) + " back end works inside of a repo only")
}
