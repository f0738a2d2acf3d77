package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// AuditEntry is a line of the audit trail. Changes are a JSON object, or nothing.
type AuditEntry struct {
	ID         roster.ID
	HappenedAt time.Time
	ActorKind  roster.ActorKind
	ActorID    *roster.ID
	OnBehalf   *roster.ID
	Action     string
	SubjectID  *roster.ID
	Result     roster.AuditResult
	Code       string
	Changes    *string
	Reason     *string
	IP         *string
	UserAgent  *string
	SessionID  *roster.ID
	RequestID  *string
}

const auditColumns = `id, happened_at, actor_kind, actor_id, on_behalf, action, subject_id, result, code, changes, reason, ip,
		user_agent, session_id, request_id`

func (e *AuditEntry) values() []any {
	return []any{
		e.ID, e.HappenedAt, e.ActorKind, e.ActorID, e.OnBehalf, e.Action, e.SubjectID, e.Result, e.Code, e.Changes, e.Reason, e.IP,
		e.UserAgent, e.SessionID, e.RequestID,
	}
}

func (e *AuditEntry) dest() []any {
	return []any{
		&e.ID, &e.HappenedAt, &e.ActorKind, &e.ActorID, &e.OnBehalf, &e.Action, &e.SubjectID, &e.Result, &e.Code, &e.Changes,
		&e.Reason, &e.IP, &e.UserAgent, &e.SessionID, &e.RequestID,
	}
}

// insertAudit numbers its values after those of a statement that it stands in.
func insertAudit(after int) string {
	return "INSERT INTO {audit} (" + auditColumns + ") VALUES (" + placeholders(after+1, 15) + ")"
}

// InsertAudit adds an entry to the audit trail.
func (s *Store) InsertAudit(ctx context.Context, e *AuditEntry) error {
	_, err := s.exec(ctx, insertAudit(0), e.values()...)
	return err
}

// AuditQuery selects entries; nil and "" select nothing away.
type AuditQuery struct {
	Actor, Subject, Session *roster.ID
	Action, Result, IP      string
	RequestID               string
	Since, Before           *time.Time
	After                   *Mark // the last entry of the page before
	Limit                   int
}

// Mark is where a page of a list by time ended.
type Mark struct {
	At  time.Time
	ID  roster.ID
	Key string // of what has no id
}

// ListAudit returns up to q.Limit entries, newest first.
func (s *Store) ListAudit(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	var conditions []string
	var args []any
	where := func(given bool, condition string, values ...any) {
		if !given {
			return
		}
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		conditions = append(conditions, "\n\tAND "+condition)
	}
	where(q.Actor != nil, "actor_id = ?", q.Actor)
	where(q.Subject != nil, "subject_id = ?", q.Subject)
	where(q.Session != nil, "session_id = ?", q.Session)
	where(q.Action != "", "action = ?", q.Action)
	where(q.Result != "", "result = ?", q.Result)
	where(q.IP != "", "ip = ?", q.IP)
	where(q.RequestID != "", "request_id = ?", q.RequestID)
	where(q.Since != nil, "happened_at >= ?", q.Since)
	where(q.Before != nil, "happened_at < ?", q.Before)
	if q.After != nil {
		where(true, "(happened_at, id) < (?, ?)", q.After.At, q.After.ID)
	}
	template := "SELECT " + auditColumns + " FROM {audit}\nWHERE TRUE" + strings.Join(conditions, "") +
		fmt.Sprintf("\nORDER BY happened_at DESC, id DESC LIMIT $%d", len(args)+1)
	var list []AuditEntry
	err := s.rowsOf(ctx, adhoc, template, append(args, q.Limit), func(scan scanFunc) error {
		var e AuditEntry
		err := scan(e.dest()...)
		utc(&e.HappenedAt)
		list = append(list, e)
		return err
	})
	return list, err
}

// unlockAudit lets fn change the audit trail, in a transaction to which the permission is bound. SQLite has no such guard.
func (s *Store) unlockAudit(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		if s.dialect == SQLite {
			return fn(ctx)
		}
		const set = "SELECT set_config('roster.audit', $1, true)"
		if _, err := s.exec(ctx, set, "unlocked"); err != nil {
			return err
		}
		if err := fn(ctx); err != nil {
			return err
		}
		_, err := s.exec(ctx, set, "")
		return err
	})
}

// forgetAudit takes out of the audit trail what tells about a user, and leaves what happened.
func (s *Store) forgetAudit(ctx context.Context, id roster.ID) error {
	return s.unlockAudit(ctx, func(ctx context.Context) error {
		for _, statement := range []string{
			"UPDATE {audit} SET changes = NULL, reason = NULL WHERE subject_id = $1",
			"UPDATE {audit} SET ip = NULL, user_agent = NULL WHERE actor_id = $1 OR subject_id = $1 AND actor_id IS NULL",
		} {
			if _, err := s.exec(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// cleanAudit deletes the entries from before a time, and returns how many.
func (s *Store) cleanAudit(ctx context.Context, before time.Time) (total int64, err error) {
	for {
		var n int64
		err := s.unlockAudit(ctx, func(ctx context.Context) (err error) {
			n, err = s.exec(ctx, `
				WITH over AS (
					SELECT happened_at, id FROM {audit} WHERE happened_at < $1
					ORDER BY happened_at, id LIMIT $2 {skip_locked})
				DELETE FROM {audit} WHERE (happened_at, id) IN (SELECT happened_at, id FROM over)`, before, cleanBatch)
			return err
		})
		total += n
		if err != nil || n < cleanBatch {
			return total, err
		}
	}
}
