-- Mails about requests in the sheets, each of which earns the request's row a mark. It is recorded together with its
-- mail, so that no request is mailed about twice in one round, whatever becomes of the mark.
CREATE TABLE notice (
    sheet    TEXT    NOT NULL,
    key      TEXT    NOT NULL,                                    -- the request's name; once that is erased, its digest
    kind     TEXT    NOT NULL CHECK (kind IN ('ticket', 'reminder')),
    round    INTEGER NOT NULL,                                    -- 1 for the first mail of the kind about the request
    mail     TEXT    NOT NULL,                                    -- origin of the mail in the outbox
    recorded INTEGER NOT NULL,
    marked   INTEGER,                                             -- when the row was first known to bear the mark
    PRIMARY KEY (sheet, key, kind, round)
);

CREATE INDEX notice_by_age ON notice (recorded);

-- What the digests of erased names are made with: one random value, from the first erasure on.
CREATE TABLE erasure (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    salt BLOB    NOT NULL
);
