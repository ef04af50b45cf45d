-- A holder under which this does not change any more is dead. When its lease ends by its own clock (`expires`) is only a
-- hint to others.
ALTER TABLE lease ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;

-- How often in a row the occasion was given back because another process was at the same work.
ALTER TABLE occasion ADD COLUMN busy INTEGER NOT NULL DEFAULT 0;

-- When a job runs, in the words of the settings: times that are new have missed nothing.
ALTER TABLE job ADD COLUMN times TEXT;

-- Which host recorded it; of what was recorded before, nobody knows.
ALTER TABLE occasion ADD COLUMN recorded_by TEXT;

-- 1: the clock of the host that recorded it ran ahead, and its time has yet to come; 2: that has come, it was over by then, and
-- another one is recorded for it.
ALTER TABLE occasion ADD COLUMN ahead INTEGER NOT NULL DEFAULT 0;

DROP INDEX occasion_once;
CREATE UNIQUE INDEX occasion_once ON occasion (job, due) WHERE by_hand = 0 AND ahead < 2;
