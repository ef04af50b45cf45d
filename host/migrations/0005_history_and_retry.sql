-- What a run's closing table said, as JSON, without the rows that were left alone; NULL where the run did not end.
ALTER TABLE run ADD COLUMN report TEXT;

-- The run that last took the step; NULL for steps from before this was recorded.
ALTER TABLE step ADD COLUMN run INTEGER REFERENCES run (id);

-- A refused mail keeps its payload, so that it can be tried again; one that was dropped does not.
CREATE TABLE outbox_with_retry (
    origin         TEXT    NOT NULL PRIMARY KEY, -- names the mail for ever, such as request:12:welcome
    position       INTEGER NOT NULL UNIQUE,      -- the order in which mails were recorded; its number to operators
    kind           TEXT    NOT NULL,             -- what it is, for reports: welcome, password, ...
    state          TEXT    NOT NULL CHECK (state IN ('queued', 'sent', 'refused', 'dropped')),
    payload        BLOB,                         -- the mail, sealed; NULL once it is sent or dropped
    created        INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    first_attempt  INTEGER,
    next_attempt   INTEGER NOT NULL,
    claimed_by     TEXT,                         -- who is sending it
    claimed_until  INTEGER,                      -- when somebody else may
    last_error     TEXT,
    kept_in        TEXT,                         -- the .eml file of a refused mail
    finished       INTEGER,
    worthless_from INTEGER,                      -- when the link in it ends; NULL for mail that keeps its worth
    link_user      TEXT,                         -- whose link it carries: another link for that user ends this one
    CHECK (state <> 'queued' OR payload IS NOT NULL),
    CHECK (state NOT IN ('sent', 'dropped') OR payload IS NULL),
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);

INSERT INTO outbox_with_retry
    (origin, position, kind, state, payload, created, attempts, first_attempt, next_attempt, claimed_by,
     claimed_until, last_error, kept_in, finished, worthless_from)
SELECT origin, position, kind, state, payload, created, attempts, first_attempt, next_attempt, claimed_by,
       claimed_until, last_error, kept_in, finished, worthless_from
FROM outbox;

DROP TABLE outbox;
ALTER TABLE outbox_with_retry RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (state, next_attempt);
