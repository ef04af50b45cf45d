-- Which password a link is for: tells it from another one of the same user, however often it is encrypted again.
-- Blank for links from before this was recorded.
ALTER TABLE setpass_link ADD COLUMN password_name TEXT NOT NULL DEFAULT '';

-- Keys that were retired, by their id in lower-case hexadecimal. Nothing that one protects may be stored any more:
-- a process that still has the key in memory would store what nobody can read.
CREATE TABLE retired_key (
    id      TEXT    NOT NULL PRIMARY KEY,
    retired INTEGER NOT NULL
);

CREATE TRIGGER step_secret_added BEFORE INSERT ON step
WHEN lower(hex(substr(NEW.secret, 2, 4))) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER step_secret_changed BEFORE UPDATE OF secret ON step
WHEN lower(hex(substr(NEW.secret, 2, 4))) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER outbox_payload_added BEFORE INSERT ON outbox
WHEN lower(hex(substr(NEW.payload, 2, 4))) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER outbox_payload_changed BEFORE UPDATE OF payload ON outbox
WHEN lower(hex(substr(NEW.payload, 2, 4))) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER setpass_link_added BEFORE INSERT ON setpass_link
WHEN lower(hex(substr(NEW.password, 2, 4))) IN (SELECT id FROM retired_key)
    OR substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER setpass_link_changed BEFORE UPDATE OF password, pin_hash ON setpass_link
WHEN lower(hex(substr(NEW.password, 2, 4))) IN (SELECT id FROM retired_key)
    OR substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;

CREATE TRIGGER reset_case_changed BEFORE UPDATE OF pin_hash ON reset_case
WHEN substr(NEW.pin_hash, 1, 8) IN (SELECT id FROM retired_key)
BEGIN SELECT RAISE(ABORT, 'protected with a key that was retired at this moment; try again'); END;
