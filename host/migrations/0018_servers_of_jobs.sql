-- Which servers run a job by themselves. A job is switched off when none does that was there within days: another host's
-- settings may have it.
CREATE TABLE job_server (
    job    TEXT    NOT NULL,
    server TEXT    NOT NULL,  -- the machine and the settings
    seen   INTEGER NOT NULL,  -- when it showed life the last time, in milliseconds since 1970-01-01T00:00:00Z
    PRIMARY KEY (job, server)
);

INSERT INTO job_server (job, server, seen)
    SELECT name, host, CAST(strftime('%s', 'now') AS INTEGER) * 1000 FROM job WHERE host IS NOT NULL AND switched_off = 0;

ALTER TABLE job DROP COLUMN host;
