-- The ids of the last signed syncs of the endpoint, newest first: a repeat of one of them is told nothing (R5).
ALTER TABLE endpoint ADD COLUMN requests TEXT NOT NULL DEFAULT '[]';   -- JSON list of RequestId, at most 8
