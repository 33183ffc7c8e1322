-- One endpoint object. Every key starts with the endpoint's id: a host may keep many objects in one file
-- or each in its own. Times are milliseconds since 1970; ids, digests and keys are text.

-- The object itself. Heads of the current journal and order log are repeated here, so that an idle sync
-- reads this one row. What is long comes last, and rows of a table with rowids are stored whole up to a page.
CREATE TABLE endpoint (
    endpoint_id       TEXT PRIMARY KEY,
    client_id         TEXT NOT NULL,
    site_id           TEXT NOT NULL,
    name              TEXT NOT NULL,
    state             TEXT NOT NULL,          -- EndpointState
    revision          INTEGER NOT NULL,
    enrolled_at       INTEGER NOT NULL,
    last_seen_at      INTEGER,
    skew_ms           INTEGER,
    rhythm            TEXT NOT NULL,          -- JSON Rhythm: what its contacts are usually like
    time_zone         TEXT NOT NULL,          -- of its site, as it was last told
    journal_id        TEXT,                   -- the current journal; NULL: none is
    journal_number    INTEGER NOT NULL,
    journal_hash      TEXT NOT NULL,
    log_id            TEXT,                   -- the open order log; NULL: none is
    log_number        INTEGER NOT NULL,
    log_hash          TEXT NOT NULL,
    pending           INTEGER NOT NULL,       -- 1: a sync has something to fetch
    transcript_number INTEGER NOT NULL,
    transcript_hash   TEXT NOT NULL,
    told_number       INTEGER NOT NULL,       -- the last entry worth endorsing
    endorsed_number   INTEGER NOT NULL,       -- the last entry the journal endorses
    attention         TEXT NOT NULL,          -- JSON list of Attention that lasts
    tags              TEXT NOT NULL,          -- JSON list of texts
    address           TEXT,                   -- the last one the current journal was heard from in a whole sync
    facts             TEXT NOT NULL           -- JSON object
) STRICT;

-- What the machine can do; apart because it is large and seldom read.
CREATE TABLE catalogue (
    endpoint_id TEXT PRIMARY KEY,
    probes      TEXT NOT NULL                 -- JSON Catalogue
) STRICT, WITHOUT ROWID;

-- Every key the endpoint ever enrolled with, and its certificate.
CREATE TABLE endpoint_key (
    endpoint_id TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    enrolment   TEXT NOT NULL,                -- Envelope of EnrolmentCertificate
    enrolled_at INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, public_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    endpoint_id   TEXT NOT NULL,
    journal_id    TEXT NOT NULL,
    ordinal       INTEGER NOT NULL,           -- what transcript.journal names
    public_key    TEXT NOT NULL,              -- whose signature moves it
    state         TEXT NOT NULL,              -- JournalState
    number        INTEGER NOT NULL,
    hash          TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    address       TEXT,
    facts         TEXT NOT NULL,              -- JSON object
    signed        TEXT,                       -- Envelope of the last SyncLine that stated this head
    PRIMARY KEY (endpoint_id, journal_id)
) STRICT;

CREATE TABLE order_log (
    endpoint_id TEXT NOT NULL,
    log_id      TEXT NOT NULL,
    journal_id  TEXT,                         -- the journal it adopts; NULL: a log known only by hearsay
    state       TEXT NOT NULL,                -- open, closed
    number      INTEGER NOT NULL,
    hash        TEXT NOT NULL,
    taken_up    INTEGER NOT NULL,             -- 1: the journal told opened
    PRIMARY KEY (endpoint_id, log_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE order_entry (
    endpoint_id TEXT NOT NULL,
    log_id      TEXT NOT NULL,
    number      INTEGER NOT NULL,
    hash        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    sequence_id TEXT,
    envelope    TEXT NOT NULL,                -- Envelope of Order
    void        TEXT,                         -- Envelope of Void, once made
    PRIMARY KEY (endpoint_id, log_id, number)
) STRICT;

CREATE TABLE sequence (
    endpoint_id TEXT NOT NULL,
    sequence_id TEXT NOT NULL,
    ordinal     INTEGER NOT NULL,             -- the order in which they were made
    turn        INTEGER NOT NULL,             -- the order in which they are sent: the ordinal until one is put first
    state       TEXT NOT NULL,                -- SequenceState
    live        INTEGER NOT NULL,             -- 1: not ended and not a draft, or ended in doubt
    pending     INTEGER NOT NULL,             -- 1: a sync has something to fetch for it
    due_at      INTEGER,                      -- when the control plane decides about it
    changed_at  INTEGER NOT NULL,
    document    TEXT NOT NULL,                -- JSON Sequence
    PRIMARY KEY (endpoint_id, sequence_id)
) STRICT;

CREATE INDEX sequence_by_ordinal ON sequence (endpoint_id, ordinal);
-- Holds the state too, so that what an endpoint is busy with is counted without a look at its documents.
CREATE INDEX sequence_live ON sequence (endpoint_id, turn, state) WHERE live = 1;
CREATE INDEX sequence_pending ON sequence (endpoint_id, turn) WHERE pending = 1;
CREATE INDEX sequence_due ON sequence (due_at) WHERE due_at IS NOT NULL;

-- The signed work of a sequence; written once, apart from what changes.
CREATE TABLE work (
    endpoint_id TEXT NOT NULL,
    sequence_id TEXT NOT NULL,
    envelope    TEXT NOT NULL,                -- Envelope of Work
    PRIMARY KEY (endpoint_id, sequence_id)
) STRICT;

CREATE TABLE transcript (
    endpoint_id    TEXT NOT NULL,
    number         INTEGER NOT NULL,
    sequence_id    TEXT,
    journal        INTEGER,                   -- the ordinal of the journal it came from
    journal_number INTEGER,
    header         TEXT NOT NULL,             -- exact bytes
    body           TEXT,                      -- exact bytes; NULL once erased
    PRIMARY KEY (endpoint_id, number)
) STRICT;

-- A sequence's id begins with its endpoint's.
CREATE INDEX transcript_by_sequence ON transcript (sequence_id, number) WHERE sequence_id IS NOT NULL;
CREATE INDEX transcript_by_journal ON transcript (endpoint_id, journal, journal_number)
    WHERE journal IS NOT NULL;

-- Bytes a day as the endpoint told, for the last two months.
CREATE TABLE traffic (
    endpoint_id TEXT NOT NULL,
    day         TEXT NOT NULL,                -- UTC, 2026-11-23
    up_bytes    INTEGER NOT NULL,
    down_bytes  INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, day)
) STRICT, WITHOUT ROWID;

-- The last spans without a path as the endpoint told; number is that of the transcript entry.
CREATE TABLE outage (
    endpoint_id TEXT NOT NULL,
    number      INTEGER NOT NULL,
    closed_at   INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    problem     TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, number)
) STRICT, WITHOUT ROWID;

-- The last notes on the machine itself; number is that of the transcript entry.
CREATE TABLE endpoint_note (
    endpoint_id TEXT NOT NULL,
    number      INTEGER NOT NULL,
    author      TEXT NOT NULL,                -- e-mail address
    at          INTEGER NOT NULL,
    text        TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    endpoint_id TEXT NOT NULL,
    principal   TEXT NOT NULL,
    route       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body        TEXT NOT NULL,                -- digest
    reply       TEXT NOT NULL,                -- JSON
    at          INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, principal, route, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (endpoint_id, at);

-- What the directory has not heard yet. An empty sequence_id stands for the endpoint itself.
CREATE TABLE outbox (
    endpoint_id TEXT NOT NULL,
    sequence_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, sequence_id)
) STRICT, WITHOUT ROWID;
