-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- How often Keystone did not accept the password that the link starts from, and when it did not last.
ALTER TABLE setpass_link ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE setpass_link ADD COLUMN refused INTEGER;

-- Of how many of the unsettled changes the user was told, and when the first of the others was begun.
ALTER TABLE setpass_link ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE setpass_link ADD COLUMN unsettled_since INTEGER;

-- Since when the user is to be told: a change whose outcome stayed unknown is told of later than it was made.
ALTER TABLE setpass_notice ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;
UPDATE setpass_notice SET owed = changed;
