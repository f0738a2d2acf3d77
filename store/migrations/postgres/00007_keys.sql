-- +goose Up

-- One signing key comes next, whoever makes it.
CREATE UNIQUE INDEX {keys.next_key} ON {keys} (state) WHERE state = 'next';

-- +goose Down

DELETE FROM {keys} WHERE state <> 'active';
DROP INDEX {schema}{keys.next_key};
