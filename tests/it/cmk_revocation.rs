//! Revocation reaches the data by every route that it does on Azure, and undoing it gives the bytes back:
//! acr.md B.1 rows 8 to 16, 21, B.2.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Docker, Person, World, good, identity_path, refused, registry_path, vault_path};
use crate::stage::{self, CRYPTO_SERVICE_USER};

const TEXT: &str = "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk";
const LAYER: &[u8] = b"a layer that must come back byte for byte";

struct Stage<'w> {
    docker: Docker<'w>,
    manifest: Vec<u8>,
    version: String,
    principal: String,
    assignment: Option<String>,
}

/// A CMK registry `reg01` with an image in it; the vault decides by policies or by roles.
async fn stage<'w>(me: &'w Person<'w>, roles: bool) -> Stage<'w> {
    let (key, docker, manifest) = stage::image(me, roles, "team/app", LAYER).await;
    Stage { docker, manifest, version: key.version, principal: key.principal, assignment: key.assignment }
}

impl Stage<'_> {
    async fn is_open(&self) {
        let (manifest, layer) = self.docker.pull_image("v1").await.expect("open");
        assert_eq!(manifest, self.manifest);
        assert_eq!(layer, LAYER);
    }

    /// Every way to content and its metadata is refused alike; signing in and ARM go on.
    /// `acrite status` tells the `reason` in words.
    async fn is_blocked(&self, me: &Person<'_>, why: &str, reason: &str) {
        let d = &self.docker;
        let layer = crate::harness::digest(LAYER);
        let calls = [
            (Method::GET, "manifests/v1".to_owned()),
            (Method::PUT, "manifests/v2".to_owned()),
            (Method::DELETE, "manifests/v1".to_owned()),
            (Method::GET, format!("blobs/{layer}")),
            (Method::POST, "blobs/uploads/".to_owned()),
            (Method::GET, "tags/list".to_owned()),
        ];
        for (method, path) in calls {
            let answer = d.call(method.clone(), &path).body(Vec::new()).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{why}: {method} {path}");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["errors"][0]["code"], "DENIED", "{why}: {method} {path}");
            assert_eq!(body["errors"][0]["message"], TEXT, "{why}: {method} {path}");
        }
        let head = d.call(Method::HEAD, "manifests/v1").send().await.unwrap();
        assert_eq!(head.status(), StatusCode::FORBIDDEN, "{why}");
        me.sign_in("reg01", "team/app").await;
        let shown = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
        assert_eq!(shown["properties"]["provisioningState"], "Succeeded", "{why}: ARM shows nothing");
        let status = me.world.status().await;
        assert_eq!(status["registries"][0]["state"], "locked", "{why}");
        let told = status["registries"][0]["why"].as_str().unwrap();
        assert!(told.contains(reason), "{why}: {told}");
    }
}

#[tokio::test]
async fn access_policy_removed() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    s.is_open().await;
    me.policy("vault1", "remove", &s.principal, &[]).await;
    s.is_blocked(
        &me,
        "policy removed",
        "has no permission 'unwrapKey' for keys in the access policies of vault vault1",
    )
    .await;
    me.allow("vault1", &s.principal).await;
    s.is_open().await;
    // Unwrap alone is what reading needs.
    me.policy("vault1", "remove", &s.principal, &["unwrapKey"]).await;
    s.is_blocked(&me, "unwrapKey removed", "has no permission 'unwrapKey'").await;
}

#[tokio::test]
async fn role_removed() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, true).await;
    s.is_open().await;
    good(me.arm(Method::DELETE, s.assignment.as_ref().unwrap(), Value::Null).await).await;
    s.is_blocked(&me, "role removed", "has no role that gives Microsoft.KeyVault/vaults/keys/unwrap/action").await;
    me.assign(&vault_path("vault1"), CRYPTO_SERVICE_USER, &s.principal).await;
    s.is_open().await;
}

#[tokio::test]
async fn key_disabled_or_version_disabled() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    let set = async |path: &str, enabled: bool| {
        good(me.vault(Method::PATCH, "vault1", path, json!({"attributes": {"enabled": enabled}})).await).await;
    };
    set("keys/key/", false).await;
    s.is_blocked(&me, "key disabled", "the key version is disabled: unwrapKey is not allowed").await;
    set("keys/key/", true).await;
    s.is_open().await;
    // The version in use counts, not the newest.
    me.make_key("vault1", "key").await;
    let path = format!("keys/key/{}", s.version);
    set(&path, false).await;
    s.is_blocked(&me, "version disabled", "the key version is disabled").await;
    set(&path, true).await;
    s.is_open().await;
}

#[tokio::test]
async fn key_deleted_and_recovered_or_purged() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    good(me.vault(Method::DELETE, "vault1", "keys/key", Value::Null).await).await;
    s.is_blocked(&me, "key deleted", "there is no key key/").await;
    good(me.vault(Method::POST, "vault1", "deletedkeys/key/recover", Value::Null).await).await;
    s.is_open().await;
    good(me.vault(Method::DELETE, "vault1", "keys/key", Value::Null).await).await;
    good(me.vault(Method::DELETE, "vault1", "deletedkeys/key", Value::Null).await).await;
    s.is_blocked(&me, "key purged", "there is no key key/").await;
    // A new key of the same name opens nothing, nor does rotating to it: the data is lost.
    let new = me.make_key("vault1", "key").await;
    s.is_blocked(&me, "key purged and made anew", "there is no key key/").await;
    world.advance(3 * 3600).await;
    s.is_blocked(&me, "key purged and made anew, hours later", "there is no key key/").await;
    let body = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": new, "identity": me.encryption("reg01").await["identity"]}}}});
    refused(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
    // Deleting the registry works.
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
}

#[tokio::test]
async fn vault_deleted_and_recovered() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await;
    s.is_blocked(&me, "vault deleted", "there is no vault vault1").await;
    let recover = json!({"location": "eastus", "properties": {"createMode": "recover", "tenantId": crate::harness::TENANT, "sku": {"name": "premium", "family": "A"}}});
    good(me.arm(Method::PUT, &vault_path("vault1"), recover).await).await;
    s.is_open().await;
}

#[tokio::test]
async fn identity_deleted_is_cured_by_another_identity() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    good(me.arm(Method::DELETE, &identity_path("id1"), Value::Null).await).await;
    s.is_blocked(&me, "identity deleted", "is not there, or not attached to registry reg01").await;
    // One made anew under the same name is somebody else.
    me.make_identity("id1").await;
    s.is_blocked(&me, "identity made anew", "is not there, or not attached to registry reg01").await;
    let (client, principal) = me.make_identity("id2").await;
    me.allow("vault1", &principal).await;
    let key = me.encryption("reg01").await["keyIdentifier"].clone();
    let body = json!({
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_path("id2"): {}}},
        "properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": client}}},
    });
    good(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
    s.is_open().await;
}

/// `az acr identity assign`, then `az acr encryption rotate-key`, then `az acr identity remove`.
#[tokio::test]
async fn identity_deleted_is_cured_step_by_step() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    good(me.arm(Method::DELETE, &identity_path("id1"), Value::Null).await).await;
    let (client, principal) = me.make_identity("id2").await;
    me.allow("vault1", &principal).await;
    let path = registry_path("reg01");
    let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
    let mut identity = shown["identity"].clone();
    let lost = identity["userAssignedIdentities"].as_object().unwrap().keys().next().unwrap().clone();
    // The identity in use cannot be exchanged for another one alone, deleted or not.
    let exchanged = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_path("id2"): {}}}});
    let (status, _, _) = refused(me.arm(Method::PATCH, &path, exchanged).await).await;
    assert_eq!(status, 400);
    identity["userAssignedIdentities"][identity_path("id2")] = json!({});
    let both = good(me.arm(Method::PATCH, &path, json!({ "identity": identity })).await).await;
    assert_eq!(both["identity"]["userAssignedIdentities"].as_object().unwrap().len(), 2);
    s.is_blocked(&me, "another identity attached, not in use", "is not there, or not attached").await;
    let key = me.encryption("reg01").await["keyIdentifier"].clone();
    let rotation = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": client}}}});
    good(me.arm(Method::PATCH, &path, rotation).await).await;
    s.is_open().await;
    let mut identity = both["identity"].clone();
    identity["userAssignedIdentities"].as_object_mut().unwrap().remove(&lost).unwrap();
    good(me.arm(Method::PATCH, &path, json!({ "identity": identity })).await).await;
    s.is_open().await;
}

/// What goes on by itself asks the vault too: an import into the registry, and the look for new versions [docs].
#[tokio::test]
async fn a_firewall_that_closes_stops_imports_and_the_hourly_look() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    let premium = json!({"location": "eastus", "sku": {"name": "Premium"}, "properties": {}});
    good(me.arm(Method::PUT, &registry_path("source01"), premium).await).await;
    me.sign_in("source01", "m").await.push_image("v1", b"elsewhere").await.unwrap();
    let before = me.encryption("reg01").await["versionedKeyIdentifier"].clone();
    let newest = me.make_key("vault1", "key").await;
    let acls =
        |action: &str| json!({"properties": {"networkAcls": {"defaultAction": action, "bypass": "AzureServices"}}});
    good(me.arm(Method::PATCH, &vault_path("vault1"), acls("Deny")).await).await;
    let import = json!({"source": {"resourceId": registry_path("source01"), "sourceImage": "m:v1"},
        "targetTags": ["copy:v1"], "mode": "Force"});
    let path = format!("{}/importImage", registry_path("reg01"));
    let import = async || crate::acr_control::accepted(&me, Method::POST, &path, import.clone()).await;
    assert_eq!(refused(import().await).await.0, 403);
    world.advance(2 * 3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], before, "no look gets through");
    s.is_blocked(&me, "firewall closed", "keeps out id1").await;
    good(me.arm(Method::PATCH, &vault_path("vault1"), acls("Allow")).await).await;
    world.advance(2 * 3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], newest.as_str());
    s.is_open().await;
    good(import().await).await;
}

#[tokio::test]
async fn firewall_closed_and_opened() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    for closed in [
        json!({"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"}}}),
        json!({"properties": {"publicNetworkAccess": "Disabled"}}),
    ] {
        good(me.arm(Method::PATCH, &vault_path("vault1"), closed).await).await;
        s.is_blocked(&me, "firewall closed", "keeps out id1").await;
        let open = json!({"properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}});
        good(me.arm(Method::PATCH, &vault_path("vault1"), open).await).await;
        s.is_open().await;
    }
}

#[tokio::test]
async fn a_revocation_delay_imitates_azures_lag() {
    let world = World::with(&["--revocation-delay", "10m"]);
    let me = world.developer().await;
    let s = stage(&me, false).await;
    s.is_open().await;
    me.policy("vault1", "remove", &s.principal, &[]).await;
    s.is_open().await;
    world.advance(11 * 60).await;
    s.is_blocked(&me, "after the delay", "has no permission 'unwrapKey'").await;
    me.allow("vault1", &s.principal).await;
    s.is_open().await;
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    let s = stage(&me, false).await;
    me.policy("vault1", "remove", &s.principal, &[]).await;
    let (principal, manifest) = (s.principal.clone(), s.manifest.clone());
    world_end(world);
    let world = World::on(dir.path(), &[]);
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "team/app").await;
    assert_eq!(docker.pull_image("v1").await.unwrap_err().status(), StatusCode::FORBIDDEN);
    me.allow("vault1", &principal).await;
    assert_eq!(docker.pull_image("v1").await.unwrap(), (manifest, LAYER.to_vec()));
}

fn world_end(world: World) {
    world.kill();
}

/// What `acrite status` says about the keys and identities that registries depend on.
#[tokio::test]
async fn status_shows_what_is_deleted_expired_or_not_yet_valid() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage(&me, false).await;
    let state = async || {
        let status = world.status().await;
        let registry = &status["registries"][0];
        let keys = &status["vaults"][0]["keys"];
        assert_eq!(registry["identity"].as_str().unwrap().len(), 36, "the client id stays");
        let states: Vec<String> = keys
            .as_array()
            .into_iter()
            .flatten()
            .map(|k| format!("{} {}", k["name"].as_str().unwrap(), k["versions"][0]["state"].as_str().unwrap()))
            .collect();
        (registry["identity_name"].clone(), states.join(", "))
    };
    me.make_key("vault1", "other").await;
    assert_eq!(state().await, (json!("id1"), "key enabled, other enabled".to_owned()));
    let now = world.status().await["clock"]["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    for (key, attribute) in [("key", "exp"), ("other", "nbf")] {
        let path = format!("keys/{key}/");
        let body = json!({"attributes": {attribute: now + 7200}});
        good(me.vault(Method::PATCH, "vault1", &path, body).await).await;
    }
    assert_eq!(state().await.1, "key enabled, other not yet valid");
    world.advance(3 * 3600).await;
    assert_eq!(state().await.1, "key expired, other enabled");
    s.is_open().await;
    // Of what is deleted, that on which a registry depends.
    let me = world.developer().await;
    good(me.vault(Method::DELETE, "vault1", "keys/key", Value::Null).await).await;
    good(me.vault(Method::DELETE, "vault1", "keys/other", Value::Null).await).await;
    assert_eq!(state().await.1, "key deleted");
    good(me.vault(Method::POST, "vault1", "deletedkeys/key/recover", Value::Null).await).await;
    good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await;
    assert_eq!(state().await.1, "key deleted");
    good(me.arm(Method::DELETE, &identity_path("id1"), Value::Null).await).await;
    assert_eq!(state().await.0, Value::Null);
}
