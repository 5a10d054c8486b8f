-- What there is one of: the clock's setting, the tenant's signing key, the seal that shows whether
-- the master key of this data folder is the right one. Times everywhere are microseconds since 1970, UTC.
CREATE TABLE world (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
