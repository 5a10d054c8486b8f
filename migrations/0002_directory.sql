-- The tenant's directory: everybody who can hold a token or be given a right.
-- A managed identity is a service principal here too, as it is in Entra ID.
CREATE TABLE principals (
    object_id    TEXT PRIMARY KEY,             -- lower-case GUID: "oid", "principalId"
    app_id       TEXT UNIQUE,                  -- "appid", "clientId"; NULL for groups and users
    kind         TEXT NOT NULL CHECK (kind IN ('Application', 'ManagedIdentity', 'User', 'Group')),
    display_name TEXT NOT NULL,
    resource_id  TEXT,                         -- managed identities: ARM id ("xms_mirid")
    created_at   INTEGER NOT NULL,
    doc          TEXT NOT NULL DEFAULT '{}'    -- what Graph clients sent besides
) STRICT;

-- Who is in which group.
CREATE TABLE group_members (
    group_id  TEXT NOT NULL REFERENCES principals (object_id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES principals (object_id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_member ON group_members (member_id);

-- App registrations: the object behind a service principal of kind Application.
CREATE TABLE applications (
    object_id    TEXT PRIMARY KEY,
    app_id       TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    doc          TEXT NOT NULL DEFAULT '{}'
) STRICT;

-- Who owns an application, a service principal or a group.
CREATE TABLE owners (
    owned_id TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES principals (object_id) ON DELETE CASCADE,
    PRIMARY KEY (owned_id, owner_id)
) STRICT, WITHOUT ROWID;

-- Client secrets. Only a SHA-256 of the secret is kept: secrets are long and random.
CREATE TABLE passwords (
    key_id       TEXT PRIMARY KEY,
    app_id       TEXT NOT NULL,                -- which client it opens
    holder       TEXT NOT NULL,                -- object id of the application or service principal that shows it
    display_name TEXT,
    hint         TEXT NOT NULL,
    hash         BLOB NOT NULL,
    starts_at    INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX passwords_by_app ON passwords (app_id);

-- Federated identity credentials ("workload identity"): whose tokens an application or a user-assigned
-- identity takes in place of a secret.
CREATE TABLE federated_credentials (
    id          TEXT PRIMARY KEY,
    app_id      TEXT NOT NULL,                 -- application id or the identity's client id
    name        TEXT NOT NULL COLLATE NOCASE,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    audiences   TEXT NOT NULL,                 -- JSON array of one
    description TEXT,
    UNIQUE (app_id, name)
) STRICT;
