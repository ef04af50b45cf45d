-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- The one link of each user who has to choose a password. A used link leaves no row.
CREATE TABLE setpass_link (
    user_id       TEXT PRIMARY KEY,
    -- SHA-256 of the token. The token itself is only in the mailed link.
    token_hash    BLOB NOT NULL UNIQUE,
    expires       INTEGER NOT NULL,
    -- How many PINs were tried with this link.
    attempts      INTEGER NOT NULL DEFAULT 0,
    -- The random password that Keystone has for the user, encrypted.
    password      BLOB NOT NULL,
    -- The slow, keyed hash of the PIN.
    pin_hash      TEXT NOT NULL,
    -- Until when one request alone may change the password with this link.
    claimed_until INTEGER,
    -- How many changes were begun of which it is not known whether Keystone made them.
    unsettled     INTEGER NOT NULL DEFAULT 0,
    -- When the link was last issued.
    issued        INTEGER NOT NULL
);

-- Each PIN that was tried for a user, whatever became of the links.
CREATE TABLE setpass_attempt (
    id      INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    at      INTEGER NOT NULL
);

CREATE INDEX setpass_attempt_of_user ON setpass_attempt (user_id, at);

-- Requests to the helpdesk to reset a password. The ticket names the number and nothing secret.
CREATE TABLE reset_case (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    email    TEXT NOT NULL,
    -- Erased when the case is closed.
    pin_hash TEXT,
    created  INTEGER NOT NULL,
    closed   INTEGER
);

CREATE INDEX reset_case_of_email ON reset_case (email, created);
