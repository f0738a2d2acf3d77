-- +goose Up

-- Sessions whose log-in had profiles: their names, and the lives that they gave, in microseconds. NULL: those of all.
ALTER TABLE {sessions} ADD COLUMN profiles text;
ALTER TABLE {sessions} ADD COLUMN access_ttl bigint;
ALTER TABLE {sessions} ADD COLUMN idle_ttl bigint;
ALTER TABLE {sessions} ADD COLUMN fresh_for bigint;

-- A log-in looks at the live sessions of a user alone, however many have ended.
DROP INDEX {schema}{sessions.user_idx};
CREATE INDEX {sessions.user_idx} ON {sessions} (user_id, ended_at);

-- +goose Down

DROP INDEX {schema}{sessions.user_idx};
CREATE INDEX {sessions.user_idx} ON {sessions} (user_id);

ALTER TABLE {sessions} DROP COLUMN fresh_for;
ALTER TABLE {sessions} DROP COLUMN idle_ttl;
ALTER TABLE {sessions} DROP COLUMN access_ttl;
ALTER TABLE {sessions} DROP COLUMN profiles;
