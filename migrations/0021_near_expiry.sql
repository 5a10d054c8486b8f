-- When a key's newest version is so near its end that it is told (once for each "exp", see key_versions.doc).
ALTER TABLE keys ADD COLUMN near_expiry_at INTEGER;
CREATE INDEX keys_by_near_expiry ON keys (near_expiry_at) WHERE near_expiry_at IS NOT NULL;
