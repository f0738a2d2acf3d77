package callbacks_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster/callbacks"
)

// A shelf is an event with something in it that can be changed.
type shelf struct {
	Books []string
}

func copyShelf(s *shelf) *shelf { return &shelf{slices.Clone(s.Books)} }

// A report is what an Env was told.
type report struct {
	hook string
	err  error
}

// A desk runs the hooks of shelves and keeps what is reported.
type desk struct {
	env   callbacks.Env
	point callbacks.Point[*shelf]

	mu      sync.Mutex
	reports []report
}

func newDesk(timeout time.Duration) *desk {
	d := &desk{}
	d.env = callbacks.Env{Timeout: timeout, Report: func(_ context.Context, hook string, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.reports = append(d.reports, report{hook, err})
	}}
	return d
}

func (d *desk) runner(own callbacks.Methods[*shelf]) *callbacks.Runner[*shelf] {
	return callbacks.NewRunner(&d.env, &d.point, own, copyShelf)
}

// operate does what an operation does with an event: it returns the error of Before or After.
func (d *desk) operate(ctx context.Context, r *callbacks.Runner[*shelf], e *shelf) error {
	run := r.Begin()
	if err := run.Before(ctx, e); err != nil {
		return err
	}
	if err := run.After(ctx, e); err != nil {
		return err
	}
	run.On(ctx, run.Committed(e))
	return nil
}

// A journal is what hooks wrote down.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) write(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal) hook(entry string, err error) callbacks.Func[*shelf] {
	return func(context.Context, *shelf) error {
		j.write(entry)
		return err
	}
}

func panics(t *testing.T, fn func()) (value any) {
	t.Helper()
	defer func() { value = recover() }()
	fn()
	return nil
}
