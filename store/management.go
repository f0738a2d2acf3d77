package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// Ban is what is known of a ban beside its times, which are in the row of the user.
type Ban struct {
	Reason string
	Note   string
	By     *roster.ID
}

// PutBan stores what is known of a user's ban.
func (s *Store) PutBan(ctx context.Context, user roster.ID, b Ban) error {
	_, err := s.exec(ctx, `
		INSERT INTO {bans} (user_id, reason, note, by_id) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE SET reason = excluded.reason, note = excluded.note, by_id = excluded.by_id`,
		user, b.Reason, b.Note, b.By)
	return err
}

// GetBan returns what is known of a user's ban, also of one that has ended by itself; it is empty where nothing is.
func (s *Store) GetBan(ctx context.Context, user roster.ID) (Ban, error) {
	var b Ban
	err := s.rows(ctx, "SELECT reason, note, by_id FROM {bans} WHERE user_id = $1", []any{user}, func(scan scanFunc) error {
		return scan(&b.Reason, &b.Note, &b.By)
	})
	return b, err
}

// DeleteBan forgets what is known of a user's ban.
func (s *Store) DeleteBan(ctx context.Context, user roster.ID) error {
	_, err := s.exec(ctx, "DELETE FROM {bans} WHERE user_id = $1", user)
	return err
}

// BlacklistQuery selects bans; nil selects nothing away.
type BlacklistQuery struct {
	By           *roster.ID
	Since, Until *time.Time // of the ban's beginning: from, and before
	// CurrentSince selects the bans that began after it, or with NotCurrent the others.
	CurrentSince *time.Time
	NotCurrent   bool
	After        *Mark
	Limit        int
	Now          time.Time
}

// ListBlacklist scans up to q.Limit users who are banned now, newest ban first, each into what dest returns, and
// returns the ban of each.
func (s *Store) ListBlacklist(ctx context.Context, q BlacklistQuery, dest func() []any) ([]Ban, error) {
	b := &builder{dialect: s.dialect, now: q.Now}
	// The names within are ours: the program's own columns may be called like those of the bans.
	b.text.WriteString("SELECT {columns}, coalesce(ban_reason, ''), coalesce(ban_note, ''), ban_by")
	b.text.WriteString(`
		FROM {users} LEFT JOIN (
			SELECT user_id AS ban_user, reason AS ban_reason, note AS ban_note, by_id AS ban_by FROM {bans}
		) roster_ban ON ban_user = {users}.id`)
	b.text.WriteString("\nWHERE banned_at IS NOT NULL AND deleted_at IS NULL AND (banned_until IS NULL OR banned_until > " + b.bind(q.Now) + ")")
	if q.By != nil {
		b.text.WriteString("\n\tAND ban_by = " + b.bind(q.By))
	}
	if q.Since != nil {
		b.text.WriteString("\n\tAND banned_at >= " + b.bind(q.Since))
	}
	if q.Until != nil {
		b.text.WriteString("\n\tAND banned_at < " + b.bind(q.Until))
	}
	if q.CurrentSince != nil {
		b.text.WriteString("\n\tAND banned_at " + map[bool]string{false: ">", true: "<="}[q.NotCurrent] + " " + b.bind(q.CurrentSince))
	}
	if q.After != nil {
		b.text.WriteString("\n\tAND (banned_at, {users}.id) < (" + b.bind(q.After.At) + ", " + b.bind(q.After.ID) + ")")
	}
	b.text.WriteString("\nORDER BY banned_at DESC, {users}.id DESC LIMIT " + b.bind(q.Limit))
	var list []Ban
	err := s.rowsOf(ctx, adhoc, b.text.String(), b.args, func(scan scanFunc) error {
		var x Ban
		err := scan(append(dest(), &x.Reason, &x.Note, &x.By)...)
		list = append(list, x)
		return err
	})
	return list, err
}

// Situation is what administrators are told of a user beside the record.
type Situation struct {
	Ban         Ban
	HasPassword bool
	Sessions    int // live ones
}

// GetSituation returns the situation of a user; nobody is roster.ErrNotFound.
func (s *Store) GetSituation(ctx context.Context, user roster.ID, now time.Time) (Situation, error) {
	var x Situation
	err := s.row(ctx, `
		SELECT coalesce(b.reason, ''), coalesce(b.note, ''), b.by_id,
			EXISTS (SELECT 1 FROM {passwords} p WHERE p.user_id = u.id),
			(SELECT count(*) FROM {sessions} s
				WHERE s.user_id = u.id AND `+live("s.", "$2")+`)
		FROM {users} u LEFT JOIN {bans} b ON b.user_id = u.id
		WHERE u.id = $1`,
		[]any{user, now}, &x.Ban.Reason, &x.Ban.Note, &x.Ban.By, &x.HasPassword, &x.Sessions)
	return x, err
}

// ListSuperusers returns the ids of the superusers who can log in.
func (s *Store) ListSuperusers(ctx context.Context, now time.Time) ([]roster.ID, error) {
	return s.ids(ctx, "SELECT id FROM {users}\nWHERE superuser AND "+usable("", "$1")+"\nORDER BY id", now)
}
