-- The directory. A host may keep it in one file with endpoint objects, so no name here is one of theirs.
-- Times are milliseconds since 1970; ids, digests and keys are text.

CREATE TABLE person (
    person_id  TEXT PRIMARY KEY,
    email      TEXT NOT NULL COLLATE NOCASE UNIQUE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deactivated_at    INTEGER,                -- NULL: may sign in
    password_hash     TEXT,                   -- Argon2id as a PHC string; NULL: none
    last_signed_in_at INTEGER                 -- created_at of the newest session, which may be gone
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    token_id   TEXT PRIMARY KEY,
    digest     TEXT NOT NULL UNIQUE,          -- token_digest of the secret
    name       TEXT NOT NULL,
    person_id  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_by_age ON token (created_at, token_id) WHERE revoked_at IS NULL;
CREATE INDEX token_by_person ON token (person_id, created_at, token_id) WHERE revoked_at IS NULL;

CREATE TABLE session (
    session_id TEXT PRIMARY KEY,
    digest     TEXT NOT NULL UNIQUE,          -- session_digest of the cookie's secret
    person_id  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address    TEXT,
    agent      TEXT NOT NULL,                 -- as the browser calls itself, cut; may be empty
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_age ON session (created_at, session_id);
CREATE INDEX session_by_person ON session (person_id, created_at, session_id);

CREATE TABLE sign_in (
    digest     TEXT PRIMARY KEY,              -- token_digest of the link's secret
    person_id  TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

-- Names are unique as they are written and listed without regard to case.
CREATE TABLE client (
    client_id  TEXT PRIMARY KEY,
    name       TEXT NOT NULL COLLATE NOCASE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX client_name ON client (name COLLATE BINARY);
CREATE INDEX client_by_name ON client (name, client_id);

CREATE TABLE site (
    site_id    TEXT PRIMARY KEY,
    client_id  TEXT NOT NULL,
    name       TEXT NOT NULL COLLATE NOCASE,
    time_zone  TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX site_name ON site (client_id, name COLLATE BINARY);
CREATE INDEX site_by_name ON site (name, site_id);
CREATE INDEX site_by_client ON site (client_id, name, site_id);

CREATE TABLE enrolment_code (
    code_id     TEXT PRIMARY KEY,
    digest      TEXT NOT NULL,                -- secret_digest of the secret
    site_id     TEXT NOT NULL,
    endpoint_id TEXT,                         -- the one it re-enrols; NULL: new ones
    uses_left   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX enrolment_code_by_age ON enrolment_code (created_at, code_id);

-- Which key a code admitted: a repeat uses the code no second time.
CREATE TABLE admission (
    code_id     TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (code_id, public_key)
) STRICT, WITHOUT ROWID;

-- Endpoints as they told of themselves.
CREATE TABLE endpoint_summary (
    endpoint_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    name        TEXT NOT NULL COLLATE NOCASE,
    client_id   TEXT NOT NULL,
    site_id     TEXT NOT NULL,
    search      TEXT NOT NULL,                -- name, id, tags, address, facts in lower case, bounded
    needs_person INTEGER NOT NULL,            -- 1: its attention list asks for a person
    document    TEXT NOT NULL,                -- JSON EndpointView
    PRIMARY KEY (endpoint_id)
) STRICT;

CREATE INDEX endpoint_summary_by_name ON endpoint_summary (name, endpoint_id);
CREATE INDEX endpoint_summary_by_client ON endpoint_summary (client_id, name, endpoint_id);
CREATE INDEX endpoint_summary_by_site ON endpoint_summary (site_id, name, endpoint_id);

CREATE INDEX endpoint_summary_by_need ON endpoint_summary (name, endpoint_id) WHERE needs_person = 1;

-- Whose a public key is, from its admission on.
CREATE TABLE endpoint_by_key (
    public_key  TEXT PRIMARY KEY,
    endpoint_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sequence_summary (
    sequence_id TEXT NOT NULL,
    version     INTEGER NOT NULL,             -- of the projection that told it
    state       TEXT NOT NULL,                -- SequenceState
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    endpoint_id TEXT NOT NULL,
    night       TEXT,                         -- Night: what it asks of a person; NULL: nothing, as a draft
    night_at    INTEGER NOT NULL,             -- since when
    document    TEXT NOT NULL,                -- JSON SequenceSummary
    PRIMARY KEY (sequence_id)
) STRICT;

CREATE INDEX sequence_summary_by_age ON sequence_summary (created_at, sequence_id);
CREATE INDEX sequence_summary_by_state ON sequence_summary (state, created_at, sequence_id);

CREATE INDEX sequence_summary_by_night ON sequence_summary (night, night_at, sequence_id)
    WHERE night IS NOT NULL;

-- Names are unique whatever the case of their letters, of those put away too.
CREATE TABLE playbook (
    playbook_id TEXT PRIMARY KEY,
    name        TEXT NOT NULL COLLATE NOCASE,
    about       TEXT NOT NULL,
    version     INTEGER NOT NULL,             -- the current one; what is beside it tells of that one
    parameters  INTEGER NOT NULL,             -- how many
    steps       INTEGER NOT NULL,             -- how many
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    changed_at  INTEGER NOT NULL,
    changed_by  TEXT NOT NULL,
    archived_at INTEGER                       -- NULL: in use
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX playbook_name ON playbook (name);

CREATE TABLE playbook_version (
    playbook_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    spec        TEXT NOT NULL,                -- JSON PlaybookSpec
    saved_at    INTEGER NOT NULL,
    saved_by    TEXT NOT NULL,
    PRIMARY KEY (playbook_id, version)
) STRICT;

CREATE TABLE directory_idempotency (
    principal TEXT NOT NULL,
    route     TEXT NOT NULL,
    key       TEXT NOT NULL,
    body      TEXT NOT NULL,                  -- digest
    reply     TEXT NOT NULL,                  -- JSON, without secrets
    at        INTEGER NOT NULL,
    PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_idempotency_by_age ON directory_idempotency (at);

CREATE TABLE directory_audit (
    number INTEGER PRIMARY KEY,
    header TEXT NOT NULL,                     -- exact bytes
    body   TEXT NOT NULL                      -- exact bytes
) STRICT;
