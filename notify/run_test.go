package notify_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// start runs a worker and returns how to stop it and wait for its end.
func start(t *testing.T, w *notify.Worker) (stop func() (took time.Duration)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() time.Duration {
		begun := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return time.Since(begun)
	}
}

// MAIL-24.
func TestRunPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		w := worker(t, &o, &box)
		stop := start(t, w)
		var looks []time.Duration
		begun := time.Now()
		for len(looks) < 7 {
			synctest.Wait()
			if o.looks() > len(looks) {
				looks = append(looks, time.Since(begun))
			}
			time.Sleep(time.Second)
		}
		for i, want := range []time.Duration{0, 2, 6, 14, 24, 34, 44} {
			if looks[i] != want*time.Second {
				t.Errorf("look %d: got %s, want %d s", i, looks[i], want)
			}
		}

		o.add(1)
		w.Wake()
		w.Wake()
		synctest.Wait()
		if got := len(box.All()); got != 1 {
			t.Errorf("after Wake: got %d messages", got)
		}
		o.add(2)
		time.Sleep(4 * time.Second) // the back-off began anew
		synctest.Wait()
		if got := len(box.All()); got != 2 {
			t.Errorf("after a poll: got %d messages", got)
		}
		if took := stop(); took != 0 {
			t.Errorf("took %s to stop", took)
		}
		synctest.Wait()
	})
}

// MAIL-12, MAIL-19: batches follow each other, and a slow recipient holds up nobody.
func TestRunParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		var running atomic.Int64
		slow := o.add(0)
		for n := range 99 {
			o.add(n + 1)
		}
		w := worker(t, &o, senderFunc(func(ctx context.Context, m notify.Message) error {
			if n := running.Add(1); n > 2 {
				t.Errorf("%d run at a time", n)
			}
			defer running.Add(-1)
			if m.ID == slow {
				time.Sleep(19 * time.Second)
			}
			time.Sleep(100 * time.Millisecond)
			return box.Send(ctx, m)
		}), func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Parallel = 2 })
		stop := start(t, w)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := o.states(); got[store.MessageSent] != 99 || got[store.MessageSending] != 1 {
			t.Errorf("got %v", got)
		}
		if took := stop(); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		if got := o.states(); got[store.MessageSent] != 100 {
			t.Errorf("got %v", got)
		}
	})
}

// MAIL-22; case 17. The bubble fails when a goroutine is left.
func TestRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		for n := range 30 {
			o.add(n)
		}
		takes := func(m notify.Message) time.Duration { // half of those that run are done in time
			return map[bool]time.Duration{true: 5 * time.Second, false: 19 * time.Second}[m.ID[15]%2 == 0]
		}
		w := worker(t, &o, senderFunc(func(ctx context.Context, m notify.Message) error {
			timer := time.NewTimer(takes(m))
			defer timer.Stop()
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}), func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Parallel, cfg.Batch = 10, 20 })
		stop := start(t, w)
		time.Sleep(time.Second)
		if took := stop(); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
		if got := o.states(); got[store.MessageSent] != 5 || got[store.MessagePending] != 25 {
			t.Errorf("got %v", got)
		}
		for n := range 10 {
			if r := o.get([16]byte{15: byte(n)}); r.State == store.MessagePending && r.Next.After(time.Now()) {
				t.Errorf("%d is not due at once", n)
			}
		}
	})
}

// MAIL-34, MAIL-22: a sender that ignores its context does not keep Run.
func TestRunLeavesStuckSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		id := o.add(1)
		release := make(chan struct{})
		stop := start(t, worker(t, &o, senderFunc(func(context.Context, notify.Message) error { <-release; return nil })))
		time.Sleep(time.Second)
		if took := stop(); took > 11*time.Second {
			t.Errorf("took %s", took)
		}
		if got := o.get(id).State; got != store.MessagePending {
			t.Errorf("got %s", got)
		}
		close(release)
	})
}

func TestRunOutlivesOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		o.add(1)
		o.setFail(errors.New("down"))
		stop := start(t, worker(t, &o, &box))
		time.Sleep(time.Minute)
		o.setFail(nil)
		time.Sleep(10 * time.Second)
		if n := len(box.All()); n != 1 {
			t.Errorf("got %d messages", n)
		}
		stop()
	})
}

// MAIL-29: connections are kept while messages follow each other, and closed when nothing is due.
func TestRunClosesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var s closer
		stop := start(t, worker(t, &o, &s))
		synctest.Wait()
		o.add(1)
		time.Sleep(3 * time.Second) // sent
		before := s.closed.Load()
		time.Sleep(10 * time.Second)
		if s.sent.Load() != 1 || s.closed.Load() <= before {
			t.Errorf("got %d sent, closed %d times before and %d after", s.sent.Load(), before, s.closed.Load())
		}
		before = s.closed.Load()
		stop()
		if s.closed.Load() != before+1 {
			t.Error("not closed at the end")
		}
	})
}

type closer struct{ sent, closed atomic.Int64 }

func (c *closer) Send(context.Context, notify.Message) error { c.sent.Add(1); return nil }
func (c *closer) CloseIdleConnections()                      { c.closed.Add(1) }
