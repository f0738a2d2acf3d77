package store

import (
	"context"
	"database/sql"
	"time"
)

// Exported is what goes with a user into an export, beside the columns.
type Exported struct {
	HasPassword bool
	Hash        *string // nil: none, or not asked for
	Ban         Ban     // of a user who is banned
}

// ExportUsers calls each for every user that q finds, in the order of ids, as one statement sees them: whatever is
// written meanwhile. The columns are scanned into what dest returns. It takes as long as each does, and gives up when
// the database itself makes it wait.
func (s *Store) ExportUsers(ctx context.Context, q Search, hashes bool, dest func() []any, each func(x Exported) error) error {
	b := &builder{dialect: s.dialect, now: q.Now}
	hash := "NULL"
	if hashes {
		hash = "(SELECT p.hash FROM {passwords} p WHERE p.user_id = {users}.id)"
	}
	b.text.WriteString(`SELECT {columns},
		EXISTS (SELECT 1 FROM {passwords} p WHERE p.user_id = {users}.id), ` + hash + `,
		(SELECT b.reason FROM {bans} b WHERE b.user_id = {users}.id),
		(SELECT b.note FROM {bans} b WHERE b.user_id = {users}.id),
		(SELECT b.by_id FROM {bans} b WHERE b.user_id = {users}.id)
		FROM {users}`)
	b.where(q)
	b.text.WriteString("\nORDER BY id")
	return s.stream(ctx, b.text.String(), b.args, func(scan scanFunc) error {
		var x Exported
		var reason, note sql.NullString
		if err := scan(append(dest(), &x.HasPassword, &x.Hash, &reason, &note, &x.Ban.By)...); err != nil {
			return err
		}
		x.Ban.Reason, x.Ban.Note = reason.String, note.String
		return each(x)
	})
}

// stream is rows for a statement of any length: the time limit is that between two rows, without what each takes.
func (s *Store) stream(ctx context.Context, template string, args []any, each func(scan scanFunc) error) (err error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	stalled := time.AfterFunc(s.cfg.Timeout, cancel)
	defer stalled.Stop()
	failure := func(err error) error {
		if err != nil && ctx.Err() == nil && inner.Err() != nil {
			err = context.DeadlineExceeded // of the statement, not of the caller
		}
		return s.failure(ctx, err)
	}
	run, text, err := s.runner(inner, adhoc, template)
	if err != nil {
		return failure(err)
	}
	rows, err := run.QueryContext(inner, text, args...)
	if err != nil {
		return failure(err)
	}
	defer func() {
		if err != nil {
			cancel() // else closing reads all that is left
		}
		if closing := rows.Close(); err == nil {
			err = failure(closing)
		}
	}()
	scan := func(dest ...any) error { return s.unreadable(rows.Scan(dest...), dest) }
	for rows.Next() {
		stalled.Stop()
		if err := each(scan); err != nil {
			return failure(err)
		}
		stalled.Reset(s.cfg.Timeout)
	}
	return failure(rows.Err())
}
