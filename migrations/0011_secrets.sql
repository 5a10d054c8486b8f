-- Secrets, kept as keys are. A secret is a name in a vault; values stand in its versions, sealed.
CREATE TABLE secrets (
    id         INTEGER PRIMARY KEY,
    vault      INTEGER NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    name       TEXT NOT NULL COLLATE NOCASE,
    deleted_at INTEGER,                        -- soft-deleted when not NULL
    purge_at   INTEGER,
    UNIQUE (vault, name)
) STRICT;
CREATE INDEX secrets_by_purge ON secrets (purge_at) WHERE purge_at IS NOT NULL;

CREATE TABLE secret_versions (
    id           INTEGER PRIMARY KEY,
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
CREATE INDEX secret_versions_by_age ON secret_versions (secret, created_at, id);
