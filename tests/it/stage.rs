//! What tests of customer-managed keys begin with: vault `vault1` with key `key`, identity `id1` that may use it, and
//! registry `reg01` encrypted by both.
//! Must not know what is tested.

use reqwest::Method;

use crate::harness::{Docker, Person, good, registry_path, vault_path};

/// "Key Vault Crypto Service Encryption User".
pub const CRYPTO_SERVICE_USER: &str = "e147488a-f6f5-4113-8e2d-b22465e65bf6";

/// The key, and who may use it.
pub struct Stage {
    /// The key's identifier with its version.
    pub kid: String,
    /// The same without it.
    pub versionless: String,
    pub version: String,
    /// The identity's.
    pub client: String,
    pub principal: String,
    /// The identity's role assignment, where the vault decides by roles.
    pub assignment: Option<String>,
}

/// The key and the identity; no registry yet. The vault decides by roles or by access policies.
pub async fn key(me: &Person<'_>, roles: bool) -> Stage {
    me.make_group().await;
    me.make_vault("vault1", roles).await;
    let (client, principal) = me.make_identity("id1").await;
    let assignment = if roles {
        Some(me.assign(&vault_path("vault1"), CRYPTO_SERVICE_USER, &principal).await)
    } else {
        me.allow("vault1", &principal).await;
        None
    };
    let kid = me.make_key("vault1", "key").await;
    let (versionless, version) = kid.rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    Stage { kid, versionless, version, client, principal, assignment }
}

/// With the registry, which follows new versions of the key.
pub async fn registry(me: &Person<'_>, roles: bool) -> Stage {
    let stage = key(me, roles).await;
    let body = Person::cmk_body(&stage.versionless, "id1", &stage.client);
    good(me.arm(Method::PUT, &registry_path("reg01"), body).await).await;
    stage
}

/// With an image in it under the tag `v1`. Returns who pushed it, and its manifest too.
pub async fn image<'w>(
    me: &'w Person<'w>,
    roles: bool,
    repository: &str,
    layer: &[u8],
) -> (Stage, Docker<'w>, Vec<u8>) {
    let stage = registry(me, roles).await;
    let docker = me.sign_in("reg01", repository).await;
    let manifest = docker.push_image("v1", layer).await.unwrap();
    (stage, docker, manifest)
}
