package main

import (
	"context"
	"strings"
	"time"
)

// counts is what a request costs beside time.
type counts struct {
	statements   float64 // without those of transactions
	transactions float64 // BEGIN, COMMIT, SAVEPOINT and their like
	trips        float64 // to the cache
}

// counted is how many requests are counted, one after the other.
const counted = 20

// count sends requests and reads what PostgreSQL and Redis have counted meanwhile.
func (b *bench) count(ctx context.Context, s *server, database string, own conversation) (counts, error) {
	var c counts
	conn, err := dial(ctx, s.addr)
	if err != nil {
		return c, err
	}
	defer conn.close()
	for range 5 { // what is prepared at its first use, and at its second in a transaction, is prepared then
		if err := conn.exchange(own); err != nil {
			return c, err
		}
	}
	time.Sleep(100 * time.Millisecond) // for what follows a commit
	if _, err := b.postgres.admin.ExecContext(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return c, err
	}
	before, err := b.redis.trips(ctx)
	if err != nil {
		return c, err
	}
	for range counted {
		if err := conn.exchange(own); err != nil {
			return c, err
		}
	}
	after, err := b.redis.trips(ctx)
	if err != nil {
		return c, err
	}
	c.trips = float64(after-before-1) / counted // asking is one
	var rows []struct {
		Query string
		Calls int
	}
	err = b.postgres.admin.SelectContext(ctx, &rows, `
		SELECT query, calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
		WHERE d.datname = $1`, database)
	for _, row := range rows {
		switch {
		case ofTransaction(row.Query):
			c.transactions += float64(row.Calls) / counted
		case !ofWorker(row.Query):
			c.statements += float64(row.Calls) / counted
		}
	}
	return c, err
}

func ofTransaction(query string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch strings.ToUpper(first) {
	case "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE":
		return true
	}
	return false
}

// ofWorker reports whether a statement is one of the outbox's worker, which works beside the requests.
func ofWorker(query string) bool {
	return strings.HasPrefix(strings.TrimSpace(query), `UPDATE "roster_messages"`)
}
