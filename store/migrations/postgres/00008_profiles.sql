-- +goose Up

-- Sessions whose log-in had profiles: their names, and the lives that they gave, in microseconds. NULL: those of all.
ALTER TABLE {sessions} ADD COLUMN profiles text;
ALTER TABLE {sessions} ADD COLUMN access_ttl bigint;
ALTER TABLE {sessions} ADD COLUMN idle_ttl bigint;
ALTER TABLE {sessions} ADD COLUMN fresh_for bigint;

-- +goose Down

ALTER TABLE {sessions} DROP COLUMN fresh_for;
ALTER TABLE {sessions} DROP COLUMN idle_ttl;
ALTER TABLE {sessions} DROP COLUMN access_ttl;
ALTER TABLE {sessions} DROP COLUMN profiles;
