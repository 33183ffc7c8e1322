-- The state directory of one endpoint program: one object, so keys name no object. Times are milliseconds since
-- 1970 by the corrected clock; ids, digests and keys are text.

-- Small documents: the rules' state, and what the program itself keeps (identity, settings).
CREATE TABLE document (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL                -- JSON
) STRICT, WITHOUT ROWID;

-- The journal of now: entries after the pruned ones.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    hash   TEXT NOT NULL,
    header TEXT NOT NULL,              -- exact bytes
    body   TEXT NOT NULL               -- exact bytes
) STRICT;

-- Work that has not ended, in the order it was accepted.
CREATE TABLE work (
    ordinal     INTEGER PRIMARY KEY,
    sequence_id TEXT NOT NULL UNIQUE,
    work        TEXT NOT NULL,         -- JSON Work, as signed
    progress    TEXT NOT NULL          -- JSON Progress
) STRICT;

-- What became of work that has ended; kept longer than the entries that told of it (R1).
CREATE TABLE outcome (
    ordinal     INTEGER PRIMARY KEY,
    sequence_id TEXT NOT NULL UNIQUE,
    issued_at   INTEGER NOT NULL,
    outcome     TEXT NOT NULL          -- JSON Outcome
) STRICT;

-- Digests of orders that did not verify: one journal entry each (R13).
CREATE TABLE tampered (
    digest TEXT PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
