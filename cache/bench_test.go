package cache_test

import (
	"testing"
	"time"

	"github.com/roster-go/roster/cache"
)

func BenchmarkGet(b *testing.B) {
	both(b, func(b *testing.B, c cache.Cache) {
		if err := c.Set(b.Context(), "{k}:v", make([]byte, 200), time.Hour); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, ok, err := c.Get(b.Context(), "{k}:v"); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

func BenchmarkIncrBelow(b *testing.B) {
	one := cache.Limit{Key: "{a}:source", Max: 1 << 40, Window: time.Hour}
	two := cache.Limit{Key: "{b}:pair", Max: 1 << 40, Window: time.Hour, Backoff: time.Second, MaxBackoff: time.Minute}
	three := cache.Limit{Key: "{c}:identifier", Max: 1 << 40, Window: time.Hour, Backoff: time.Second, MaxBackoff: time.Minute}
	for name, limits := range map[string][]cache.Limit{"one": {one}, "three": {one, two, three}} {
		b.Run(name, func(b *testing.B) {
			both(b, func(b *testing.B, c cache.Cache) {
				for b.Loop() {
					if _, err := c.IncrBelow(b.Context(), limits...); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func both(b *testing.B, bench func(*testing.B, cache.Cache)) {
	b.Run("memory", func(b *testing.B) {
		b.ReportAllocs()
		bench(b, cache.NewMemory(cache.MemoryConfig{}))
	})
	b.Run("redis", func(b *testing.B) {
		b.ReportAllocs()
		bench(b, cache.NewRedis(openShared(b), patient()))
	})
	b.Run("redis-default-client", func(b *testing.B) {
		b.ReportAllocs()
		bench(b, cache.NewRedis(sharedRedis(b), patient()))
	})
}

// The floor of BenchmarkIncrBelow/one/redis: one call of a script that does as much, and nothing around it.
func BenchmarkFloor(b *testing.B) {
	client, ctx := sharedRedis(b), b.Context()
	b.ReportAllocs()
	sha, err := client.ScriptLoad(ctx, `
		local n = redis.call('INCR', KEYS[1])
		if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
		return {n, redis.call('PTTL', KEYS[1]), 1}`).Result()
	if err != nil {
		b.Fatal(err)
	}
	key := []string{patient().Prefix + "floor"}
	for b.Loop() {
		if err := client.EvalSha(ctx, sha, key, 3_600_000).Err(); err != nil {
			b.Fatal(err)
		}
	}
}
