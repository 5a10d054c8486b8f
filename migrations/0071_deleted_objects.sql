-- Applications, service principals, users and Microsoft 365 groups that were deleted: they can be restored for 30 days.
-- What they were is kept whole here and nowhere else, so that whoever looks for them finds nobody.
CREATE TABLE deleted_objects (
    object_id  TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,                  -- application, servicePrincipal, user, group
    kept       TEXT NOT NULL,                  -- JSON: the object, and what hung on it (domain::directory::deleted)
    deleted_at INTEGER NOT NULL,
    purge_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX deleted_objects_by_purge ON deleted_objects (purge_at);
