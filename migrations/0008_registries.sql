-- Registries. Each has one data encryption key (DEK), kept only wrapped: by the version of the vault key
-- named in cmk_key (customer-managed), or by the platform key where cmk_key is NULL (service-managed).
CREATE TABLE registries (
    id               INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE COLLATE NOCASE,
    resource_group   TEXT NOT NULL COLLATE NOCASE,
    location         TEXT NOT NULL,
    sku              TEXT NOT NULL,
    tags             TEXT NOT NULL DEFAULT '{}',
    properties       TEXT NOT NULL,            -- the whole ARM "properties" document, less "encryption"
    user_identities  TEXT NOT NULL DEFAULT '[]', -- JSON array of attached identities' ARM ids
    system_principal TEXT,                     -- object id of the system-assigned identity
    cmk_key          TEXT,                     -- key identifier as configured, with or without a version
    cmk_version      TEXT,                     -- the version that wraps the DEK now
    cmk_identity     TEXT,                     -- client id of a user-assigned identity, or 'system'
    cmk_rotated_at   INTEGER,
    wrapped_dek      BLOB NOT NULL,
    next_look        INTEGER,                  -- when the registry looks for a new key version; NULL: never
    created_by       TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    modified_by      TEXT NOT NULL,
    modified_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX registries_by_group ON registries (resource_group);
CREATE INDEX registries_by_next_look ON registries (next_look);
