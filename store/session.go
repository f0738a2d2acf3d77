package store

import (
	"context"
	"strings"
	"time"

	"github.com/roster-go/roster"
)

// Session is one log-in and the state of its refresh tokens.
type Session struct {
	ID          roster.ID
	UserID      roster.ID
	CreatedAt   time.Time
	LastUsedAt  time.Time
	Remember    bool
	IdleAt      time.Time // its end if it is not used again: roster.Session.ExpiresAt
	ExpiresAt   time.Time // its end in any case; never before IdleAt
	EndedAt     *time.Time
	EndedReason *roster.RevokeReason
	AuthTime    time.Time
	AMR         string // separated by spaces
	IP          *string
	UserAgent   *string
	GlobalEpoch int64

	// Profiles are the names of those of the log-in, separated by spaces; nil: it had none.
	Profiles *string
	// AccessTTL, IdleTTL and FreshFor are its own lives, in whole microseconds; 0: those of all.
	AccessTTL, IdleTTL, FreshFor time.Duration

	Generation   int64
	SecretHash   []byte
	PreviousHash []byte
	RotatedAt    *time.Time
	Successor    []byte // the current refresh token, sealed under the previous one's secret
}

const sessionColumns = `id, user_id, created_at, last_used_at, remember, idle_at, expires_at, ended_at, ended_reason,
		auth_time, amr, ip, user_agent, global_epoch, profiles, access_ttl, idle_ttl, fresh_for,
		generation, secret_hash, previous_hash, rotated_at, successor`

func (x *Session) dest() []any {
	return []any{
		&x.ID, &x.UserID, &x.CreatedAt, &x.LastUsedAt, &x.Remember, &x.IdleAt, &x.ExpiresAt, &x.EndedAt, &x.EndedReason,
		&x.AuthTime, &x.AMR, &x.IP, &x.UserAgent, &x.GlobalEpoch, &x.Profiles, (*micros)(&x.AccessTTL), (*micros)(&x.IdleTTL), (*micros)(&x.FreshFor),
		&x.Generation, &x.SecretHash, &x.PreviousHash, &x.RotatedAt, &x.Successor,
	}
}

func (x *Session) utc() {
	utc(&x.CreatedAt, &x.LastUsedAt, &x.IdleAt, &x.ExpiresAt, &x.AuthTime, x.EndedAt, x.RotatedAt)
}

// utc brings times to UTC: PostgreSQL's come in the time zone of the connection.
func utc(times ...*time.Time) {
	for _, t := range times {
		if t != nil {
			*t = t.UTC()
		}
	}
}

// Admission is what a new session comes with.
type Admission struct {
	// Most is how many live sessions the user may have, this one counted.
	Most int
	// Superuser lets the session in although a blackout is closed.
	Superuser bool
	// Device is what it is used from.
	Device Device
	// Entry is what the audit trail tells of it; nil: nothing.
	Entry *AuditEntry
	// Touch does what TouchLastLogin does as well, at the time of the session; nil: not.
	Touch *Touch
}

// Touch is what a log-in changes beside its session.
type Touch struct {
	// CloseAfter is how many wrong passwords in a row are too many to be forgotten; with 0 or less none are forgotten.
	CloseAfter int
}

// InsertSession stores a session of a user whose row is locked and fills in the global epoch. It ends the user's least
// recently used live sessions beyond the most, and returns their ids. It keeps the device that the session is used from,
// and reports whether that was known. While a blackout is closed it is roster.ErrNotFound, and the transaction must be
// rolled back.
func (s *Store) InsertSession(ctx context.Context, x *Session, a Admission) (evicted []roster.ID, known bool, err error) {
	if s.dialect == SQLite {
		return s.insertSession(ctx, x, a)
	}
	device := "(SELECT hash FROM slid UNION ALL SELECT hash FROM fresh)"
	unknown := "NOT EXISTS (SELECT 1 FROM slid) AND cast($fresh AS bytea) IS NOT NULL"
	values, parts := a.values(x), []clause{
		{"evicted", evictSessions + " RETURNING id"},
		{"slid", slideDevice + " RETURNING hash"},
		{"dropped", dropOldDevices + " AND " + unknown},
		{"fresh", insertDevice + " WHERE " + unknown + " RETURNING hash"},
		{"added", insertSession(device) + " RETURNING global_epoch"},
	}
	if a.Entry != nil {
		entry, names := nameRow("audit", a.Entry.values())
		values = append(values, entry...)
		parts = append(parts, clause{"told", "INSERT INTO {audit} (" + auditColumns + ") SELECT " + names})
	}
	if a.Touch != nil {
		parts = append(parts, clause{"touched", touchLastLogin("$user", "$at")}, clause{"forgotten", forgetFailuresOf("$user", "$close_after")})
	}
	template, args := number(with(parts)+`
		SELECT global_epoch, (SELECT string_agg(cast(id AS text), ' ') FROM evicted), EXISTS (SELECT 1 FROM slid) FROM added`, values)
	var ids *string
	if err := s.row(ctx, template, args, &x.GlobalEpoch, &ids, &known); err != nil || ids == nil {
		return nil, known, err
	}
	for text := range strings.FieldsSeq(*ids) {
		id, err := roster.ParseID(text)
		if err != nil {
			return nil, known, err
		}
		evicted = append(evicted, id)
	}
	s.revokes(ctx)
	return evicted, known, nil
}

// values are what the statements that begin a session name.
func (a Admission) values(x *Session) []named {
	list := []named{
		{"at", x.CreatedAt},
		{"user", x.UserID},
		{"beyond", a.Most - 1},
		{"superuser", a.Superuser},
		{"id", x.ID},
		{"remember", x.Remember},
		{"idle_at", x.IdleAt},
		{"expires_at", x.ExpiresAt},
		{"auth_time", x.AuthTime},
		{"amr", x.AMR},
		{"ip", x.IP},
		{"agent", x.UserAgent},
		{"generation", x.Generation},
		{"secret", x.SecretHash},
		{"profiles", x.Profiles},
		{"access_ttl", micros(x.AccessTTL)},
		{"idle_ttl", micros(x.IdleTTL)},
		{"fresh_for", micros(x.FreshFor)},
		{"given", a.Device.Given},
		{"fresh", a.Device.Fresh},
		{"device_end", a.Device.ExpiresAt},
		{"old_devices", a.Device.Most - 1},
	}
	if a.Touch != nil {
		list = append(list, named{"close_after", a.Touch.CloseAfter})
	}
	return list
}

// insertSession is InsertSession by a statement after the other.
func (s *Store) insertSession(ctx context.Context, x *Session, a Admission) (evicted []roster.ID, known bool, err error) {
	values := a.values(x)
	exec := func(template string) (int64, error) {
		template, args := number(template, values)
		return s.exec(ctx, template, args...)
	}
	if a.Touch != nil {
		if err := s.TouchLastLogin(ctx, x.UserID, x.CreatedAt, a.Touch.CloseAfter); err != nil {
			return nil, false, err
		}
	}
	template, args := number(evictSessions+" RETURNING id", values)
	if evicted, err = s.ids(ctx, template, args...); err != nil {
		return nil, false, err
	}
	if len(evicted) > 0 {
		s.revokes(ctx)
	}
	device := "NULL"
	if a.Device.Given != nil {
		n, err := exec(slideDevice)
		if err != nil {
			return nil, false, err
		}
		if known = n > 0; known {
			device = "$given"
		}
	}
	if !known && a.Device.Fresh != nil {
		device = "$fresh"
		for _, template := range []string{dropOldDevices, insertDevice} {
			if _, err := exec(template); err != nil {
				return nil, false, err
			}
		}
	}
	template, args = number(insertSession(device)+" RETURNING global_epoch", values)
	if err := s.row(ctx, template, args, &x.GlobalEpoch); err != nil || a.Entry == nil {
		return evicted, known, err
	}
	return evicted, known, s.InsertAudit(ctx, a.Entry)
}

var evictSessions = `
	UPDATE {sessions} SET ended_at = $at, ended_reason = 'evicted', successor = NULL
	WHERE id IN (
		SELECT id FROM {sessions}
		WHERE user_id = $user AND ` + live("", "$at") + `
		ORDER BY last_used_at DESC, id DESC
		LIMIT 1000 OFFSET $beyond
	)`

// insertSession is the statement that begins a session from a device, given as its hash.
func insertSession(device string) string {
	return `
	INSERT INTO {sessions} (id, user_id, created_at, last_used_at, remember, idle_at, expires_at, auth_time, amr, ip,
		user_agent, generation, secret_hash, device, profiles, access_ttl, idle_ttl, fresh_for, global_epoch)
	SELECT $id, $user, $at, $at, $remember, $idle_at, $expires_at, $auth_time, $amr, $ip,
		$agent, $generation, $secret, ` + device + `, $profiles, $access_ttl, $idle_ttl, $fresh_for, epoch
	FROM {state}
	WHERE {state}.id = 1 AND ` + admits("", "$superuser", "$at")
}

// GetSession returns a session, ended ones too.
func (s *Store) GetSession(ctx context.Context, id roster.ID) (Session, error) {
	return s.session(ctx, "SELECT "+sessionColumns+" FROM {sessions} WHERE id = $1", id)
}

// LockSession is GetSession, and keeps others from changing the row until the transaction ends.
func (s *Store) LockSession(ctx context.Context, id roster.ID) (Session, error) {
	return s.session(ctx, "SELECT "+sessionColumns+" FROM {sessions} WHERE id = $1 {lock}", id)
}

func (s *Store) session(ctx context.Context, template string, args ...any) (Session, error) {
	var x Session
	err := s.row(ctx, template, args, x.dest()...)
	x.utc()
	return x, err
}

// ListSessions returns a user's live sessions, the newest use first.
func (s *Store) ListSessions(ctx context.Context, user roster.ID, now time.Time) ([]Session, error) {
	var list []Session
	err := s.rows(ctx, `
		SELECT `+sessionColumns+` FROM {sessions}
		WHERE user_id = $1 AND `+live("", "$2")+`
		ORDER BY last_used_at DESC, id DESC`, []any{user, now}, func(scan scanFunc) error {
		var x Session
		err := scan(x.dest()...)
		x.utc()
		list = append(list, x)
		return err
	})
	return list, err
}

// Rotation is one use of a refresh token.
type Rotation struct {
	SessionID roster.ID
	Current   []byte // hash of the token that is used
	Next      []byte // hash of its successor
	Successor []byte // the successor, sealed under the secret of the token that is used
	Now       time.Time
	// IdleAt and ShortIdleAt are the new end if it is not used again, of sessions that remember and of others. What has a life
	// of its own ends after that if it is sooner.
	IdleAt, ShortIdleAt time.Time
	IP, UserAgent       *string
	// Verified demands that some contact of the user is proven.
	Verified bool
}

// Rotated is what tokens say of a session that was rotated and of its user. Of the session it has the ids, the ends, its own
// lives and how it began.
type Rotated struct {
	Session
	Permissions roster.Permissions
	Superuser   bool
	Epoch       int64
}

const (
	rotatedColumns = "id, user_id, remember, idle_at, expires_at, auth_time, amr, global_epoch, access_ttl"
	rightsColumns  = "permissions, superuser, epoch"
)

func (x *Rotated) dest() []any {
	return []any{
		&x.ID, &x.UserID, &x.Remember, &x.IdleAt, &x.ExpiresAt, &x.AuthTime, &x.AMR, &x.GlobalEpoch, (*micros)(&x.AccessTTL),
		&x.Permissions, &x.Superuser, &x.Epoch,
	}
}

// RotateSession spends a refresh token, by one compare-and-set. It scans the columns of the user into dest unless that is nil.
// It is roster.ErrNotFound unless the token is the current one of a live session, the user may have one, no blackout has come
// since, and none is closed to the user. On PostgreSQL it is one statement.
func (s *Store) RotateSession(ctx context.Context, r Rotation, dest []any) (Rotated, error) {
	args := []any{r.SessionID, r.Current, r.Next, r.Successor, r.Now, r.IdleAt, r.ShortIdleAt, r.IP, r.UserAgent, r.Verified}
	var x Rotated
	var err error
	if s.dialect == PostgreSQL {
		template := rotateSession + columnsOf("s", rotatedColumns) + ", " + columnsOf("u", rightsColumns)
		if dest != nil {
			template += ", {u.columns}"
		}
		err = s.row(ctx, template, args, append(x.dest(), dest...)...)
	} else { // what it returns is of one table
		own := len(x.dest()) - strings.Count(rightsColumns, ",") - 1
		if err = s.row(ctx, rotateSession+rotatedColumns, args, x.dest()[:own]...); err == nil {
			err = s.row(ctx, "SELECT "+rightsColumns+" FROM {users} WHERE id = $1", []any{x.UserID}, x.dest()[own:]...)
		}
		if err == nil && dest != nil {
			err = s.GetUser(ctx, ByID, x.UserID, dest)
		}
	}
	x.utc()
	return x, err
}

// columnsOf names columns of a table that has an alias: programs may call theirs as sessions do.
func columnsOf(alias, columns string) string {
	return alias + "." + strings.ReplaceAll(columns, ", ", ", "+alias+".")
}

var rotateSession = `
	UPDATE {sessions} AS s SET generation = s.generation + 1, previous_hash = s.secret_hash, secret_hash = $3, successor = $4,
		rotated_at = $5, last_used_at = $5, ip = $8, user_agent = $9,
		idle_at = {least}(s.expires_at, CASE WHEN s.remember THEN cast($6 AS timestamptz) ELSE cast($7 AS timestamptz) END,
			coalesce(cast($5 AS timestamptz) + s.idle_ttl * {microsecond}, s.expires_at))
	FROM {users} u, {state} g
	WHERE s.id = $1 AND s.secret_hash = $2 AND ` + live("s.", "$5") + `
		AND g.id = 1 AND g.epoch = s.global_epoch AND ` + admits("g.", "u.superuser", "$5") + `
		AND u.id = s.user_id AND ` + usable("u.", "$5") + `
		AND (NOT cast($10 AS boolean) OR u.email_verified_at IS NOT NULL OR u.phone_verified_at IS NOT NULL
			OR u.email IS NULL AND u.phone IS NULL)
	RETURNING `

// FreshenSession says that the user of a live session has just proven a secret, and how, and reports whether it is live.
func (s *Store) FreshenSession(ctx context.Context, id roster.ID, amr string, now time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE {sessions} SET auth_time = $2, amr = $3
		WHERE id = $1 AND `+live("", "$2"), id, now, amr)
	return n > 0, err
}

// EndSession ends a live session of a user and reports whether it did.
func (s *Store) EndSession(ctx context.Context, id roster.ID, now time.Time, reason roster.RevokeReason) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE {sessions} SET ended_at = $2, ended_reason = $3, successor = NULL
		WHERE id = $1 AND ended_at IS NULL`, id, now, reason)
	if n > 0 {
		s.revokes(ctx)
	}
	return n > 0, err
}

// EndSessions ends all live sessions of a user but the one named except, and returns their ids.
func (s *Store) EndSessions(ctx context.Context, user, except roster.ID, now time.Time, reason roster.RevokeReason) ([]roster.ID, error) {
	ended, err := s.ids(ctx, `
		UPDATE {sessions} SET ended_at = $3, ended_reason = $4, successor = NULL
		WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL
		RETURNING id`, user, except, now, reason)
	if len(ended) > 0 {
		s.revokes(ctx)
	}
	return ended, err
}

// ids runs a statement that gives one id a row.
func (s *Store) ids(ctx context.Context, template string, args ...any) ([]roster.ID, error) {
	var list []roster.ID
	err := s.rows(ctx, template, args, func(scan scanFunc) error {
		var id roster.ID
		err := scan(&id)
		list = append(list, id)
		return err
	})
	return list, err
}
