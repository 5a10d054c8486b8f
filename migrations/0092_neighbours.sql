-- Resources that stand around registries and vaults and are kept as documents: networks, private endpoints, workspaces,
-- diagnostic settings.
CREATE TABLE neighbours (
    id_key   TEXT PRIMARY KEY,                  -- the id in lower case
    id       TEXT NOT NULL,                     -- as it was first sent
    kind     TEXT NOT NULL,                     -- the resource type, in Azure's case
    name     TEXT NOT NULL,
    scope    TEXT NOT NULL,                     -- in lower case: the id of the group, or of what a setting is about
    document TEXT NOT NULL                      -- JSON: all that is shown beside id, name and type
) STRICT;

CREATE INDEX neighbours_of_a_scope ON neighbours (kind, scope);
