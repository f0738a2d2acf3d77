-- +goose Up

-- The program's own columns are added to this table by the program's own migrations. Times are declared TIMESTAMP,
-- which is what the driver reads integer microseconds back by.
CREATE TABLE IF NOT EXISTS {users} (
	id                 text NOT NULL,
	username           text,
	username_canonical text,
	email              text,
	email_canonical    text,
	email_verified_at  TIMESTAMP,
	phone              text,
	phone_verified_at  TIMESTAMP,
	permissions        text NOT NULL DEFAULT '[]',
	superuser          boolean NOT NULL DEFAULT false,
	language           text,
	time_zone          text,
	banned_at          TIMESTAMP,
	banned_until       TIMESTAMP,
	archived_at        TIMESTAMP,
	archived_by        text,
	deleted_at         TIMESTAMP,
	delete_mode        text,
	last_login_at      TIMESTAMP,
	created_at         TIMESTAMP NOT NULL,
	updated_at         TIMESTAMP NOT NULL,
	version            integer NOT NULL DEFAULT 1,
	epoch              integer NOT NULL DEFAULT 0,
	search             text NOT NULL DEFAULT '',
	CONSTRAINT {users.pkey} PRIMARY KEY (id),
	CONSTRAINT {users.identifier_check} CHECK (
		username IS NOT NULL OR email IS NOT NULL OR phone IS NOT NULL OR coalesce(delete_mode, '') = 'anonymise'
	)
);

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
CREATE INDEX IF NOT EXISTS {users.permissions_idx} ON {users} (created_at, id) WHERE permissions <> '[]';

CREATE TABLE {passwords} (
	user_id    text NOT NULL,
	hash       text NOT NULL,
	changed_at TIMESTAMP NOT NULL,
	CONSTRAINT {passwords.pkey} PRIMARY KEY (user_id),
	CONSTRAINT {passwords.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE TABLE {identities} (
	provider  text NOT NULL,
	subject   text NOT NULL,
	user_id   text NOT NULL,
	data      text,
	linked_at TIMESTAMP NOT NULL,
	CONSTRAINT {identities.pkey} PRIMARY KEY (provider, subject),
	CONSTRAINT {identities.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {identities.user_idx} ON {identities} (user_id, linked_at);

-- One row a log-in. Of its refresh tokens it keeps the hash of the current and of the previous one.
CREATE TABLE {sessions} (
	id            text NOT NULL,
	user_id       text NOT NULL,
	created_at    TIMESTAMP NOT NULL,
	last_used_at  TIMESTAMP NOT NULL,
	remember      boolean NOT NULL,
	idle_at       TIMESTAMP NOT NULL,
	expires_at    TIMESTAMP NOT NULL,
	ended_at      TIMESTAMP,
	ended_reason  text,
	auth_time     TIMESTAMP NOT NULL,
	amr           text NOT NULL,
	ip            text,
	user_agent    text,
	global_epoch  integer NOT NULL,
	generation    integer NOT NULL,
	secret_hash   blob NOT NULL,
	previous_hash blob,
	rotated_at    TIMESTAMP,
	successor     blob,
	CONSTRAINT {sessions.pkey} PRIMARY KEY (id),
	CONSTRAINT {sessions.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {sessions.user_idx} ON {sessions} (user_id);

-- Tokens that are mailed as links. A used one stays for a while: mail programs open links twice.
CREATE TABLE {links} (
	hash       blob NOT NULL,
	purpose    text NOT NULL,
	user_id    text NOT NULL,
	address    text NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP NOT NULL,
	used_at    TIMESTAMP,
	voided_at  TIMESTAMP,
	CONSTRAINT {links.pkey} PRIMARY KEY (hash),
	CONSTRAINT {links.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

CREATE INDEX {links.user_idx} ON {links} (user_id, purpose);

-- The outbox. It has no foreign key: the last message to a user outlives them.
CREATE TABLE {messages} (
	id           text NOT NULL,
	kind         text NOT NULL,
	channel      text NOT NULL,
	user_id      text,
	recipient    text,
	language     text NOT NULL,
	payload      blob,
	link_hash    blob,
	dedupe_key   text,
	priority     integer NOT NULL,
	state        text NOT NULL,
	attempts     integer NOT NULL DEFAULT 0,
	next_at      TIMESTAMP NOT NULL,
	locked_until TIMESTAMP,
	locked_by    text,
	last_error   text,
	created_at   TIMESTAMP NOT NULL,
	sent_at      TIMESTAMP,
	expires_at   TIMESTAMP NOT NULL,
	CONSTRAINT {messages.pkey} PRIMARY KEY (id)
);

CREATE INDEX {messages.due_idx} ON {messages} (priority, next_at, id) WHERE state IN ('pending', 'sending');
CREATE INDEX {messages.user_idx} ON {messages} (user_id);
CREATE UNIQUE INDEX {messages.dedupe_key} ON {messages} (dedupe_key) WHERE state = 'pending';

-- Usernames that were given up and are not free yet, by a keyed hash.
CREATE TABLE {holds} (
	hash    blob NOT NULL,
	user_id text,
	ends_at TIMESTAMP NOT NULL,
	CONSTRAINT {holds.pkey} PRIMARY KEY (hash)
);

CREATE INDEX {holds.user_idx} ON {holds} (user_id);

-- Signing keys, sealed under the program's secrets.
CREATE TABLE {keys} (
	kid        text NOT NULL,
	algorithm  text NOT NULL,
	state      text NOT NULL,
	sealed     blob NOT NULL,
	created_at TIMESTAMP NOT NULL,
	changed_at TIMESTAMP NOT NULL,
	CONSTRAINT {keys.pkey} PRIMARY KEY (kid)
);

CREATE UNIQUE INDEX {keys.active_key} ON {keys} (state) WHERE state = 'active';

-- What holds for all users: one row.
CREATE TABLE {state} (
	id    integer NOT NULL,
	epoch integer NOT NULL,
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
