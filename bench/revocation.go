package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

const (
	kicks           = 1000
	liveRevocations = 100_000
)

// revocations is row 12: three nodes, each with its own connections, of which one kicks users and the others are asked,
// without a pause, until they refuse. The nodes are repos in this process: what is between them is PostgreSQL and Redis.
func (b *bench) revocations(whole context.Context, s *stage) ([]finding, error) {
	ctx, cancel := context.WithCancel(whole)
	defer cancel()
	nodes := make([]*usersrepo.UsersRepo[*account], 3)
	ended := make(chan error, len(nodes))
	var ids []roster.ID
	for i := range nodes {
		db, err := store.Open(b.postgres.Address(s.database))
		if err != nil {
			return nil, err
		}
		defer func() { _ = db.Close() }()
		if nodes[i], err = openRepo(db, b.redis.address, passwords.Argon2id{}, false); err != nil {
			return nil, err
		}
		go func() { ended <- nodes[i].Run(ctx) }()
		if ids == nil {
			if err := db.SelectContext(ctx, &ids, "SELECT id FROM users LIMIT $1", kicks); err != nil {
				return nil, err
			}
		}
	}
	time.Sleep(time.Second) // until all listen
	var took []time.Duration
	for _, id := range ids {
		waits, err := kick(ctx, nodes, id)
		if err != nil {
			return nil, err
		}
		took = append(took, waits...)
	}
	cancel() // also for the sake of what follows: nodes that run would hold the revocations too
	for range nodes {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	held, err := b.revocationMemory(whole, s)
	if err != nil {
		return nil, err
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	times := fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, most %.1f ms",
		milliseconds(took[len(took)/2]), milliseconds(p99), milliseconds(took[len(took)-1]))
	return []finding{
		{12, fmt.Sprintf("%d kicks, seen by two other nodes", kicks), times, "p99 ≤ 100 ms", p99 > 100*time.Millisecond},
		{12, fmt.Sprintf("memory of %d live revocations", liveRevocations), fmt.Sprintf("%.1f MiB", held), "–", false},
	}, nil
}

// kick kicks a user by the first node, and returns how long it took, from its answer on, until each of the others knew.
func kick(ctx context.Context, nodes []*usersrepo.UsersRepo[*account], id roster.ID) ([]time.Duration, error) {
	pair, err := nodes[0].IssueTokens(ctx, id, roster.IssueOptions{})
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if _, err := n.VerifyToken(ctx, pair.AccessToken); err != nil {
			return nil, err
		}
	}
	if err := nodes[0].Kick(ctx, id); err != nil {
		return nil, err
	}
	began := time.Now()
	var took []time.Duration
	for _, n := range nodes[1:] {
		for {
			_, err := n.VerifyToken(ctx, pair.AccessToken)
			if errors.Is(err, roster.ErrSessionRevoked) {
				break
			}
			if err != nil {
				return nil, err
			}
			runtime.Gosched()
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// revocationMemory is what a repo holds more, in MiB, when it starts with many live revocations.
func (b *bench) revocationMemory(ctx context.Context, s *stage) (float64, error) {
	db, err := store.Open(b.postgres.Address(s.database))
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	heap := func() (float64, *usersrepo.UsersRepo[*account], error) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		repo, err := openRepo(db, "", passwords.Argon2id{}, false)
		runtime.GC()
		runtime.ReadMemStats(&after)
		return (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / (1 << 20), repo, err
	}
	few, first, err := heap()
	if err != nil {
		return 0, err
	}
	already := first.Stats().Revocations
	_, err = db.ExecContext(ctx, `INSERT INTO roster_revocations (session_id) SELECT gen_random_uuid() FROM generate_series(1, $1)`, liveRevocations)
	if err != nil {
		return 0, err
	}
	many, second, err := heap()
	if err != nil {
		return 0, err
	}
	if n := second.Stats().Revocations - already; n < liveRevocations {
		return 0, fmt.Errorf("the repo holds %d revocations more: want %d", n, liveRevocations)
	}
	runtime.KeepAlive(first)
	_, err = db.ExecContext(ctx, "TRUNCATE roster_revocations")
	return many - few, err
}
