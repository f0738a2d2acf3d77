package store

import (
	"context"
	"errors"
	"slices"

	"github.com/roster-go/roster"
)

// Enrolment is a new user and all that they begin with, but their session.
type Enrolment struct {
	Values   []any // of the user, in the order of the columns
	Derived  Derived
	Holds    Holds // by their hashes alone
	Password Password
	// Link and the Message that carries it, with a recipient and without a dedupe key; nil: there is none.
	Link    *Link
	Message *Message
	// Admission is that of the session. A new user has no device, so that it has a fresh one at most.
	Admission Admission
}

// EnrolUser is InsertUser, QueueLink and InsertSession by one statement that needs no transaction around it. It does all or nothing, and
// reports which: nothing when the username is somebody's or held for them, and while a blackout is closed. What else is
// taken is an error, as of InsertUser. It is for PostgreSQL.
func (s *Store) EnrolUser(ctx context.Context, x *Session, e Enrolment) (bool, error) {
	const from = " FROM enrolled" // all else hangs on it
	values := append(e.Admission.values(x), named{"username", e.Derived.Username}, named{"hash", e.Password.Hash}, named{"changed_at", e.Password.ChangedAt})
	add := func(table string, row []any) (names string) {
		list, names := nameRow(table, row)
		values = append(values, list...)
		return names
	}
	user := "INSERT INTO {users} ({columns}, username_canonical, email_canonical, search)\nSELECT " +
		add("column", append(slices.Clip(e.Values), e.Derived.Username, e.Derived.Email, e.Derived.Search)) +
		"\nFROM {state} WHERE {state}.id = 1 AND " + admits("", "$superuser", "$at")
	if len(e.Holds.Hashes) > 0 {
		hashes := make([]any, len(e.Holds.Hashes))
		for i, hash := range e.Holds.Hashes {
			hashes[i] = hash
		}
		// Whoever gives a username up holds it in the same transaction: as this statement sees them, the name is still
		// theirs, or it is held. One that was taken and given up in the time of this statement is not seen.
		user += `
		AND NOT ` + heldFrom("$user", "$at", add("hold", hashes)) + `
		AND NOT EXISTS (SELECT 1 FROM {users} WHERE username_canonical = $username)`
	}
	device := "NULL"
	parts := []clause{
		{"enrolled", user + " RETURNING id"},
		{"secured", "INSERT INTO {passwords} (user_id, hash, changed_at) SELECT id, $hash, $changed_at FROM enrolled"},
	}
	if e.Admission.Device.Fresh != nil {
		device = "(SELECT hash FROM fresh)"
		parts = append(parts, clause{"fresh", insertDevice + from + " RETURNING hash"})
	}
	parts = append(parts, clause{"added", insertSession(device) + " AND EXISTS (SELECT 1" + from + ") RETURNING global_epoch"})
	if l := e.Link; l != nil {
		parts = append(parts, clause{"linked", "INSERT INTO {links} (" + linkColumns + ") SELECT " + add("link", l.values()) + from})
	}
	if e.Message != nil {
		parts = append(parts, clause{"noticed", "INSERT INTO {messages} (" + messageColumns + ") SELECT " + add("message", e.Message.values()) + ", 'pending'" + from})
	}
	if e.Admission.Entry != nil {
		parts = append(parts, clause{"told", "INSERT INTO {audit} (" + auditColumns + ") SELECT " + add("audit", e.Admission.Entry.values()) + from})
	}
	template, args := number(with(parts)+"\nSELECT global_epoch FROM added", values)
	err := s.row(ctx, template, args, &x.GlobalEpoch)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return false, nil
	case err != nil:
		return false, s.unwritable(err, s.columnNames(), e.Values)
	}
	return true, nil
}
