-- When the identity that a registry uses its key with expires, because its removal from the registry was tried: it is
-- not renewed any more until it is assigned again. NULL: it renews itself.
ALTER TABLE registries ADD COLUMN cmk_identity_expires INTEGER;
