//! A registry's customer-managed key from creation to rotation: acr.md B.1 rows 1 to 7, 11, 16 to 25.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Person, World, good, identity_path, refused, registry_path, vault_path};
use crate::stage;

async fn create(me: &Person<'_>, registry: &str, key: &str, client: &str) -> Value {
    good(me.arm(Method::PUT, &registry_path(registry), Person::cmk_body(key, "id1", client)).await).await
}

/// What `az acr encryption rotate-key` sends: the whole registry back with another key.
async fn rotate(me: &Person<'_>, registry: &str, key: &str, identity: &str) -> reqwest::Response {
    let shown = good(me.arm(Method::GET, &registry_path(registry), Value::Null).await).await;
    let mut body = json!({"location": shown["location"], "tags": {}, "sku": {"name": "Premium"}, "identity": shown["identity"], "properties": shown["properties"]});
    body["properties"]["encryption"] =
        json!({"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": identity}});
    me.arm(Method::PATCH, &registry_path(registry), body).await
}

#[tokio::test]
async fn a_key_without_version_is_followed_within_the_hour() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    let made = create(&me, "reg01", &s.versionless, &s.client).await;
    let shown = &made["properties"]["encryption"]["keyVaultProperties"];
    assert_eq!(made["properties"]["encryption"]["status"], "enabled");
    assert_eq!(shown["keyIdentifier"], s.versionless);
    assert_eq!(shown["versionedKeyIdentifier"], s.kid);
    assert_eq!(shown["identity"], s.client);
    assert_eq!(shown["keyRotationEnabled"], true);
    let first = shown["lastKeyRotationTimestamp"].as_str().unwrap().to_owned();

    let docker = me.sign_in("reg01", "app/one").await;
    let manifest = docker.push_image("v1", b"some layer").await.unwrap();
    let newer = me.make_key("vault1", "key").await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], s.kid, "not before its time");
    world.advance(58 * 60).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], s.kid, "not before its time");
    world.advance(3 * 60).await;
    let after = me.encryption("reg01").await;
    assert_eq!(after["versionedKeyIdentifier"], newer);
    assert_eq!(after["keyIdentifier"], s.versionless);
    assert!(after["lastKeyRotationTimestamp"].as_str().unwrap() > first.as_str());
    let (again, layer) = docker.pull_image("v1").await.unwrap();
    assert_eq!((again, layer.as_slice()), (manifest, b"some layer".as_slice()));

    // The old version protects nothing any more: without it, data stays open.
    let old = s.kid.rsplit('/').next().unwrap();
    let off = json!({"attributes": {"enabled": false}});
    good(me.vault(Method::PATCH, "vault1", &format!("keys/key/{old}"), off).await).await;
    assert!(docker.pull_image("v1").await.is_ok());
}

#[tokio::test]
async fn a_key_with_a_version_waits_for_the_user() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    let made = create(&me, "reg01", &s.kid, &s.client).await;
    let shown = &made["properties"]["encryption"]["keyVaultProperties"];
    assert_eq!((&shown["keyIdentifier"], &shown["versionedKeyIdentifier"]), (&json!(s.kid), &json!(s.kid)));
    assert_eq!(shown["keyRotationEnabled"], false);
    assert!(shown.get("lastKeyRotationTimestamp").is_none());

    let newer = me.make_key("vault1", "key").await;
    world.advance(26 * 3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], s.kid);

    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();
    let answer = rotate(&me, "reg01", &newer, &s.client).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let poll = answer.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
    let answer = good(answer).await;
    assert_eq!(answer["properties"]["provisioningState"], "Updating");
    assert_eq!(answer["properties"]["encryption"]["keyVaultProperties"]["versionedKeyIdentifier"], newer);
    assert!(answer["properties"]["encryption"]["keyVaultProperties"]["lastKeyRotationTimestamp"].is_string());
    let polled = me.arm(Method::GET, poll.strip_prefix("https://management.azure.com").unwrap(), Value::Null).await;
    assert_eq!(good(polled).await, json!({"status": "Succeeded"}));
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");
}

#[tokio::test]
async fn rotation_to_another_key_vault_and_identity() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    create(&me, "reg01", &s.kid, &s.client).await;
    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();

    // A principal id where a client id belongs, as the article's own text has it, is refused.
    let (status, code, message) = refused(rotate(&me, "reg01", &s.kid, &s.principal).await).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));
    assert!(message.contains("does not have access to identity"), "{message}");

    // The system-assigned identity, not yet there.
    let (_, _, message) = refused(rotate(&me, "reg01", &s.versionless, "system").await).await;
    assert!(message.contains("does not have access to identity"), "{message}");
    let identity = json!({"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity_path("id1"): {}}}});
    let shown = good(me.arm(Method::PATCH, &registry_path("reg01"), identity).await).await;
    assert_eq!(shown["identity"]["type"], "systemAssigned, userAssigned");
    let system = shown["identity"]["principalId"].as_str().unwrap().to_owned();

    // There, but without a right in the other vault.
    me.make_vault("vault2", true).await;
    let other = me.make_key("vault2", "other").await;
    let (_, code, message) = refused(rotate(&me, "reg01", &other, "system").await).await;
    assert_eq!(code, "BadRequest");
    assert!(
        message.starts_with(&format!("Failed to access KeyId '{other}'. Verify that identity 'system' has")),
        "{message}"
    );
    me.assign(&vault_path("vault2"), "e147488a-f6f5-4113-8e2d-b22465e65bf6", &system).await;
    good(rotate(&me, "reg01", &other, "system").await).await;
    let now = me.encryption("reg01").await;
    assert_eq!((&now["keyIdentifier"], &now["identity"]), (&json!(other), &json!("system")));
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");

    // The old identity is free to go now.
    let system_only = json!({"identity": {"type": "SystemAssigned"}});
    let shown = good(me.arm(Method::PATCH, &registry_path("reg01"), system_only).await).await;
    assert_eq!(shown["identity"]["type"], "systemAssigned");
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");
}

#[tokio::test]
async fn the_identity_in_use_cannot_be_removed() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    create(&me, "reg01", &s.versionless, &s.client).await;
    let mut whole = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
    whole["identity"] = json!({"type": "None"});
    let (status, _, message) = refused(me.arm(Method::PUT, &registry_path("reg01"), whole).await).await;
    assert_eq!(status, 400);
    assert!(message.contains(&format!(
        "does not have access to identity '{}' Try forcibly adding the identity to the registry reg01",
        s.client
    )));
    let shown = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
    assert_eq!(shown["identity"]["type"], "userAssigned", "a refused removal leaves it attached");

    // The article's cure: another identity takes over, then the first may go.
    let (second, principal) = me.make_identity("id2").await;
    me.allow("vault1", &principal).await;
    let both = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_path("id1"): {}, identity_path("id2"): {}}}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), both).await).await;
    good(rotate(&me, "reg01", &s.versionless, &second).await).await;
    let one = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_path("id2"): {}}}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), one).await).await;
    assert_eq!(me.encryption("reg01").await["identity"], second);
}

#[tokio::test]
async fn refusals_at_creation() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    let put =
        async |registry: &str, body: Value| refused(me.arm(Method::PUT, &registry_path(registry), body).await).await;

    let mut basic = Person::cmk_body(&s.kid, "id1", &s.client);
    basic["sku"] = json!({"name": "Basic"});
    let (status, code, message) = put("reg01", basic).await;
    assert_eq!((status, code.as_str(), message.as_str()), (400, "SkuNotSupported", "The SKU Basic is not supported."));

    let mut half = Person::cmk_body(&s.kid, "id1", &s.client);
    half["properties"]["encryption"]["keyVaultProperties"] = json!({"keyIdentifier": s.kid});
    let (_, code, message) = put("reg01", half).await;
    assert_eq!(code, "BadRequest");
    assert!(message.starts_with("Invalid encryption key vault property specified for registry reg01."), "{message}");

    let (_, _, message) =
        put("reg01", Person::cmk_body("https://vault1.vault.azure.net/keys/missing", "id1", &s.client)).await;
    assert!(message.starts_with("Failed to access KeyId 'https://vault1.vault.azure.net/keys/missing'"), "{message}");

    let ec = me.vault(Method::POST, "vault1", "keys/curve/create", json!({"kty": "EC", "crv": "P-256"})).await;
    let ec = good(ec).await["key"]["kid"].as_str().unwrap().to_owned();
    let (status, code, _) = put("reg01", Person::cmk_body(&ec, "id1", &s.client)).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));

    let mut trust = Person::cmk_body(&s.kid, "id1", &s.client);
    trust["properties"]["policies"] = json!({"trustPolicy": {"type": "Notary", "status": "enabled"}});
    let (_, code, _) = put("reg01", trust).await;
    assert_eq!(code, "BlockedForEncryptionEnabledRegistry");

    me.policy("vault1", "remove", &s.principal, &["wrapKey"]).await;
    let (_, _, message) = put("reg01", Person::cmk_body(&s.kid, "id1", &s.client)).await;
    assert!(message.contains("'Get, Wrap Key, Unwrap Key' permission"), "{message}");
    let missing = me.arm(Method::GET, &registry_path("reg01"), Value::Null).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND, "nothing of a refused registry stays");

    // Encryption is decided once.
    me.allow("vault1", &s.principal).await;
    me.make_registry("plain1").await;
    let (status, code, _) = put("plain1", Person::cmk_body(&s.kid, "id1", &s.client)).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));
    create(&me, "reg01", &s.kid, &s.client).await;
    let off = json!({"properties": {"encryption": {"status": "disabled"}}});
    let (status, code, _) = refused(me.arm(Method::PATCH, &registry_path("reg01"), off).await).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));
    let down = json!({"sku": {"name": "Standard"}});
    let (_, code, _) = refused(me.arm(Method::PATCH, &registry_path("reg01"), down).await).await;
    assert_eq!(code, "SkuNotSupported");
}

#[tokio::test]
async fn an_expired_key_still_opens_but_does_not_wrap() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    create(&me, "reg01", &s.versionless, &s.client).await;
    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();
    let past = json!({"attributes": {"exp": 1_600_000_000}});
    good(me.vault(Method::PATCH, "vault1", "keys/key/", past.clone()).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");
    let (_, _, message) = refused(rotate(&me, "reg01", &s.kid, &s.client).await).await;
    assert!(message.starts_with("Failed to access KeyId"), "{message}");

    // A new version that has expired is not rotated to; one that is good, is.
    me.make_key("vault1", "key").await;
    good(me.vault(Method::PATCH, "vault1", "keys/key/", past).await).await;
    world.advance(3700).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], s.kid);
    let good_one = me.make_key("vault1", "key").await;
    world.advance(3700).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], good_one);
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");
}

#[tokio::test]
async fn the_firewall_scenario_of_the_article() {
    let world = World::new();
    let me = world.developer().await;
    let s = stage::key(&me, false).await;
    create(&me, "reg01", &s.versionless, &s.client).await;
    let docker = me.sign_in("reg01", "r").await;
    docker.push_image("v1", b"layer").await.unwrap();

    // A vault behind a firewall: the user-assigned identity does not get through it, bypass or not.
    me.make_vault("vault2", false).await;
    let key = me.make_key("vault2", "walled").await;
    me.allow("vault2", &s.principal).await;
    let acls = |bypass: &str| json!({"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": bypass}}});
    good(me.arm(Method::PATCH, &vault_path("vault2"), acls("AzureServices")).await).await;
    let (_, _, message) = refused(rotate(&me, "reg01", &key, &s.client).await).await;
    assert!(message.starts_with("Failed to access KeyId"), "{message}");

    let identity = json!({"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity_path("id1"): {}}}});
    let shown = good(me.arm(Method::PATCH, &registry_path("reg01"), identity).await).await;
    me.allow("vault2", shown["identity"]["principalId"].as_str().unwrap()).await;
    good(me.arm(Method::PATCH, &vault_path("vault2"), acls("None")).await).await;
    refused(rotate(&me, "reg01", &key, "system").await).await;
    good(me.arm(Method::PATCH, &vault_path("vault2"), acls("AzureServices")).await).await;
    good(rotate(&me, "reg01", &key, "system").await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");

    // Without the bypass, the data is out of reach; with it, back.
    good(me.arm(Method::PATCH, &vault_path("vault2"), acls("None")).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap_err().status(), StatusCode::FORBIDDEN);
    good(me.arm(Method::PATCH, &vault_path("vault2"), acls("AzureServices")).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, b"layer");

    // Trusted services pass a vault without public access, and no perimeter [docs].
    let public = |word: &str| json!({"properties": {"publicNetworkAccess": word}});
    for (word, open) in [("Disabled", true), ("SecuredByPerimeter", false), ("Enabled", true)] {
        good(me.arm(Method::PATCH, &vault_path("vault2"), public(word)).await).await;
        match docker.pull_image("v1").await {
            Ok(pulled) => assert!(open && pulled.1 == b"layer", "{word}"),
            Err(refused) => assert!(!open && refused.status() == StatusCode::FORBIDDEN, "{word}"),
        }
    }
}

#[tokio::test]
async fn every_field_that_was_sent_comes_back() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let sent = json!({"location": "East US", "sku": {"name": "Premium"}, "tags": {"a": "b"}, "properties": {
        "AdminUserEnabled": true, "zoneRedundancy": "Enabled", "aFieldOfTomorrow": {"deep": [1, 2]},
        "policies": {"retentionPolicy": {"days": 9, "status": "enabled"}},
    }});
    let made = good(me.arm(Method::PUT, &registry_path("reg01"), sent).await).await;
    assert_eq!(made["location"], "eastus");
    let properties = &made["properties"];
    assert_eq!(properties["adminUserEnabled"], true);
    assert_eq!(properties["zoneRedundancy"], "Enabled");
    assert_eq!(properties["aFieldOfTomorrow"], json!({"deep": [1, 2]}));
    assert_eq!(properties["policies"]["retentionPolicy"]["days"], 9);
    assert_eq!(properties["policies"]["exportPolicy"]["status"], "enabled");
    assert_eq!(properties["encryption"], json!({"status": "disabled"}));
    assert!(made.get("identity").is_none());
    // A PUT of what GET gave changes nothing but stamps.
    let strip = |mut v: Value| {
        v.as_object_mut().unwrap().remove("systemData");
        let p = v["properties"].as_object_mut().unwrap();
        p["policies"]["retentionPolicy"].as_object_mut().unwrap().remove("lastUpdatedTime");
        p["policies"]["softDeletePolicy"].as_object_mut().unwrap().remove("lastUpdatedTime");
        v
    };
    // The newest version shows most.
    let newest = "2026-09-01-preview";
    let before = good(me.arm_at(newest, Method::GET, &registry_path("reg01"), Value::Null).await).await;
    good(me.arm_at(newest, Method::PUT, &registry_path("reg01"), before.clone()).await).await;
    let after = good(me.arm_at(newest, Method::GET, &registry_path("reg01"), Value::Null).await).await;
    assert_eq!(strip(before), strip(after));
    let old = good(me.arm_at("2019-12-01-preview", Method::GET, &registry_path("reg01"), Value::Null).await).await;
    assert!(old["properties"].get("anonymousPullEnabled").is_none());
}
