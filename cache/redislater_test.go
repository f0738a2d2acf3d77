package cache_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster/cache"
)

func TestRedisDeleteSoon(t *testing.T) { // PROT-22
	t.Parallel()

	t.Run("goes ahead of the next call, in its round trip", func(t *testing.T) {
		t.Parallel()
		client := openShared(t)
		c := cache.NewRedis(client, patient())
		c.PutOffFor(time.Hour)
		l := within("k", 10, time.Hour)
		for range 3 {
			take(t, c, l)
		}
		set(t, c, "v", time.Hour)
		var hook watched
		client.AddHook(&hook)
		if err := c.DeleteSoon(t.Context(), l.Key, "v", "missing"); err != nil {
			t.Fatal(err)
		}
		if n := take(t, c, l)[0].N; n != 1 {
			t.Errorf("the take after it is the %d.", n)
		}
		if has(t, c, "v") {
			t.Error("the value is still there")
		}
		if got := hook.trips.Load(); got != 2 {
			t.Errorf("%d round trips for two calls", got)
		}
		counts, err := c.Peek(t.Context(), l)
		if err != nil || counts[0].N != 1 {
			t.Errorf("it went twice: %+v, %v", counts, err)
		}
	})

	t.Run("goes by itself in a moment", func(t *testing.T) {
		t.Parallel()
		for name, client := range map[string]redis.UniversalClient{"a prompt client": openShared(t), "go-redis' defaults": sharedRedis(t)} {
			cfg := patient()
			c, other := cache.NewRedis(client, cfg), cache.NewRedis(sharedRedis(t), cfg)
			set(t, other, "v", time.Hour)
			set(t, other, "w", time.Hour)
			for _, key := range []string{"v", "w"} {
				if err := c.DeleteSoon(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, name+" deletes", func() bool { return !has(t, other, "v") && !has(t, other, "w") })
		}
	})

	t.Run("it waits for another call when one gets no answer, and then goes once by itself", func(t *testing.T) {
		t.Parallel()
		client := openShared(t)
		cfg := patient()
		c, other := cache.NewRedis(client, cfg), cache.NewRedis(sharedRedis(t), cfg)
		c.PutOffFor(2 * time.Second)
		var hook watched
		client.AddHook(&hook)
		set(t, other, "v", time.Hour)
		hook.failures.Store(1)
		if err := c.DeleteSoon(t.Context(), "v"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Get(t.Context(), "w"); err == nil {
			t.Error("the call that took it along did not fail")
		}
		eventually(t, "it goes later", func() bool { return !has(t, other, "v") })

		c.PutOffFor(time.Millisecond)
		for range 10 { // after a failure it deletes at once for a while
			set(t, c, "w", time.Hour)
		}
		set(t, other, "v", time.Hour)
		hook.failures.Store(1 << 30)
		if err := c.DeleteSoon(t.Context(), "v"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is tried", func() bool { return hook.failures.Load() < 1<<30 })
		time.Sleep(50 * time.Millisecond)
		hook.failures.Store(0)
		set(t, c, "w", time.Hour)
		if !has(t, other, "v") {
			t.Error("the delete outlived a server that did not answer")
		}
	})

	t.Run("its error is not that of the call that takes it along", func(t *testing.T) {
		t.Parallel()
		client := openShared(t)
		c := cache.NewRedis(client, patient())
		c.PutOffFor(time.Hour)
		set(t, c, "v", time.Hour)
		client.AddHook(mayNotDelete{})
		var trips []int64
		if err := c.DeleteSoon(t.Context(), "w"); err != nil {
			t.Fatal(err)
		}
		if !has(t, c, "v") {
			t.Error("the call got no answer")
		}
		for range 2 { // one that is told, and one that waits again
			var hook watched
			client.AddHook(&hook)
			if err := c.DeleteSoon(t.Context(), "w"); err != nil {
				t.Fatal(err)
			}
			trips = append(trips, hook.trips.Load())
		}
		if diff := cmp.Diff([]int64{1, 0}, trips); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("it is told at once while calls fail, and too many do not wait", func(t *testing.T) {
		t.Parallel()
		client := openShared(t)
		c := cache.NewRedis(client, patient())
		c.PutOffFor(time.Hour)
		set(t, c, "v", time.Hour)
		many := make([]string, cache.MostDeletes)
		for i := range many {
			many[i] = strconv.Itoa(i)
		}
		var hook watched
		client.AddHook(&hook)
		for _, keys := range [][]string{many, {"v"}} {
			if err := c.DeleteSoon(t.Context(), keys...); err != nil {
				t.Fatal(err)
			}
		}
		if got := hook.trips.Load(); got != 1 {
			t.Errorf("%d round trips for the one that is too many", got)
		}
		hook.failures.Store(1 << 30)
		for range 5 {
			if _, _, err := c.Get(t.Context(), "v"); !errors.Is(err, cache.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
		}
		if err := c.DeleteSoon(t.Context(), "v"); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("it survives a hook that panics", func(t *testing.T) {
		t.Parallel()
		client := openShared(t)
		c := cache.NewRedis(client, patient())
		var panicked panicsOnce
		client.AddHook(&panicked)
		if err := c.DeleteSoon(t.Context(), "v"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is tried", panicked.Load)
		set(t, c, "v", time.Hour)
	})

	t.Run("a key that is none, and a caller that went away", func(t *testing.T) {
		t.Parallel()
		c := cache.NewRedis(openShared(t), patient())
		if err := c.DeleteSoon(t.Context(), "a", ""); !errors.Is(err, cache.ErrKey) {
			t.Errorf("got %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.DeleteSoon(gone, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("64 at once all go", func(t *testing.T) {
		t.Parallel()
		c := cache.NewRedis(openShared(t), patient())
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				l := within(strconv.Itoa(i), 100, time.Hour)
				for range 20 {
					take(t, c, l)
					if err := c.DeleteSoon(t.Context(), l.Key); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		eventually(t, "all are gone", func() bool {
			for i := range 64 {
				counts, err := c.Peek(t.Context(), within(strconv.Itoa(i), 100, time.Hour))
				if err != nil || counts[0].N != 0 {
					return false
				}
			}
			return true
		})
	})
}

// watched counts round trips of a client, and has some fail.
type watched struct{ trips, failures atomic.Int64 }

func (w *watched) next() error {
	w.trips.Add(1)
	if w.failures.Add(-1) >= 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (*watched) DialHook(next redis.DialHook) redis.DialHook { return next }

func (w *watched) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := w.next(); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

func (w *watched) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := w.next(); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

// mayNotDelete is a server that refuses deletes, and answers the rest.
type mayNotDelete struct{}

func (mayNotDelete) DialHook(next redis.DialHook) redis.DialHook { return next }

func (mayNotDelete) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (mayNotDelete) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if cmd.Name() == "del" {
				err = errors.New("NOPERM")
				cmd.SetErr(err)
			}
		}
		return err
	}
}

// panicsOnce is a hook that panics at the first command.
type panicsOnce struct{ atomic.Bool }

func (*panicsOnce) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *panicsOnce) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if p.CompareAndSwap(false, true) {
			panic("hook")
		}
		return next(ctx, cmd)
	}
}

func (*panicsOnce) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
