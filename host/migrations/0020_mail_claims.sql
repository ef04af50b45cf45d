-- Counts the claims on a mail and their renewals: a claim under which this does not change any more is a dead sender's. When it
-- ends by its sender's clock (claimed_until) is only a hint to others.
ALTER TABLE outbox ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;
