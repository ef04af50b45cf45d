-- A holder under which this does not change any more is dead. When its lease ends by its own clock (`expires`) is only a
-- hint to others.
ALTER TABLE lease ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;

-- How often in a row the occasion was given back because another process was at the same work.
ALTER TABLE occasion ADD COLUMN busy INTEGER NOT NULL DEFAULT 0;

-- 1: a clock that ran ahead recorded it, it is over, and its time has come once more, for which another one is recorded.
ALTER TABLE occasion ADD COLUMN ahead INTEGER NOT NULL DEFAULT 0;

DROP INDEX occasion_once;
CREATE UNIQUE INDEX occasion_once ON occasion (job, due) WHERE by_hand = 0 AND ahead = 0;
