package mixins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// hooks binds each event with the program's own methods and the functions added to its point.
type hooks[U roster.Model] struct {
	Create               *callbacks.Runner[*callbacks.Create[U]]
	Update               *callbacks.Runner[*callbacks.Update[U]]
	Delete               *callbacks.Runner[*callbacks.Delete[U]]
	Restore              *callbacks.Runner[*callbacks.Restore[U]]
	SocialLink           *callbacks.Runner[*callbacks.SocialLink[U]]
	SocialUnlink         *callbacks.Runner[*callbacks.SocialUnlink[U]]
	UsernameChange       *callbacks.Runner[*callbacks.UsernameChange[U]]
	ContactChange        *callbacks.Runner[*callbacks.ContactChange[U]]
	EmailConfirm         *callbacks.Runner[*callbacks.EmailConfirm[U]]
	PhoneConfirm         *callbacks.Runner[*callbacks.PhoneConfirm[U]]
	PasswordChange       *callbacks.Runner[*callbacks.PasswordChange[U]]
	PasswordResetRequest *callbacks.Runner[*callbacks.PasswordResetRequest[U]]
	Login                *callbacks.Runner[*callbacks.Login[U]]
	LoginFailed          *callbacks.Runner[*callbacks.LoginFailed]
	Logout               *callbacks.Runner[*callbacks.Logout]
	Archive              *callbacks.Runner[*callbacks.Archive[U]]
	Unarchive            *callbacks.Runner[*callbacks.Unarchive[U]]
	Ban                  *callbacks.Runner[*callbacks.Ban[U]]
	Unban                *callbacks.Runner[*callbacks.Unban[U]]
	Kick                 *callbacks.Runner[*callbacks.Kick]
	Blackout             *callbacks.Runner[*callbacks.Blackout]
	PermissionsChange    *callbacks.Runner[*callbacks.PermissionsChange[U]]
	SessionRevoke        *callbacks.Runner[*callbacks.SessionRevoke]
	TokenReuse           *callbacks.Runner[*callbacks.TokenReuse]
	Lockout              *callbacks.Runner[*callbacks.Lockout]
	Message              *callbacks.Runner[*callbacks.Message[U]]
}

func (c *Core[U]) bind(on *callbacks.Set[U]) hooks[U] {
	env := &callbacks.Env{Timeout: c.Settings.Callbacks.OnTimeout, Report: c.report}
	if c.Settings.Callbacks.Publish != "" {
		env.Publish = c.publish
	}
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
		PhoneConfirm:         point(c, env, &on.PhoneConfirm, s.BeforePhoneConfirm, s.AfterPhoneConfirm, s.OnPhoneConfirm),
		PasswordChange:       point(c, env, &on.PasswordChange, s.BeforePasswordChange, s.AfterPasswordChange, s.OnPasswordChange),
		PasswordResetRequest: point(c, env, &on.PasswordResetRequest, s.BeforePasswordResetRequest, s.AfterPasswordResetRequest, s.OnPasswordResetRequest),
		Login:                point(c, env, &on.Login, s.BeforeLogin, s.AfterLogin, s.OnLogin),
		LoginFailed:          notice(c, env, &on.LoginFailed, s.AfterLoginFailed, s.OnLoginFailed),
		Logout:               point(c, env, &on.Logout, s.BeforeLogout, s.AfterLogout, s.OnLogout),
		Archive:              point(c, env, &on.Archive, s.BeforeArchive, s.AfterArchive, s.OnArchive),
		Unarchive:            point(c, env, &on.Unarchive, s.BeforeUnarchive, s.AfterUnarchive, s.OnUnarchive),
		Ban:                  point(c, env, &on.Ban, s.BeforeBan, s.AfterBan, s.OnBan),
		Unban:                point(c, env, &on.Unban, s.BeforeUnban, s.AfterUnban, s.OnUnban),
		Kick:                 point(c, env, &on.Kick, s.BeforeKick, s.AfterKick, s.OnKick),
		Blackout:             point(c, env, &on.Blackout, s.BeforeBlackout, s.AfterBlackout, s.OnBlackout),
		PermissionsChange:    point(c, env, &on.PermissionsChange, s.BeforePermissionsChange, s.AfterPermissionsChange, s.OnPermissionsChange),
		SessionRevoke:        notice(c, env, &on.SessionRevoke, s.AfterSessionRevoke, s.OnSessionRevoke),
		TokenReuse:           notice(c, env, &on.TokenReuse, s.AfterTokenReuse, s.OnTokenReuse),
		Lockout:              notice(c, env, &on.Lockout, s.AfterLockout, s.OnLockout),
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

// copyEvent returns a function that copies an event and what it points to.
func copyEvent[U roster.Model, E any](p *Plan[U]) func(E) E {
	return func(e E) E { return p.deepCopy(reflect.ValueOf(e)).Interface().(E) }
}

// event begins an event of an operation.
func (c *Core[U]) event(ctx context.Context) callbacks.Event {
	return callbacks.Event{Actor: roster.ActorFrom(ctx), At: c.now()}
}

// before runs the Before hooks of an event within the transaction of ctx.
func before[U roster.Model, E any](ctx context.Context, c *Core[U], run callbacks.Run[E], e E) error {
	if !run.HasBefore() {
		return nil
	}
	c.Store.HookRuns(ctx)
	if err := run.Before(forHooks(ctx), e); err != nil {
		c.recordVeto(ctx, e, err)
		return err
	}
	if lacksUser[U](e) {
		return roster.ErrInternal.WithCause(fmt.Errorf("no user is left in the event after Before%s", run.Name()))
	}
	return nil
}

// lacksUser reports whether hooks took away the user of an event whose user they may replace.
func lacksUser[U roster.Model](event any) bool {
	var none U
	switch e := event.(type) {
	case *callbacks.Create[U]:
		return any(e.User) == any(none)
	case *callbacks.Update[U]:
		return any(e.User) == any(none)
	case *callbacks.Message[U]:
		return any(e.Data.User) == any(none)
	}
	return false
}

// after writes an event to the audit trail, runs its After hooks, and queues its On hooks until the transaction has
// committed.
func after[U roster.Model, E any](ctx context.Context, c *Core[U], run callbacks.Run[E], e E) error {
	if err := c.record(ctx, e); err != nil {
		return err
	}
	return fire(ctx, c, run, e)
}

// fire is after for an event that is in the audit trail already.
func fire[U roster.Model, E any](ctx context.Context, c *Core[U], run callbacks.Run[E], e E) error {
	if run.HasAfter() {
		c.Store.HookRuns(ctx)
		if err := run.After(forHooks(ctx), e); err != nil {
			return err
		}
	}
	if !run.HasOn() {
		return nil
	}
	committed := run.Committed(e) // what the caller does with the result meanwhile is not the event's
	c.Store.AfterCommit(ctx, func(ctx context.Context) {
		run.On(context.WithValue(forHooks(ctx), freshKey{}, nil), committed)
	})
	return nil
}

// forHooks is ctx without what an operation tells those that it calls: it is not meant for those that a hook calls.
func forHooks(ctx context.Context) context.Context {
	for _, key := range []any{reasonKey{}, issuedKey{}, attemptKey{}, concealKey{}, enterKey{}, prepaidKey{}} {
		ctx = context.WithValue(ctx, key, nil)
	}
	return ctx
}

// notification is what other processes are told of an event.
type notification struct {
	Event     string           `json:"event"`
	UserID    *roster.ID       `json:"user_id"` // null: of nobody who is known
	At        time.Time        `json:"at"`
	ActorKind roster.ActorKind `json:"actor_kind"`
}

// publish tells other processes of an event of any type, as well as it can.
func (c *Core[U]) publish(ctx context.Context, name string, e any) {
	ctx, cancel := context.WithTimeout(ctx, c.Settings.Callbacks.OnTimeout)
	defer cancel()
	v := reflect.ValueOf(e).Elem()
	event := v.FieldByName("Event").Interface().(callbacks.Event)
	n := notification{Event: name, At: event.At, ActorKind: event.Actor.Kind}
	if f := v.FieldByName("User"); f.IsValid() {
		n.UserID = new(f.Interface().(U).Base().ID)
	} else if f := reflect.Indirect(v.FieldByName("UserID")); f.IsValid() {
		n.UserID = new(f.Interface().(roster.ID))
	}
	message, err := json.Marshal(n)
	if err == nil {
		err = c.Cache.Publish(ctx, c.Settings.Callbacks.Publish, message)
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "event was not published", slog.String("event", name), slog.Any("error", err))
	}
}

// report logs and counts a failure of a hook.
func (c *Core[U]) report(ctx context.Context, hook string, err error) {
	c.hookErrors.Add(1)
	attrs := []any{slog.String("hook", hook), slog.Any("error", err)}
	if p := (*callbacks.PanicError)(nil); errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", p.Stack))
	}
	c.Logger.ErrorContext(ctx, "hook failed", attrs...)
}

// reportHook reports an error of After hooks that no caller is told of. A panic was reported where it was recovered.
func (c *Core[U]) reportHook(ctx context.Context, hook string, err error) {
	if !errors.Is(err, roster.ErrHookPanic) {
		c.report(ctx, hook, err)
	}
}

// ReportCommit reports the failure of what was queued until a transaction has ended.
func (c *Core[U]) ReportCommit(ctx context.Context, err error) { c.reportHook(ctx, "OnCommit", err) }
