//! Customer-managed keys: what a registry may be asked to do with one, and what follows.
//! The rule for "blocked": a registry's data is open exactly while its identity may unwrap its DEK with the
//! key version that wrapped it. There is no flag; see app::registry::cmk for when it is asked.
//! Must not know: vaults, how access is decided.

use serde_json::{Map, Value, json};

use crate::domain::error::{EncryptionError, Result};
use crate::domain::world::name;
use crate::domain::world::time::{DAY, Timestamp};

/// The algorithm registries wrap their DEK with. [inferred: not published for ACR]
pub const WRAP_ALGORITHM: &str = "RSA-OAEP-256";

/// A key identifier: `https://{vault}.vault.azure.net/keys/{key}[/{version}]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId {
    /// Vault name, lower case.
    pub vault: String,
    /// Key name.
    pub key: String,
    /// Version: 32 hex digits.
    pub version: Option<String>,
}

impl KeyId {
    /// Parses a key identifier. Secrets, certificates and other hosts are refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (vault, key, version) = object_id(text, "keys")?;
        Some(Self { vault, key, version })
    }

    /// The same key at a version.
    #[must_use]
    pub fn at(&self, version: &str) -> Self {
        Self { version: Some(version.to_owned()), ..self.clone() }
    }

    /// `name` or `name/version`, as vaults address it.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.version {
            Some(version) => format!("{}/{version}", self.key),
            None => self.key.clone(),
        }
    }
}

/// Vault, name and version of an object of a collection of a vault, from its identifier
/// `https://{vault}.vault.azure.net/{collection}/{name}[/{version}]`. Hosts have no case, and may name a port.
#[must_use]
pub fn object_id(text: &str, collection: &str) -> Option<(String, String, Option<String>)> {
    let rest = text.trim().trim_end_matches('/');
    let lower = rest.to_ascii_lowercase();
    let rest = lower.starts_with("https://").then(|| &rest["https://".len()..])?;
    let mut parts = rest.split('/');
    let host = parts.next()?.to_ascii_lowercase();
    // Behind another port the vault is the same one.
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        Some(_) => return None,
        None => host.as_str(),
    };
    let vault = host.strip_suffix(".vault.azure.net")?.to_owned();
    let named = parts.next()?;
    let object = parts.next()?.to_owned();
    let version = parts.next().map(str::to_ascii_lowercase);
    let well_formed = named.eq_ignore_ascii_case(collection)
        && name::is_vault(&vault)
        && name::is_vault_object(&object)
        && version.as_deref().is_none_or(name::is_key_version)
        && parts.next().is_none();
    well_formed.then_some((vault, object, version))
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "https://{}.vault.azure.net/keys/{}", self.vault, self.path())
    }
}

/// A registry's customer-managed key.
#[derive(Debug, Clone, PartialEq)]
pub struct Cmk {
    /// As configured. Without a version, the registry follows the key's newest version.
    pub key: KeyId,
    /// The version that wraps the DEK now.
    pub version: String,
    /// Which identity asks the vault.
    pub identity: KeyIdentity,
    /// When the wrapping version changed last. For a key without version, at first the time of creation.
    pub rotated_at: Option<Timestamp>,
    /// When the identity expires; `None`: it renews itself. See [`IDENTITY_LIFETIME`].
    pub identity_expires: Option<Timestamp>,
}

/// How long an identity goes on after its removal from the registry was tried. The removal is refused and leaves the
/// identity attached, but it is not renewed any more, and the key cannot be rotated, until it is assigned again; when it
/// has expired, data is blocked [docs: troubleshoot a customer-managed key, "identity expiry error": "usually three
/// months"]. That the time runs from the first attempt, that the hourly look goes on until it is over, and that a
/// system-assigned identity comes back in the same way (on Azure by a support ticket) is [inferred].
pub const IDENTITY_LIFETIME: i64 = 90 * DAY;

impl Cmk {
    /// Whether new versions are followed within the hour.
    #[must_use]
    pub fn follows_new_versions(&self) -> bool {
        self.key.version.is_none()
    }

    /// The key version that wraps the DEK now.
    #[must_use]
    pub fn versioned(&self) -> KeyId {
        self.key.at(&self.version)
    }
}

/// The identity with which a registry goes to the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyIdentity {
    /// The registry's own system-assigned identity.
    System,
    /// A user-assigned identity, by client id.
    User(String),
}

impl KeyIdentity {
    /// As `keyVaultProperties.identity` says it: `system` or the client id [recorded].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case("system") || text.eq_ignore_ascii_case("[system]") {
            Self::System
        } else {
            Self::User(text.to_ascii_lowercase())
        }
    }

    /// The same word back.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::User(client_id) => client_id,
        }
    }
}

/// What a write asks of a registry's encryption.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Nothing.
    Unchanged,
    /// This key, through this identity.
    Key {
        /// The key identifier.
        key: KeyId,
        identity: KeyIdentity,
    },
}

/// Reads `properties.encryption` of a write. `existing` is `None` while the registry is created, else
/// whether it has a customer-managed key. Rules 24 and the identity pair of acr.md A.4, B.1.
pub fn asked(registry: &str, existing: Option<Option<&Cmk>>, encryption: Option<&Value>) -> Result<Asked> {
    let encryption = encryption.filter(|e| !e.is_null());
    let status = encryption.and_then(|e| e["status"].as_str()).unwrap_or_default();
    let properties = encryption.map(|e| &e["keyVaultProperties"]).filter(|p| p.is_object());
    let text = |name: &str| properties.and_then(|p| p[name].as_str()).filter(|t| !t.is_empty());
    let enabled = status.eq_ignore_ascii_case("enabled") || (status.is_empty() && properties.is_some());
    match existing {
        Some(Some(_)) if status.eq_ignore_ascii_case("disabled") => {
            return Err(EncryptionError::Permanent(registry.to_owned()).into());
        }
        Some(None) if enabled => return Err(EncryptionError::NotAtCreation(registry.to_owned()).into()),
        Some(Some(_)) if encryption.is_none() => return Ok(Asked::Unchanged),
        _ if !enabled => return Ok(Asked::Unchanged),
        _ => {}
    }
    let (Some(key), Some(identity)) = (text("keyIdentifier"), text("identity")) else {
        return Err(EncryptionError::Incomplete(registry.to_owned()).into());
    };
    let key_id = KeyId::parse(key).ok_or_else(|| EncryptionError::KeyIdentifier(key.to_owned()))?;
    let identity = KeyIdentity::parse(identity);
    Ok(Asked::Key { key: key_id, identity })
}

/// `properties.encryption` as registries show it [recorded].
#[must_use]
pub fn shown(cmk: Option<&Cmk>) -> Value {
    let Some(cmk) = cmk else { return json!({"status": "disabled"}) };
    let mut properties = Map::new();
    properties.insert("keyIdentifier".into(), json!(cmk.key.to_string()));
    properties.insert("versionedKeyIdentifier".into(), json!(cmk.versioned().to_string()));
    properties.insert("identity".into(), json!(cmk.identity.as_str()));
    properties.insert("keyRotationEnabled".into(), json!(cmk.follows_new_versions()));
    if let Some(at) = cmk.rotated_at {
        properties.insert("lastKeyRotationTimestamp".into(), json!(at.offset7()));
    }
    json!({"status": "enabled", "keyVaultProperties": properties})
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "https://v-1.vault.azure.net/keys/k";

    fn cmk(key: &str) -> Cmk {
        Cmk {
            key: KeyId::parse(key).unwrap(),
            version: "a".repeat(32),
            identity: KeyIdentity::System,
            rotated_at: None,
            identity_expires: None,
        }
    }

    #[test]
    fn key_identifiers() {
        let id = KeyId::parse("https://V-1.vault.azure.net:443/keys/K/0123456789abcdef0123456789ABCDEF/").unwrap();
        assert_eq!((id.vault.as_str(), id.key.as_str()), ("v-1", "K"));
        assert_eq!(id.version.as_deref(), Some("0123456789abcdef0123456789abcdef"));
        assert_eq!(KeyId::parse(KEY).unwrap().to_string(), KEY);
        let elsewhere = KeyId::parse("https://v-1.vault.azure.net:4443/keys/k").unwrap();
        assert_eq!(elsewhere.to_string(), "https://v-1.vault.azure.net/keys/k", "behind any port");
        assert_eq!(KeyId::parse("https://v-1.vault.azure.net:x/keys/k"), None);
        for bad in [
            "http://v-1.vault.azure.net/keys/k",
            "https://v-1.vault.azure.net/secrets/k",
            "https://x/keys/k",
            "https://v-1.vault.azure.net/keys/k/short",
            "",
        ] {
            assert_eq!(KeyId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn encryption_is_decided_once() {
        let enabled = json!({"status": "enabled", "keyVaultProperties": {"keyIdentifier": KEY, "identity": "c"}});
        assert!(matches!(asked("r", None, Some(&enabled)), Ok(Asked::Key { .. })));
        assert_eq!(asked("r", Some(None), Some(&enabled)), Err(EncryptionError::NotAtCreation("r".into()).into()));
        let disabled = json!({"status": "disabled"});
        assert_eq!(
            asked("r", Some(Some(&cmk(KEY))), Some(&disabled)),
            Err(EncryptionError::Permanent("r".into()).into())
        );
        assert_eq!(asked("r", Some(None), Some(&disabled)), Ok(Asked::Unchanged));
        assert_eq!(asked("r", Some(Some(&cmk(KEY))), None), Ok(Asked::Unchanged));
        let half = json!({"status": "enabled", "keyVaultProperties": {"keyIdentifier": KEY}});
        assert_eq!(asked("r", None, Some(&half)), Err(EncryptionError::Incomplete("r".into()).into()));
    }
}
