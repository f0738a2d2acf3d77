package mixins

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// The longest texts of administrators, in characters.
const (
	maxBanReason = 200
	maxBanNote   = 2000
)

// Ban implements ManagementOps.
func (m Management[U]) Ban(ctx context.Context, id roster.ID, ban roster.Ban) (roster.BanRecord, error) {
	var record roster.BanRecord
	c := m.core
	ctx, err := c.enter(ctx, "Ban")
	if err != nil {
		return record, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockOther(ctx, roster.PermissionBan, id)
		if err != nil {
			return err
		}
		record, err = c.ban(ctx, u, ban)
		return err
	})
	if err != nil {
		return roster.BanRecord{}, err
	}
	return record, nil
}

// ban bans a user whose row is locked, or replaces what is known of their ban.
func (c *Core[U]) ban(ctx context.Context, u U, ban roster.Ban) (roster.BanRecord, error) {
	b, now := u.Base(), c.now()
	changed := b.Banned(now)
	if changed {
		current, err := c.banOf(ctx, b)
		if err != nil || sameBan(current.Ban, ban) {
			return current, err
		}
	}
	if err := c.guardLastSuperuser(ctx, b); err != nil {
		return roster.BanRecord{}, err
	}
	run := c.hooks.Ban.Begin()
	e := &callbacks.Ban[U]{Event: c.event(ctx), User: c.Plan.clone(u), Ban: ban, Changed: changed}
	if err := before(ctx, c, run, e); err != nil {
		return roster.BanRecord{}, err
	}
	ban = e.Ban
	if err := checkBan(&ban, now); err != nil {
		return roster.BanRecord{}, err
	}
	b.BannedUntil, b.UpdatedAt = ban.Until, now
	b.Version++
	if !changed {
		b.BannedAt = &now
		b.Epoch++
		if err := c.shutOff(ctx, b.ID, roster.RevokedByBan); err != nil {
			return roster.BanRecord{}, err
		}
	}
	record := roster.BanRecord{Ban: ban, At: *b.BannedAt, By: actorID(ctx)}
	if err := c.Store.PutBan(ctx, b.ID, store.Ban{Reason: ban.Reason, Note: ban.Note, By: record.By}); err != nil {
		return roster.BanRecord{}, err
	}
	err := c.writeState(ctx, b, store.Assignment{Column: "banned_at", Value: b.BannedAt}, store.Assignment{Column: "banned_until", Value: b.BannedUntil})
	if err != nil {
		return roster.BanRecord{}, err
	}
	if err := after(ctx, c, run, &callbacks.Ban[U]{Event: e.Event, User: u, Ban: ban, Changed: changed}); err != nil || changed {
		return record, err
	}
	vars := map[string]any{"Reason": ban.Reason}
	if ban.Until != nil {
		vars["Until"] = ban.Until.Format(time.RFC3339)
	}
	return record, c.notice(ctx, u, notify.Banned, vars)
}

// writeState writes columns of a user whose row is locked, with the version, the epoch and the time that go with them.
func (c *Core[U]) writeState(ctx context.Context, b *roster.User, set ...store.Assignment) error {
	forgetFresh[U](ctx)
	return c.Store.UpdateUser(ctx, b.ID, append(set,
		store.Assignment{Column: "epoch", Value: b.Epoch},
		store.Assignment{Column: "version", Value: b.Version},
		store.Assignment{Column: "updated_at", Value: b.UpdatedAt},
	), store.Holds{})
}

// checkBan judges a ban, and brings it to the form in which it is stored.
func checkBan(b *roster.Ban, now time.Time) error {
	var faults roster.FieldErrors
	checkText("reason", b.Reason, maxBanReason, &faults)
	checkText("note", b.Note, maxBanNote, &faults)
	b.Until = checkUntil(b.Until, now, &faults)
	return faults.Err()
}

// checkUntil judges when something is to end by itself, and returns it as the databases keep it.
func checkUntil(until *time.Time, now time.Time, faults *roster.FieldErrors) *time.Time {
	if until == nil {
		return nil
	}
	end := until.UTC().Truncate(time.Microsecond)
	if !end.After(now) || end.Year() > 9999 {
		faults.Add("until", roster.Invalid)
	}
	return &end
}

// checkText judges a text of an administrator's.
func checkText(field, text string, most int, faults *roster.FieldErrors) {
	switch {
	case !storable(text):
		faults.Add(field, roster.Invalid)
	case utf8.RuneCountInString(text) > most:
		faults.Add(field, roster.TooLong)
	}
}

func sameBan(a, b roster.Ban) bool {
	sameEnd := a.Until == nil && b.Until == nil ||
		a.Until != nil && b.Until != nil && a.Until.Equal(b.Until.Truncate(time.Microsecond))
	return sameEnd && a.Reason == b.Reason && a.Note == b.Note
}

// banOf is the ban of a user who is banned.
func (c *Core[U]) banOf(ctx context.Context, b *roster.User) (roster.BanRecord, error) {
	x, err := c.Store.GetBan(ctx, b.ID)
	return banRecord(b, x), err
}

func banRecord(b *roster.User, x store.Ban) roster.BanRecord {
	return roster.BanRecord{Ban: roster.Ban{Reason: x.Reason, Note: x.Note, Until: b.BannedUntil}, At: *b.BannedAt, By: x.By}
}

// Unban implements ManagementOps.
func (m Management[U]) Unban(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "Unban")
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockManaged(ctx, roster.PermissionBan, id)
		if err != nil {
			return err
		}
		b := u.Base()
		if !b.Banned(c.now()) {
			return nil
		}
		ban, err := c.banOf(ctx, b)
		if err != nil {
			return err
		}
		run := c.hooks.Unban.Begin()
		e := &callbacks.Unban[U]{Event: c.event(ctx), User: u, Ban: ban.Ban}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := c.Store.DeleteBan(ctx, id); err != nil {
			return err
		}
		b.BannedAt, b.BannedUntil, b.UpdatedAt = nil, nil, c.now()
		b.Version++
		err = c.writeState(ctx, b, store.Assignment{Column: "banned_at"}, store.Assignment{Column: "banned_until"})
		if err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
}

// ToggleBlacklist implements ManagementOps.
func (m Management[U]) ToggleBlacklist(ctx context.Context, id roster.ID) (bool, error) {
	c := m.core
	ctx, err := c.enter(ctx, "ToggleBlacklist")
	if err != nil {
		return false, err
	}
	banned := false
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockOther(ctx, roster.PermissionBan, id)
		if err != nil {
			return err
		}
		if u.Base().Banned(c.now()) {
			return c.Self.Unban(ctx, id)
		}
		banned = true
		_, err = c.Self.Ban(ctx, id, roster.Ban{})
		return err
	})
	return banned && err == nil, err
}

// GetBlacklist implements ManagementOps.
func (m Management[U]) GetBlacklist(ctx context.Context, query roster.BlacklistQuery) (roster.Page[roster.Banned[U]], error) {
	page := roster.Page[roster.Banned[U]]{Items: []roster.Banned[U]{}}
	c := m.core
	ctx, err := c.enter(ctx, "GetBlacklist")
	if err != nil {
		return page, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadUsers, roster.ID{}); err != nil {
		return page, err
	}
	var faults roster.FieldErrors
	limit := pageLimit(query.Limit, &faults)
	if err := faults.Err(); err != nil {
		return page, err
	}
	now := c.now()
	recent := now.Add(-c.Settings.Session.AccessTTL)
	q := store.BlacklistQuery{By: query.By, Since: query.Since, Until: query.Until, Limit: limit + 1, Now: now}
	if query.Current != nil {
		q.CurrentSince, q.NotCurrent = &recent, !*query.Current
	}
	cursor := query.Cursor
	query.Cursor, query.Limit = "", 0
	if q.After, err = c.openMark("blacklist", cursor, query); err != nil {
		return page, err
	}
	var users []U
	bans, err := c.Store.ListBlacklist(ctx, q, func() []any {
		u := c.Plan.New()
		users = append(users, u)
		return c.Plan.dest(u)
	})
	if err != nil {
		return page, err
	}
	for i, u := range users[:min(limit, len(users))] {
		c.Plan.settle(u)
		page.Items = append(page.Items, roster.Banned[U]{
			User: u, BanRecord: banRecord(u.Base(), bans[i]), Current: u.Base().BannedAt.After(recent),
		})
	}
	if len(users) > limit {
		last := page.Items[limit-1]
		page.Next = c.sealMark("blacklist", store.Mark{At: last.At, ID: last.User.Base().ID}, query)
	}
	return page, nil
}
