-- The resource that manages a group, as its PUT named it.
ALTER TABLE resource_groups ADD COLUMN managed_by TEXT;

-- Names and values of tags that were made by themselves. Those that resources have are read from these.
CREATE TABLE tag_names (
    name  TEXT NOT NULL COLLATE NOCASE,
    value TEXT,                                 -- null: the name alone
    UNIQUE (name, value)
) STRICT;

-- Locks of subscriptions, groups and resources.
CREATE TABLE locks (
    scope     TEXT NOT NULL,                    -- as sent
    scope_key TEXT NOT NULL,                    -- in lower case
    name      TEXT NOT NULL COLLATE NOCASE,
    level     TEXT NOT NULL,                    -- CanNotDelete, ReadOnly
    notes     TEXT,
    owners    TEXT NOT NULL,                    -- JSON, null where none were sent
    PRIMARY KEY (scope_key, name)
) STRICT;
