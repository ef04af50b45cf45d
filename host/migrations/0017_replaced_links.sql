-- A link is replaced while a password is being changed with it: the user is told of that change unless its outcome comes
-- before next_try. This is the name of the password that it starts from. NULL where no outcome is awaited.
ALTER TABLE setpass_notice ADD COLUMN awaited TEXT;
