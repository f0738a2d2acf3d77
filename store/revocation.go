package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// Place is how far somebody has read revocations; the zero one is the beginning.
type Place struct {
	// Position is below all that the next reading gives. On SQLite it is the number of a row, on PostgreSQL a transaction id:
	// all below it had been decided and were seen.
	Position int64
	// Server tells one life of a server from others, whose transaction ids are not to be compared; 0 on SQLite.
	Server int64
	// Seen is which transactions had been decided, as PostgreSQL writes a snapshot.
	Seen string
}

// Revocations are what a node has to know of to judge an access token without asking.
type Revocations struct {
	// Place is where the next reading goes on.
	Place
	// GlobalEpoch is that of all users. KeysEpoch grows with each change of the signing keys.
	GlobalEpoch, KeysEpoch int64
	// Sessions have ended.
	Sessions []SessionEnd
	// Users have a new epoch: one of them several times, perhaps, and in any order.
	Users []UserEpoch
}

// SessionEnd is a session that has ended. At is where it stands: who has read to a Position above it was given it.
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

var errStandby = errors.New("the server is a standby: what was revoked may not have reached it")

// ReadRevocations returns what was committed since a reading, whenever that began; from the beginning, what is not older
// than a life. It sees what is committed, whatever transaction ctx carries. On another server than before it begins anew:
// one that was a standby, or was made from a backup, gives transaction ids a second time. A standby is
// roster.ErrUnavailable.
func (s *Store) ReadRevocations(ctx context.Context, from Place, life time.Duration) (Revocations, error) {
	ctx, cancel := s.Outside(ctx)
	defer cancel()
	r, err := s.readRevocations(ctx, from, life)
	if err == nil && from != (Place{}) && (r.Server != from.Server || r.Position < from.Position) {
		r, err = s.readRevocations(ctx, Place{}, life)
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

// revocationsAt begins a reading: what holds of all, and where it stands. The server is told by its start, or by its recovery
// if that was later: when one of its processes crashes it recovers without a start, and gives transaction ids again that were
// of no consequence. Then statistics begin anew; those of PostgreSQL 14 are slow to read, and there is the last checkpoint.
const revocationsAt = `
		SELECT g.epoch, g.keys_epoch, cast(cast(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint),
			cast(extract(epoch FROM greatest(pg_postmaster_start_time(),
				CASE WHEN cast(current_setting('server_version_num') AS integer) < 150000 THEN (SELECT checkpoint_time FROM pg_control_checkpoint())
				ELSE pg_stat_get_bgwriter_stat_reset_time() END)) * 1000000 AS bigint), cast(pg_current_snapshot() AS text),
			pg_is_in_recovery(), r.session_id, r.user_id, r.epoch, coalesce(r.xid, 0)
		FROM {state} g LEFT JOIN {revocations} r ON `

// All of them, and those since a place. The age of a row is told by the clock that wrote it: no others are compared. It
// bounds the first reading alone, for a transaction may be older than that when it commits. Rows of no transaction of this
// server came with a copy of another one's.
var (
	allRevocations = map[Dialect]string{
		PostgreSQL: revocationsAt + `r.created_at > now() - cast($1 AS double precision) * interval '1 second'
		WHERE g.id = 1`,
		SQLite: `
		SELECT g.epoch, g.keys_epoch, coalesce((SELECT seq FROM sqlite_sequence WHERE name = '$table'), 0),
			0, '', FALSE, r.session_id, r.user_id, r.epoch, coalesce(r.seq - 1, 0)
		FROM {state} g LEFT JOIN {revocations} r ON r.created_at > cast((unixepoch('subsec') - $1) * 1000000 AS integer)
		WHERE g.id = 1`,
	}
	newRevocations = map[Dialect]string{
		PostgreSQL: revocationsAt + `r.xid >= $1 AND r.xid < cast(cast(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)
			AND NOT pg_visible_in_snapshot(cast(cast(r.xid AS text) AS xid8), cast(cast($2 AS text) AS pg_snapshot))
		WHERE g.id = 1`,
		SQLite: `
		SELECT g.epoch, g.keys_epoch, coalesce((SELECT seq FROM sqlite_sequence WHERE name = '$table'), 0),
			0, '', FALSE, r.session_id, r.user_id, r.epoch, coalesce(r.seq - 1, 0)
		FROM {state} g LEFT JOIN {revocations} r ON r.seq > $1 AND $2 = ''
		WHERE g.id = 1`,
	}
)

func (s *Store) readRevocations(ctx context.Context, from Place, life time.Duration) (Revocations, error) {
	var r Revocations
	template, args := newRevocations[s.dialect], []any{from.Position, from.Seen}
	if from == (Place{}) || s.dialect == PostgreSQL && from.Seen == "" {
		template, args = allRevocations[s.dialect], []any{life.Seconds()}
	}
	standby := false
	// Planned anew each time: how much is above a position is known by its value.
	template = strings.Replace(template, "$table", s.names.table["revocations"], 1)
	err := s.rowsOf(ctx, adhoc, template, args, func(scan scanFunc) error {
		var session, user *roster.ID
		var epoch *int64
		var upTo, at int64
		err := scan(&r.GlobalEpoch, &r.KeysEpoch, &upTo, &r.Server, &r.Seen, &standby, &session, &user, &epoch, &at)
		if err != nil {
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
	if err == nil && standby {
		return Revocations{}, roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(errStandby)
	}
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
