-- +goose Up

-- What access tokens do not know of themselves, for the nodes to follow: sessions that have ended, and users whose epoch
-- has grown. Triggers write it in the transaction of its cause, whoever that is. xid is that transaction: a reader who
-- comes back to what was not decided when it last looked misses nobody who committed late.
CREATE TABLE {revocations} (
	seq        bigint GENERATED ALWAYS AS IDENTITY,
	xid        bigint NOT NULL DEFAULT cast(cast(pg_current_xact_id() AS text) AS bigint),
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- not when its transaction began
	session_id uuid,
	user_id    uuid,
	epoch      bigint,
	CONSTRAINT {revocations.pkey} PRIMARY KEY (seq)
);

CREATE INDEX {revocations.xid_idx} ON {revocations} (xid);

-- Grows with each change of the signing keys.
ALTER TABLE {state} ADD COLUMN keys_epoch bigint NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE FUNCTION {sessions}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO {revocations} (session_id) VALUES (OLD.id);
	RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER {sessions.ended} AFTER UPDATE OF ended_at ON {sessions} FOR EACH ROW
	WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION {sessions}();

-- One that is over since long is only cleaned away.
CREATE TRIGGER {sessions.deleted} AFTER DELETE ON {sessions} FOR EACH ROW
	WHEN (OLD.ended_at IS NULL AND OLD.idle_at > now() - interval '2 hours') EXECUTE FUNCTION {sessions}();

-- +goose StatementBegin
CREATE FUNCTION {revocations}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO {revocations} (user_id, epoch) VALUES (NEW.id, NEW.epoch);
	RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Roster ends the sessions of whom it shuts out. Others may only write the column.
-- +goose StatementBegin
CREATE FUNCTION {users}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO {revocations} (session_id) SELECT id FROM {sessions} WHERE user_id = NEW.id AND ended_at IS NULL;
	RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER {users.shut} AFTER UPDATE OF banned_at, banned_until, archived_at, deleted_at ON {users} FOR EACH ROW
	WHEN (NEW.banned_at IS NOT NULL AND (OLD.banned_at, OLD.banned_until) IS DISTINCT FROM (NEW.banned_at, NEW.banned_until)
		OR OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL
		OR OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION {users}();

CREATE TRIGGER {users.epoch} AFTER UPDATE OF epoch ON {users} FOR EACH ROW
	WHEN (OLD.epoch <> NEW.epoch) EXECUTE FUNCTION {revocations}();

-- +goose StatementBegin
CREATE FUNCTION {keys}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	UPDATE {state} SET keys_epoch = keys_epoch + 1;
	RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER {keys.changed} AFTER INSERT OR UPDATE OR DELETE ON {keys} FOR EACH ROW EXECUTE FUNCTION {keys}();

-- +goose Down

DROP TRIGGER {keys.changed} ON {keys};
DROP TRIGGER {users.epoch} ON {users};
DROP TRIGGER {users.shut} ON {users};
DROP TRIGGER {sessions.deleted} ON {sessions};
DROP TRIGGER {sessions.ended} ON {sessions};
DROP FUNCTION {keys}();
DROP FUNCTION {revocations}();
DROP FUNCTION {users}();
DROP FUNCTION {sessions}();
ALTER TABLE {state} DROP COLUMN keys_epoch;
DROP TABLE {revocations};
