package cache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/roster-go/roster/cache"
)

// A quota of two mails in half an hour. A mail that could not be queued is given back.
func ExampleCache() {
	ctx := context.Background()
	var c cache.Cache = cache.NewMemory(cache.MemoryConfig{})
	mails := cache.Limit{Key: "{4f1c}:mails", Max: 2, Window: 30 * time.Minute}
	for range 3 {
		counts, err := c.IncrBelow(ctx, mails)
		if err != nil {
			return // and send nothing
		}
		fmt.Println(counts[0].N, counts[0].OK)
	}
	if err := c.Release(ctx, mails); err != nil {
		return
	}
	counts, _ := c.IncrBelow(ctx, mails)
	fmt.Println(counts[0].N, counts[0].OK)
	// Output:
	// 1 true
	// 2 true
	// 2 false
	// 2 true
}

// The lane of a login's identifier: nine failures cost nothing, the tenth a second, the eleventh two, and so on.
func ExampleLimit() {
	ctx := context.Background()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := cache.NewMemory(cache.MemoryConfig{Now: func() time.Time { return now }})
	lane := cache.Limit{
		Key: "{4f1c}:identifier", Max: 10, Window: 15 * time.Minute,
		Backoff: time.Second, MaxBackoff: 15 * time.Minute,
	}
	for range 14 {
		counts, err := c.IncrBelow(ctx, lane)
		if err != nil {
			return
		}
		if n := counts[0]; n.Wait > 0 {
			fmt.Println(n.N, n.OK, n.Wait)
			now = now.Add(n.Wait)
		}
	}
	// Output:
	// 10 true 1s
	// 11 true 2s
	// 12 true 4s
	// 13 true 8s
	// 14 true 16s
}
