package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/roster-go/roster/store"
)

// deepest is how many users are before a deep page, at most.
const deepest = 100_000

// deep walks through the list and returns the cursor of a page in its middle.
func (s *stage) deep(ctx context.Context) (cursor string, err error) {
	conn, err := dial(ctx, s.roster.addr)
	if err != nil {
		return "", err
	}
	defer conn.close()
	for range min(s.users/2, deepest) / 200 {
		path := "/api/admin/users?limit=200"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		status, body, err := conn.send(get(path, s.tokens[0].Access))
		if err != nil {
			return "", err
		}
		var page struct{ Next string }
		if err := json.Unmarshal(body, &page); err != nil || page.Next == "" {
			return "", fmt.Errorf("walk through the list: status %d: %.200s", status, body)
		}
		cursor = page.Next
	}
	return cursor, nil
}

// forget takes away everybody who was registered, so that later rows see the users that were seeded.
func (b *bench) forget(ctx context.Context, database string) error {
	db, err := store.Open(b.postgres.Address(database))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, text := range []string{
		"DELETE FROM users WHERE username LIKE '" + registered + "%'", "DELETE FROM roster_messages", "VACUUM (ANALYZE)",
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
