-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- One occasion on which a job runs. Its job and the time that it is due name it for ever, so that no host and no clock
-- that is set back makes it come again.
CREATE TABLE occasion (
    id           INTEGER PRIMARY KEY,
    job          TEXT    NOT NULL,
    due          INTEGER NOT NULL,
    by_hand      INTEGER NOT NULL DEFAULT 0,  -- 1: somebody ran the job; due is when
    stands_for   INTEGER NOT NULL DEFAULT 1,  -- this one, and those before it that were missed with it
    -- partly: it is finished, and its report names what could not be done. skipped: the one before was still running,
    -- or a later one came first. dropped: it was missed, and the settings say that it is not made up for.
    state        TEXT    NOT NULL
        CHECK (state IN ('waiting', 'running', 'done', 'partly', 'failed', 'skipped', 'dropped')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    deaths       INTEGER NOT NULL DEFAULT 0,  -- attempts in a row whose process died
    next_attempt INTEGER NOT NULL,
    holder       TEXT,                        -- the process that runs it
    lease_ends   INTEGER,                     -- until when, unless it renews that; by its own clock, so only a hint to others
    renewals     INTEGER NOT NULL DEFAULT 0,  -- a holder under which this does not change any more is dead
    started      INTEGER,                     -- the last attempt
    ended        INTEGER,
    summary      TEXT,                        -- one sentence: what it did, or why not
    details      TEXT,                        -- further lines, as JSON
    CHECK ((state = 'running') = (holder IS NOT NULL)),
    CHECK ((holder IS NULL) = (lease_ends IS NULL))
);

CREATE UNIQUE INDEX occasion_once ON occasion (job, due) WHERE by_hand = 0;
CREATE INDEX occasion_open ON occasion (job, due) WHERE state IN ('waiting', 'running');
CREATE INDEX occasion_by_job ON occasion (job, id);

-- What is known of a job.
CREATE TABLE job (
    name          TEXT    NOT NULL PRIMARY KEY,
    looked_until  INTEGER NOT NULL,           -- the last occasion that was recorded
    host          TEXT,                       -- whose server, of those that run the job, was started last
    switched_off  INTEGER NOT NULL DEFAULT 0, -- whether that one has been started since without the job
    failures      INTEGER NOT NULL DEFAULT 0, -- attempts that failed since the last one that did not
    failing_since INTEGER,
    alerted       INTEGER NOT NULL DEFAULT 0, -- whether the operator was told
    CHECK ((failures = 0) = (failing_since IS NULL))
);
