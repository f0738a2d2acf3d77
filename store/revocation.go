package store

import (
	"context"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// Revocations are what a node has to know of to judge an access token without asking.
type Revocations struct {
	// Position is where the next reading goes on. What it gives may have been given before.
	Position int64
	// GlobalEpoch is that of all users. KeysEpoch grows with each change of the signing keys.
	GlobalEpoch, KeysEpoch int64
	// Sessions have ended.
	Sessions []SessionEnd
	// Users have a new epoch: one of them several times, perhaps, and in any order.
	Users []UserEpoch
}

// SessionEnd is a session that has ended. At is where it stands: a reading gives it that begins there or before.
type SessionEnd struct {
	ID roster.ID
	At int64
}

// UserEpoch is the epoch of a user. At is as in SessionEnd.
type UserEpoch struct {
	ID    roster.ID
	Epoch int64
	At    int64
}

// ReadRevocations returns what came since a position, 0 for all, and is not older than the life of an access token. It
// sees what is committed, whatever transaction ctx carries.
//
// On SQLite a position is the number of a row. On PostgreSQL it is a transaction id: all below it had been decided and were
// seen. So one that commits late is not missed, whatever others committed meanwhile.
func (s *Store) ReadRevocations(ctx context.Context, position int64, life time.Duration) (Revocations, error) {
	ctx, cancel := s.Outside(ctx)
	defer cancel()
	r, err := s.readRevocations(ctx, position, life)
	if err == nil && r.Position < position { // another database, or one restored from a copy
		r, err = s.readRevocations(ctx, 0, life)
	}
	return r, err
}

// Outside returns ctx without the transaction that it carries, for what is to see what is committed and nothing else.
func (s *Store) Outside(ctx context.Context) (context.Context, context.CancelFunc) {
	u := s.unit(ctx)
	if u == nil {
		return ctx, func() {}
	}
	outer := u.outside(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(outer, deadline)
	}
	return outer, func() {}
}

// The age of a row is told by the clock that wrote it: no others are compared.
var readRevocations = map[Dialect]string{
	PostgreSQL: `
		SELECT g.epoch, g.keys_epoch, cast(cast(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint),
			r.session_id, r.user_id, r.epoch, coalesce(r.xid, 0)
		FROM {state} g LEFT JOIN {revocations} r
			ON r.xid >= $1 AND r.created_at > now() - cast($2 AS double precision) * interval '1 second'
		WHERE g.id = 1`,
	SQLite: `
		SELECT g.epoch, g.keys_epoch, coalesce((SELECT seq FROM sqlite_sequence WHERE name = '$table'), 0),
			r.session_id, r.user_id, r.epoch, coalesce(r.seq - 1, 0)
		FROM {state} g LEFT JOIN {revocations} r
			ON r.seq > $1 AND r.created_at > cast((unixepoch('subsec') - $2) * 1000000 AS integer)
		WHERE g.id = 1`,
}

func (s *Store) readRevocations(ctx context.Context, position int64, life time.Duration) (Revocations, error) {
	var r Revocations
	// Planned anew each time: how much is above a position is known by its value.
	template := strings.Replace(readRevocations[s.dialect], "$table", s.names.table["revocations"], 1)
	err := s.rowsOf(ctx, adhoc, template, []any{position, life.Seconds()}, func(scan scanFunc) error {
		var session, user *roster.ID
		var epoch *int64
		var upTo, at int64
		if err := scan(&r.GlobalEpoch, &r.KeysEpoch, &upTo, &session, &user, &epoch, &at); err != nil {
			return err
		}
		r.Position = max(r.Position, upTo)
		switch {
		case session != nil:
			r.Sessions = append(r.Sessions, SessionEnd{*session, at})
		case user != nil && epoch != nil:
			r.Users = append(r.Users, UserEpoch{*user, *epoch, at})
		}
		return nil
	})
	return r, err
}

// revokes says that a statement in ctx may have ended what access tokens stand on: once that is committed the repo is told.
func (s *Store) revokes(ctx context.Context) {
	if s.commit.Revoked == nil {
		return
	}
	u := s.unit(ctx)
	told := new(bool)
	if u != nil {
		told = &u.revoked
	}
	s.AfterCommit(ctx, func(ctx context.Context) {
		if !*told {
			*told = true
			s.commit.Revoked(ctx)
		}
	})
}
