-- The owner's root key, its public half. One row.
CREATE TABLE root (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    root_key TEXT NOT NULL                    -- base 64
) STRICT;

-- Every certificate of this control plane, by serial. The newest one is in use; the seeds of the others are erased.
CREATE TABLE order_key (
    serial         INTEGER PRIMARY KEY,
    order_seed     BLOB,                      -- Ed25519 seed, 32 bytes
    statement_seed BLOB,                      -- likewise
    certificate    TEXT NOT NULL,             -- the root key's envelope about both keys, JSON
    created_at     INTEGER NOT NULL           -- milliseconds since 1970
) STRICT;

-- Keys that wait for the root key's signature. At most one row.
CREATE TABLE order_key_request (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    order_seed     BLOB NOT NULL,
    statement_seed BLOB NOT NULL,
    request        TEXT NOT NULL              -- what the root key is asked to certify, JSON
) STRICT;

DROP TABLE control_plane;
