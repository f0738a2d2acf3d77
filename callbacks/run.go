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
	// Report is told of every panic, where it is recovered, and of every error that no caller will see.
	Report func(ctx context.Context, hook string, err error)
	// Publish is given every event once it is committed, before its On hooks; nil: nobody wants them.
	Publish func(ctx context.Context, name string, event any)
}

// Runner runs the hooks of one event: the program's own methods and the functions added to its point.
type Runner[E any] struct {
	name   string
	env    *Env
	before *list[E]
	notice *Notice[E]
	own    Methods[E]
	copy   func(E) E
}

// NewRunner binds a point with the program's own methods. copy makes an event that shares nothing changeable with
// the one given.
func NewRunner[E any](env *Env, p *Point[E], own Methods[E], copy func(E) E) *Runner[E] {
	r := NewNoticeRunner(env, &p.Notice, own, copy)
	r.before = &p.before
	return r
}

// NewNoticeRunner binds a point that has no Before.
func NewNoticeRunner[E any](env *Env, n *Notice[E], own Methods[E], copy func(E) E) *Runner[E] {
	return &Runner[E]{name: eventName[E](), env: env, notice: n, own: own, copy: copy}
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

// Name is the name of the event, such as Create.
func (x Run[E]) Name() string { return x.r.name }

// HasBefore reports whether anything runs before.
func (x Run[E]) HasBefore() bool { return len(x.before) > 0 || x.r.own.Before != nil }

// HasAfter reports whether anything runs with the rows written.
func (x Run[E]) HasAfter() bool { return len(x.after) > 0 || x.r.own.After != nil }

// HasOn reports whether anything runs after the commit.
func (x Run[E]) HasOn() bool { return len(x.on) > 0 || x.r.own.On != nil || x.r.env.Publish != nil }

// Before runs the program's own method, then the added functions, until one errs: a veto.
func (x Run[E]) Before(ctx context.Context, e E) error {
	if err := x.call(ctx, "Before", x.r.own.Before, e); err != nil {
		return err
	}
	for _, fn := range x.before {
		if err := x.call(ctx, "Before", *fn, e); err != nil {
			return err
		}
	}
	return nil
}

// After runs the added functions, then the program's own method, until one errs. Each sees a copy of the event: what
// it changes in it has no effect.
func (x Run[E]) After(ctx context.Context, e E) error {
	for _, fn := range x.after {
		if err := x.call(ctx, "After", *fn, x.r.copy(e)); err != nil {
			return err
		}
	}
	if x.r.own.After == nil {
		return nil
	}
	return x.call(ctx, "After", x.r.own.After, x.r.copy(e))
}

// Committed returns the event as the On hooks are to see it, whatever becomes of e in the meantime.
func (x Run[E]) Committed(e E) E { return x.r.copy(e) }

// On publishes the event and runs the added functions, then the program's own method, each with an event of its own and a time limit. Errors
// and panics are reported and stop nothing else. It takes e over.
func (x Run[E]) On(ctx context.Context, e E) {
	if publish := x.r.env.Publish; publish != nil {
		publish(ctx, x.r.name, e)
	}
	for _, fn := range x.on {
		x.committed(ctx, *fn, x.r.copy(e))
	}
	x.committed(ctx, x.r.own.On, e)
}

// Copy returns what Before is given of an event that it may not change: an event that shares nothing changeable with
// e, or e itself when nobody will see it.
func (x Run[E]) Copy(e E) E {
	if !x.HasBefore() {
		return e
	}
	return x.r.copy(e)
}

func (x Run[E]) committed(ctx context.Context, fn Func[E], e E) {
	if fn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, x.r.env.Timeout)
	defer cancel()
	err := x.call(ctx, "On", fn, e)
	// The timer of a context may fire late on a busy machine.
	if deadline, _ := ctx.Deadline(); err == nil && !time.Now().Before(deadline) { //nolint:forbidigo // a deadline is of real time
		err = fmt.Errorf("ended after its time limit of %s", x.r.env.Timeout)
	}
	if err != nil && !errors.Is(err, roster.ErrHookPanic) {
		x.r.env.Report(ctx, "On"+x.r.name, err)
	}
}

// call runs one hook. A panic is reported and becomes an error, and an error that is none of ours becomes internal, so
// that its text reaches no client.
func (x Run[E]) call(ctx context.Context, phase string, fn Func[E], e E) (err error) {
	if fn == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			failure := &PanicError{phase + x.r.name, p, string(debug.Stack())}
			x.r.env.Report(ctx, failure.Hook, failure)
			err = roster.ErrInternal.WithCause(failure)
		}
	}()
	err = fn(ctx, e)
	var known *roster.Error
	if err != nil && !errors.As(err, &known) {
		err = roster.ErrInternal.WithCause(fmt.Errorf("%s%s: %w", phase, x.r.name, err))
	}
	return err
}

// eventName is the name of the type that E points to, without its package and type arguments.
func eventName[E any]() string {
	name, _, _ := strings.Cut(reflect.TypeFor[E]().Elem().Name(), "[")
	return name
}
