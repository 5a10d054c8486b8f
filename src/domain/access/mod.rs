//! Who may do what: roles at scopes, access policies, vault permissions. Decisions only, given all facts.
//! Must not know: where grants are kept, what a caller's token looked like.

pub mod built_in;
pub mod condition;
pub mod role;

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::domain::access::condition::{Attributes, Condition};
pub use crate::domain::access::role::Plane;
use crate::domain::access::role::{Permissions, Role};
use crate::domain::directory::identity::{Disabled, PrincipalKind, Standing};

/// Who asks: the claims of a verified token, or a registry acting as its own identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Object id in the directory: `oid`.
    pub object_id: String,
    /// Application (client) id: `appid`.
    pub app_id: String,
    /// Tenant id: `tid`.
    pub tenant: String,
    /// Object ids of the groups the caller is in.
    pub groups: Vec<String>,
    pub kind: PrincipalKind,
    /// For managed identities, the ARM id: `xms_mirid`.
    pub resource_id: Option<String>,
    /// Display name, for `systemData`.
    pub name: String,
    /// Where the call came from.
    pub address: IpAddr,
    /// An Azure service calling under its own system-assigned identity, which a vault's
    /// `bypass: AzureServices` lets through its firewall.
    pub trusted_service: bool,
    /// The Azure service that calls; empty for callers from outside. Audit records name it as the client.
    pub service: &'static str,
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.object_id)
    }
}

impl Caller {
    /// The emulator's own hand: used by start-up and the clock, never by a request.
    #[must_use]
    pub fn system() -> Self {
        Self {
            object_id: crate::domain::world::well_known::DEVELOPER_OBJECT_ID.to_owned(),
            app_id: crate::domain::world::well_known::DEVELOPER_CLIENT_ID.to_owned(),
            tenant: crate::domain::world::well_known::TENANT_ID.to_owned(),
            groups: Vec::new(),
            kind: PrincipalKind::Application,
            resource_id: None,
            name: crate::domain::world::well_known::DEVELOPER_NAME.to_owned(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            trusted_service: false,
            service: "",
        }
    }

    /// Nobody that the directory knows: holds no right, and nothing can be granted to it.
    #[must_use]
    pub fn nobody(address: IpAddr) -> Self {
        let (object_id, app_id, name) = (String::new(), String::new(), String::new());
        Self { object_id, app_id, name, address, ..Self::system() }
    }

    /// A principal that calls from `address`. The only way from the directory to a caller: who is disabled is none.
    pub fn of(standing: Standing, address: IpAddr) -> Result<Self, Disabled> {
        standing.check()?;
        let Standing { principal, groups, .. } = standing;
        Ok(Self {
            object_id: principal.object_id,
            app_id: principal.app_id.unwrap_or_default(),
            tenant: crate::domain::world::well_known::TENANT_ID.to_owned(),
            groups,
            kind: principal.kind,
            resource_id: principal.resource_id,
            name: principal.display_name,
            address,
            trusted_service: false,
            service: "",
        })
    }

    /// Whether an assignment or policy for `principal` speaks of this caller.
    #[must_use]
    pub fn is(&self, principal: &str) -> bool {
        !self.object_id.is_empty() && self.object_id.eq_ignore_ascii_case(principal)
            || self.groups.iter().any(|g| g.eq_ignore_ascii_case(principal))
    }
}

/// A role held at a scope.
#[derive(Debug, Clone)]
pub struct Grant {
    /// ARM scope; `/` or empty is the root.
    pub scope: String,
    pub role: Role,
    /// What has to hold besides.
    pub condition: Option<Condition>,
}

/// Whether any grant allows `action` at `scope`: the union over all grants at the scope or above it whose condition,
/// if they have one, holds for what is known of the attempt.
#[must_use]
pub fn allowed(grants: &[Grant], plane: Plane, action: &str, scope: &str, known: &Attributes) -> bool {
    grants.iter().any(|g| {
        covers(&g.scope, scope)
            && g.role.permissions.iter().any(|p| p.list(plane, action) && holds(p, action, known))
            && g.condition.as_ref().is_none_or(|condition| condition.holds(action, known))
    })
}

/// Whether the condition that is part of a role holds, if it has one.
fn holds(permissions: &Permissions, action: &str, known: &Attributes) -> bool {
    let Some(text) = &permissions.condition else { return true };
    Condition::parse(text).is_ok_and(|condition| condition.holds(action, known))
}

/// Whether `scope` is `ancestor` or lies below it. Case does not matter.
#[must_use]
pub fn covers(ancestor: &str, scope: &str) -> bool {
    let ancestor = ancestor.trim_end_matches('/').to_ascii_lowercase();
    let scope = scope.trim_end_matches('/').to_ascii_lowercase();
    ancestor.is_empty() || scope == ancestor || scope.strip_prefix(&ancestor).is_some_and(|rest| rest.starts_with('/'))
}

/// A vault permission, as access policies and as roles name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// `keys`, `secrets`.
    pub kind: &'static str,
    /// The word in an access policy.
    pub policy: &'static str,
    /// The data action below `Microsoft.KeyVault/vaults/`.
    pub action: &'static str,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $kind:literal $policy:literal $action:literal;)*) => {
        impl Permission {$(
            $(#[$doc])*
            pub const $name: Self = Self { kind: $kind, policy: $policy, action: $action };
        )*}
    };
}

// Source of the pairs: keyvault.md A.5 [docs].
permissions! {
    /// Read a key's public part and attributes.
    KEY_GET = "keys" "get" "keys/read";
    /// List keys or versions.
    KEY_LIST = "keys" "list" "keys/read";
    /// Create a key or version.
    KEY_CREATE = "keys" "create" "keys/create/action";
    /// Import a key.
    KEY_IMPORT = "keys" "import" "keys/import/action";
    /// Change attributes.
    KEY_UPDATE = "keys" "update" "keys/update/action";
    /// Soft-delete a key.
    KEY_DELETE = "keys" "delete" "keys/delete";
    /// Recover a deleted key.
    KEY_RECOVER = "keys" "recover" "keys/recover/action";
    /// Purge a deleted key.
    KEY_PURGE = "keys" "purge" "keys/purge/action";
    /// Back a key up.
    KEY_BACKUP = "keys" "backup" "keys/backup/action";
    /// Restore a backup.
    KEY_RESTORE = "keys" "restore" "keys/restore/action";
    /// Encrypt.
    KEY_ENCRYPT = "keys" "encrypt" "keys/encrypt/action";
    /// Decrypt.
    KEY_DECRYPT = "keys" "decrypt" "keys/decrypt/action";
    /// Wrap.
    KEY_WRAP = "keys" "wrapKey" "keys/wrap/action";
    /// Unwrap.
    KEY_UNWRAP = "keys" "unwrapKey" "keys/unwrap/action";
    /// Sign.
    KEY_SIGN = "keys" "sign" "keys/sign/action";
    /// Verify.
    KEY_VERIFY = "keys" "verify" "keys/verify/action";
    /// Rotate on demand.
    KEY_ROTATE = "keys" "rotate" "keys/rotate/action";
    /// Read the rotation policy.
    ROTATION_POLICY_GET = "keys" "getrotationpolicy" "keyrotationpolicies/read";
    /// Write the rotation policy.
    ROTATION_POLICY_SET = "keys" "setrotationpolicy" "keyrotationpolicies/write";
    /// Secure key release.
    KEY_RELEASE = "keys" "release" "keys/release/action";
    /// Read a secret's value.
    SECRET_GET = "secrets" "get" "secrets/getSecret/action";
    /// List secrets or versions; read a deleted one's properties.
    SECRET_LIST = "secrets" "list" "secrets/readMetadata/action";
    /// Set a secret.
    SECRET_SET = "secrets" "set" "secrets/setSecret/action";
    /// Change a secret's attributes.
    SECRET_UPDATE = "secrets" "set" "secrets/update/action";
    /// Soft-delete a secret.
    SECRET_DELETE = "secrets" "delete" "secrets/delete";
    /// Read a deleted secret.
    SECRET_GET_DELETED = "secrets" "get" "secrets/readMetadata/action";
    /// Recover a deleted secret.
    SECRET_RECOVER = "secrets" "recover" "secrets/recover/action";
    /// Purge a deleted secret.
    SECRET_PURGE = "secrets" "purge" "secrets/purge/action";
    /// Back a secret up.
    SECRET_BACKUP = "secrets" "backup" "secrets/backup/action";
    /// Restore a backup.
    SECRET_RESTORE = "secrets" "restore" "secrets/restore/action";
}

/// What `all` in an access policy leaves out [recorded for purge; inferred for the others].
const NOT_IN_ALL: [&str; 3] = ["purge", "release", "rotate"];

/// Whether the vault's access policies give the caller the permission: the union of all entries that
/// speak of the caller, in the vault's tenant (keyvault.md D.2).
#[must_use]
pub fn policy_permits(policies: &[Value], caller: &Caller, permission: Permission) -> bool {
    policies.iter().any(|entry| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let speaks_of_caller = text("objectId").is_some_and(|id| caller.is(id))
            && text("tenantId").is_none_or(|t| t.eq_ignore_ascii_case(&caller.tenant))
            && text("applicationId").is_none_or(|a| a.is_empty() || a.eq_ignore_ascii_case(&caller.app_id));
        speaks_of_caller
            && entry["permissions"].get(permission.kind).and_then(Value::as_array).is_some_and(|given| {
                given.iter().filter_map(Value::as_str).any(|word| {
                    word.eq_ignore_ascii_case(permission.policy)
                        || (word.eq_ignore_ascii_case("all") && !NOT_IN_ALL.contains(&permission.policy))
                })
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scopes_cover_what_lies_below_them_only() {
        assert!(covers("/", "/subscriptions/a"));
        assert!(covers("/subscriptions/A", "/subscriptions/a/resourceGroups/g"));
        assert!(!covers("/subscriptions/a/resourceGroups/g", "/subscriptions/a/resourceGroups/g2"));
        assert!(!covers("/subscriptions/a/resourceGroups/g", "/subscriptions/a"));
    }

    #[test]
    fn all_is_not_quite_all() {
        let caller = Caller::system();
        let policies = [json!({"objectId": caller.object_id, "permissions": {"keys": ["All"]}})];
        assert!(policy_permits(&policies, &caller, Permission::KEY_UNWRAP));
        assert!(!policy_permits(&policies, &caller, Permission::KEY_PURGE));
    }

    #[test]
    fn a_compound_identity_needs_its_application() {
        let caller = Caller::system();
        let entry =
            |app: &str| [json!({"objectId": caller.object_id, "applicationId": app, "permissions": {"keys": ["get"]}})];
        assert!(policy_permits(&entry(&caller.app_id), &caller, Permission::KEY_GET));
        assert!(!policy_permits(&entry("other"), &caller, Permission::KEY_GET));
    }
}
