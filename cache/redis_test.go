package cache_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/cache/cachetest"
)

// sharedRedis is a client of the server at ROSTER_TEST_REDIS, with go-redis' defaults.
func sharedRedis(t testing.TB) *redis.Client {
	t.Helper()
	addr := os.Getenv("ROSTER_TEST_REDIS")
	if addr == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("ROSTER_TEST_REDIS is not set")
		}
		t.Skip("ROSTER_TEST_REDIS is not set")
	}
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// patient is a configuration for tests that are not about time limits: the machine may be busy.
func patient() cache.RedisConfig {
	return cache.RedisConfig{Prefix: "test:" + rand.Text() + ":", Timeout: 5 * time.Second}
}

// openShared is a client of the same server as OpenRedis makes it.
func openShared(t testing.TB) redis.UniversalClient {
	t.Helper()
	client, err := cache.OpenRedis("redis://" + sharedRedis(t).Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestRedis(t *testing.T) { // STORE-33
	t.Parallel()
	client := openShared(t)
	cachetest.Run(t, func(*testing.T) cachetest.Harness {
		return cachetest.Harness{Cache: cache.NewRedis(client, patient())}
	})
}

// A client with go-redis' defaults is watched from outside.
func TestRedisDefaultClient(t *testing.T) {
	t.Parallel()
	client := sharedRedis(t)
	cachetest.Run(t, func(*testing.T) cachetest.Harness {
		return cachetest.Harness{Cache: cache.NewRedis(client, patient())}
	})
}

func TestRedisCluster(t *testing.T) { // STORE-37, storage.md case 15
	t.Parallel()
	client := startCluster(t)
	t.Run("with a client as OpenRedis makes it", func(t *testing.T) {
		opened := openCluster(t, client)
		cachetest.Run(t, func(*testing.T) cachetest.Harness {
			return cachetest.Harness{Cache: cache.NewRedis(opened, patient())}
		})
	})
	t.Run("with go-redis' defaults", func(t *testing.T) {
		cachetest.Run(t, func(*testing.T) cachetest.Harness {
			return cachetest.Harness{Cache: cache.NewRedis(client, patient())}
		})
	})
	t.Run("counts exactly over processes, limits of one call on other nodes too (STORE-52, PROT-6)", func(t *testing.T) {
		cfg := patient()
		limits := []cache.Limit{within("{a}:k", 7, time.Hour), within("{b}:k", 30, time.Hour), within("{c}:k", 300, time.Hour), within("plain", 64, time.Hour)}
		nodes := map[string]bool{}
		for _, l := range limits {
			master, err := client.MasterForKey(t.Context(), cfg.Prefix+l.Key)
			if err != nil {
				t.Fatal(err)
			}
			nodes[master.Options().Addr] = true
		}
		if len(nodes) < 2 {
			t.Fatalf("all keys are on %v", nodes)
		}
		processes := make([]cache.Cache, 3)
		for i := range processes {
			processes[i] = cache.NewRedis(openCluster(t, client), cfg)
		}
		var passed [4]atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				counts, err := processes[i%len(processes)].IncrBelow(t.Context(), limits...)
				if err != nil {
					t.Error(err)
					return
				}
				for j, count := range counts {
					if count.OK {
						passed[j].Add(1)
					}
				}
			})
		}
		wg.Wait()
		for j, l := range limits {
			if got, want := passed[j].Load(), min(200, l.Max); got != want {
				t.Errorf("%s: %d of 200 takes passed, want %d", l.Key, got, want)
			}
		}
	})
}

// openCluster is a client of the same cluster as OpenRedis makes it.
func openCluster(t *testing.T, client *redis.ClusterClient) redis.UniversalClient {
	t.Helper()
	opened, err := cache.OpenRedis("redis://" + strings.Join(client.Options().Addrs, ","))
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, opened)
}

func TestRedisSentinel(t *testing.T) { // STORE-37
	t.Parallel()
	client := startSentinel(t)
	cachetest.Run(t, func(*testing.T) cachetest.Harness {
		return cachetest.Harness{Cache: cache.NewRedis(client, patient())}
	})
}

func TestRedisKeys(t *testing.T) {
	t.Parallel()
	client := sharedRedis(t)

	t.Run("it stores under the prefix and the key, hash tag and all, and for a time (STORE-35, STORE-37, STORE-38)", func(t *testing.T) {
		t.Parallel()
		ctx, cfg := t.Context(), patient()
		c := cache.NewRedis(client, cfg)
		set(t, c, "{4f1c}:copy", time.Hour)
		if _, err := c.SetNX(ctx, "{4f1c}:nx", nil, time.Microsecond); err != nil {
			t.Fatal(err)
		}
		if _, err := c.SetNX(ctx, "{4f1c}:lock", nil, time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Incr(ctx, "{4f1c}:incr", time.Hour); err != nil {
			t.Fatal(err)
		}
		window := within("{4f1c}:window", 2, time.Hour)
		locks := cache.Limit{Key: "{4f1c}:locks", Max: 2, Window: time.Hour, Lock: time.Hour}
		waits := cache.Limit{Key: "{4f1c}:waits", Max: 2, Window: time.Hour, Backoff: time.Hour, MaxBackoff: time.Hour}
		for range 3 {
			take(t, c, window, locks, waits)
		}
		if err := c.Release(ctx, window, locks, waits); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // less than a millisecond is rounded up to one, and over
		want := []string{"copy", "incr", "lock", "locks", "waits", "window"}
		var got []string
		keys, _, err := client.Scan(ctx, 0, cfg.Prefix+"*", 1<<20).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if ttl, err := client.PTTL(ctx, key).Result(); err != nil || ttl <= 0 || ttl > 2*time.Hour {
				t.Errorf("PTTL %s: got %v, %v", key, ttl, err)
			}
			name, ok := strings.CutPrefix(key, cfg.Prefix+"{4f1c}:")
			if !ok {
				t.Errorf("key %s", key)
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("it does not see what another prefix counts (PROT-8)", func(t *testing.T) {
		t.Parallel()
		l := within("k", 1, time.Hour)
		for range 2 {
			c := cache.NewRedis(client, patient())
			if !take(t, c, l)[0].OK {
				t.Error("refused for another's take")
			}
			if has(t, c, "v") {
				t.Error("another's value")
			}
			set(t, c, "v", time.Hour)
		}
	})

	t.Run("it takes garbage and other types as missing (STORE-44, PROT-7)", func(t *testing.T) {
		t.Parallel()
		ctx, cfg := t.Context(), patient()
		c := cache.NewRedis(client, cfg)
		for i, spoil := range []func(key string) error{
			func(key string) error { return client.Set(ctx, key, "99", 0).Err() }, // would refuse for ever
			func(key string) error { return client.Set(ctx, key, "-99", 0).Err() },
			func(key string) error { return client.Set(ctx, key, "garbage", time.Hour).Err() },
			func(key string) error { return client.Set(ctx, key, "", time.Hour).Err() },
			func(key string) error { return client.Set(ctx, key, "0x10", time.Hour).Err() },
			func(key string) error { return client.Set(ctx, key, "1e3", time.Hour).Err() },
			func(key string) error { return client.Set(ctx, key, " 50", time.Hour).Err() },
			func(key string) error { return client.Set(ctx, key, "9999999999999999999999", time.Hour).Err() },
			func(key string) error { return client.HSet(ctx, key, "a", "b").Err() },
			func(key string) error { return client.RPush(ctx, key, "a").Err() },
			func(key string) error { return client.SAdd(ctx, key, "a").Err() },
		} {
			l := within(fmt.Sprint("k", i), 1, time.Hour)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
			again := func() {
				t.Helper()
				must(c.Delete(ctx, l.Key))
				must(spoil(cfg.Prefix + l.Key))
			}
			again()
			if has(t, c, l.Key) {
				t.Errorf("%d: Get got a value", i)
			}
			if _, ok, err := c.Take(ctx, l.Key); ok || err != nil {
				t.Errorf("%d: Take got %v, %v", i, ok, err)
			}
			again()
			counts, err := c.Peek(ctx, l)
			must(err)
			if want := (cache.Count{Limit: l, OK: true}); counts[0] != want {
				t.Errorf("%d: Peek got %+v", i, counts[0])
			}
			must(c.Release(ctx, l))
			if n := take(t, c, l)[0]; n.N != 1 || !n.OK || n.TTL <= 0 {
				t.Errorf("%d: IncrBelow got %+v", i, n)
			}
			again()
			n, err := c.Incr(ctx, l.Key, time.Hour)
			must(err)
			if n.N != 1 || n.TTL <= 0 {
				t.Errorf("%d: Incr got %+v", i, n)
			}
			again()
			set(t, c, l.Key, time.Hour)
			if !has(t, c, l.Key) {
				t.Errorf("%d: Set did not replace it", i)
			}
		}
	})
}

// Both follow one rule, in Go and in Lua: whatever is done to one limit, both answer the same.
func TestRedisCountsAsMemory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory, clock := newMemory(0)
	ours := cache.NewRedis(sharedRedis(t), patient())
	var limits []cache.Limit
	for i := range 6 {
		key := fmt.Sprint("k", i)
		limits = append(limits,
			cache.Limit{Key: "w" + key, Max: int64(i + 1), Window: time.Hour},
			cache.Limit{Key: "l" + key, Max: int64(i + 1), Window: time.Hour, Lock: 2 * time.Hour},
			cache.Limit{Key: "b" + key, Max: int64(i + 1), Window: time.Hour, Backoff: time.Minute, MaxBackoff: 5 * time.Minute},
			// These wait for so short a time that it is over at the next step.
			cache.Limit{Key: "s" + key, Max: int64(i + 1), Window: time.Hour, Backoff: 1, MaxBackoff: 1},
		)
	}
	random := mathrand.New(mathrand.NewPCG(1, 2)) // the same ones in each run
	for step := range 1500 {
		l := limits[random.IntN(len(limits))]
		both := func(do func(cache.Cache) ([]cache.Count, error)) {
			t.Helper()
			want, err := do(memory)
			if err != nil {
				t.Fatal(err)
			}
			got, err := do(ours)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if got[i].N != want[i].N || got[i].OK != want[i].OK || !near(got[i].TTL, want[i].TTL) || !near(got[i].Wait, want[i].Wait) {
					t.Fatalf("step %d:\nRedis  %+v\nMemory %+v", step, got[i], want[i])
				}
			}
		}
		switch random.IntN(8) {
		case 0:
			both(func(c cache.Cache) ([]cache.Count, error) { return c.Peek(ctx, l) })
		case 1, 2:
			both(func(c cache.Cache) ([]cache.Count, error) { return nil, c.Release(ctx, l) })
		case 3:
			if random.IntN(10) == 0 {
				both(func(c cache.Cache) ([]cache.Count, error) { return nil, c.Delete(ctx, l.Key) })
			}
		default:
			both(func(c cache.Cache) ([]cache.Count, error) { return c.IncrBelow(ctx, l, limits[0]) })
		}
		time.Sleep(time.Millisecond)
		clock.Advance(time.Millisecond)
	}
}

// near allows for the time that the calls of the test take.
func near(got, want time.Duration) bool {
	return (got - want).Abs() < 30*time.Second
}

// STORE-52, PROT-6: a limit holds over all nodes together.
func TestRedisNodesShareLimits(t *testing.T) {
	t.Parallel()
	cfg := patient()
	nodes := []cache.Cache{cache.NewRedis(openShared(t), cfg), cache.NewRedis(sharedRedis(t), cfg)}
	l := within("k", 30, time.Hour)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			counts, err := nodes[i%len(nodes)].IncrBelow(t.Context(), l)
			if err != nil {
				t.Error(err)
			} else if counts[0].OK {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 30 {
		t.Errorf("%d of 200 takes on two nodes passed, want 30", passed.Load())
	}
}

func TestRedisBackoffHasNoOverflow(t *testing.T) { // PROT-17
	t.Parallel()
	ctx, cfg, client := t.Context(), patient(), sharedRedis(t)
	c := cache.NewRedis(client, cfg)
	for _, n := range []int64{64, 1074, 100_000, 1e14} {
		l := cache.Limit{Key: fmt.Sprint(n), Max: 10, Window: time.Hour, Backoff: time.Second, MaxBackoff: 15 * time.Minute}
		if err := client.Set(ctx, cfg.Prefix+l.Key, n, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		got := take(t, c, l)[0]
		if got.N != n+1 || !got.OK || got.Wait > l.MaxBackoff || got.Wait < l.MaxBackoff-time.Minute {
			t.Errorf("got %+v", got)
		}
	}
}

func TestRedisScriptsUnknown(t *testing.T) { // STORE-37
	t.Parallel()
	own := startServer(t).client(t)
	c := cache.NewRedis(own, patient())
	limits := []cache.Limit{within("a", 5, time.Hour), within("b", 5, time.Hour), within("c", 5, time.Hour)}
	for n := range int64(4) {
		for _, got := range take(t, c, limits...) {
			if got.N != n+1 {
				t.Errorf("got %+v, want %d counted", got, n+1)
			}
		}
		if n%2 == 1 {
			if err := own.ScriptFlush(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Release(t.Context(), limits...); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, c, "a"); n != 3 {
		t.Errorf("%d counted, want 3", n)
	}
}
