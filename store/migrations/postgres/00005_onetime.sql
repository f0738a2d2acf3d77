-- +goose Up

-- One-time passwords for any purpose. scope is a digest of what a short key is bound to, empty for a long one.
CREATE TABLE {otps} (
	id           uuid NOT NULL,
	slug         text COLLATE "C" NOT NULL,
	hash         bytea NOT NULL,
	scope        bytea NOT NULL,
	data         text,
	max_attempts integer NOT NULL,
	created_at   timestamptz NOT NULL,
	expires_at   timestamptz NOT NULL,
	ended_at     timestamptz,
	CONSTRAINT {otps.pkey} PRIMARY KEY (id)
);

CREATE UNIQUE INDEX {otps.hash_key} ON {otps} (hash) WHERE ended_at IS NULL;
CREATE INDEX {otps.slug_idx} ON {otps} (slug, created_at) WHERE ended_at IS NULL;

-- What a one-time password is related to. user_id repeats the object of the kind "user", which must exist.
CREATE TABLE {otp_objects} (
	otp_id  uuid NOT NULL,
	kind    text COLLATE "C" NOT NULL,
	object  text COLLATE "C" NOT NULL,
	user_id uuid,
	CONSTRAINT {otp_objects.pkey} PRIMARY KEY (otp_id, kind, object),
	CONSTRAINT {otp_objects.otp_fkey} FOREIGN KEY (otp_id) REFERENCES {otps} (id) ON DELETE CASCADE,
	CONSTRAINT {otp_objects.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {otp_objects.object_idx} ON {otp_objects} (kind, object);
CREATE INDEX {otp_objects.user_idx} ON {otp_objects} (user_id);

-- Failures are counted by a scope of any kind. No key leads to users: they are counted apart from a transaction that
-- may hold the user's row.
ALTER TABLE {tries} ADD COLUMN scope text COLLATE "C";
UPDATE {tries} SET scope = user_id || '/' || purpose;
ALTER TABLE {tries} DROP CONSTRAINT {tries.user_fkey};
ALTER TABLE {tries} DROP CONSTRAINT {tries.pkey};
ALTER TABLE {tries} DROP COLUMN purpose;
ALTER TABLE {tries} ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE {tries} ADD CONSTRAINT {tries.pkey} PRIMARY KEY (scope);

CREATE INDEX {tries.user_idx} ON {tries} (user_id);

-- +goose Down

DELETE FROM {tries} WHERE scope LIKE 'otp%' OR user_id IS NULL OR user_id NOT IN (SELECT id FROM {users});
DROP INDEX {schema}{tries.user_idx};
ALTER TABLE {tries} DROP CONSTRAINT {tries.pkey};
ALTER TABLE {tries} ADD COLUMN purpose text;
UPDATE {tries} SET purpose = substr(scope, 38);
ALTER TABLE {tries} ALTER COLUMN purpose SET NOT NULL;
ALTER TABLE {tries} ALTER COLUMN user_id SET NOT NULL;
ALTER TABLE {tries} DROP COLUMN scope;
ALTER TABLE {tries} ADD CONSTRAINT {tries.pkey} PRIMARY KEY (user_id, purpose);
ALTER TABLE {tries} ADD CONSTRAINT {tries.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE;
DROP TABLE {otp_objects};
DROP TABLE {otps};
