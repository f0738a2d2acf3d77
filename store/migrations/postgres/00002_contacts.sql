-- +goose Up

-- Changes of a contact that were asked for: to new_value, or to none. A done one can be undone for a while.
CREATE TABLE {changes} (
	id            uuid NOT NULL,
	user_id       uuid NOT NULL,
	contact       text NOT NULL,
	old_value     text,
	new_value     text NOT NULL,
	new_canonical text COLLATE "C" NOT NULL,
	created_at    timestamptz NOT NULL,
	completed_at  timestamptz,
	ended_at      timestamptz,
	CONSTRAINT {changes.pkey} PRIMARY KEY (id),
	CONSTRAINT {changes.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {changes.user_idx} ON {changes} (user_id, created_at);

-- Codes that people type are links with a bounded number of tries.
ALTER TABLE {links} ADD COLUMN tries integer NOT NULL DEFAULT 0;
ALTER TABLE {links} ADD COLUMN change_id uuid;

-- Wrong codes, by user and purpose: new codes do not make them forgotten.
CREATE TABLE {tries} (
	user_id  uuid NOT NULL,
	purpose  text NOT NULL,
	failures integer NOT NULL,
	waits_at timestamptz NOT NULL,
	ends_at  timestamptz NOT NULL,
	CONSTRAINT {tries.pkey} PRIMARY KEY (user_id, purpose),
	CONSTRAINT {tries.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

-- +goose Down

DROP TABLE {tries};
ALTER TABLE {links} DROP COLUMN change_id;
ALTER TABLE {links} DROP COLUMN tries;
DROP TABLE {changes};
