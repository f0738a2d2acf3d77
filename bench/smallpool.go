package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// smallPool lets far more want a connection than there are: one that waits for a second would wait for ever.
func (b *bench) smallPool(ctx context.Context, s *stage) ([]finding, error) {
	const pool, each = 4, 40
	embed, err := b.startOwn(ctx, "embed", s.database, "-redis="+b.redis.address, fmt.Sprintf("-pool=%d", pool))
	if err != nil {
		return nil, err
	}
	defer embed.stop()
	issued, err := logIn(ctx, embed, workers+1, each) // one after the other: nobody else has a connection
	if err != nil {
		return nil, err
	}
	alone := s.register()(0)
	if _, err := finish(ctx, embed, []conversation{alone, alone, alone}, 1); err != nil {
		return nil, err
	}
	held, err := statsOf(ctx, embed)
	if err != nil {
		return nil, err
	}
	refreshing := make([]string, each)
	for i, t := range issued {
		refreshing[i] = t.Refresh
	}
	var all []conversation
	for i := range each {
		all = append(all, s.register()(i), s.login(http.StatusOK, password)(i), refresh(refreshing)(i))
	}
	took, err := finish(ctx, embed, all, len(all))
	failed := 0
	if err != nil {
		failed = len(all) - len(took)
		b.note("row 16: %v", err)
	}
	end, err := statsOf(ctx, embed)
	if err != nil {
		return nil, err
	}
	if err := b.forget(ctx, s.database); err != nil {
		return nil, err
	}
	return []finding{
		{16, fmt.Sprintf("pool of %d, %d registrations, log-ins and refreshes each at once: failed", pool, each), fmt.Sprint(failed), "0", failed > 0},
		{16, "… slowest answer", fmt.Sprint(slices.Max(took).Round(time.Millisecond)), "–", false},
		{16, "… connections waited for", fmt.Sprintf("%d times, %s in all", end.Waits, end.Waited.Round(time.Millisecond)), "–", false},
		{16, "connections that a request holds while it hashes", fmt.Sprint(held.WhileHashing), "0", held.WhileHashing > 0},
	}, nil
}

// finish lets each conversation send one request, so many at once, and returns how long those took that succeeded.
func finish(ctx context.Context, s *server, all []conversation, atOnce int) ([]time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	var failures []error
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for _, own := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			begin := time.Now()
			conn, err := dial(ctx, s.addr)
			if err == nil {
				defer conn.close()
				err = conn.exchange(own)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
				return
			}
			took = append(took, time.Since(begin))
		})
	}
	running.Wait()
	return took, errors.Join(failures...)
}

func statsOf(ctx context.Context, s *server) (poolStats, error) {
	var stats poolStats
	text, err := fetch(ctx, s, "/stats")
	if err == nil {
		err = json.Unmarshal([]byte(text), &stats)
	}
	return stats, err
}
