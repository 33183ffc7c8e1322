-- The digest over the list of the endpoint's journals, which every signed head of the transcript carries. NULL: the
-- row is older than this column; the next head computes it.
ALTER TABLE endpoint ADD COLUMN journals_digest TEXT;
