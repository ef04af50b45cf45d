-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- Who may do what only one process at a time may do.
CREATE TABLE lease (
    name    TEXT PRIMARY KEY,
    holder  TEXT NOT NULL,
    since   INTEGER NOT NULL,
    expires INTEGER NOT NULL
);

-- One import, from its start to its closing table.
CREATE TABLE run (
    id       INTEGER PRIMARY KEY,
    kind     TEXT NOT NULL,
    started  INTEGER NOT NULL,
    finished INTEGER,
    summary  TEXT
);

-- One submission, for ever. `marker` is what users and projects that it created carry in Keystone;
-- `first_run` is the run that first took it up, `run` the last one.
CREATE TABLE request (
    id        INTEGER PRIMARY KEY,
    sheet     TEXT NOT NULL,
    key       TEXT NOT NULL,
    marker    TEXT NOT NULL UNIQUE,
    state     TEXT NOT NULL CHECK (state IN ('open', 'done', 'moved')),
    first_run INTEGER NOT NULL REFERENCES run (id),
    run       INTEGER NOT NULL REFERENCES run (id),
    error     TEXT,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    UNIQUE (sheet, key)
);

-- One step of a request. It is here before its effect is anywhere else.
CREATE TABLE step (
    request  INTEGER NOT NULL REFERENCES request (id),
    name     TEXT NOT NULL,
    started  INTEGER NOT NULL,
    finished INTEGER,
    attempts INTEGER NOT NULL DEFAULT 1,
    result   TEXT,
    secret   BLOB,
    PRIMARY KEY (request, name)
);
