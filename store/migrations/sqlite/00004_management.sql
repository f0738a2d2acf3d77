-- +goose Up

-- What is known of a ban beside its times, which the row of the user has.
CREATE TABLE {bans} (
	user_id text NOT NULL,
	reason  text NOT NULL,
	note    text NOT NULL,
	by_id   text,
	CONSTRAINT {bans.pkey} PRIMARY KEY (user_id),
	CONSTRAINT {bans.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

-- For the blacklist, newest ban first.
CREATE INDEX IF NOT EXISTS {users.blacklist_idx} ON {users} (banned_at, id) WHERE banned_at IS NOT NULL;

-- The blackout, if one is set: the epoch of all users grows with each.
ALTER TABLE {state} ADD COLUMN blackout_at TIMESTAMP;
ALTER TABLE {state} ADD COLUMN blackout_by text;
ALTER TABLE {state} ADD COLUMN blackout_message text NOT NULL DEFAULT '';
ALTER TABLE {state} ADD COLUMN blackout_closed boolean NOT NULL DEFAULT false;
ALTER TABLE {state} ADD COLUMN blackout_until TIMESTAMP;

-- Who did what, when and from where. It has no foreign keys: entries outlive whom they tell of.
CREATE TABLE {audit} (
	id          text NOT NULL,
	happened_at TIMESTAMP NOT NULL,
	actor_kind  text NOT NULL,
	actor_id    text,
	on_behalf   text,
	action      text NOT NULL,
	subject_id  text,
	result      text NOT NULL,
	code        text NOT NULL,
	changes     text,
	reason      text,
	ip          text,
	user_agent  text,
	session_id  text,
	request_id  text,
	CONSTRAINT {audit.pkey} PRIMARY KEY (happened_at, id)
);

CREATE INDEX {audit.subject_idx} ON {audit} (subject_id, happened_at, id) WHERE subject_id IS NOT NULL;
CREATE INDEX {audit.actor_idx} ON {audit} (actor_id, happened_at, id) WHERE actor_id IS NOT NULL;

-- +goose Down

DROP TABLE {audit};
ALTER TABLE {state} DROP COLUMN blackout_until;
ALTER TABLE {state} DROP COLUMN blackout_closed;
ALTER TABLE {state} DROP COLUMN blackout_message;
ALTER TABLE {state} DROP COLUMN blackout_by;
ALTER TABLE {state} DROP COLUMN blackout_at;
DROP TABLE {bans};
