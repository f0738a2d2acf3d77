-- +goose Up

-- Wrong passwords in a row, over all identifiers and addresses; enough of them close the password until it is opened.
ALTER TABLE {passwords} ADD COLUMN failures integer NOT NULL DEFAULT 0;
ALTER TABLE {passwords} ADD COLUMN closed_at timestamptz;

-- Devices that somebody has logged in from. They are not held up by what others try.
CREATE TABLE {devices} (
	hash         bytea NOT NULL,
	user_id      uuid NOT NULL,
	created_at   timestamptz NOT NULL,
	last_used_at timestamptz NOT NULL,
	expires_at   timestamptz NOT NULL,
	CONSTRAINT {devices.pkey} PRIMARY KEY (hash),
	CONSTRAINT {devices.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {devices.user_idx} ON {devices} (user_id, last_used_at);

ALTER TABLE {sessions} ADD COLUMN device bytea;

-- What is locked, for administrators to see. The counters themselves decide.
CREATE TABLE {lockouts} (
	key      text COLLATE "C" NOT NULL,
	kind     text NOT NULL,
	subject  text NOT NULL,
	user_id  uuid,
	failures integer NOT NULL,
	since    timestamptz NOT NULL,
	until    timestamptz,
	CONSTRAINT {lockouts.pkey} PRIMARY KEY (key)
);

CREATE INDEX {lockouts.since_idx} ON {lockouts} (since, key);
CREATE INDEX {lockouts.user_idx} ON {lockouts} (user_id);

-- What is counted while the cache does not answer. Times are microseconds, so that one statement can reckon with them.
CREATE TABLE {counters} (
	key     text COLLATE "C" NOT NULL,
	n       bigint NOT NULL,
	ends    bigint NOT NULL,
	outcome smallint NOT NULL,
	CONSTRAINT {counters.pkey} PRIMARY KEY (key)
) WITH (fillfactor = 80);

CREATE INDEX {counters.ends_idx} ON {counters} (ends);

-- +goose Down

DROP TABLE {counters};
DROP TABLE {lockouts};
ALTER TABLE {sessions} DROP COLUMN device;
DROP TABLE {devices};
ALTER TABLE {passwords} DROP COLUMN closed_at;
ALTER TABLE {passwords} DROP COLUMN failures;
