-- The keys that orders are signed with, by the serial of their certificate: the newest one that the endpoint states to
-- have, and the one that signed the open order log.
ALTER TABLE endpoint ADD COLUMN serial_held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoint ADD COLUMN serial_log INTEGER NOT NULL DEFAULT 0;
