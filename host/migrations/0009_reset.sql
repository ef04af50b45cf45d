-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- Besides the one link that a user was registered with, there may be some that were asked for on the page. They live
-- beside each other: who asks for a link of somebody else's account ends nothing by that.
CREATE TABLE setpass_link_of_kind (
    -- SHA-256 of the token. The token itself is only in the mailed link.
    token_hash      BLOB    NOT NULL PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('registered', 'reset')),
    expires         INTEGER NOT NULL,
    -- How many PINs were tried with this link.
    attempts        INTEGER NOT NULL DEFAULT 0,
    -- A random password, encrypted: the one that Keystone has. A link that was asked for gets it when it is used
    -- first. None once it is destroyed, as the link has ended or is locked.
    password        BLOB,
    -- Tells the password from another one of the same user, however often it is encrypted again.
    password_name   TEXT    NOT NULL DEFAULT '',
    -- Whether Keystone is known to have taken the password.
    is_password_set INTEGER NOT NULL DEFAULT 1,
    -- The slow, keyed hash of the PIN; blank once it is destroyed with the password.
    pin_hash        TEXT    NOT NULL,
    -- Until when one request alone may change the password with this link.
    claimed_until   INTEGER,
    -- How many changes were begun of which it is not known whether Keystone made them.
    unsettled       INTEGER NOT NULL DEFAULT 0,
    -- When the link was last issued.
    issued          INTEGER NOT NULL,
    -- The marker of the request that created the user, where Usher did.
    marker          TEXT
);

INSERT INTO setpass_link_of_kind
    (token_hash, user_id, kind, expires, attempts, password, password_name, pin_hash, claimed_until, unsettled, issued)
SELECT token_hash, user_id, 'registered', expires, attempts, password, password_name, pin_hash, claimed_until,
       unsettled, issued
FROM setpass_link;

DROP TABLE setpass_link;
ALTER TABLE setpass_link_of_kind RENAME TO setpass_link;
CREATE UNIQUE INDEX setpass_link_registered ON setpass_link (user_id) WHERE kind = 'registered';
CREATE INDEX setpass_link_of_user ON setpass_link (user_id);

CREATE TRIGGER setpass_link_added BEFORE INSERT ON setpass_link
WHEN lower(hex(substr(NEW.password, 2, 4))) IN (SELECT id FROM retired_key)
    OR substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER setpass_link_changed BEFORE UPDATE OF password, pin_hash ON setpass_link
WHEN lower(hex(substr(NEW.password, 2, 4))) IN (SELECT id FROM retired_key)
    OR substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

-- What somebody asked for on the page /reset and `usher serve` has not worked through yet.
CREATE TABLE reset_request (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Who asks, encrypted: the name and the address as they were typed.
    who           BLOB    NOT NULL,
    pin_hash      TEXT    NOT NULL,
    created       INTEGER NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    next_try      INTEGER NOT NULL,
    -- The process that is at it, and until when it is its own.
    claimed_by    TEXT,
    claimed_until INTEGER
);

CREATE TRIGGER reset_request_added BEFORE INSERT ON reset_request
WHEN lower(hex(substr(NEW.who, 2, 4))) IN (SELECT id FROM retired_key)
    OR substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER reset_request_changed BEFORE UPDATE OF who, pin_hash ON reset_request
WHEN lower(hex(substr(NEW.who, 2, 4))) IN (SELECT id FROM retired_key)
    OR substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

-- The request that a case comes from, so that it is not numbered twice; how the case ended, and the helpdesk's words.
ALTER TABLE reset_case ADD COLUMN request INTEGER;
ALTER TABLE reset_case ADD COLUMN outcome TEXT CHECK (outcome IN ('approved', 'denied', 'ended'));
ALTER TABLE reset_case ADD COLUMN reason TEXT;
CREATE UNIQUE INDEX reset_case_of_request ON reset_case (request);

-- What counts toward a limit, until it counts no more. A subject is a keyed hash of a client's network or of an account.
CREATE TABLE limited_event (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT    NOT NULL,
    subject      BLOB    NOT NULL,
    counts_until INTEGER NOT NULL
);

CREATE INDEX limited_event_of_subject ON limited_event (kind, subject, counts_until);
CREATE INDEX limited_event_by_end ON limited_event (counts_until);
