-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- Since when Keystone has a random password in the place of the one that the user had, or may have, because a link that
-- was asked for was used. The user is told where the link ends before another one is chosen. NULL where there is nothing
-- to tell.
ALTER TABLE setpass_link ADD COLUMN previous_gone INTEGER;
