-- What lies in a registry. Layers are files (see store::blobs), manifests are sealed bytes here.
CREATE TABLE repositories (
    id         INTEGER PRIMARY KEY,
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    attributes TEXT NOT NULL DEFAULT '{}',     -- changeableAttributes that differ from the defaults
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (registry, name)
) STRICT;

-- One row and one file for each digest of a registry, however many repositories name it.
CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY,
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    size       INTEGER NOT NULL,               -- of the plaintext, in bytes
    file       TEXT NOT NULL UNIQUE,           -- name under blobs/
    created_at INTEGER NOT NULL,
    UNIQUE (registry, digest)
) STRICT;

-- A repository sees only the blobs that were pushed or mounted into it.
CREATE TABLE repository_blobs (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    blob       INTEGER NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    PRIMARY KEY (repository, blob)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_by_blob ON repository_blobs (blob);

CREATE TABLE manifests (
    id            INTEGER PRIMARY KEY,
    repository    INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    size          INTEGER NOT NULL,            -- of the plaintext, in bytes
    sealed        BLOB NOT NULL,               -- the bytes as pushed, under the registry's DEK
    subject       TEXT,                        -- digest this manifest refers to
    artifact_type TEXT,
    attributes    TEXT NOT NULL DEFAULT '{}',
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (repository, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository, subject);

-- What a manifest names: blobs (config, layers) and, for an index, other manifests.
CREATE TABLE manifest_references (
    manifest INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    digest   TEXT NOT NULL,
    PRIMARY KEY (manifest, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_references_by_digest ON manifest_references (digest);

CREATE TABLE tags (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    manifest   INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    attributes TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (repository, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_manifest ON tags (manifest);

-- Upload sessions. The file holds whole sealed chunks; the rest of the bytes so far is sealed in "tail".
CREATE TABLE uploads (
    uuid       TEXT PRIMARY KEY,
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    repository TEXT NOT NULL,
    file       TEXT NOT NULL UNIQUE,           -- name under uploads/
    size       INTEGER NOT NULL,               -- bytes received and answered for
    tail       BLOB NOT NULL,
    started_at INTEGER NOT NULL
) STRICT;
