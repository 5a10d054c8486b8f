-- What is on its way out of a registry: soft-deleted manifests and tags, manifests without a tag, blobs that no
-- manifest names. Each has the instant from which its time runs; app::content::ageing acts when it is over.

-- The repository was deleted; its row stays for what lies soft-deleted in it. A push or a restore brings it back.
ALTER TABLE repositories ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- Since when a manifest has no tag; NULL: it has one, or had none when this column came.
ALTER TABLE manifests ADD COLUMN untagged_at INTEGER;
CREATE INDEX manifests_untagged ON manifests (untagged_at) WHERE untagged_at IS NOT NULL;

-- Since when no manifest of the repository names the blob; NULL: one does.
ALTER TABLE repository_blobs ADD COLUMN idle_since INTEGER;
CREATE INDEX repository_blobs_idle ON repository_blobs (idle_since) WHERE idle_since IS NOT NULL;

CREATE INDEX uploads_by_age ON uploads (started_at);

-- Manifests as they were when they were deleted (softDeletePolicy). What they name is kept with them.
CREATE TABLE deleted_manifests (
    id          INTEGER PRIMARY KEY,
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
    UNIQUE (repository, digest)
) STRICT;
CREATE INDEX deleted_manifests_by_age ON deleted_manifests (deleted_at);

CREATE TABLE deleted_tags (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (repository, name, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX deleted_tags_by_age ON deleted_tags (deleted_at);

-- The registries that have anything to do with untagged manifests: few of many.
CREATE INDEX registries_with_retention ON registries (id)
    WHERE lower(json_extract(properties, '$.policies.retentionPolicy.status')) = 'enabled';
