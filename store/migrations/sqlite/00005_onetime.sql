-- +goose Up

-- One-time passwords for any purpose. scope is a digest of what a short key is bound to, empty for a long one.
CREATE TABLE {otps} (
	id           text NOT NULL,
	slug         text NOT NULL,
	hash         blob NOT NULL,
	scope        blob NOT NULL,
	data         text,
	max_attempts integer NOT NULL,
	created_at   TIMESTAMP NOT NULL,
	expires_at   TIMESTAMP NOT NULL,
	ended_at     TIMESTAMP,
	CONSTRAINT {otps.pkey} PRIMARY KEY (id)
);

CREATE UNIQUE INDEX {otps.hash_key} ON {otps} (hash) WHERE ended_at IS NULL;
CREATE INDEX {otps.slug_idx} ON {otps} (slug, created_at) WHERE ended_at IS NULL;

-- What a one-time password is related to. user_id repeats the object of the kind "user", which must exist.
CREATE TABLE {otp_objects} (
	otp_id  text NOT NULL,
	kind    text NOT NULL,
	object  text NOT NULL,
	user_id text,
	CONSTRAINT {otp_objects.pkey} PRIMARY KEY (otp_id, kind, object),
	CONSTRAINT {otp_objects.otp_fkey} FOREIGN KEY (otp_id) REFERENCES {otps} (id) ON DELETE CASCADE,
	CONSTRAINT {otp_objects.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {otp_objects.object_idx} ON {otp_objects} (kind, object);
CREATE INDEX {otp_objects.user_idx} ON {otp_objects} (user_id);

-- Failures are counted by a scope of any kind. No key leads to users: they are counted apart from a transaction that
-- may hold the user's row. SQLite cannot change the key of a table, so it is made anew.
ALTER TABLE {tries} RENAME TO {tries.old};

CREATE TABLE {tries} (
	user_id  text,
	failures integer NOT NULL,
	waits_at TIMESTAMP NOT NULL,
	ends_at  TIMESTAMP NOT NULL,
	scope    text NOT NULL,
	CONSTRAINT {tries.pkey} PRIMARY KEY (scope)
);

INSERT INTO {tries} (user_id, failures, waits_at, ends_at, scope)
SELECT user_id, failures, waits_at, ends_at, user_id || '/' || purpose FROM {tries.old};
DROP TABLE {tries.old};

CREATE INDEX {tries.user_idx} ON {tries} (user_id);

-- +goose Down

DROP INDEX {tries.user_idx};
ALTER TABLE {tries} RENAME TO {tries.old};

CREATE TABLE {tries} (
	user_id  text NOT NULL,
	purpose  text NOT NULL,
	failures integer NOT NULL,
	waits_at TIMESTAMP NOT NULL,
	ends_at  TIMESTAMP NOT NULL,
	CONSTRAINT {tries.pkey} PRIMARY KEY (user_id, purpose),
	CONSTRAINT {tries.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

INSERT INTO {tries} (user_id, purpose, failures, waits_at, ends_at)
SELECT user_id, substr(scope, 38), failures, waits_at, ends_at FROM {tries.old}
WHERE scope NOT LIKE 'otp%' AND user_id IN (SELECT id FROM {users});
DROP TABLE {tries.old};
DROP TABLE {otp_objects};
DROP TABLE {otps};
