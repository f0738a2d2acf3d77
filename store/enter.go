package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/roster-go/roster"
)

// Entrant is what is read beside a user whose password is about to be judged.
type Entrant struct {
	// Password is nil when none is set.
	Password *Password
	// Version names the user's row as it was read: whatever writes to it gives it another. It is "" on SQLite.
	Version string
}

// GetEntrant is GetUser and GetPassword by one statement.
func (s *Store) GetEntrant(ctx context.Context, key UserKey, value any, dest []any) (Entrant, error) {
	var e Entrant
	var p Password
	var hash *string
	var changed *time.Time
	var failures *int
	err := s.row(ctx, entrantBy[key], []any{value}, append(dest, &hash, &changed, &failures, &p.ClosedAt, &e.Version)...)
	if err != nil || hash == nil {
		return e, err
	}
	p.Hash, p.ChangedAt, p.Failures = *hash, *changed, *failures
	utc(&p.ChangedAt, p.ClosedAt)
	e.Password = &p
	return e, nil
}

var entrantBy = map[UserKey]string{
	ByID:       entrant + "u.id = $1",
	ByUsername: entrant + "u.username_canonical = $1",
	ByEmail:    entrant + "u.email_canonical = $1",
	ByPhone:    entrant + "u.phone = $1",
}

const entrant = `
	SELECT {u.columns}, p.hash, p.changed_at, p.failures, p.closed_at, {u.version}
	FROM {users} u LEFT JOIN {passwords} p ON p.user_id = u.id
	WHERE `

// DirectEntry is what a session that is entered directly comes with. Of a device it is the hash that was given or a fresh one, not both.
type DirectEntry struct {
	Admission // with a Touch
	// Version is the one of the user's row that the log-in was judged by.
	Version string
	// Notice is a message that tells of it, with a recipient and without a link and a dedupe key; nil: none does.
	Notice *Message
}

// EnterSession is InsertSession by one statement that needs no lock before it and no transaction around it. It does all or nothing,
// and reports which: nothing when the user's row has another version by now or is locked, when a live session would have to
// give way, when the given device is not theirs any more, and while a blackout is closed to them. It relies on this: whatever adds a
// session or drops a device locks or writes the user's row in the same transaction. It is for PostgreSQL.
func (s *Store) EnterSession(ctx context.Context, x *Session, e DirectEntry) (bool, error) {
	// All else hangs on the user's row.
	const (
		from = " FROM touched"
		only = " EXISTS (SELECT 1" + from + ")"
	)
	values := append(e.Admission.values(x), named{"version", e.Version})
	// Whoever has locked the row may be about to change it: the other way waits for them, and no longer than for any lock.
	mine := `
	SELECT id FROM {users} WHERE id = $user AND xmin = cast(cast($version AS text) AS xid)
	FOR NO KEY UPDATE SKIP LOCKED`
	touched := touchLastLogin("(SELECT id FROM mine)", "$at") + `
		AND EXISTS (SELECT 1 FROM {state} WHERE id = 1 AND ` + admits("", "$superuser", "$at") + `)
		AND NOT EXISTS (SELECT 1 FROM {sessions} WHERE user_id = $user AND ` + live("", "$at") + ` OFFSET $beyond)`
	device, keep := "NULL", []clause(nil)
	switch {
	case e.Device.Given != nil:
		touched += " AND EXISTS (SELECT 1 FROM {devices} WHERE hash = $given AND user_id = $user AND expires_at > $at)"
		device, keep = "(SELECT hash FROM slid)", []clause{{"slid", slideDevice + " AND" + only + " RETURNING hash"}}
	case e.Device.Fresh != nil:
		device, keep = "(SELECT hash FROM fresh)", []clause{
			{"dropped", dropOldDevices + " AND" + only},
			{"fresh", insertDevice + from + " RETURNING hash"},
		}
	}
	parts := slices.Concat([]clause{{"mine", mine}, {"touched", touched + " RETURNING id"}}, keep, []clause{
		{"added", insertSession(device) + " AND" + only + " RETURNING global_epoch"},
	})
	if e.Touch.CloseAfter > 0 {
		parts = append(parts, clause{"forgotten", forgetFailuresOf("$user", "$close_after") + " AND" + only})
	}
	if e.Entry != nil {
		list, names := nameRow("audit", e.Entry.values())
		values = append(values, list...)
		parts = append(parts, clause{"told", "INSERT INTO {audit} (" + auditColumns + ") SELECT " + names + from})
	}
	if e.Notice != nil {
		list, names := nameRow("message", e.Notice.values())
		values = append(values, list...)
		parts = append(parts, clause{"noticed", "INSERT INTO {messages} (" + messageColumns + ") SELECT " + names + ", 'pending'" + from})
	}
	template, args := number(with(parts)+"\nSELECT global_epoch FROM added", values)
	err := s.row(ctx, template, args, &x.GlobalEpoch)
	if errors.Is(err, roster.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
