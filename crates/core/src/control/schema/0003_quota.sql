-- What the machine may have stored: when each of its two budgets is full again, in milliseconds since 1970. A time in
-- the past is a full budget, which is how every machine starts.
ALTER TABLE endpoint ADD COLUMN entries_full_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoint ADD COLUMN bytes_full_at INTEGER NOT NULL DEFAULT 0;

-- A long body, deflated (core::packed): body is then NULL. Once erased, both are.
ALTER TABLE transcript ADD COLUMN packed BLOB;
