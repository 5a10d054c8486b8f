-- Role assignments, at any scope. Scopes are kept twice: as sent, and lower-cased for comparison.
CREATE TABLE role_assignments (
    name           TEXT NOT NULL,              -- GUID
    scope          TEXT NOT NULL,
    scope_key      TEXT NOT NULL,
    role_id        TEXT NOT NULL,              -- the definition's GUID
    principal_id   TEXT NOT NULL,
    principal_type TEXT NOT NULL,
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    doc            TEXT NOT NULL DEFAULT '{}', -- condition, description, …
    PRIMARY KEY (name, scope_key)
) STRICT;
CREATE INDEX role_assignments_by_principal ON role_assignments (principal_id);
CREATE INDEX role_assignments_by_scope ON role_assignments (scope_key);

-- Custom roles. The built-in ones are part of the program.
CREATE TABLE role_definitions (
    name       TEXT PRIMARY KEY,               -- GUID
    role_name  TEXT NOT NULL,
    doc        TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
