-- Keys. A key is a name in a vault; all that can be used are its versions.
CREATE TABLE keys (
    id              INTEGER PRIMARY KEY,
    vault           INTEGER NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    name            TEXT NOT NULL COLLATE NOCASE,
    deleted_at      INTEGER,                   -- soft-deleted when not NULL
    purge_at        INTEGER,
    rotation_policy TEXT,                      -- JSON as Key Vault answers it, without "id"
    rotate_at       INTEGER,                   -- when the policy makes the next version by itself
    UNIQUE (vault, name)
) STRICT;
CREATE INDEX keys_by_purge ON keys (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX keys_by_rotation ON keys (rotate_at) WHERE rotate_at IS NOT NULL;

-- Versions: 32 lower-case hex digits. The newest by (created_at, id) is the current one.
CREATE TABLE key_versions (
    id          INTEGER PRIMARY KEY,
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
CREATE INDEX key_versions_by_age ON key_versions (key, created_at, id);
