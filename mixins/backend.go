package mixins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/roster-go/roster"
)

// finding is whom a back end has found: nobody, for a reason, or somebody.
type finding struct {
	id     *roster.ID
	reason roster.LoginFailure // of nobody
}

// judgeCredentials asks the back ends in their order. The first that accepts or vetoes decides; of those that pass the
// first that knows tells the reason.
func (c *Core[U]) judgeCredentials(ctx context.Context, a *attempt[U], credentials roster.Credentials) (finding, error) {
	var reason roster.LoginFailure
	for _, b := range c.Settings.Account.Backends {
		var f finding
		var err error
		switch b {
		case roster.PasswordBackend:
			f, err = c.judgePassword(ctx, a, credentials)
		case roster.CodeBackend:
			f, err = c.judgeCode(ctx, a, credentials)
		default:
			f, err = c.judgeByProgram(ctx, a, b, credentials)
		}
		if err != nil || f.id != nil || f.reason == roster.FailedVetoed {
			return f, err
		}
		if reason == "" {
			reason = f.reason
		}
	}
	switch {
	case reason != "":
	case !a.known:
		reason = roster.FailedUnknown
	case credentials.Code != nil:
		reason = roster.FailedCode
	default:
		reason = roster.FailedPassword
	}
	return finding{reason: reason}, nil
}

// judgePassword is the back end of passwords. Whoever looks at the time must not learn that nobody has a login.
func (c *Core[U]) judgePassword(ctx context.Context, a *attempt[U], credentials roster.Credentials) (finding, error) {
	if credentials.Password == nil {
		return finding{}, nil
	}
	if !a.known {
		return finding{reason: roster.FailedUnknown}, c.checkNobody(ctx, a, *credentials.Password)
	}
	b := a.nominee.Base()
	err := c.Self.CheckPassword(ctx, b.ID, *credentials.Password)
	switch {
	case b.Deleted() && (err == nil || errors.Is(err, roster.ErrInvalidPassword)):
		return finding{reason: roster.FailedDeleted}, nil
	case errors.Is(err, errClosed):
		return finding{reason: roster.FailedClosed}, nil
	case errors.Is(err, errNoPassword):
		return finding{reason: roster.FailedNoPassword}, nil
	case errors.Is(err, roster.ErrInvalidPassword):
		return finding{reason: roster.FailedPassword}, nil
	case err != nil:
		return finding{}, err
	case c.hidesUnproven(b):
		return finding{reason: roster.FailedNotVerified}, nil
	}
	a.via, a.amr = roster.ViaPassword, []string{"pwd"}
	return finding{id: new(b.ID)}, nil
}

// judgeCode is the back end of one-time codes.
func (c *Core[U]) judgeCode(ctx context.Context, a *attempt[U], credentials roster.Credentials) (finding, error) {
	if credentials.Code == nil {
		return finding{}, nil
	}
	failed := finding{reason: roster.FailedUnknown}
	var id *roster.ID
	if a.known {
		id, failed.reason = new(a.nominee.Base().ID), roster.FailedCode
	}
	_, err := c.tryCode(ctx, c.codePlace(credentials), id, roster.CodeLogin, *credentials.Code)
	switch {
	case errors.Is(err, roster.ErrInvalidCode):
		return failed, nil
	case err != nil:
		return finding{}, err
	}
	a.via, a.amr = roster.ViaCode, []string{"otp"}
	return finding{id: id}, nil
}

// judgeByProgram asks a back end of the program's own. What keeps it from judging ends the log-in: the next one must not
// let in whom it might have vetoed.
func (c *Core[U]) judgeByProgram(ctx context.Context, a *attempt[U], b roster.Backend, credentials roster.Credentials) (finding, error) {
	a.read = false // it may write the password and pass: what was read before is not judged after it
	j, err := callBackend(ctx, b, credentials)
	if err == nil && j.Vetoed() {
		return finding{reason: roster.FailedVetoed}, nil
	}
	id, amr, accepted := j.Accepted()
	if err == nil && !accepted {
		return finding{}, nil
	}
	if err == nil {
		if _, err = c.load(ctx, id); errors.Is(err, roster.ErrNotFound) {
			c.Logger.WarnContext(ctx, "a back end accepted a user who is not there", slog.String("backend", fmt.Sprintf("%T", b)), slog.Any("user_id", id))
			return finding{}, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return finding{}, ctx.Err()
	case err != nil:
		return finding{}, roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(fmt.Errorf("back end %T: %w", b, err))
	}
	a.via, a.amr = roster.ViaPassword, amr
	if credentials.Code != nil {
		a.via = roster.ViaCode
	}
	if len(amr) == 0 && credentials.Code != nil {
		a.amr = []string{"otp"}
	} else if len(amr) == 0 {
		a.amr = []string{"pwd"}
	}
	return finding{id: &id}, nil
}

func callBackend(ctx context.Context, b roster.Backend, credentials roster.Credentials) (j roster.Judgement, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return b.Judge(ctx, credentials)
}

// codePlace is where a code was sent that somebody logs in by.
func (c *Core[U]) codePlace(credentials roster.Credentials) place {
	if credentials.Handle != nil {
		return c.openHandle(*credentials.Handle)
	}
	channel := credentials.Channel
	if channel == "" && credentials.Login == nil && credentials.Username == nil {
		channel = roster.ChannelPhone
		if credentials.Email != nil {
			channel = roster.ChannelEmail
		}
	}
	return c.typedPlace(loginOf(credentials), channel)
}
