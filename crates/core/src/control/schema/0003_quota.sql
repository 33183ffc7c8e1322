-- What the machine may have stored: when each of its two budgets is full again, in milliseconds since 1970. A time in
-- the past is a full budget, which is how every machine starts.
ALTER TABLE endpoint ADD COLUMN entries_full_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoint ADD COLUMN bytes_full_at INTEGER NOT NULL DEFAULT 0;

-- A long body, deflated (core::packed): body is then NULL. Once erased, both are.
ALTER TABLE transcript ADD COLUMN packed BLOB;

-- The bytes of the text that packed holds; NULL where body holds it.
ALTER TABLE transcript ADD COLUMN text_bytes INTEGER;

-- Sequences that the machine tells of and that this record does not have. A signed work envelope makes one a record. Until
-- then it is the machine's own word.
CREATE TABLE claim (
    endpoint_id TEXT NOT NULL,
    sequence_id TEXT NOT NULL,
    asked       INTEGER NOT NULL,             -- how often the machine was asked for the work since it last told of it
    answered    INTEGER NOT NULL,             -- 1: it has none to show
    told        INTEGER NOT NULL,             -- the ordinal of the journal that told of it last
    listed      INTEGER,                      -- the ordinal of the journal that listed its outcome; NULL: none did
    outcome     TEXT,                         -- JSON Outcome as listed
    PRIMARY KEY (endpoint_id, sequence_id)
) STRICT;

CREATE INDEX claim_open ON claim (endpoint_id, sequence_id) WHERE answered = 0 AND asked < 8;
