-- Mail that is recorded together with the step that causes it, and sent later.
CREATE TABLE outbox (
    origin        TEXT    NOT NULL PRIMARY KEY, -- names the mail for ever, such as request:12:welcome
    position      INTEGER NOT NULL UNIQUE,      -- the order in which mails were recorded
    kind          TEXT    NOT NULL,             -- what it is, for reports: welcome, password, ...
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'sent', 'refused')),
    payload       BLOB,                         -- the mail, sealed; NULL once it is sent or kept in a file
    created       INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    first_attempt INTEGER,
    next_attempt  INTEGER NOT NULL,
    claimed_by    TEXT,                         -- who is sending it
    claimed_until INTEGER,                      -- when somebody else may
    last_error    TEXT,
    kept_in       TEXT,                         -- the .eml file of a refused mail
    finished      INTEGER,
    CHECK ((payload IS NULL) = (state <> 'queued')),
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);

CREATE INDEX outbox_due ON outbox (state, next_attempt);
