-- Deployments of templates, as they ended: to be shown, listed and asked for their operations.
CREATE TABLE deployments (
    scope       TEXT NOT NULL COLLATE NOCASE,  -- the id of the subscription or resource group
    name        TEXT NOT NULL COLLATE NOCASE,
    shown       TEXT NOT NULL,                 -- JSON: the deployment as ARM shows it
    template    TEXT NOT NULL,                 -- JSON: what was deployed
    operations  TEXT NOT NULL,                 -- JSON: what was done for each resource
    ended_at    INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT;
