-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- What happened with links and passwords: never a token, a PIN, a password or an e-mail address.
CREATE TABLE setpass_event (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    -- What it was, see SetpassEventKind.
    event   TEXT NOT NULL,
    -- Keystone's id of the user; blank where nobody knows it yet.
    user_id TEXT NOT NULL,
    -- The first digits of the hash of the link's token; blank where no link is concerned.
    link    TEXT NOT NULL,
    -- Where the request came from, as the settings want it recorded; blank where that is not known.
    client  TEXT NOT NULL,
    -- More, in fixed words or numbers.
    detail  TEXT NOT NULL
);

CREATE INDEX setpass_event_of_user ON setpass_event (user_id, id);

-- Events before this moment have been kept for as long as the settings want, and may be erased.
CREATE TABLE setpass_event_retention (erase_before INTEGER NOT NULL);
INSERT INTO setpass_event_retention (erase_before) VALUES (0);

CREATE TRIGGER setpass_event_changed BEFORE UPDATE ON setpass_event
BEGIN SELECT RAISE(ABORT, 'the audit trail of setpass is never changed'); END;

CREATE TRIGGER setpass_event_erased BEFORE DELETE ON setpass_event
WHEN OLD.at >= (SELECT MAX(erase_before) FROM setpass_event_retention)
BEGIN SELECT RAISE(ABORT, 'the audit trail of setpass is kept until its retention has passed'); END;

-- How often somebody tried a PIN that was not compared, by day (since 1970-01-01) and reason. There may be many: a
-- stranger can try as many tokens as there are. So they are only counted.
CREATE TABLE setpass_turned_away (
    day    INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    tries  INTEGER NOT NULL,
    PRIMARY KEY (day, reason)
);

-- Changes of passwords that their users are still to be told of by mail.
CREATE TABLE setpass_notice (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  TEXT    NOT NULL,
    -- When the password was changed.
    changed  INTEGER NOT NULL,
    -- How often the mail could not be made.
    tries    INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER NOT NULL
);
