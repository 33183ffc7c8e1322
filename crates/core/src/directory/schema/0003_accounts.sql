-- When a session ends unless it is used before; moved at most every 15 minutes.
ALTER TABLE session ADD COLUMN idle_at INTEGER NOT NULL DEFAULT 0;
UPDATE session SET idle_at = created_at + 43200000;
-- When its person last gave a password or a one-time link in it; NULL: never.
ALTER TABLE session ADD COLUMN confirmed_at INTEGER;

-- Until when a token works; NULL: until it is withdrawn, as of those made before tokens had an end.
ALTER TABLE token ADD COLUMN expires_at INTEGER;
-- When it was used, the first time of the last day on which it was.
ALTER TABLE token ADD COLUMN used_at INTEGER;

-- Endpoints that have not heard yet whose work they are to hold.
CREATE TABLE directory_outbox (
    due_at      INTEGER NOT NULL,             -- since when it is to be told
    endpoint_id TEXT NOT NULL,
    person      TEXT NOT NULL,                -- e-mail address
    by          TEXT NOT NULL,                -- e-mail address of who deactivated them
    PRIMARY KEY (due_at, endpoint_id, person)
) STRICT, WITHOUT ROWID;

-- How many entries of refused sign-ins name an account today.
CREATE TABLE refusals_named (
    day     TEXT PRIMARY KEY,                 -- UTC, 2026-11-23
    entries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
