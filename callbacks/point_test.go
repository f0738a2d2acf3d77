package callbacks_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

func TestHOOK_18_Add(t *testing.T) {
	t.Run("returns a function that takes away just what was added", func(t *testing.T) {
		d, j := newDesk(time.Second), &journal{}
		twice := j.hook("twice", nil)
		remove := d.point.Before(twice)
		d.point.Before(j.hook("between", nil))
		d.point.Before(twice)
		remove()
		remove() // once more does no harm
		if err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"between", "twice"}, j.entries); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
	})

	t.Run("takes effect for the next operation, not for a running one", func(t *testing.T) {
		d, j := newDesk(time.Second), &journal{}
		r := d.runner(callbacks.Methods[*shelf]{})
		remove := d.point.After(j.hook("old", nil))
		run := r.Begin()
		remove()
		d.point.After(j.hook("new", nil))
		if err := run.After(t.Context(), &shelf{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Begin().After(t.Context(), &shelf{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"old", "new"}, j.entries); diff != "" {
			t.Errorf("hooks (-want +got):\n%s", diff)
		}
	})

	t.Run("panics with the name of the point when there is no function", func(t *testing.T) {
		var set callbacks.Set[*roster.User]
		for want, add := range map[string]func(){
			"Before of Create":       func() { set.Create.Before(nil) },
			"After of Update":        func() { set.Update.After(nil) },
			"On of PasswordChange":   func() { set.PasswordChange.On(nil) },
			"After of LoginFailed":   func() { set.LoginFailed.After(nil) },
			"On of SessionRevoke":    func() { set.SessionRevoke.On(nil) },
			"Before of Message":      func() { set.Message.Before(nil) },
			"Before of SocialUnlink": func() { set.SocialUnlink.Before(nil) },
		} {
			if got, _ := panics(t, add).(string); !strings.HasSuffix(got, want) {
				t.Errorf("panicked with %q, want %q in it", got, want)
			}
		}
	})
}

// HOOK-18, case 24: functions come and go while operations run.
func TestHOOK_18_WhileOperationsRun(t *testing.T) {
	d := newDesk(time.Second)
	r := d.runner(callbacks.Methods[*shelf]{})
	var removed atomic.Bool
	var late atomic.Int64
	remove := d.point.Before(func(context.Context, *shelf) error {
		if removed.Load() {
			late.Add(1)
		}
		return nil
	})

	var running sync.WaitGroup
	for range 100 {
		running.Go(func() {
			if err := d.operate(t.Context(), r, &shelf{}); err != nil {
				t.Error(err)
			}
		})
		running.Go(func() {
			d.point.Before(func(context.Context, *shelf) error { return nil })()
			d.point.After(func(context.Context, *shelf) error { return nil })()
			d.point.On(func(context.Context, *shelf) error { return nil })()
		})
	}
	remove()
	running.Wait()
	removed.Store(true)
	for range 10 {
		if err := d.operate(t.Context(), r, &shelf{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := late.Load(); n > 0 {
		t.Errorf("a removed function was called %d times by later operations", n)
	}
}
