//! What resource management does with vaults besides making them: their keys and secrets, private endpoint
//! connections, and the federated credentials of identities.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{TENANT, World, good, identity_path, refused, vault_path};

/// Key Vault Contributor.
const CONTRIBUTOR: &str = "f25e0fa2-a7c8-4377-a976-54943a77a395";

#[tokio::test]
async fn keys_are_made_where_there_are_none_and_left_alone_where_there_are() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-armkeys", true).await;
    let manager = world.somebody("manager").await;
    let path = format!("{}/keys/k", vault_path("v-armkeys"));
    let body =
        json!({"tags": {"a": "b"}, "properties": {"kty": "RSA", "keySize": 3072, "keyOps": ["wrapKey", "unwrapKey"]}});
    let denied = manager.arm_at("2023-07-01", Method::PUT, &path, body.clone()).await;
    assert_eq!(refused(denied).await.1, "AuthorizationFailed");
    // A control-plane role is enough, firewalled or not, though it opens nothing of the data plane.
    owner.assign(&vault_path("v-armkeys"), CONTRIBUTOR, &manager.object_id).await;
    let close = json!({"properties": {"networkAcls": {"defaultAction": "Deny"}}});
    good(owner.arm(Method::PATCH, &vault_path("v-armkeys"), close).await).await;
    let made = good(manager.arm_at("2023-07-01", Method::PUT, &path, body).await).await;
    assert_eq!(made["type"], "Microsoft.KeyVault/vaults/keys");
    assert_eq!((&made["properties"]["kty"], &made["properties"]["keySize"]), (&json!("RSA"), &json!(3072)));
    assert_eq!(made["properties"]["keyOps"], json!(["wrapKey", "unwrapKey"]));
    let uri = made["properties"]["keyUri"].as_str().unwrap();
    assert_eq!(uri, "https://v-armkeys.vault.azure.net:443/keys/k");
    let versioned = made["properties"]["keyUriWithVersion"].as_str().unwrap();
    assert!(versioned.starts_with(&format!("{uri}/")));

    let again = json!({"properties": {"kty": "EC", "curveName": "P-256"}});
    let again = good(manager.arm_at("2023-07-01", Method::PUT, &path, again).await).await;
    assert_eq!(again, made, "create if missing: never a new version, never a change");
    assert_eq!(good(manager.arm_at("2023-07-01", Method::GET, &path, Value::Null).await).await, made);
    let versions = format!("{path}/versions");
    let listed = good(manager.arm_at("2023-07-01", Method::GET, &versions, Value::Null).await).await;
    let version = versioned.rsplit('/').next().unwrap();
    assert_eq!(listed["value"][0]["name"], version);
    let one =
        good(manager.arm_at("2023-07-01", Method::GET, &format!("{versions}/{version}"), Value::Null).await).await;
    assert_eq!(one["type"], "Microsoft.KeyVault/vaults/keys/versions");
    let all = good(
        manager.arm_at("2023-07-01", Method::GET, &format!("{}/keys", vault_path("v-armkeys")), Value::Null).await,
    )
    .await;
    assert_eq!(all["value"].as_array().unwrap().len(), 1);
    let wrap = json!({"alg": "RSA-OAEP-256", "value": "AAEC"});
    let closed = manager.vault(Method::POST, "v-armkeys", "keys/k/wrapkey", wrap).await;
    assert_eq!(closed.status(), 403);
}

/// [issue: the text]
#[tokio::test]
async fn names_of_vaults_are_refused_in_azures_words() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    let check =
        format!("/subscriptions/{}/providers/Microsoft.KeyVault/checkNameAvailability", crate::harness::SUBSCRIPTION);
    let body = json!({"location": "eastus", "properties": {"tenantId": TENANT,
        "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}});
    let long = "a".repeat(25);
    for name in ["6vault", long.as_str(), "a--b", "ab", "vault-", "va_ult"] {
        let (status, code, text) = refused(owner.arm(Method::PUT, &vault_path(name), body.clone()).await).await;
        assert_eq!((status, code.as_str()), (400, "VaultNameNotValid"), "{name}");
        let expected = format!(
            "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
        );
        assert_eq!(text, expected);
        let asked = json!({"name": name, "type": "Microsoft.KeyVault/vaults"});
        let told = good(owner.arm(Method::POST, &check, asked).await).await;
        assert_eq!((&told["reason"], &told["message"]), (&json!("AccountNameInvalid"), &json!(expected)));
    }
}

/// Whatever one of the two protocols refuses, the other refuses too.
#[tokio::test]
async fn a_new_key_is_read_alike_by_both_protocols() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-alike", false).await;
    let path = format!("{}/keys/k", vault_path("v-alike"));
    for (member, arm, value) in [
        ("kty", "kty", json!(1)),
        ("kty", "kty", json!("DSA")),
        ("key_ops", "keyOps", json!(["fly"])),
        ("key_ops", "keyOps", json!(["sign", 1])),
        ("key_ops", "keyOps", json!("sign")),
        ("key_size", "keySize", json!("2048")),
        ("key_size", "keySize", json!(1024)),
        ("attributes", "attributes", json!({"exp": "soon"})),
        ("attributes", "attributes", json!({"enabled": "yes"})),
        ("attributes", "attributes", json!([true])),
        ("attributes", "attributes", json!({"exportable": true})),
        ("release_policy", "release_policy", json!("policy")),
        ("release_policy", "release_policy", json!({"data": "e30"})),
    ] {
        let (mut body, mut properties) = (json!({"kty": "RSA"}), json!({"kty": "RSA"}));
        body[member] = value.clone();
        properties[arm] = value;
        let data = refused(owner.vault(Method::POST, "v-alike", "keys/k/create", body.clone()).await).await;
        let arm = refused(owner.arm(Method::PUT, &path, json!({"properties": properties})).await).await;
        assert_eq!((data.0, data.1.as_str()), (400, "BadParameter"), "{body}");
        assert_eq!(arm.0, data.0, "{body}");
        assert_eq!(arm.1, data.1, "{body}");
    }
    let sixteen: serde_json::Map<String, Value> = (0..16).map(|n| (n.to_string(), json!(""))).collect();
    let tagged = json!({"tags": sixteen, "properties": {}});
    assert_eq!(refused(owner.arm(Method::PUT, &path, tagged).await).await.1, "BadParameter");
    // What is empty is not sent [client].
    let empty = json!({"properties": {"kty": "EC", "curveName": "", "keyOps": [], "release_policy": {}}});
    let made = good(owner.arm(Method::PUT, &path, empty).await).await;
    assert_eq!(made["properties"]["curveName"], "P-256");
    let empty = json!({"kty": "EC", "crv": "", "key_ops": [], "release_policy": {}});
    let made = good(owner.vault(Method::POST, "v-alike", "keys/other/create", empty).await).await;
    assert_eq!((&made["key"]["crv"], &made["key"]["key_ops"]), (&json!("P-256"), &json!(["sign", "verify"])));
}

/// In the shape that published modules give it [file].
#[tokio::test]
async fn a_key_brings_its_rotation_policy_with_it() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-turning", false).await;
    let path = format!("{}/keys/k", vault_path("v-turning"));
    let policy = |after: &str| {
        json!({"attributes": {"expiryTime": "P90D"}, "lifetimeActions": [
            {"trigger": {"timeAfterCreate": after}, "action": {"type": "rotate"}},
            {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "notify"}}]})
    };
    let body = |policy: Value| json!({"properties": {"kty": "EC", "rotationPolicy": policy}});
    assert_eq!(refused(owner.arm(Method::PUT, &path, body(policy("P1D"))).await).await.1, "BadParameter");
    assert_eq!(owner.arm(Method::GET, &path, Value::Null).await.status(), 404, "refused before anything is made");
    let made = good(owner.arm(Method::PUT, &path, body(policy("P30D"))).await).await;
    let shown = &made["properties"]["rotationPolicy"];
    assert_eq!(shown["lifetimeActions"], policy("P30D")["lifetimeActions"]);
    assert_eq!(shown["attributes"]["expiryTime"], "P90D");
    let on_vault = good(owner.vault(Method::GET, "v-turning", "keys/k/rotationpolicy", Value::Null).await).await;
    assert_eq!(on_vault["lifetimeActions"][0]["action"]["type"], "Rotate");
    // An existing key is left alone, its policy too.
    assert_eq!(good(owner.arm(Method::PUT, &path, body(policy("P40D"))).await).await, made);
    world.advance(31 * 86_400).await;
    let versions = good(owner.vault(Method::GET, "v-turning", "keys/k/versions", Value::Null).await).await;
    assert_eq!(versions["value"].as_array().unwrap().len(), 2, "the policy acts");
    let other = format!("{}/keys/other", vault_path("v-turning"));
    let made = good(owner.arm(Method::PUT, &other, body(json!({}))).await).await;
    assert!(made["properties"].get("rotationPolicy").is_none(), "an empty one is none");
}

#[tokio::test]
async fn secrets_are_set_and_shown_without_their_value() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-armsecret", false).await;
    let path = format!("{}/secrets/s", vault_path("v-armsecret"));
    let body = json!({"tags": {"t": "1"}, "properties": {"value": "hush", "contentType": "text/plain"}});
    let set = good(owner.arm_at("2023-07-01", Method::PUT, &path, body).await).await;
    assert_eq!(set["type"], "Microsoft.KeyVault/vaults/secrets");
    assert!(!set.to_string().contains("hush"));
    assert_eq!(good(owner.arm_at("2023-07-01", Method::GET, &path, Value::Null).await).await, set);
    let read = good(owner.vault(Method::GET, "v-armsecret", "secrets/s", Value::Null).await).await;
    assert_eq!((&read["value"], &read["contentType"]), (&json!("hush"), &json!("text/plain")));
    let list = format!("{}/secrets", vault_path("v-armsecret"));
    assert_eq!(good(owner.arm(Method::GET, &list, Value::Null).await).await["value"][0]["name"], "s");
    let empty = owner.arm(Method::PUT, &path, json!({"properties": {}})).await;
    assert_eq!(empty.status(), 400);
}

/// azapi reads before it creates [client], and PATCH is an operation of its own [spec].
#[tokio::test]
async fn secrets_are_looked_for_and_patched() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-patch-s", false).await;
    let path = format!("{}/secrets/s", vault_path("v-patch-s"));
    let missing = refused(owner.arm(Method::GET, &path, Value::Null).await).await;
    assert_eq!(
        (missing.0, missing.1.as_str(), missing.2.as_str()),
        (404, "SecretNotFound", "The secret 's' was not found.")
    );
    let key = format!("{}/keys/s", vault_path("v-patch-s"));
    assert_eq!(refused(owner.arm(Method::GET, &key, Value::Null).await).await.1, "KeyNotFound");
    assert_eq!(refused(owner.arm(Method::PATCH, &path, json!({})).await).await.1, "SecretNotFound");
    let body = json!({"tags": {"t": "1"}, "properties": {"value": "hush", "contentType": "text/plain"}});
    let set = good(owner.arm(Method::PUT, &path, body).await).await;
    let version = |shown: &Value| shown["properties"]["secretUriWithVersion"].as_str().unwrap().to_owned();
    let off = json!({"properties": {"attributes": {"enabled": false}}});
    let off = good(owner.arm(Method::PATCH, &path, off).await).await;
    assert_eq!((version(&off), &off["tags"]), (version(&set), &set["tags"]), "the same version, changed");
    assert_eq!(off["properties"]["attributes"]["enabled"], false);
    let again = json!({"properties": {"value": "new", "attributes": {"enabled": true}}});
    let again = good(owner.arm(Method::PATCH, &path, again).await).await;
    assert_ne!(version(&again), version(&set));
    assert_eq!((&again["tags"], &again["properties"]["contentType"]), (&json!({"t": "1"}), &json!("text/plain")));
    let read = good(owner.vault(Method::GET, "v-patch-s", "secrets/s", Value::Null).await).await;
    assert_eq!(read["value"], "new");
    // A name of a deleted secret is taken, and said in Azure's words.
    good(owner.vault(Method::DELETE, "v-patch-s", "secrets/s", Value::Null).await).await;
    let taken = refused(owner.arm(Method::PUT, &path, json!({"properties": {"value": "x"}})).await).await;
    assert_eq!((taken.0, taken.1.as_str()), (409, "Conflict"));
    assert!(taken.2.starts_with("Secret s is currently in a deleted but recoverable state"), "{}", taken.2);
}

#[tokio::test]
async fn private_endpoint_connections_come_and_go_and_survive_a_put_of_the_vault() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-linked", false).await;
    let list = format!("{}/privateEndpointConnections", vault_path("v-linked"));
    assert_eq!(good(owner.arm(Method::GET, &list, Value::Null).await).await, json!({"value": []}));
    let one = format!("{list}/pe1");
    let body = json!({"properties": {"privateEndpoint": {"id": "/subscriptions/s/pe"},
        "privateLinkServiceConnectionState": {"status": "Rejected", "description": "no"}}});
    let made = good(owner.arm(Method::PUT, &one, body).await).await;
    assert_eq!(
        made["properties"]["privateLinkServiceConnectionState"],
        json!({"status": "Rejected", "description": "no", "actionsRequired": "None"})
    );
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert_eq!(good(owner.arm(Method::GET, &one, Value::Null).await).await, made);
    // az updates a vault by sending back all that it got.
    let vault = good(owner.arm(Method::GET, &vault_path("v-linked"), Value::Null).await).await;
    assert_eq!(vault["properties"]["privateEndpointConnections"][0]["name"], "pe1");
    good(owner.arm(Method::PUT, &vault_path("v-linked"), vault).await).await;
    assert_eq!(good(owner.arm(Method::GET, &one, Value::Null).await).await, made);
    assert_eq!(owner.arm(Method::DELETE, &one, Value::Null).await.status(), 200);
    assert_eq!(owner.arm(Method::DELETE, &one, Value::Null).await.status(), 204);
    assert_eq!(owner.arm(Method::GET, &one, Value::Null).await.status(), 404);
    let links = format!("{}/privateLinkResources", vault_path("v-linked"));
    let links = good(owner.arm(Method::GET, &links, Value::Null).await).await;
    assert_eq!(links["value"][0]["properties"]["groupId"], "vault");
}

#[tokio::test]
async fn a_patch_keeps_what_it_does_not_name() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-patched", false).await;
    let path = vault_path("v-patched");
    let full = json!({"tags": {"a": "1"}, "properties": {"enabledForDiskEncryption": true, "enablePurgeProtection": true,
        "networkAcls": {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "10.0.0.1"}]}}});
    let before = good(owner.arm(Method::PATCH, &path, full).await).await;
    assert_eq!(good(owner.arm(Method::PATCH, &path, json!({})).await).await["properties"], before["properties"]);
    let tagged = good(owner.arm(Method::PATCH, &path, json!({"tags": {"b": "2"}})).await).await;
    assert_eq!((&tagged["tags"], &tagged["properties"]), (&json!({"b": "2"}), &before["properties"]));
    let named = json!({"properties": {"enabledForDeployment": true}});
    let changed = good(owner.arm(Method::PATCH, &path, named).await).await;
    let mut expected = before["properties"].clone();
    expected["enabledForDeployment"] = json!(true);
    assert_eq!((&changed["properties"], &changed["tags"]), (&expected, &json!({"b": "2"})));
}

/// Templates say `recover` on each deployment so that the access policies stay [client].
#[tokio::test]
async fn recovering_a_living_vault_keeps_its_access_policies() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-lives", false).await;
    let path = vault_path("v-lives");
    let before = good(owner.arm(Method::GET, &path, Value::Null).await).await;
    let body = json!({"location": "eastus", "tags": {"a": "b"}, "properties": {"createMode": "recover",
        "tenantId": TENANT, "sku": {"family": "A", "name": "premium"}, "accessPolicies": []}});
    let after = good(owner.arm(Method::PUT, &path, body).await).await;
    assert_eq!(after["properties"]["accessPolicies"], before["properties"]["accessPolicies"]);
    assert_eq!(after["tags"], json!({"a": "b"}));
    owner.make_key("v-lives", "k").await;
}

#[tokio::test]
async fn an_identitys_federated_credentials_come_and_go() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_identity("workload").await;
    let (_, other_principal) = owner.make_identity("other").await;
    let list = format!("{}/federatedIdentityCredentials", identity_path("workload"));
    let one = format!("{list}/fic");
    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", TENANT);
    let body = json!({"properties": {"issuer": issuer, "subject": other_principal, "audiences": ["api://AzureADTokenExchange"]}});
    let made = owner.arm_at("2024-11-30", Method::PUT, &one, body.clone()).await;
    assert_eq!(made.status(), 201);
    let made = good(made).await;
    assert_eq!(made["type"], "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials");
    assert_eq!(made["properties"], body["properties"]);
    assert_eq!(owner.arm(Method::PUT, &one, body).await.status(), 200);
    assert_eq!(good(owner.arm(Method::GET, &one, Value::Null).await).await, made);
    assert_eq!(good(owner.arm(Method::GET, &list, Value::Null).await).await["value"], json!([made]));
    let wrong = json!({"properties": {"issuer": "https://i", "subject": "s", "audiences": ["a", "b"]}});
    assert_eq!(owner.arm(Method::PUT, &format!("{list}/bad"), wrong).await.status(), 400);
    let stranger = world.somebody("stranger").await;
    assert_eq!(refused(stranger.arm(Method::GET, &list, Value::Null).await).await.1, "AuthorizationFailed");
    assert_eq!(owner.arm(Method::DELETE, &one, Value::Null).await.status(), 200);
    assert_eq!(owner.arm(Method::DELETE, &one, Value::Null).await.status(), 204);
    assert_eq!(owner.arm(Method::GET, &one, Value::Null).await.status(), 404);
}

#[tokio::test]
async fn a_purged_vaults_keys_are_gone_for_good() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-purged", false).await;
    owner.make_key("v-purged", "k").await;
    let wrap = json!({"alg": "RSA-OAEP-256", "value": "AAECAwQFBgcICQoLDA0ODw"});
    let wrapped = good(owner.vault(Method::POST, "v-purged", "keys/k/wrapkey", wrap).await).await;
    assert_eq!(owner.arm(Method::DELETE, &vault_path("v-purged"), Value::Null).await.status(), 200);
    let purge = format!(
        "/subscriptions/{}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/v-purged/purge",
        crate::harness::SUBSCRIPTION
    );
    assert_eq!(owner.arm(Method::POST, &purge, Value::Null).await.status(), 202);
    owner.make_vault("v-purged", false).await;
    owner.make_key("v-purged", "k").await;
    let unwrap = json!({"alg": "RSA-OAEP-256", "value": wrapped["value"]});
    let lost = owner.vault(Method::POST, "v-purged", "keys/k/unwrapkey", unwrap).await;
    assert_eq!(lost.status(), 400, "another key of the same name opens nothing");
}

#[tokio::test]
async fn soft_delete_is_on_whatever_a_new_vault_asks_for() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let body = |soft: bool| {
        json!({"location": "eastus", "properties": {
            "tenantId": TENANT, "sku": {"name": "standard", "family": "A"}, "accessPolicies": [], "enableSoftDelete": soft,
        }})
    };
    // [recorded 2021] The answer says true.
    let made = good(me.arm(Method::PUT, &vault_path("vault1"), body(false)).await).await;
    assert_eq!(made["properties"]["enableSoftDelete"], true);
    // [issue] Of a vault that is there it is refused.
    let (status, code, message) = refused(me.arm(Method::PUT, &vault_path("vault1"), body(false)).await).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));
    assert!(message.starts_with("The property \"enableSoftDelete\" can be set to false only for creating new vault."));
    good(me.arm(Method::PUT, &vault_path("vault1"), body(true)).await).await;
}
