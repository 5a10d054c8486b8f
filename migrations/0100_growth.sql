-- Lists go on by an index, and what is asked for often is counted as it changes.
DROP INDEX registries_by_group;
CREATE INDEX registries_by_group ON registries (resource_group, name);
DROP INDEX vaults_by_group;
CREATE INDEX vaults_by_group ON vaults (resource_group, name);
CREATE INDEX vaults_deleted ON vaults (name) WHERE deleted_at IS NOT NULL;
CREATE INDEX vaults_by_purge ON vaults (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX registry_children_by_kind ON registry_children (kind, id);
CREATE INDEX repositories_gone ON repositories (id) WHERE gone;
CREATE INDEX owners_by_owner ON owners (owner_id);
CREATE INDEX passwords_by_holder ON passwords (holder);
CREATE INDEX identities_by_name ON identities (name, resource_group);
CREATE INDEX neighbours_by_name ON neighbours (kind, name COLLATE NOCASE, scope);
CREATE INDEX manifests_by_time ON manifests (repository, updated_at, digest);
CREATE INDEX tags_by_time ON tags (repository, updated_at, name);

-- Manifests and tags of a repository, and the bytes of its manifests.
ALTER TABLE repositories ADD COLUMN manifest_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN tag_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE repositories SET
    manifest_count = (SELECT count(*) FROM manifests WHERE repository = repositories.id),
    tag_count = (SELECT count(*) FROM tags WHERE repository = repositories.id),
    bytes = (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository = repositories.id);

-- The bytes of a registry's blobs and manifests: what its usage says.
CREATE TABLE usages (
    registry INTEGER PRIMARY KEY REFERENCES registries (id) ON DELETE CASCADE,
    bytes    INTEGER NOT NULL
) STRICT;
INSERT INTO usages (registry, bytes)
SELECT
    r.id,
    (SELECT coalesce(sum(size), 0) FROM blobs WHERE registry = r.id) +
    (SELECT coalesce(sum(bytes), 0) FROM repositories WHERE registry = r.id)
FROM registries r;
CREATE TRIGGER registries_are_used AFTER INSERT ON registries BEGIN
    INSERT INTO usages (registry, bytes) VALUES (NEW.id, 0) ON CONFLICT (registry) DO NOTHING;
END;
CREATE TRIGGER blobs_come AFTER INSERT ON blobs BEGIN
    UPDATE usages SET bytes = CAST(bytes + NEW.size AS INTEGER) WHERE registry = NEW.registry;
END;
CREATE TRIGGER blobs_go AFTER DELETE ON blobs BEGIN
    UPDATE usages SET bytes = CAST(bytes - OLD.size AS INTEGER) WHERE registry = OLD.registry;
END;
CREATE TRIGGER manifests_come AFTER INSERT ON manifests BEGIN
    UPDATE repositories SET manifest_count = CAST(manifest_count + 1 AS INTEGER), bytes = CAST(bytes + NEW.size AS INTEGER) WHERE id = NEW.repository;
END;
-- Nothing is left to count in where a whole repository goes.
CREATE TRIGGER manifests_go AFTER DELETE ON manifests BEGIN
    UPDATE repositories SET manifest_count = CAST(manifest_count - 1 AS INTEGER), bytes = CAST(bytes - OLD.size AS INTEGER) WHERE id = OLD.repository;
END;
CREATE TRIGGER repositories_weigh AFTER UPDATE OF bytes ON repositories BEGIN
    UPDATE usages SET bytes = CAST(bytes + NEW.bytes - OLD.bytes AS INTEGER) WHERE registry = NEW.registry;
END;
CREATE TRIGGER repositories_go AFTER DELETE ON repositories BEGIN
    UPDATE usages SET bytes = CAST(bytes - OLD.bytes AS INTEGER) WHERE registry = OLD.registry;
END;
CREATE TRIGGER tags_come AFTER INSERT ON tags BEGIN
    UPDATE repositories SET tag_count = CAST(tag_count + 1 AS INTEGER) WHERE id = NEW.repository;
END;
CREATE TRIGGER tags_go AFTER DELETE ON tags BEGIN
    UPDATE repositories SET tag_count = CAST(tag_count - 1 AS INTEGER) WHERE id = OLD.repository;
END;
