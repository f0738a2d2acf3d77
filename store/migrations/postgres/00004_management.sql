-- +goose Up

-- What is known of a ban beside its times, which the row of the user has.
CREATE TABLE {bans} (
	user_id uuid NOT NULL,
	reason  text NOT NULL,
	note    text NOT NULL,
	by_id   uuid,
	CONSTRAINT {bans.pkey} PRIMARY KEY (user_id),
	CONSTRAINT {bans.user_fkey} FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
);

-- For the blacklist, newest ban first.
CREATE INDEX IF NOT EXISTS {users.blacklist_idx} ON {users} (banned_at, id) WHERE banned_at IS NOT NULL;

-- The blackout, if one is set: the epoch of all users grows with each.
ALTER TABLE {state}
	ADD COLUMN blackout_at      timestamptz,
	ADD COLUMN blackout_by      uuid,
	ADD COLUMN blackout_message text NOT NULL DEFAULT '',
	ADD COLUMN blackout_closed  boolean NOT NULL DEFAULT false,
	ADD COLUMN blackout_until   timestamptz;

-- Who did what, when and from where. It has no foreign keys: entries outlive whom they tell of.
CREATE TABLE {audit} (
	id          uuid NOT NULL,
	happened_at timestamptz NOT NULL,
	actor_kind  text NOT NULL,
	actor_id    uuid,
	on_behalf   uuid,
	action      text COLLATE "C" NOT NULL,
	subject_id  uuid,
	result      text NOT NULL,
	code        text NOT NULL,
	changes     text,
	reason      text,
	ip          text,
	user_agent  text,
	session_id  uuid,
	request_id  text,
	CONSTRAINT {audit.pkey} PRIMARY KEY (happened_at, id)
);

CREATE INDEX {audit.subject_idx} ON {audit} (subject_id, happened_at, id) WHERE subject_id IS NOT NULL;
CREATE INDEX {audit.actor_idx} ON {audit} (actor_id, happened_at, id) WHERE actor_id IS NOT NULL;

-- Entries are only added. Retention and anonymisation say so, for their transaction alone.
-- +goose StatementBegin
CREATE FUNCTION {audit}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF coalesce(current_setting('roster.audit', true), '') <> 'unlocked' THEN
		RAISE EXCEPTION 'entries of the audit trail are only added';
	END IF;
	RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER {audit.guard} BEFORE UPDATE OR DELETE OR TRUNCATE ON {audit} FOR EACH STATEMENT EXECUTE FUNCTION {audit}();

-- +goose Down

DROP TABLE {audit};
DROP FUNCTION {audit}();
ALTER TABLE {state}
	DROP COLUMN blackout_until,
	DROP COLUMN blackout_closed,
	DROP COLUMN blackout_message,
	DROP COLUMN blackout_by,
	DROP COLUMN blackout_at;
DROP TABLE {bans};
