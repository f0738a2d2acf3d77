package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// Lockout is something that is locked, or was a short while ago.
type Lockout struct {
	Key      string
	Kind     roster.LockoutKind
	Subject  string
	UserID   *roster.ID
	Failures int
	Since    time.Time
	Until    *time.Time
}

// CountFailure counts a wrong password of a user, tells the audit trail of it, and returns how many there are in a row, and
// whether they have closed it. Of a user without a password the entry alone is written: the time of an answer must not tell
// who has one.
func (s *Store) CountFailure(ctx context.Context, user roster.ID, entry *AuditEntry) (n int, closed bool, err error) {
	args := []any{user}
	count := func(ctx context.Context, with string) error {
		return s.rows(ctx, with+countFailure, args, func(scan scanFunc) error { return scan(&n, &closed) })
	}
	if s.dialect == PostgreSQL {
		args = append(args, entry.values()...)
		err = count(ctx, "WITH told AS ("+insertAudit(1)+")")
		return n, closed, err
	}
	err = s.Transact(ctx, func(ctx context.Context) error {
		if err := s.InsertAudit(ctx, entry); err != nil {
			return err
		}
		return count(ctx, "")
	})
	return n, closed, err
}

const countFailure = `
	UPDATE {passwords} SET failures = failures + 1
	WHERE user_id = $1
	RETURNING failures, closed_at IS NOT NULL`

// ClosePassword closes a user's password and reports whether it was open: of any number of callers one is told so.
func (s *Store) ClosePassword(ctx context.Context, user roster.ID, now time.Time) (bool, error) {
	n, err := s.exec(ctx, "UPDATE {passwords} SET closed_at = $2 WHERE user_id = $1 AND closed_at IS NULL", user, now)
	return n > 0, err
}

// OpenPassword forgets a user's wrong passwords, and opens a closed one.
func (s *Store) OpenPassword(ctx context.Context, user roster.ID) error {
	_, err := s.exec(ctx, `
		UPDATE {passwords} SET failures = 0, closed_at = NULL
		WHERE user_id = $1 AND (failures > 0 OR closed_at IS NOT NULL)`, user)
	return err
}

// ForgetFailures forgets a user's wrong passwords unless there were enough to close it.
func (s *Store) ForgetFailures(ctx context.Context, user roster.ID, most int) error {
	_, err := s.exec(ctx, forgetFailuresOf("$1", "$2"), user, most)
	return err
}

// forgetFailuresOf is the statement of ForgetFailures on values of whatever numbers.
func forgetFailuresOf(user, most string) string {
	return `
	UPDATE {passwords} SET failures = 0
	WHERE user_id = ` + user + ` AND failures > 0 AND failures < ` + most + ` AND closed_at IS NULL`
}

// PutLockout writes down that something is locked. With begins it does so unless it is locked already, and reports
// whether it was not: of any number of callers one is told so.
func (s *Store) PutLockout(ctx context.Context, l Lockout, begins bool) (bool, error) {
	template := `
		INSERT INTO {lockouts} (key, kind, subject, user_id, failures, since, until) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, until = excluded.until, user_id = excluded.user_id`
	if begins {
		template += `, since = excluded.since
		WHERE {lockouts}.until <= excluded.since`
	}
	n, err := s.exec(ctx, template, l.Key, l.Kind, l.Subject, l.UserID, l.Failures, l.Since, l.Until)
	return n > 0, err
}

// GetLockout returns what is locked under a key now, or roster.ErrNotFound.
func (s *Store) GetLockout(ctx context.Context, key string, now time.Time) (Lockout, error) {
	var l Lockout
	err := s.row(ctx, selectLockouts+"WHERE key = $1 AND (until IS NULL OR until > $2)", []any{key, now}, l.dest()...)
	l.utc()
	return l, err
}

// DeleteLockout forgets that something was locked.
func (s *Store) DeleteLockout(ctx context.Context, key string) error {
	_, err := s.exec(ctx, "DELETE FROM {lockouts} WHERE key = $1", key)
	return err
}

// LockoutQuery selects lockouts. They come newest first.
type LockoutQuery struct {
	Now   time.Time
	Kind  roster.LockoutKind // "": all
	Text  string             // part of the subject; "": any
	After *Mark              // the last of the page before
	Limit int
}

const selectLockouts = "SELECT key, kind, subject, user_id, failures, since, until FROM {lockouts}\n"

// ListLockouts returns what is locked.
func (s *Store) ListLockouts(ctx context.Context, q LockoutQuery) ([]Lockout, error) {
	args := []any{q.Now}
	arg := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	where := "WHERE (until IS NULL OR until > $1)"
	if q.Kind != "" {
		where += " AND kind = " + arg(string(q.Kind))
	}
	if q.Text != "" {
		where += " AND lower(subject) LIKE " + arg("%"+escapeLike(strings.ToLower(q.Text))+"%") + ` ESCAPE '\'`
	}
	if q.After != nil {
		since := arg(q.After.At)
		where += " AND (since < " + since + " OR since = " + since + " AND key < " + arg(q.After.Key) + ")"
	}
	var list []Lockout
	err := s.rowsOf(ctx, adhoc, selectLockouts+where+"\nORDER BY since DESC, key DESC LIMIT "+arg(q.Limit), args, func(scan scanFunc) error {
		var l Lockout
		err := scan(l.dest()...)
		l.utc()
		list = append(list, l)
		return err
	})
	return list, err
}

var likeSpecial = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

func escapeLike(text string) string { return likeSpecial.Replace(text) }

func (l *Lockout) dest() []any {
	return []any{&l.Key, &l.Kind, &l.Subject, &l.UserID, &l.Failures, &l.Since, &l.Until}
}

func (l *Lockout) utc() { utc(&l.Since, l.Until) }
