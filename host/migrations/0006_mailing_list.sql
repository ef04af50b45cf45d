-- Addresses of new users, on their way to the site's mailing list. Recorded together with the end of the request
-- that made the user.
CREATE TABLE subscription (
    request    INTEGER NOT NULL PRIMARY KEY REFERENCES request (id),
    address    TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('open', 'done', 'refused')),
    created    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    -- Origin of the mail that tells the list, where it is told by mail.
    mail       TEXT,
    finished   INTEGER,
    CHECK ((finished IS NULL) = (state = 'open'))
);

CREATE INDEX subscription_by_state ON subscription (state, attempts);

CREATE INDEX subscription_by_mail ON subscription (mail);
