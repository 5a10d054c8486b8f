-- What hangs below a registry as a resource of its own: scope maps, tokens, webhooks, replications, cache
-- rules, credential sets, private endpoint connections. They go with their registry.
CREATE TABLE registry_children (
    id          INTEGER PRIMARY KEY,
    registry    INTEGER NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,                 -- the segment in ARM ids: "scopeMaps", "tokens", …
    name        TEXT NOT NULL COLLATE NOCASE,
    location    TEXT,                          -- of kinds that have one
    tags        TEXT NOT NULL DEFAULT '{}',
    properties  TEXT NOT NULL,                 -- the whole ARM "properties" document
    principal   TEXT,                          -- object id of the system-assigned identity
    sealed      BLOB,                          -- under the master key: what never comes back (a webhook's address)
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_by TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    UNIQUE (registry, kind, name)
) STRICT;

-- Passwords of tokens. Only the hash is kept: the secret has 52 random characters, so one SHA-256 is enough.
CREATE TABLE token_passwords (
    token      INTEGER NOT NULL REFERENCES registry_children (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,                  -- "password1" or "password2"
    hash       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,                        -- NULL: never
    PRIMARY KEY (token, name)
) STRICT;

-- What webhooks sent and what came back, newest last. Sealed: the headers may hold secrets.
CREATE TABLE webhook_events (
    id      INTEGER PRIMARY KEY,
    webhook INTEGER NOT NULL REFERENCES registry_children (id) ON DELETE CASCADE,
    sealed  BLOB NOT NULL
) STRICT;
CREATE INDEX webhook_events_by_webhook ON webhook_events (webhook, id);
