-- +goose Up

-- The program's own columns are added to this table by the program's own migrations. What a log-in changes is not
-- indexed, and pages keep some room, so that the change stays on its page (a heap-only update).
CREATE TABLE IF NOT EXISTS {users} (
	id                 uuid NOT NULL,
	username           text,
	username_canonical text COLLATE "C",
	email              text,
	email_canonical    text COLLATE "C",
	email_verified_at  timestamptz,
	phone              text COLLATE "C",
	phone_verified_at  timestamptz,
	permissions        jsonb NOT NULL DEFAULT '[]',
	superuser          boolean NOT NULL DEFAULT false,
	language           text COLLATE "C",
	time_zone          text COLLATE "C",
	banned_at          timestamptz,
	banned_until       timestamptz,
	archived_at        timestamptz,
	archived_by        text,
	deleted_at         timestamptz,
	delete_mode        text,
	last_login_at      timestamptz,
	created_at         timestamptz NOT NULL,
	updated_at         timestamptz NOT NULL,
	version            bigint NOT NULL DEFAULT 1,
	epoch              bigint NOT NULL DEFAULT 0,
	search             text COLLATE "C" NOT NULL DEFAULT '',
	CONSTRAINT {users.pkey} PRIMARY KEY (id),
	CONSTRAINT {users.identifier_check} CHECK (
		username IS NOT NULL OR email IS NOT NULL OR phone IS NOT NULL OR coalesce(delete_mode, '') = 'anonymise'
	)
) WITH (fillfactor = 90);

CREATE UNIQUE INDEX IF NOT EXISTS {users.username_key} ON {users} (username_canonical);
CREATE UNIQUE INDEX IF NOT EXISTS {users.email_key} ON {users} (email_canonical);
CREATE UNIQUE INDEX IF NOT EXISTS {users.phone_key} ON {users} (phone);
CREATE INDEX IF NOT EXISTS {users.created_idx} ON {users} (created_at, id);
CREATE INDEX IF NOT EXISTS {users.updated_idx} ON {users} (updated_at, id);
CREATE INDEX IF NOT EXISTS {users.superuser_idx} ON {users} (id) WHERE superuser;
-- For lists of the few who are banned, and so on.
CREATE INDEX IF NOT EXISTS {users.banned_idx} ON {users} (created_at, id) WHERE banned_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS {users.archived_idx} ON {users} (created_at, id) WHERE archived_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS {users.deleted_idx} ON {users} (created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS {users.permissions_idx} ON {users} USING gin (permissions jsonb_path_ops) WHERE permissions <> '[]';

CREATE TABLE {passwords} (
	user_id    uuid NOT NULL,
	hash       text NOT NULL,
	changed_at timestamptz NOT NULL,
	CONSTRAINT {passwords.pkey} PRIMARY KEY (user_id),
	CONSTRAINT {passwords.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE TABLE {identities} (
	provider  text COLLATE "C" NOT NULL,
	subject   text COLLATE "C" NOT NULL,
	user_id   uuid NOT NULL,
	data      jsonb,
	linked_at timestamptz NOT NULL,
	CONSTRAINT {identities.pkey} PRIMARY KEY (provider, subject),
	CONSTRAINT {identities.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {identities.user_idx} ON {identities} (user_id, linked_at);

-- One row a log-in. Of its refresh tokens it keeps the hash of the current and of the previous one.
CREATE TABLE {sessions} (
	id            uuid NOT NULL,
	user_id       uuid NOT NULL,
	created_at    timestamptz NOT NULL,
	last_used_at  timestamptz NOT NULL,
	remember      boolean NOT NULL,
	idle_at       timestamptz NOT NULL,
	expires_at    timestamptz NOT NULL,
	ended_at      timestamptz,
	ended_reason  text,
	auth_time     timestamptz NOT NULL,
	amr           text NOT NULL,
	ip            text,
	user_agent    text,
	global_epoch  bigint NOT NULL,
	generation    bigint NOT NULL,
	secret_hash   bytea NOT NULL,
	previous_hash bytea,
	rotated_at    timestamptz,
	successor     bytea,
	CONSTRAINT {sessions.pkey} PRIMARY KEY (id),
	CONSTRAINT {sessions.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
) WITH (fillfactor = 80);

CREATE INDEX {sessions.user_idx} ON {sessions} (user_id);

-- Tokens that are mailed as links. A used one stays for a while: mail programs open links twice.
CREATE TABLE {links} (
	hash       bytea NOT NULL,
	purpose    text NOT NULL,
	user_id    uuid NOT NULL,
	address    text NOT NULL,
	created_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	used_at    timestamptz,
	voided_at  timestamptz,
	CONSTRAINT {links.pkey} PRIMARY KEY (hash),
	CONSTRAINT {links.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {links.user_idx} ON {links} (user_id, purpose);

-- The outbox. It has no foreign key: the last message to a user outlives them.
CREATE TABLE {messages} (
	id           uuid NOT NULL,
	kind         text NOT NULL,
	channel      text NOT NULL,
	user_id      uuid,
	recipient    text,
	language     text NOT NULL,
	payload      bytea,
	link_hash    bytea,
	dedupe_key   text COLLATE "C",
	priority     smallint NOT NULL,
	state        text NOT NULL,
	attempts     integer NOT NULL DEFAULT 0,
	next_at      timestamptz NOT NULL,
	locked_until timestamptz,
	locked_by    uuid,
	last_error   text,
	created_at   timestamptz NOT NULL,
	sent_at      timestamptz,
	expires_at   timestamptz NOT NULL,
	CONSTRAINT {messages.pkey} PRIMARY KEY (id)
);

CREATE INDEX {messages.due_idx} ON {messages} (priority, next_at, id) WHERE state IN ('pending', 'sending');
CREATE INDEX {messages.user_idx} ON {messages} (user_id);
CREATE UNIQUE INDEX {messages.dedupe_key} ON {messages} (dedupe_key) WHERE state = 'pending';

-- Usernames that were given up and are not free yet, by a keyed hash.
CREATE TABLE {holds} (
	hash    bytea NOT NULL,
	user_id uuid,
	ends_at timestamptz NOT NULL,
	CONSTRAINT {holds.pkey} PRIMARY KEY (hash)
);

CREATE INDEX {holds.user_idx} ON {holds} (user_id);

-- Signing keys, sealed under the program's secrets.
CREATE TABLE {keys} (
	kid        text COLLATE "C" NOT NULL,
	algorithm  text NOT NULL,
	state      text NOT NULL,
	sealed     bytea NOT NULL,
	created_at timestamptz NOT NULL,
	changed_at timestamptz NOT NULL,
	CONSTRAINT {keys.pkey} PRIMARY KEY (kid)
);

CREATE UNIQUE INDEX {keys.active_key} ON {keys} (state) WHERE state = 'active';

-- What holds for all users: one row.
CREATE TABLE {state} (
	id    smallint NOT NULL,
	epoch bigint NOT NULL,
	CONSTRAINT {state.pkey} PRIMARY KEY (id),
	CONSTRAINT {state.one_check} CHECK (id = 1)
);

INSERT INTO {state} (id, epoch) VALUES (1, 0);

-- +goose Down

DROP TABLE {state};
DROP TABLE {keys};
DROP TABLE {holds};
DROP TABLE {messages};
DROP TABLE {links};
DROP TABLE {sessions};
DROP TABLE {identities};
DROP TABLE {passwords};
-- roster:drop-users
DROP TABLE {users};
