-- When the request of a mail was first seen to be over: decided against, or not in the worksheet any more because it
-- was processed or somebody took it out. NULL as long as it is not. How long the mail is remembered counts from then.
ALTER TABLE notice ADD COLUMN ended INTEGER;

CREATE INDEX notice_open ON notice (sheet, key) WHERE ended IS NULL;
