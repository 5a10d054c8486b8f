-- Replication that takes its time (`--replication-delay`).

-- Pushes that a registry's other regions do not have yet. A row goes when they do.
CREATE TABLE unreplicated (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    reference  TEXT NOT NULL,                 -- a tag or a digest
    region     TEXT NOT NULL,                 -- where it was pushed
    previous   TEXT,                          -- the digest that the tag has in the others until then, if it has one
    arrives_at INTEGER NOT NULL,
    PRIMARY KEY (repository, reference)
) STRICT;
CREATE INDEX unreplicated_by_arrival ON unreplicated (arrives_at);

-- Events of webhooks in other regions wait until then. NULL: they may be sent.
ALTER TABLE untold_events ADD COLUMN due_at INTEGER;
CREATE INDEX untold_events_by_due ON untold_events (due_at) WHERE due_at IS NOT NULL;
