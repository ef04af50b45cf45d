-- What was decided about a project's quotas, kept for good.
CREATE TABLE quota_decision (
    id              INTEGER PRIMARY KEY,
    request         INTEGER UNIQUE REFERENCES request (id), -- NULL: an operator's own change
    project_id      TEXT NOT NULL,
    project         TEXT NOT NULL,                          -- its name at that time
    requester_email TEXT NOT NULL,                          -- blank: an operator's own change
    requester_name  TEXT NOT NULL,
    decided         INTEGER NOT NULL,
    outcome         TEXT NOT NULL CHECK (outcome IN ('granted', 'denied')),
    wish            TEXT NOT NULL,                          -- fingerprint of what was asked for: an edited row is decided anew
    approved_by     TEXT NOT NULL CHECK (approved_by IN ('people', 'policy', 'operator')),
    reason          TEXT NOT NULL,                          -- the denial's words, or the operator's; may be blank
    notices         TEXT NOT NULL,                          -- JSON list of texts
    policy          TEXT,                                   -- SHA-256 (hex) of the component that decided; NULL: an operator
    ends            INTEGER,                                -- from when a temporary change is to be undone; NULL: permanent
    applied         INTEGER,                                -- when all of it was in force
    warned          INTEGER,                                -- when the requester was told that it is about to end
    ended           INTEGER                                 -- when it was undone
);

CREATE INDEX quota_decision_by_project ON quota_decision (project_id, decided);
CREATE INDEX quota_decision_by_end ON quota_decision (ends) WHERE ends IS NOT NULL AND ended IS NULL;

-- One limit of a decision.
CREATE TABLE quota_change (
    decision INTEGER NOT NULL REFERENCES quota_decision (id),
    service  TEXT    NOT NULL CHECK (service IN ('compute', 'network', 'volume')),
    key      TEXT    NOT NULL,
    old      INTEGER NOT NULL,                              -- the limit when it was decided; -1 is unlimited
    new      INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    fate     TEXT CHECK (fate IN ('restored', 'kept')),     -- at the end of a temporary change
    PRIMARY KEY (decision, service, key)
);
