-- An upload session belongs to whoever began it. What was under upload before that was noted begins anew.
DELETE FROM uploads;
ALTER TABLE uploads ADD COLUMN principal TEXT NOT NULL DEFAULT '';  -- "sub" of the registry's tokens
