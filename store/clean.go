package store

import (
	"context"
	"time"
)

// cleanBatch bounds one transaction of cleaning.
const cleanBatch = 1000

// keepRevocations is longer than any access token lives, whatever the clocks say.
const keepRevocations = 3 * time.Hour

// Keep says how long what is over is kept.
type Keep struct {
	Sessions     time.Duration // after their end
	Links        time.Duration // after their end
	OTPs         time.Duration // after their end
	Changes      time.Duration // of contacts, after they were asked for
	Messages     time.Duration // after they were queued, of those sent, cancelled or expired
	DeadMessages time.Duration // after they were queued, of those that could not be sent
	Keys         time.Duration // after they were retired or revoked
	Audit        time.Duration // after it happened
}

// Clean deletes what is over since longer than keep says, empties dead messages that have expired, and returns how
// many rows it has deleted or emptied. It works in batches, each a short transaction; several nodes may clean at once.
func (s *Store) Clean(ctx context.Context, now time.Time, keep Keep) (int64, error) {
	var total int64
	for _, job := range []struct {
		template string
		before   any
	}{
		{`WITH over AS (
			SELECT id FROM {sessions} WHERE coalesce(ended_at, {least}(idle_at, expires_at)) < $1
			ORDER BY id LIMIT $2 {skip_locked})
			DELETE FROM {sessions} WHERE id IN (SELECT id FROM over)`, now.Add(-keep.Sessions)},
		{`WITH over AS (
			SELECT hash FROM {links} WHERE {least}(expires_at, coalesce(used_at, expires_at), coalesce(voided_at, expires_at)) < $1
			ORDER BY hash LIMIT $2 {skip_locked})
			DELETE FROM {links} WHERE hash IN (SELECT hash FROM over)`, now.Add(-keep.Links)},
		{`WITH over AS (
			SELECT id FROM {messages} WHERE state IN ('sent', 'cancelled', 'expired') AND (created_at < $1 OR kind = 'noop')
			ORDER BY id LIMIT $2 {skip_locked})
			DELETE FROM {messages} WHERE id IN (SELECT id FROM over)`, now.Add(-keep.Messages)},
		{`WITH over AS (
			SELECT id FROM {messages} WHERE state = 'dead' AND created_at < $1
			ORDER BY id LIMIT $2 {skip_locked})
			DELETE FROM {messages} WHERE id IN (SELECT id FROM over)`, now.Add(-keep.DeadMessages)},
		{`WITH over AS (
			SELECT id FROM {messages} WHERE state = 'dead' AND expires_at < $1 AND payload IS NOT NULL
			ORDER BY id LIMIT $2 {skip_locked})
			UPDATE {messages} SET payload = NULL WHERE id IN (SELECT id FROM over)`, now},
		{`WITH over AS (
			SELECT id FROM {changes} WHERE created_at < $1
			ORDER BY id LIMIT $2 {skip_locked})
			DELETE FROM {changes} WHERE id IN (SELECT id FROM over)`, now.Add(-keep.Changes)},
		{`WITH over AS (
			SELECT id FROM {otps} AS o
			WHERE {least}(expires_at, coalesce(ended_at, expires_at)) <= $1
				OR EXISTS (
					SELECT 1 FROM {tries} AS t
					WHERE t.scope = '` + entryPrefix + `' || cast(o.id AS text) AND t.failures >= o.max_attempts AND t.waits_at <= $1)
			ORDER BY id LIMIT $2 {skip_locked})
			DELETE FROM {otps} WHERE id IN (SELECT id FROM over)`, now.Add(-keep.OTPs)},
		{`WITH over AS (
			SELECT scope FROM {tries} WHERE ends_at < $1
			ORDER BY scope LIMIT $2 {skip_locked})
			DELETE FROM {tries} WHERE scope IN (SELECT scope FROM over)`, now},
		{`WITH over AS (
			SELECT hash FROM {holds} WHERE ends_at < $1
			ORDER BY hash LIMIT $2 {skip_locked})
			DELETE FROM {holds} WHERE hash IN (SELECT hash FROM over)`, now},
		{`WITH over AS (
			SELECT hash FROM {devices} WHERE expires_at < $1
			ORDER BY hash LIMIT $2 {skip_locked})
			DELETE FROM {devices} WHERE hash IN (SELECT hash FROM over)`, now},
		{`WITH over AS (
			SELECT seq FROM {revocations} WHERE created_at < $1
			ORDER BY seq LIMIT $2 {skip_locked})
			DELETE FROM {revocations} WHERE seq IN (SELECT seq FROM over)`, now.Add(-keepRevocations)},
		{`WITH over AS (
			SELECT kid FROM {keys} WHERE state IN ('retired', 'revoked') AND changed_at < $1
			ORDER BY kid LIMIT $2 {skip_locked})
			DELETE FROM {keys} WHERE kid IN (SELECT kid FROM over)`, now.Add(-keep.Keys)},
		{`WITH over AS (
			SELECT key FROM {lockouts} WHERE until < $1
			ORDER BY key LIMIT $2 {skip_locked})
			DELETE FROM {lockouts} WHERE key IN (SELECT key FROM over)`, now},
		{`WITH over AS (
			SELECT key FROM {counters} WHERE ends < $1
			ORDER BY key LIMIT $2 {skip_locked})
			DELETE FROM {counters} WHERE key IN (SELECT key FROM over)`, now.UnixMicro()},
	} {
		for {
			n, err := s.exec(ctx, job.template, job.before, cleanBatch)
			total += n
			if err != nil {
				return total, err
			}
			if n < cleanBatch {
				break
			}
		}
	}
	n, err := s.cleanAudit(ctx, now.Add(-keep.Audit))
	return total + n, err
}
