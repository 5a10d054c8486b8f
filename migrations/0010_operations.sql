-- Long-running ARM operations, kept so that a client can poll what it was given.
CREATE TABLE operations (
    name       TEXT PRIMARY KEY,               -- "registries-<uuid>"
    started_at INTEGER NOT NULL,
    outcome    TEXT NOT NULL                   -- JSON: {"status": …, "error": …}
) STRICT;
