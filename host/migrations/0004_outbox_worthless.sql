-- When a mail is worth nothing any more, because the link in it has ended; NULL for mail that keeps its worth.
ALTER TABLE outbox ADD COLUMN worthless_from INTEGER;
