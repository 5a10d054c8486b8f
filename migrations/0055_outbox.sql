-- What committed writes still have to tell. A row is written by the write's own transaction, so that a crash between
-- the commit and the telling loses nothing, and goes when it was told.

-- Audit records, for the log's files.
CREATE TABLE untold_records (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    caller TEXT,                       -- display name, where it is known
    line   TEXT NOT NULL               -- the record as one line of JSON
) STRICT;

-- Events, for webhooks. Sealed, as what webhooks have sent.
CREATE TABLE untold_events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook INTEGER NOT NULL REFERENCES registry_children (id) ON DELETE CASCADE,
    sealed  BLOB NOT NULL
) STRICT;
