-- Work as it was received, to show a control plane that lost its record (R12).
CREATE TABLE proof (
    ordinal     INTEGER PRIMARY KEY,
    sequence_id TEXT NOT NULL UNIQUE,
    bytes       INTEGER NOT NULL,
    envelope    TEXT NOT NULL          -- Envelope of Work
) STRICT;

CREATE INDEX proof_by_size ON proof (ordinal, bytes);
