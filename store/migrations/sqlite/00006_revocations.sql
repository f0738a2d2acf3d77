-- +goose Up

-- What access tokens do not know of themselves, for the nodes to follow: sessions that have ended, and users whose epoch
-- has grown. Triggers write it in the transaction of its cause, whoever that is. With one writer at a time seq grows in
-- the order of commits.
CREATE TABLE {revocations} (
	seq        integer PRIMARY KEY AUTOINCREMENT,
	created_at TIMESTAMP NOT NULL DEFAULT (cast(unixepoch('subsec') * 1000000 AS integer)),
	session_id text,
	user_id    text,
	epoch      bigint
);

-- Grows with each change of the signing keys.
ALTER TABLE {state} ADD COLUMN keys_epoch bigint NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER {sessions.ended} AFTER UPDATE OF ended_at ON {sessions} FOR EACH ROW
	WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
	INSERT INTO {revocations} (session_id) VALUES (OLD.id);
END;
-- +goose StatementEnd

-- One that is over since long is only cleaned away.
-- +goose StatementBegin
CREATE TRIGGER {sessions.deleted} AFTER DELETE ON {sessions} FOR EACH ROW
	WHEN OLD.ended_at IS NULL AND OLD.idle_at > (unixepoch() - 7200) * 1000000
BEGIN
	INSERT INTO {revocations} (session_id) VALUES (OLD.id);
END;
-- +goose StatementEnd

-- Roster ends the sessions of whom it shuts out. Others may only write the column.
-- +goose StatementBegin
CREATE TRIGGER {users.shut} AFTER UPDATE OF banned_at, banned_until, archived_at, deleted_at ON {users} FOR EACH ROW
	WHEN NEW.banned_at IS NOT NULL AND (OLD.banned_at IS NOT NEW.banned_at OR OLD.banned_until IS NOT NEW.banned_until)
		OR OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL
		OR OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL
BEGIN
	INSERT INTO {revocations} (session_id) SELECT id FROM {sessions} WHERE user_id = NEW.id AND ended_at IS NULL;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER {users.epoch} AFTER UPDATE OF epoch ON {users} FOR EACH ROW
	WHEN OLD.epoch <> NEW.epoch
BEGIN
	INSERT INTO {revocations} (user_id, epoch) VALUES (NEW.id, NEW.epoch);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER {keys.inserted} AFTER INSERT ON {keys}
BEGIN
	UPDATE {state} SET keys_epoch = keys_epoch + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER {keys.updated} AFTER UPDATE ON {keys}
BEGIN
	UPDATE {state} SET keys_epoch = keys_epoch + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER {keys.deleted} AFTER DELETE ON {keys}
BEGIN
	UPDATE {state} SET keys_epoch = keys_epoch + 1;
END;
-- +goose StatementEnd

-- +goose Down

DROP TRIGGER {keys.deleted};
DROP TRIGGER {keys.updated};
DROP TRIGGER {keys.inserted};
DROP TRIGGER {users.epoch};
DROP TRIGGER {users.shut};
DROP TRIGGER {sessions.deleted};
DROP TRIGGER {sessions.ended};
ALTER TABLE {state} DROP COLUMN keys_epoch;
DROP TABLE {revocations};
