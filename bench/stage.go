package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// workers is the most that talk at once.
const workers = 64

// stage is a database with Roster and the floor on it, and workers who are logged in.
type stage struct {
	users         int
	database      string
	roster, floor *server
	tokens        []tokens // of Roster
	floorTokens   []string // refresh tokens of the floor
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (b *bench) stage(ctx context.Context, users int) (*stage, error) {
	s := &stage{users: users}
	var err error
	if s.database, err = b.fill(ctx, users); err != nil {
		return nil, err
	}
	if s.roster, err = b.startRoster(ctx, s.database); err != nil {
		return nil, err
	}
	if s.tokens, err = logIn(ctx, s.roster, 1, workers); err != nil {
		return nil, err
	}
	jwks, err := fetch(ctx, s.roster, "/api/.well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	if s.floor, err = b.startOwn(ctx, "floor", s.database, "-jwks="+jwks, "-redis="+b.redis.address); err != nil {
		return nil, err
	}
	s.floorTokens, err = b.makeFloorSessions(ctx, s.database)
	return s, err
}

// logIn logs people in, beginning with the one of a number.
func logIn(ctx context.Context, s *server, first, most int) ([]tokens, error) {
	conn, err := dial(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	list := make([]tokens, most)
	for i := range list {
		status, body, err := conn.send(post("/api/login", credentials(first+i, password)))
		if err != nil {
			return nil, err
		}
		var answer struct{ Tokens tokens }
		if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("log in: status %d: %s", status, body)
		}
		list[i] = answer.Tokens
	}
	return list, nil
}

func credentials(user int, password string) string {
	return fmt.Sprintf(`{"login":%q,"password":%q}`, usernameOf(user), password)
}

// makeFloorSessions gives each worker a session by the floor's own tokens.
func (b *bench) makeFloorSessions(ctx context.Context, database string) ([]string, error) {
	db, err := store.Open(b.postgres.Address(database))
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var ids []roster.ID
	err = db.SelectContext(ctx, &ids, "SELECT id FROM users ORDER BY created_at LIMIT $1", workers)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	list := make([]string, len(ids))
	for i, id := range ids {
		token := newFloorToken()
		_, err := db.ExecContext(ctx, `
			INSERT INTO roster_sessions (id, user_id, created_at, last_used_at, remember, idle_at, expires_at, auth_time, amr,
				global_epoch, generation, secret_hash)
			VALUES ($1, $2, $3, $3, true, $4, $4, $3, 'pwd', 0, 1, $5)`,
			token.session, id, now, now.Add(24*time.Hour), token.hash())
		if err != nil {
			return nil, err
		}
		list[i] = token.String()
	}
	return list, nil
}
