-- Quarantine of manifests: pushed under a quarantine policy, they wait until a scanner says what they are.
ALTER TABLE manifests ADD COLUMN quarantine TEXT NOT NULL DEFAULT 'Passed';  -- Passed, Quarantined, Failed
ALTER TABLE manifests ADD COLUMN quarantine_details BLOB;                    -- what the scanner says, under the DEK
-- In the bin too: restoring is no way out of quarantine.
ALTER TABLE deleted_manifests ADD COLUMN quarantine TEXT NOT NULL DEFAULT 'Passed';
ALTER TABLE deleted_manifests ADD COLUMN quarantine_details BLOB;
