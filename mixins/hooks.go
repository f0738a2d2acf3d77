package mixins

import (
	"context"
	"errors"
	"log/slog"
	"reflect"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// hooks binds each event with the program's own methods and the functions added to its point.
type hooks[U roster.Model] struct {
	Create               *callbacks.Runner[callbacks.Create[U]]
	Update               *callbacks.Runner[callbacks.Update[U]]
	Delete               *callbacks.Runner[callbacks.Delete[U]]
	Restore              *callbacks.Runner[callbacks.Restore[U]]
	SocialLink           *callbacks.Runner[callbacks.SocialLink[U]]
	SocialUnlink         *callbacks.Runner[callbacks.SocialUnlink[U]]
	UsernameChange       *callbacks.Runner[callbacks.UsernameChange[U]]
	ContactChange        *callbacks.Runner[callbacks.ContactChange[U]]
	EmailConfirm         *callbacks.Runner[callbacks.EmailConfirm[U]]
	PasswordChange       *callbacks.Runner[callbacks.PasswordChange[U]]
	PasswordResetRequest *callbacks.Runner[callbacks.PasswordResetRequest[U]]
	Login                *callbacks.Runner[callbacks.Login[U]]
	LoginFailed          *callbacks.Runner[callbacks.LoginFailed]
	Logout               *callbacks.Runner[callbacks.Logout]
	SessionRevoke        *callbacks.Runner[callbacks.SessionRevoke]
	TokenReuse           *callbacks.Runner[callbacks.TokenReuse]
	Message              *callbacks.Runner[callbacks.Message[U]]
}

func (c *Core[U]) bind(on *callbacks.Set[U]) hooks[U] {
	env := &callbacks.Env{Timeout: c.Settings.Callbacks.OnTimeout, Report: c.reportHook}
	s := c.Self
	return hooks[U]{
		Create:               point(c, env, &on.Create, s.BeforeCreate, s.AfterCreate, s.OnCreate),
		Update:               point(c, env, &on.Update, s.BeforeUpdate, s.AfterUpdate, s.OnUpdate),
		Delete:               point(c, env, &on.Delete, s.BeforeDelete, s.AfterDelete, s.OnDelete),
		Restore:              point(c, env, &on.Restore, s.BeforeRestore, s.AfterRestore, s.OnRestore),
		SocialLink:           point(c, env, &on.SocialLink, s.BeforeSocialLink, s.AfterSocialLink, s.OnSocialLink),
		SocialUnlink:         point(c, env, &on.SocialUnlink, s.BeforeSocialUnlink, s.AfterSocialUnlink, s.OnSocialUnlink),
		UsernameChange:       point(c, env, &on.UsernameChange, s.BeforeUsernameChange, s.AfterUsernameChange, s.OnUsernameChange),
		ContactChange:        point(c, env, &on.ContactChange, s.BeforeContactChange, s.AfterContactChange, s.OnContactChange),
		EmailConfirm:         point(c, env, &on.EmailConfirm, s.BeforeEmailConfirm, s.AfterEmailConfirm, s.OnEmailConfirm),
		PasswordChange:       point(c, env, &on.PasswordChange, s.BeforePasswordChange, s.AfterPasswordChange, s.OnPasswordChange),
		PasswordResetRequest: point(c, env, &on.PasswordResetRequest, s.BeforePasswordResetRequest, s.AfterPasswordResetRequest, s.OnPasswordResetRequest),
		Login:                point(c, env, &on.Login, s.BeforeLogin, s.AfterLogin, s.OnLogin),
		LoginFailed:          notice(c, env, &on.LoginFailed, s.AfterLoginFailed, s.OnLoginFailed),
		Logout:               point(c, env, &on.Logout, s.BeforeLogout, s.AfterLogout, s.OnLogout),
		SessionRevoke:        notice(c, env, &on.SessionRevoke, s.AfterSessionRevoke, s.OnSessionRevoke),
		TokenReuse:           notice(c, env, &on.TokenReuse, s.AfterTokenReuse, s.OnTokenReuse),
		Message:              point(c, env, &on.Message, s.BeforeMessage, s.AfterMessage, s.OnMessage),
	}
}

func point[U roster.Model, E any](c *Core[U], env *callbacks.Env, p *callbacks.Point[E], before, after, on callbacks.Func[E]) *callbacks.Runner[E] {
	return callbacks.NewRunner(env, p, methods(c, before, after, on), copyEvent[U, E](c.Plan))
}

func notice[U roster.Model, E any](c *Core[U], env *callbacks.Env, n *callbacks.Notice[E], after, on callbacks.Func[E]) *callbacks.Runner[E] {
	return callbacks.NewNoticeRunner(env, n, methods(c, nil, after, on), copyEvent[U, E](c.Plan))
}

// methods are the program's own hooks: none when the repo is used without a type of the program's.
func methods[U roster.Model, E any](c *Core[U], before, after, on callbacks.Func[E]) callbacks.Methods[E] {
	if c.Plain {
		return callbacks.Methods[E]{}
	}
	return callbacks.Methods[E]{Before: before, After: after, On: on}
}

// copyEvent returns a function that copies an event and what it points to; users by the plan, which knows them best.
func copyEvent[U roster.Model, E any](p *Plan[U]) func(*E) *E {
	t := reflect.TypeFor[E]()
	user := reflect.TypeFor[U]()
	return func(e *E) *E {
		c := *e
		v := reflect.ValueOf(&c).Elem()
		for i := range t.NumField() {
			f := v.Field(i)
			switch {
			case f.Type() != user:
				f.Set(deepCopy(f))
			case !f.IsNil():
				f.Set(reflect.ValueOf(p.clone(f.Interface().(U))))
			}
		}
		return &c
	}
}

// event begins an event of an operation.
func (c *Core[U]) event(ctx context.Context) callbacks.Event {
	return callbacks.Event{Actor: roster.ActorFrom(ctx), At: c.now()}
}

// before runs the Before hooks of an event within the transaction of ctx.
func before[U roster.Model, E any](ctx context.Context, c *Core[U], run callbacks.Run[E], e *E) error {
	c.Store.HookRuns(ctx)
	return run.Before(ctx, e)
}

// after runs the After hooks of an event, and queues its On hooks until the transaction has committed.
func after[U roster.Model, E any](ctx context.Context, c *Core[U], run callbacks.Run[E], e *E) error {
	c.Store.HookRuns(ctx)
	if err := run.After(ctx, e); err != nil {
		return err
	}
	if !run.HasOn() {
		return nil
	}
	committed := run.Copy(e) // what the caller does with the result meanwhile is not the event's
	c.Store.AfterCommit(ctx, func(ctx context.Context) { run.On(ctx, committed) })
	return nil
}

// reportHook logs and counts a failure that no caller is told of.
func (c *Core[U]) reportHook(ctx context.Context, hook string, err error) {
	c.hookErrors.Add(1)
	attrs := []any{slog.String("hook", hook), slog.Any("error", err)}
	if p := (*callbacks.PanicError)(nil); errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", p.Stack))
	}
	c.Logger.ErrorContext(ctx, "hook failed", attrs...)
}
