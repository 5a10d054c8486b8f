-- User-assigned managed identities: the ARM resource. Its principal stands in the directory.
CREATE TABLE identities (
    resource_group TEXT NOT NULL COLLATE NOCASE,
    name           TEXT NOT NULL COLLATE NOCASE,
    location       TEXT NOT NULL,
    tags           TEXT NOT NULL DEFAULT '{}',
    properties     TEXT NOT NULL DEFAULT '{}',
    principal_id   TEXT NOT NULL UNIQUE,
    client_id      TEXT NOT NULL UNIQUE,
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (resource_group, name)
) STRICT;
