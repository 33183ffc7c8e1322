-- The keys this control plane speaks with. One row; the root key's secret is never here.
CREATE TABLE control_plane (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    order_seed  BLOB NOT NULL,     -- Ed25519 seed of the order key, 32 bytes
    root_key    TEXT NOT NULL,     -- public half of the root key, base 64
    certificate TEXT NOT NULL,     -- the root key's envelope about the order key, JSON
    created_at  INTEGER NOT NULL   -- milliseconds since 1970
) STRICT;
