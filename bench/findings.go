package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"time"
)

// findings are the rows without a floor. Row 12 ends sessions, so it comes last.
func (b *bench) findings(ctx context.Context, s *stage) ([]finding, error) {
	var list []finding
	for _, row := range []struct {
		number  int
		measure func(ctx context.Context, s *stage) ([]finding, error)
	}{{6, b.loginWithoutHash}, {13, b.memory}, {14, b.startTime}, {15, b.imports}, {16, b.smallPool}, {12, b.revocations}} {
		if !b.wants(row.number) {
			continue
		}
		b.progress("row %d", row.number)
		found, err := row.measure(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", row.number, err)
		}
		list = append(list, found...)
	}
	return list, nil
}

// loginWithoutHash is everything in a log-in but the hash.
func (b *bench) loginWithoutHash(ctx context.Context, s *stage) ([]finding, error) {
	embed, err := b.startOwn(ctx, "embed", s.database, "-redis="+b.redis.address, "-hash=none")
	if err != nil {
		return nil, err
	}
	defer embed.stop()
	var list []finding
	for _, x := range []struct {
		what string
		w    work
	}{
		{"log-in without the hash, CPU of server + PostgreSQL", s.login(http.StatusOK, password)},
		{"… wrong password", s.login(http.StatusUnauthorized, wrongPassword)},
		{"… no such user", s.nobody()},
	} {
		var totals []float64
		var last sample
		for range b.rounds {
			if last, err = b.measure(ctx, embed, x.w, 16, b.time); err != nil {
				return nil, err
			}
			totals = append(totals, milliseconds(last.server+last.postgres))
		}
		list = append(list, finding{
			6, x.what,
			fmt.Sprintf("%.2f ms (%.2f–%.2f), last %.2f + %.2f", median(totals), slices.Min(totals), slices.Max(totals),
				milliseconds(last.server), milliseconds(last.postgres)),
			"≤ 0.7 ms", median(totals) > 0.7,
		})
	}
	return list, nil
}

// memory looks at a fresh server: idle, under many small requests, and under as many password hashes as it may have.
func (b *bench) memory(ctx context.Context, s *stage) ([]finding, error) {
	fresh, err := b.startRoster(ctx, s.database)
	if err != nil {
		return nil, err
	}
	defer fresh.stop()
	time.Sleep(time.Second)
	idle, _ := memoryOf(fresh.pid())
	const perHash = 19 // MiB
	list := []finding{memoryFinding("memory: idle", idle, 20)}
	for _, x := range []struct {
		what string
		w    work
		goal float64
	}{
		{"`/me`, c = 64", s.me(), 40},
		{"64 log-ins at once", s.login(http.StatusOK, password), 60 + 3*perHash*float64(runtime.NumCPU())},
	} {
		if err := resetPeak(fresh.pid()); err != nil {
			return nil, err
		}
		if _, err := b.measure(ctx, fresh, x.w, workers, 2*b.time); err != nil {
			return nil, err
		}
		_, peak := memoryOf(fresh.pid())
		list = append(list, memoryFinding("peak memory: "+x.what, peak, x.goal))
	}
	return list, nil
}

func memoryFinding(what string, got, goal float64) finding {
	return finding{13, what, fmt.Sprintf("%.1f MiB", got), fmt.Sprintf("≤ %.0f MiB", goal), got > goal}
}

// startTime is from the start of the command to its first 200.
func (b *bench) startTime(ctx context.Context, s *stage) ([]finding, error) {
	var took []float64
	for range 5 {
		fresh, err := b.startRoster(ctx, s.database)
		if err != nil {
			return nil, err
		}
		fresh.stop()
		took = append(took, milliseconds(fresh.took))
	}
	return []finding{{
		14, "start to first 200, migrated", fmt.Sprintf("%.0f ms (%.0f–%.0f)", median(took), slices.Min(took), slices.Max(took)),
		"≤ 100 ms", median(took) > 100,
	}}, nil
}
