-- By which attempts a blob's file was written (domain::envelope::Attempts). Without any: before they were noted.
DELETE FROM uploads;
ALTER TABLE uploads ADD COLUMN attempts BLOB NOT NULL DEFAULT x'';
ALTER TABLE blobs ADD COLUMN attempts BLOB NOT NULL DEFAULT x'';
