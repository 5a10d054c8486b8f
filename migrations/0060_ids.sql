-- Row ids that never come again. SQLite gives the id of the newest row anew once that row is gone; whoever still
-- held it (a request half done, a token, a link) then meant somebody else's row. AUTOINCREMENT forbids that, and
-- can only be had by making the tables anew. Foreign keys are off while migrations run (see Store::open), so that
-- dropping a table deletes nothing elsewhere; the end of this file checks them.

CREATE TEMP TABLE old_vaults AS SELECT * FROM vaults;
DROP TABLE vaults;
CREATE TABLE vaults (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
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
INSERT INTO vaults (
    id, name, resource_group, location, tags, properties, created_by, created_at, modified_by, modified_at,
    deleted_at, purge_at)
SELECT
    id, name, resource_group, location, tags, properties, created_by, created_at, modified_by, modified_at,
    deleted_at, purge_at
FROM old_vaults;
DROP TABLE old_vaults;
CREATE INDEX vaults_by_group ON vaults (resource_group);

CREATE TEMP TABLE old_keys AS SELECT * FROM keys;
DROP TABLE keys;
CREATE TABLE keys (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    vault           INTEGER NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    name            TEXT NOT NULL COLLATE NOCASE,
    deleted_at      INTEGER,                   -- soft-deleted when not NULL
    purge_at        INTEGER,
    rotation_policy TEXT,                      -- JSON as Key Vault answers it, without "id"
    rotate_at       INTEGER,                   -- when the policy makes the next version by itself
    near_expiry_at  INTEGER,                   -- when the newest version's end is told as near (0021)
    UNIQUE (vault, name)
) STRICT;
INSERT INTO keys (
    id, vault, name, deleted_at, purge_at, rotation_policy, rotate_at, near_expiry_at)
SELECT
    id, vault, name, deleted_at, purge_at, rotation_policy, rotate_at, near_expiry_at
FROM old_keys;
DROP TABLE old_keys;
CREATE INDEX keys_by_purge ON keys (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX keys_by_rotation ON keys (rotate_at) WHERE rotate_at IS NOT NULL;
CREATE INDEX keys_by_near_expiry ON keys (near_expiry_at) WHERE near_expiry_at IS NOT NULL;

CREATE TEMP TABLE old_key_versions AS SELECT * FROM key_versions;
DROP TABLE key_versions;
CREATE TABLE key_versions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    key         INTEGER NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    version     TEXT NOT NULL,
    kty         TEXT NOT NULL,                 -- RSA, RSA-HSM, EC, EC-HSM
    public_jwk  TEXT NOT NULL,                 -- JSON: n, e or crv, x, y
    private_key BLOB NOT NULL,                 -- PKCS#8, sealed under the data folder's master key
    key_ops     TEXT NOT NULL,                 -- JSON array
    enabled     INTEGER NOT NULL,
    not_before  INTEGER,                       -- seconds, as Key Vault counts
    expires     INTEGER,                       -- seconds
    tags        TEXT,                          -- JSON, NULL when never set
    doc         TEXT NOT NULL DEFAULT '{}',    -- exportable, release_policy, …
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (key, version)
) STRICT;
INSERT INTO key_versions (
    id, key, version, kty, public_jwk, private_key, key_ops, enabled, not_before, expires, tags, doc,
    created_at, updated_at)
SELECT
    id, key, version, kty, public_jwk, private_key, key_ops, enabled, not_before, expires, tags, doc,
    created_at, updated_at
FROM old_key_versions;
DROP TABLE old_key_versions;
CREATE INDEX key_versions_by_age ON key_versions (key, created_at, id);

CREATE TEMP TABLE old_secrets AS SELECT * FROM secrets;
DROP TABLE secrets;
CREATE TABLE secrets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    vault      INTEGER NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    name       TEXT NOT NULL COLLATE NOCASE,
    deleted_at INTEGER,                        -- soft-deleted when not NULL
    purge_at   INTEGER,
    UNIQUE (vault, name)
) STRICT;
INSERT INTO secrets (
    id, vault, name, deleted_at, purge_at)
SELECT
    id, vault, name, deleted_at, purge_at
FROM old_secrets;
DROP TABLE old_secrets;
CREATE INDEX secrets_by_purge ON secrets (purge_at) WHERE purge_at IS NOT NULL;

CREATE TEMP TABLE old_secret_versions AS SELECT * FROM secret_versions;
DROP TABLE secret_versions;
CREATE TABLE secret_versions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    secret       INTEGER NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    version      TEXT NOT NULL,                -- 32 lower-case hex digits
    sealed       BLOB NOT NULL,                -- the value, under the data folder's master key
    content_type TEXT,
    enabled      INTEGER NOT NULL,
    not_before   INTEGER,                      -- seconds, as Key Vault counts
    expires      INTEGER,                      -- seconds
    tags         TEXT,                         -- JSON, NULL when never set
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    UNIQUE (secret, version)
) STRICT;
INSERT INTO secret_versions (
    id, secret, version, sealed, content_type, enabled, not_before, expires, tags, created_at, updated_at)
SELECT
    id, secret, version, sealed, content_type, enabled, not_before, expires, tags, created_at, updated_at
FROM old_secret_versions;
DROP TABLE old_secret_versions;
CREATE INDEX secret_versions_by_age ON secret_versions (secret, created_at, id);

CREATE TEMP TABLE old_registries AS SELECT * FROM registries;
DROP TABLE registries;
CREATE TABLE registries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
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
INSERT INTO registries (
    id, name, resource_group, location, sku, tags, properties, user_identities, system_principal, cmk_key,
    cmk_version, cmk_identity, cmk_rotated_at, wrapped_dek, next_look, created_by, created_at, modified_by,
    modified_at)
SELECT
    id, name, resource_group, location, sku, tags, properties, user_identities, system_principal, cmk_key,
    cmk_version, cmk_identity, cmk_rotated_at, wrapped_dek, next_look, created_by, created_at, modified_by,
    modified_at
FROM old_registries;
DROP TABLE old_registries;
CREATE INDEX registries_by_group ON registries (resource_group);
CREATE INDEX registries_by_next_look ON registries (next_look);
CREATE INDEX registries_with_retention ON registries (id)
    WHERE lower(json_extract(properties, '$.policies.retentionPolicy.status')) = 'enabled';

CREATE TEMP TABLE old_registry_children AS SELECT * FROM registry_children;
DROP TABLE registry_children;
CREATE TABLE registry_children (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    registry    INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,                 -- the segment in ARM ids: "scopeMaps", "tokens", …
    name        TEXT NOT NULL COLLATE NOCASE,
    location    TEXT,                          -- of kinds that have one
    tags        TEXT NOT NULL DEFAULT '{}',
    properties  TEXT NOT NULL,                 -- the whole ARM "properties" document
    principal   TEXT,                          -- object id of the system-assigned identity
    sealed      BLOB,                          -- under the master key: what never comes back (a webhook's address)
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    UNIQUE (registry, kind, name)
) STRICT;
INSERT INTO registry_children (
    id, registry, kind, name, location, tags, properties, principal, sealed, created_by, created_at,
    modified_by, modified_at)
SELECT
    id, registry, kind, name, location, tags, properties, principal, sealed, created_by, created_at,
    modified_by, modified_at
FROM old_registry_children;
DROP TABLE old_registry_children;

CREATE TEMP TABLE old_webhook_events AS SELECT * FROM webhook_events;
DROP TABLE webhook_events;
CREATE TABLE webhook_events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook INTEGER NOT NULL REFERENCES registry_children (id) ON DELETE CASCADE,
    sealed  BLOB NOT NULL
) STRICT;
INSERT INTO webhook_events (
    id, webhook, sealed)
SELECT
    id, webhook, sealed
FROM old_webhook_events;
DROP TABLE old_webhook_events;
CREATE INDEX webhook_events_by_webhook ON webhook_events (webhook, id);

CREATE TEMP TABLE old_repositories AS SELECT * FROM repositories;
DROP TABLE repositories;
CREATE TABLE repositories (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    attributes INTEGER NOT NULL DEFAULT 15,    -- changeableAttributes, one bit each (domain::content::Attributes)
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    gone       INTEGER NOT NULL DEFAULT 0,     -- deleted: the row stays for what lies in the bin (0040)
    UNIQUE (registry, name)
) STRICT;
INSERT INTO repositories (
    id, registry, name, attributes, created_at, updated_at, gone)
SELECT
    id, registry, name, attributes, created_at, updated_at, gone
FROM old_repositories;
DROP TABLE old_repositories;

CREATE TEMP TABLE old_blobs AS SELECT * FROM blobs;
DROP TABLE blobs;
CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    size       INTEGER NOT NULL,               -- of the plaintext, in bytes
    file       TEXT NOT NULL UNIQUE,           -- name under blobs/
    created_at INTEGER NOT NULL,
    UNIQUE (registry, digest)
) STRICT;
INSERT INTO blobs (
    id, registry, digest, size, file, created_at)
SELECT
    id, registry, digest, size, file, created_at
FROM old_blobs;
DROP TABLE old_blobs;
CREATE TRIGGER blobs_leave_files AFTER DELETE ON blobs BEGIN
    INSERT OR IGNORE INTO doomed_files (path) VALUES ('blobs/' || OLD.file);
END;

CREATE TEMP TABLE old_manifests AS SELECT * FROM manifests;
DROP TABLE manifests;
CREATE TABLE manifests (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       INTEGER NOT NULL,               -- of the plaintext, in bytes
    image_size INTEGER NOT NULL,               -- of all that it names directly
    sealed     BLOB NOT NULL,                  -- the bytes as pushed, under the registry's DEK
    about      BLOB NOT NULL,                  -- JSON for lists (artifactType, annotations, os, …), sealed too
    subject    TEXT,                           -- digest of the manifest this one refers to
    attributes INTEGER NOT NULL DEFAULT 15,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    untagged_at INTEGER,                       -- since when it has no tag (0040)
    quarantine TEXT NOT NULL DEFAULT 'Passed', -- Passed, Quarantined, Failed (0050)
    quarantine_details BLOB,                   -- what the scanner says, under the DEK
    UNIQUE (repository, digest)
) STRICT;
INSERT INTO manifests (
    id, repository, digest, media_type, size, image_size, sealed, about, subject, attributes, created_at,
    updated_at, untagged_at, quarantine, quarantine_details)
SELECT
    id, repository, digest, media_type, size, image_size, sealed, about, subject, attributes, created_at,
    updated_at, untagged_at, quarantine, quarantine_details
FROM old_manifests;
DROP TABLE old_manifests;
CREATE INDEX manifests_by_subject ON manifests (repository, subject) WHERE subject IS NOT NULL;
CREATE INDEX manifests_untagged ON manifests (untagged_at) WHERE untagged_at IS NOT NULL;

CREATE TEMP TABLE old_deleted_manifests AS SELECT * FROM deleted_manifests;
DROP TABLE deleted_manifests;
CREATE TABLE deleted_manifests (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    repository  INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest      TEXT NOT NULL,
    media_type  TEXT NOT NULL,
    size        INTEGER NOT NULL,
    image_size  INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    about       BLOB NOT NULL,
    subject     TEXT,
    named       TEXT NOT NULL,                  -- JSON array of the digests that it names
    created_at  INTEGER NOT NULL,
    deleted_at  INTEGER NOT NULL,
    quarantine  TEXT NOT NULL DEFAULT 'Passed',
    quarantine_details BLOB,
    UNIQUE (repository, digest)
) STRICT;
INSERT INTO deleted_manifests (
    id, repository, digest, media_type, size, image_size, sealed, about, subject, named, created_at,
    deleted_at, quarantine, quarantine_details)
SELECT
    id, repository, digest, media_type, size, image_size, sealed, about, subject, named, created_at,
    deleted_at, quarantine, quarantine_details
FROM old_deleted_manifests;
DROP TABLE old_deleted_manifests;
CREATE INDEX deleted_manifests_by_age ON deleted_manifests (deleted_at);

-- Fails where a row names one that is not there.
CREATE TABLE orphans (found TEXT CHECK (found IS NULL)) STRICT;
INSERT INTO orphans (found) SELECT "table" FROM pragma_foreign_key_check;
DROP TABLE orphans;
