//! Who gets into which vault, on the wire: through the proxy, with tokens that Entra ID gave.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Person, SUBSCRIPTION, TENANT, World, good, vault_path};

/// Key Vault Crypto Service Encryption User.
const ENCRYPTION_USER: &str = "e147488a-f6f5-4113-8e2d-b22465e65bf6";
/// Key Vault Crypto User.
const CRYPTO_USER: &str = "12338af0-0e69-4776-bea7-57ae8d297424";

/// 200, or the `innererror` of a refusal; its code where it has no inner one.
async fn outcome(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    if status.is_success() {
        return "open".to_owned();
    }
    let error = &body["error"];
    error["innererror"]["code"].as_str().or(error["code"].as_str()).unwrap().to_owned()
}

async fn wrap(person: &Person<'_>, vault: &str, key: &str) -> String {
    let body = json!({"alg": "RSA-OAEP-256", "value": "AAECAwQFBgcICQoLDA0ODw"});
    outcome(person.vault(Method::POST, vault, &format!("keys/{key}/wrapkey"), body).await).await
}

#[tokio::test]
async fn a_role_on_one_vault_opens_nothing_in_another_and_closes_when_it_is_removed() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    for vault in ["v-first", "v-second"] {
        owner.make_vault(vault, true).await;
        owner.make_key(vault, "k").await;
    }
    let user = world.somebody("user").await;
    assert_eq!(wrap(&user, "v-first", "k").await, "ForbiddenByRbac");
    let assignment = owner.assign(&vault_path("v-first"), CRYPTO_USER, &user.object_id).await;
    assert_eq!(wrap(&user, "v-first", "k").await, "open");
    assert_eq!(wrap(&user, "v-second", "k").await, "ForbiddenByRbac");
    assert_eq!(wrap(&user, "v-second", "none").await, "ForbiddenByRbac", "what is not there is not told either");
    good(owner.arm(Method::DELETE, &assignment, Value::Null).await).await;
    assert_eq!(wrap(&user, "v-first", "k").await, "ForbiddenByRbac", "at once, with the token it had before");
}

#[tokio::test]
async fn a_role_on_one_key_opens_no_other() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-keys", true).await;
    owner.make_key("v-keys", "mine").await;
    owner.make_key("v-keys", "mine-not").await;
    let user = world.somebody("user").await;
    let scope = format!("{}/keys/mine", vault_path("v-keys"));
    owner.assign(&scope, ENCRYPTION_USER, &user.object_id).await;
    assert_eq!(wrap(&user, "v-keys", "mine").await, "open");
    assert_eq!(wrap(&user, "v-keys", "mine-not").await, "ForbiddenByRbac");
    let list = user.vault(Method::GET, "v-keys", "keys", Value::Null).await;
    assert_eq!(outcome(list).await, "ForbiddenByRbac");
    let sign = json!({"alg": "RS256", "value": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"});
    let sign = user.vault(Method::POST, "v-keys", "keys/mine/sign", sign).await;
    assert_eq!(outcome(sign).await, "ForbiddenByRbac", "the role has no such action");
}

#[tokio::test]
async fn a_firewalled_vault_answers_before_it_looks_at_roles() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-walled", true).await;
    owner.make_key("v-walled", "k").await;
    let stranger = world.somebody("stranger").await;
    assert_eq!(wrap(&stranger, "v-walled", "k").await, "ForbiddenByRbac");
    let close = json!({"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"}}});
    good(owner.arm(Method::PATCH, &vault_path("v-walled"), close).await).await;
    assert_eq!(wrap(&stranger, "v-walled", "k").await, "ForbiddenByFirewall");
    assert_eq!(wrap(&owner, "v-walled", "k").await, "ForbiddenByFirewall", "its owner too");
    assert_eq!(wrap(&stranger, "v-walled", "none").await, "ForbiddenByFirewall");
    let let_in = json!({"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "127.0.0.1"}]}}});
    good(owner.arm(Method::PATCH, &vault_path("v-walled"), let_in).await).await;
    assert_eq!(wrap(&owner, "v-walled", "k").await, "open");
    assert_eq!(wrap(&stranger, "v-walled", "k").await, "ForbiddenByRbac");
    let private = json!({"properties": {"publicNetworkAccess": "Disabled"}});
    good(owner.arm(Method::PATCH, &vault_path("v-walled"), private).await).await;
    assert_eq!(wrap(&owner, "v-walled", "k").await, "ForbiddenByConnection");
}

#[tokio::test]
async fn groups_open_what_their_roles_and_policies_say_while_one_is_in_them() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-roles", true).await;
    owner.make_vault("v-policies", false).await;
    for vault in ["v-roles", "v-policies"] {
        owner.make_key(vault, "k").await;
    }
    let member = world.somebody("member").await;
    let group = json!({"displayName": "g", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true});
    let group = good(owner.graph(Method::POST, "groups", group).await).await;
    let group = group["id"].as_str().unwrap();
    let role =
        format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", vault_path("v-roles"), uuid::Uuid::new_v4());
    let definition =
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CRYPTO_USER}");
    let body = json!({"properties": {"roleDefinitionId": definition, "principalId": group, "principalType": "Group"}});
    good(owner.arm(Method::PUT, &role, body).await).await;
    owner.policy("v-policies", "add", group, &["wrapKey"]).await;
    for vault in ["v-roles", "v-policies"] {
        assert!(wrap(&member, vault, "k").await.starts_with("ForbiddenBy"), "{vault}: not in the group yet");
    }
    let link = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", member.object_id)});
    good(owner.graph(Method::POST, &format!("groups/{group}/members/$ref"), link).await).await;
    for vault in ["v-roles", "v-policies"] {
        assert_eq!(wrap(&member, vault, "k").await, "open", "{vault}");
    }
    let member_link = format!("groups/{group}/members/{}/$ref", member.object_id);
    good(owner.graph(Method::DELETE, &member_link, Value::Null).await).await;
    for vault in ["v-roles", "v-policies"] {
        assert!(wrap(&member, vault, "k").await.starts_with("ForbiddenBy"), "{vault}: no longer in the group");
    }
}

#[tokio::test]
async fn a_custom_role_gives_what_it_lists_less_what_it_takes_away() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-custom", true).await;
    owner.make_key("v-custom", "k").await;
    let user = world.somebody("user").await;
    let id = uuid::Uuid::new_v4().to_string();
    let path = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{id}");
    let role = json!({"properties": {
        "roleName": "Wraps but does not delete", "description": "", "type": "CustomRole",
        "assignableScopes": [format!("/subscriptions/{SUBSCRIPTION}")],
        "permissions": [{"actions": [], "notActions": [],
            "dataActions": ["Microsoft.KeyVault/vaults/keys/*"],
            "notDataActions": ["Microsoft.KeyVault/vaults/keys/delete", "Microsoft.KeyVault/vaults/keys/sign/action"]}],
    }});
    good(owner.arm(Method::PUT, &path, role).await).await;
    owner.assign(&vault_path("v-custom"), &id, &user.object_id).await;
    assert_eq!(wrap(&user, "v-custom", "k").await, "open");
    let list = user.vault(Method::GET, "v-custom", "keys", Value::Null).await;
    assert_eq!(outcome(list).await, "open");
    let gone = user.vault(Method::DELETE, "v-custom", "keys/k", Value::Null).await;
    assert_eq!(outcome(gone).await, "ForbiddenByRbac");
    let sign = json!({"alg": "RS256", "value": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"});
    let sign = user.vault(Method::POST, "v-custom", "keys/k/sign", sign).await;
    assert_eq!(outcome(sign).await, "ForbiddenByRbac");
    let secret = user.vault(Method::GET, "v-custom", "secrets/s", Value::Null).await;
    assert_eq!(outcome(secret).await, "ForbiddenByRbac", "keys are not secrets");
}

#[tokio::test]
async fn a_role_is_inherited_from_the_scopes_above() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-below", true).await;
    owner.make_key("v-below", "k").await;
    for scope in [crate::harness::group_path(""), format!("/subscriptions/{SUBSCRIPTION}")] {
        let user = world.somebody("user").await;
        assert_eq!(wrap(&user, "v-below", "k").await, "ForbiddenByRbac");
        owner.assign(&scope, CRYPTO_USER, &user.object_id).await;
        assert_eq!(wrap(&user, "v-below", "k").await, "open", "{scope}");
    }
}

#[tokio::test]
async fn a_policy_for_an_application_counts_only_for_that_application() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_vault("v-app", false).await;
    owner.make_key("v-app", "k").await;
    let user = world.somebody("user").await;
    let entry = |application: &str| {
        json!({"properties": {"accessPolicies": [{"tenantId": TENANT, "objectId": user.object_id,
            "applicationId": application, "permissions": {"keys": ["wrapKey"]}}]}})
    };
    let path = format!("{}/accessPolicies/add", vault_path("v-app"));
    good(owner.arm(Method::PUT, &path, entry(&owner.client_id)).await).await;
    assert_eq!(wrap(&user, "v-app", "k").await, "ForbiddenByPolicy", "another application");
    good(owner.arm(Method::PUT, &path, entry(&user.client_id)).await).await;
    assert_eq!(wrap(&user, "v-app", "k").await, "open");
}
