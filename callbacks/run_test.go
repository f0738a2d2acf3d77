package callbacks_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

func own(j *journal) callbacks.Methods[*shelf] {
	return callbacks.Methods[*shelf]{
		Before: j.hook("before: own", nil), After: j.hook("after: own", nil), On: j.hook("on: own", nil),
	}
}

// HOOK-19, case 8.
func TestHOOK_19_Order(t *testing.T) {
	t.Run("runs the program's method first in Before and last in After and On", func(t *testing.T) {
		d, j := newDesk(time.Second), &journal{}
		for _, name := range []string{"1", "2"} {
			d.point.Before(j.hook("before: "+name, nil))
			d.point.After(j.hook("after: "+name, nil))
			d.point.On(j.hook("on: "+name, nil))
		}
		if err := d.operate(t.Context(), d.runner(own(j)), &shelf{}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"before: own", "before: 1", "before: 2",
			"after: 1", "after: 2", "after: own",
			"on: 1", "on: 2", "on: own",
		}
		if diff := cmp.Diff(want, j.entries); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})

	t.Run("ends Before and After at the first error", func(t *testing.T) {
		d, j := newDesk(time.Second), &journal{}
		methods := own(j)
		methods.Before = j.hook("before: own", fs.ErrInvalid)
		d.point.Before(j.hook("before: 1", nil))
		if err := d.operate(t.Context(), d.runner(methods), &shelf{}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("got %v, want the hook's error", err)
		}
		remove := d.point.After(j.hook("after: 1", fs.ErrExist))
		if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{After: methods.After}), &shelf{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v, want the hook's error", err)
		}
		remove()
		if diff := cmp.Diff([]string{"before: own", "before: 1", "after: 1"}, j.entries); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
	})

	t.Run("goes on in On", func(t *testing.T) {
		d, j := newDesk(time.Second), &journal{}
		d.point.On(j.hook("on: 1", fs.ErrInvalid))
		d.point.On(func(context.Context, *shelf) error { panic("on: 2") })
		d.point.On(j.hook("on: 3", nil))
		if err := d.operate(t.Context(), d.runner(own(j)), &shelf{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"before: own", "after: own", "on: 1", "on: 3", "on: own"}, j.entries); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
	})
}

func TestHOOK_25_Error(t *testing.T) {
	phases := map[string]func(*desk, callbacks.Func[*shelf]){
		"Before": func(d *desk, fn callbacks.Func[*shelf]) { d.point.Before(fn) },
		"After":  func(d *desk, fn callbacks.Func[*shelf]) { d.point.After(fn) },
	}
	for phase, add := range phases {
		t.Run("of "+phase+" is internal and still the hook's", func(t *testing.T) {
			d := newDesk(time.Second)
			add(d, func(context.Context, *shelf) error {
				return fmt.Errorf("read the list: %w", &fs.PathError{Op: "open", Path: "list", Err: fs.ErrNotExist})
			})
			err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{})
			if !errors.Is(err, roster.ErrInternal) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want internal and the hook's error in it", err)
			}
			if path := (*fs.PathError)(nil); !errors.As(err, &path) || path.Path != "list" {
				t.Errorf("got %v, want the hook's *fs.PathError in it", err)
			}
			if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Message != "" || len(e.Details) > 0 || len(e.Fields) > 0 {
				t.Errorf("got %v, want nothing of the hook's in what clients see", err)
			}
			if !strings.Contains(err.Error(), phase+"shelf") {
				t.Errorf("got %q, want the name of the hook in it", err)
			}
			if len(d.reports) > 0 {
				t.Errorf("reported %v, want nothing: the caller is told", d.reports)
			}
		})
		t.Run("of ours is returned by "+phase+" as it is", func(t *testing.T) {
			d := newDesk(time.Second)
			want := fmt.Errorf("wrapped: %w", roster.ErrConflict.WithMessage("is open"))
			add(d, func(context.Context, *shelf) error { return want })
			if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{}); !errors.Is(err, want) || err.Error() != want.Error() {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

// SEC-108
func TestHOOK_17_Panic(t *testing.T) {
	t.Run("is an internal error that errors.Is finds, reported with its stack", func(t *testing.T) {
		for phase, add := range map[string]func(*desk, callbacks.Func[*shelf]){
			"Before": func(d *desk, fn callbacks.Func[*shelf]) { d.point.Before(fn) },
			"After":  func(d *desk, fn callbacks.Func[*shelf]) { d.point.After(fn) },
		} {
			d := newDesk(time.Second)
			add(d, func(context.Context, *shelf) error { panic("the shelf fell") })
			err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{})
			if !errors.Is(err, roster.ErrInternal) || !errors.Is(err, roster.ErrHookPanic) {
				t.Errorf("%s: got %v, want internal with ErrHookPanic", phase, err)
			}
			wantReport(t, d, phase+"shelf", "the shelf fell")
		}
	})

	t.Run("in On is reported once and ends nothing", func(t *testing.T) {
		d := newDesk(time.Second)
		d.point.On(func(context.Context, *shelf) error { panic(fs.ErrClosed) })
		if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{}); err != nil {
			t.Fatal(err)
		}
		wantReport(t, d, "Onshelf", "file already closed")
	})

	t.Run("in an operation that a hook called is reported once", func(t *testing.T) {
		inner, outer := newDesk(time.Second), newDesk(time.Second)
		inner.env.Report = outer.env.Report
		inner.point.Before(func(context.Context, *shelf) error { panic("within") })
		outer.point.After(func(ctx context.Context, _ *shelf) error {
			return inner.operate(ctx, inner.runner(callbacks.Methods[*shelf]{}), &shelf{})
		})
		err := outer.operate(t.Context(), outer.runner(callbacks.Methods[*shelf]{}), &shelf{})
		if !errors.Is(err, roster.ErrHookPanic) {
			t.Errorf("got %v, want ErrHookPanic", err)
		}
		wantReport(t, outer, "Beforeshelf", "within")
	})

	t.Run("with nil is one too", func(t *testing.T) {
		d := newDesk(time.Second)
		d.point.Before(func(context.Context, *shelf) error { panic(nil) })
		if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{}); !errors.Is(err, roster.ErrHookPanic) {
			t.Errorf("got %v, want ErrHookPanic", err)
		}
	})
}

// wantReport wants one report, of a panic with its stack.
func wantReport(t *testing.T, d *desk, hook, text string) {
	t.Helper()
	if len(d.reports) != 1 || d.reports[0].hook != hook || !strings.Contains(d.reports[0].err.Error(), text) {
		t.Fatalf("reported %v, want one panic %q of %s", d.reports, text, hook)
	}
	if p := (*callbacks.PanicError)(nil); !errors.As(d.reports[0].err, &p) || !strings.Contains(p.Stack, "run_test.go") {
		t.Errorf("reported %v, want the stack of the hook in it", d.reports)
	}
}

func TestHOOK_14_AfterSeesACopy(t *testing.T) {
	d := newDesk(time.Second)
	var seen [][]string
	read := func(_ context.Context, e *shelf) error {
		seen = append(seen, copyShelf(e).Books)
		e.Books[0] = "burnt"
		e.Books = nil
		return nil
	}
	d.point.After(read)
	d.point.After(read)
	e := &shelf{Books: []string{"atlas"}}
	if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{After: read, On: read}), e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"atlas"}, {"atlas"}, {"atlas"}, {"atlas"}}, seen); diff != "" {
		t.Errorf("what the hooks saw (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&shelf{Books: []string{"atlas"}}, e); diff != "" {
		t.Errorf("the event afterwards (-want +got):\n%s", diff)
	}
}

func TestHOOK_13_BeforeMayChange(t *testing.T) {
	d := newDesk(time.Second)
	add := func(book string) callbacks.Func[*shelf] {
		return func(_ context.Context, e *shelf) error {
			e.Books = append(e.Books, book)
			return nil
		}
	}
	d.point.Before(add("novel"))
	e := &shelf{}
	if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{Before: add("atlas")}), e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&shelf{Books: []string{"atlas", "novel"}}, e); diff != "" {
		t.Errorf("the event afterwards (-want +got):\n%s", diff)
	}
}

func TestHOOK_68_OnSeesACopyOfItsOwn(t *testing.T) {
	d := newDesk(time.Second)
	var seen []string
	read := func(_ context.Context, e *shelf) error {
		seen = append(seen, e.Books...)
		e.Books[0] = "burnt"
		return nil
	}
	d.point.On(read)
	d.point.On(read)
	r := d.runner(callbacks.Methods[*shelf]{On: read})
	e := &shelf{Books: []string{"atlas"}}
	run := r.Begin()
	committed := run.Committed(e)
	e.Books[0] = "lent" // by the caller of the operation, or a later one of the transaction
	run.On(t.Context(), committed)
	if diff := cmp.Diff([]string{"atlas", "atlas", "atlas"}, seen); diff != "" {
		t.Errorf("what the hooks saw (-want +got):\n%s", diff)
	}
}

// HOOK-15, HOOK-16: each On hook has a deadline of its own; a late one is reported.
func TestHOOK_15_TimeLimit(t *testing.T) {
	const limit = 20 * time.Millisecond
	d := newDesk(limit)
	wait := func(ctx context.Context, _ *shelf) error {
		<-ctx.Done()
		return nil
	}
	var left time.Duration
	d.point.On(wait)
	d.point.On(func(ctx context.Context, _ *shelf) error {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return ctx.Err()
	})
	d.point.On(func(ctx context.Context, _ *shelf) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{On: wait}), &shelf{}); err != nil {
		t.Fatal(err)
	}
	if left <= 0 || left > limit {
		t.Errorf("a hook after a late one had %s, want %s of its own", left, limit)
	}
	if len(d.reports) != 3 {
		t.Fatalf("reported %v, want the three late hooks, once each", d.reports)
	}
	for _, r := range d.reports {
		if r.hook != "Onshelf" {
			t.Errorf("reported %v, want Onshelf", r)
		}
	}
}

// HOOK-15: what On gets keeps the caller's values. That it lost the caller's cancel is the store's doing.
func TestHOOK_15_Values(t *testing.T) {
	type key struct{}
	d := newDesk(time.Second)
	var got any
	d.point.On(func(ctx context.Context, _ *shelf) error {
		got = ctx.Value(key{})
		return nil
	})
	if err := d.operate(context.WithValue(t.Context(), key{}, "value"), d.runner(callbacks.Methods[*shelf]{}), &shelf{}); err != nil {
		t.Fatal(err)
	}
	if got != "value" {
		t.Errorf("got %v, want the caller's value", got)
	}
}

func TestHOOK_69_Publish(t *testing.T) {
	d, j := newDesk(time.Second), &journal{}
	d.env.Publish = func(_ context.Context, name string, e any) { j.write(name + " " + e.(*shelf).Books[0]) }
	r := d.runner(callbacks.Methods[*shelf]{On: j.hook("on", nil)})
	if err := d.operate(t.Context(), r, &shelf{Books: []string{"atlas"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"shelf atlas", "on"}, j.entries); diff != "" {
		t.Errorf("what ran (-want +got):\n%s", diff)
	}
	if !d.runner(callbacks.Methods[*shelf]{}).Begin().HasOn() {
		t.Error("there is nothing to run after the commit, but the event is to be published")
	}
}

func TestHOOK_23_NoFunctions(t *testing.T) {
	d := newDesk(time.Second)
	r := d.runner(callbacks.Methods[*shelf]{})
	e := &shelf{Books: []string{"atlas"}}
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		run := r.Begin()
		_ = run.Before(ctx, run.Copy(e))
		_ = run.After(ctx, e)
		if run.HasBefore() || run.HasAfter() || run.HasOn() {
			t.Error("there is something to run")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestCopyIsWhatNobodyElseHolds(t *testing.T) {
	d := newDesk(time.Second)
	d.point.Before(func(context.Context, *shelf) error { return nil })
	e := &shelf{Books: []string{"atlas"}}
	c := d.runner(callbacks.Methods[*shelf]{}).Begin().Copy(e)
	c.Books[0] = "novel"
	if e.Books[0] != "atlas" {
		t.Error("the copy shares its books")
	}
}

// HOOK-64: what has happened already has no Before.
func TestHOOK_64_Notice(t *testing.T) {
	d, j := newDesk(time.Second), &journal{}
	var n callbacks.Notice[*shelf]
	n.After(j.hook("after", nil))
	n.On(j.hook("on", nil))
	r := callbacks.NewNoticeRunner(&d.env, &n, callbacks.Methods[*shelf]{}, copyShelf)
	if r.HasBefore() || r.Begin().HasBefore() {
		t.Error("it has a Before")
	}
	if err := d.operate(t.Context(), r, &shelf{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"after", "on"}, j.entries); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
}
