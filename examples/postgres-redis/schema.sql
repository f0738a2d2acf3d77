ALTER TABLE users ADD COLUMN team text NOT NULL DEFAULT '';

CREATE TABLE wallets (
	member_id uuid NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	cents     bigint NOT NULL
);
