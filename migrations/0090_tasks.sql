-- What ACR Tasks keep: their runs, the blobs of the one storage account that they use, and when their timers are due.

CREATE TABLE task_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    registry    INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,             -- counts up in the registry: cf1, cf2, …
    task        TEXT COLLATE NOCASE,          -- the name of the task that it is of
    status      TEXT NOT NULL,
    document    TEXT NOT NULL,                -- the rest of the ARM "properties"
    sealed      BLOB,                         -- under the registry's data key: the request, which may hold secrets
    archived    INTEGER NOT NULL,             -- kept although its time is over
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    updated_at  INTEGER NOT NULL,
    UNIQUE (registry, number)
) STRICT;
CREATE INDEX task_runs_by_status ON task_runs (status);

-- The number of the newest run of each registry: numbers never come again.
CREATE TABLE task_numbers (
    registry INTEGER NOT NULL UNIQUE REFERENCES registries (id) ON DELETE CASCADE,
    last     INTEGER NOT NULL
) STRICT;

CREATE TABLE task_blobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    registry    INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,                -- below the registry's container
    kind        TEXT NOT NULL,                -- BlockBlob or AppendBlob
    run         INTEGER REFERENCES task_runs (id) ON DELETE CASCADE, -- whose log it is
    committed   INTEGER NOT NULL,             -- 0: there are blocks, and no blob yet
    headers     TEXT NOT NULL,                -- JSON: content headers and metadata
    version     INTEGER NOT NULL,             -- rises with every change: the ETag
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    UNIQUE (registry, name)
) STRICT;
CREATE INDEX task_blobs_by_run ON task_blobs (run);

CREATE TABLE task_blocks (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    blob  INTEGER NOT NULL REFERENCES task_blobs (id) ON DELETE CASCADE,
    name  TEXT NOT NULL,                      -- as its client calls it
    whole INTEGER NOT NULL,                   -- 0: its body has not ended yet
    place INTEGER                             -- in the blob; NULL: not in it yet
) STRICT;
CREATE INDEX task_blocks_by_blob ON task_blocks (blob, place);

-- Sealed under the registry's data key.
CREATE TABLE task_chunks (
    block  INTEGER NOT NULL REFERENCES task_blocks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (block, number)
) STRICT;

CREATE TABLE task_timers (
    task     INTEGER NOT NULL REFERENCES registry_children (id) ON DELETE CASCADE,
    name     TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL,
    due      INTEGER NOT NULL,
    PRIMARY KEY (task, name)
) STRICT;
CREATE INDEX task_timers_by_due ON task_timers (due);
