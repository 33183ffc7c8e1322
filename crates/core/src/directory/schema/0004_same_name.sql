-- The name as people compare it; NULL: the machine is retired or revoked. What is here until a machine is projected
-- again folds ASCII letters only, which is all that SQL can.
ALTER TABLE endpoint_summary ADD COLUMN folded_name TEXT;
UPDATE endpoint_summary SET folded_name = lower(trim(name))
    WHERE json_extract(document, '$.state') NOT IN ('retired', 'revoked');

CREATE INDEX endpoint_summary_by_folded_name ON endpoint_summary (site_id, folded_name, endpoint_id)
    WHERE folded_name IS NOT NULL;

-- Under which name a machine was admitted, until its own projection tells it: two may enrol in the same moment.
ALTER TABLE admission ADD COLUMN site_id TEXT;
ALTER TABLE admission ADD COLUMN folded_name TEXT;

CREATE INDEX admission_by_folded_name ON admission (site_id, folded_name, endpoint_id)
    WHERE folded_name IS NOT NULL;
