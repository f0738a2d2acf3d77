package callbacks

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// Methods are the hooks that a program defines on its own type for one event; those that the event lacks are nil.
type Methods[E any] struct{ Before, After, On Func[E] }

// Env is what all events of a repo run with.
type Env struct {
	// Timeout bounds each On hook.
	Timeout time.Duration
	// Report is told of every error and panic that no caller will see.
	Report func(ctx context.Context, hook string, err error)
}

// Runner runs the hooks of one event: the program's own methods and the functions added to its point.
type Runner[E any] struct {
	name   string
	env    *Env
	before *list[E]
	notice *Notice[E]
	own    Methods[E]
	copy   func(*E) *E
}

// NewRunner binds a point with the program's own methods. copy makes an event that shares nothing changeable with
// the one given.
func NewRunner[E any](env *Env, p *Point[E], own Methods[E], copy func(*E) *E) *Runner[E] {
	r := NewNoticeRunner(env, &p.Notice, own, copy)
	r.before = &p.before
	return r
}

// NewNoticeRunner binds a point that has no Before.
func NewNoticeRunner[E any](env *Env, n *Notice[E], own Methods[E], copy func(*E) *E) *Runner[E] {
	var e E
	return &Runner[E]{name: eventName(e), env: env, notice: n, own: own, copy: copy}
}

// HasBefore reports whether anything may run before: a function was added, or the program has a method.
func (r *Runner[E]) HasBefore() bool {
	return r.own.Before != nil || r.before != nil && len(r.before.load()) > 0
}

// Begin takes the functions as they are now: those that one operation runs.
func (r *Runner[E]) Begin() Run[E] {
	run := Run[E]{r: r, after: r.notice.after.load(), on: r.notice.on.load()}
	if r.before != nil {
		run.before = r.before.load()
	}
	return run
}

// Run is one event's way through its phases.
type Run[E any] struct {
	r                 *Runner[E]
	before, after, on []*Func[E]
}

// Before runs the program's own method, then the added functions, until one errs: a veto.
func (x Run[E]) Before(ctx context.Context, e *E) error {
	if err := x.inTransaction(ctx, "Before", x.r.own.Before, e); err != nil {
		return err
	}
	for _, fn := range x.before {
		if err := x.inTransaction(ctx, "Before", *fn, e); err != nil {
			return err
		}
	}
	return nil
}

// After runs the added functions, then the program's own method, until one errs. They see a copy of the event:
// what they change in it has no effect.
func (x Run[E]) After(ctx context.Context, e *E) error {
	if len(x.after) == 0 && x.r.own.After == nil {
		return nil
	}
	seen := x.r.copy(e)
	for _, fn := range x.after {
		if err := x.inTransaction(ctx, "After", *fn, seen); err != nil {
			return err
		}
	}
	return x.inTransaction(ctx, "After", x.r.own.After, seen)
}

// On runs the added functions, then the program's own method, each with a copy of the event and a time limit of
// its own. Errors and panics are reported and stop nothing else.
func (x Run[E]) On(ctx context.Context, e *E) {
	for _, fn := range x.on {
		x.committed(ctx, *fn, e)
	}
	x.committed(ctx, x.r.own.On, e)
}

// Copy returns an event that shares nothing changeable with e.
func (x Run[E]) Copy(e *E) *E { return x.r.copy(e) }

func (x Run[E]) inTransaction(ctx context.Context, phase string, fn Func[E], e *E) error {
	err := x.call(ctx, phase, fn, e)
	if p := (*PanicError)(nil); errors.As(err, &p) {
		x.r.env.Report(ctx, p.Hook, p)
	}
	return err
}

// HasOn reports whether anything runs after the commit.
func (x Run[E]) HasOn() bool { return len(x.on) > 0 || x.r.own.On != nil }

func (x Run[E]) committed(ctx context.Context, fn Func[E], e *E) {
	if fn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, x.r.env.Timeout)
	defer cancel()
	err := x.call(ctx, "On", fn, x.r.copy(e))
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("ended after its time limit of %s", x.r.env.Timeout)
	}
	if err != nil {
		x.r.env.Report(ctx, "On"+x.r.name, err)
	}
}

// call runs one hook. A panic becomes an error, and an error that is none of ours becomes internal, so that its
// text reaches no client.
func (x Run[E]) call(ctx context.Context, phase string, fn Func[E], e *E) (err error) {
	if fn == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = roster.ErrInternal.WithCause(&PanicError{phase + x.r.name, p, string(debug.Stack())})
		}
	}()
	err = fn(ctx, e)
	var known *roster.Error
	if err != nil && !errors.As(err, &known) {
		err = roster.ErrInternal.WithCause(fmt.Errorf("%s%s: %w", phase, x.r.name, err))
	}
	return err
}

// eventName is the name of an event's type without its package and type arguments.
func eventName(e any) string {
	name, _, _ := strings.Cut(reflect.TypeOf(e).Name(), "[")
	return name
}
