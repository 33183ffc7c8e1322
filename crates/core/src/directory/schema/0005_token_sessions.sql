-- The API token that opened a session; NULL: a link or a password did, or it is older than this column.
ALTER TABLE session ADD COLUMN token_id TEXT;

CREATE INDEX session_by_token ON session (token_id) WHERE token_id IS NOT NULL;
