-- +goose Up

-- Wrong passwords in a row, over all identifiers and addresses; enough of them close the password until it is opened.
ALTER TABLE {passwords} ADD COLUMN failures integer NOT NULL DEFAULT 0;
ALTER TABLE {passwords} ADD COLUMN closed_at TIMESTAMP;

-- Devices that somebody has logged in from. They are not held up by what others try.
CREATE TABLE {devices} (
	hash         blob NOT NULL,
	user_id      text NOT NULL,
	created_at   TIMESTAMP NOT NULL,
	last_used_at TIMESTAMP NOT NULL,
	expires_at   TIMESTAMP NOT NULL,
	CONSTRAINT {devices.pkey} PRIMARY KEY (hash),
	CONSTRAINT {devices.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {devices.user_idx} ON {devices} (user_id, last_used_at);

ALTER TABLE {sessions} ADD COLUMN device blob;

-- What is locked, for administrators to see. The counters themselves decide.
CREATE TABLE {lockouts} (
	key      text NOT NULL,
	kind     text NOT NULL,
	subject  text NOT NULL,
	user_id  text,
	failures integer NOT NULL,
	since    TIMESTAMP NOT NULL,
	until    TIMESTAMP,
	CONSTRAINT {lockouts.pkey} PRIMARY KEY (key)
);

CREATE INDEX {lockouts.since_idx} ON {lockouts} (since, key);
CREATE INDEX {lockouts.user_idx} ON {lockouts} (user_id);

-- What is counted while the cache does not answer. Times are microseconds, so that one statement can reckon with them.
CREATE TABLE {counters} (
	key     text NOT NULL,
	n       integer NOT NULL,
	ends    integer NOT NULL,
	outcome integer NOT NULL,
	CONSTRAINT {counters.pkey} PRIMARY KEY (key)
);

CREATE INDEX {counters.ends_idx} ON {counters} (ends);

-- +goose Down

DROP TABLE {counters};
DROP TABLE {lockouts};
ALTER TABLE {sessions} DROP COLUMN device;
DROP TABLE {devices};
ALTER TABLE {passwords} DROP COLUMN closed_at;
ALTER TABLE {passwords} DROP COLUMN failures;
