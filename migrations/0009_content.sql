-- What lies in a registry. Layers are files (see store::blobs), manifests are sealed bytes here.
CREATE TABLE repositories (
    id         INTEGER PRIMARY KEY,
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    attributes INTEGER NOT NULL DEFAULT 15,    -- changeableAttributes, one bit each (domain::content::Attributes)
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
    id         INTEGER PRIMARY KEY,
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
    UNIQUE (repository, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository, subject) WHERE subject IS NOT NULL;

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
    attributes INTEGER NOT NULL DEFAULT 15,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (repository, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_manifest ON tags (manifest);

-- Upload sessions. The file holds whole sealed chunks; the rest of the bytes so far is sealed in "tail".
-- A session of size 0 has no file yet. Every blob begins as a session, so that start-up has only these
-- rows to look at, however many blobs there are.
CREATE TABLE uploads (
    uuid       TEXT PRIMARY KEY,               -- also the file's name, under uploads/ and later under blobs/
    registry   INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    repository TEXT NOT NULL,
    size       INTEGER NOT NULL DEFAULT 0,     -- bytes received and answered for
    tail       BLOB NOT NULL DEFAULT x'',
    started_at INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_by_registry ON uploads (registry);

-- Files that no row names any more and that are still to be removed from disk. The triggers fire for rows
-- that go with their registry too.
CREATE TABLE doomed_files (
    path TEXT PRIMARY KEY                      -- below the data folder
) STRICT, WITHOUT ROWID;

CREATE TRIGGER blobs_leave_files AFTER DELETE ON blobs BEGIN
    INSERT OR IGNORE INTO doomed_files (path) VALUES ('blobs/' || OLD.file);
END;

CREATE TRIGGER uploads_leave_files AFTER DELETE ON uploads BEGIN
    -- Under blobs/ it lies for the moment before it becomes one.
    INSERT OR IGNORE INTO doomed_files (path) VALUES ('uploads/' || OLD.uuid), ('blobs/' || OLD.uuid);
END;

-- The admin user's two passwords, sealed under the data folder's master key.
CREATE TABLE admin_passwords (
    registry INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    name     TEXT NOT NULL CHECK (name IN ('password', 'password2')),
    sealed   BLOB NOT NULL,
    PRIMARY KEY (registry, name)
) STRICT, WITHOUT ROWID;
