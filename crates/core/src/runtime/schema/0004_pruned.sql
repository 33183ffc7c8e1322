-- The hashes of the newest entries that were pruned: a control plane that was set back may hold other ones.
CREATE TABLE pruned (
    number INTEGER PRIMARY KEY,
    hash   TEXT NOT NULL
) STRICT;
