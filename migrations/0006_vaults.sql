-- Key vaults. The name is unique in the world, deleted ones included, until the vault is purged.
CREATE TABLE vaults (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE COLLATE NOCASE,
    resource_group TEXT NOT NULL COLLATE NOCASE,
    location       TEXT NOT NULL,
    tags           TEXT NOT NULL DEFAULT '{}',
    properties     TEXT NOT NULL,              -- the whole ARM "properties" document
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    modified_by    TEXT NOT NULL,
    modified_at    INTEGER NOT NULL,
    deleted_at     INTEGER,                    -- soft-deleted when not NULL
    purge_at       INTEGER
) STRICT;
CREATE INDEX vaults_by_group ON vaults (resource_group);
