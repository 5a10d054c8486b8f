//! Role definitions: Azure's own and custom ones, as clients read and write them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{SUBSCRIPTION, World, good, group_path, refused};

const DEFINITIONS: &str = "/providers/Microsoft.Authorization/roleDefinitions";
const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const VM_CONTRIBUTOR: &str = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c";
const VAULT_ACCESS_ADMINISTRATOR: &str = "8b54135c-b56d-4d72-a534-26097cfdc8d8";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

fn in_subscription() -> String {
    format!("/subscriptions/{SUBSCRIPTION}{DEFINITIONS}")
}

/// Terraform's data source asks the tenant, whoever it runs as [client].
#[tokio::test(flavor = "multi_thread")]
async fn definitions_of_the_tenant_are_everybodys_to_read() {
    let world = World::new();
    let somebody = world.somebody("no roles").await;
    let filter = format!("{DEFINITIONS}?$filter=roleName%20eq%20'AcrPull'");
    let found = good(somebody.arm(Method::GET, &filter, Value::Null).await).await;
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    let id = format!("{DEFINITIONS}/{ACR_PULL}");
    assert_eq!(found["value"][0]["id"], id, "no subscription in it");
    let one = good(somebody.arm(Method::GET, &id, Value::Null).await).await;
    assert_eq!(one, found["value"][0]);
    let (status, code, _) = refused(somebody.arm(Method::GET, &in_subscription(), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
}

/// The list of August 2026 [recorded].
#[tokio::test(flavor = "multi_thread")]
async fn all_of_azures_roles_can_be_found_and_assigned() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let somebody = world.somebody("operator").await;
    let all = good(me.arm(Method::GET, &in_subscription(), Value::Null).await).await;
    assert_eq!(all["value"].as_array().unwrap().len(), 928);
    let filter = format!("{}?$filter=roleName%20eq%20'Virtual%20Machine%20Contributor'", in_subscription());
    let found = good(me.arm(Method::GET, &filter, Value::Null).await).await;
    assert_eq!(found["value"][0]["id"], format!("{}/{VM_CONTRIBUTOR}", in_subscription()));
    let group = group_path("");
    assert_eq!(refused(somebody.arm(Method::GET, &group, Value::Null).await).await.0, 403);
    me.assign(&group, VM_CONTRIBUTOR, &somebody.object_id).await;
    good(somebody.arm(Method::GET, &group, Value::Null).await).await;
    let vault = group_path("/providers/Microsoft.KeyVault/vaults");
    assert_eq!(refused(somebody.arm(Method::GET, &vault, Value::Null).await).await.0, 403);
}

/// The condition that is part of a role limits what it gives [recorded 2026-08]. It is shown from 2022-05-01-preview on
/// [spec]; 2015-07-01 does not know of data [spec].
#[tokio::test(flavor = "multi_thread")]
async fn a_roles_own_condition_limits_it() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let delegate = world.somebody("delegate").await;
    let other = world.somebody("other").await;
    let group = group_path("");
    me.assign(&group, VAULT_ACCESS_ADMINISTRATOR, &delegate.object_id).await;
    let assign = async |role: &str| {
        let path = format!("{group}/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4());
        let body = json!({"properties": {"roleDefinitionId": format!("{}/{role}", in_subscription()), "principalId": other.object_id, "principalType": "ServicePrincipal"}});
        delegate.arm(Method::PUT, &path, body).await
    };
    let (status, code, _) = refused(assign(OWNER).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    good(assign(SECRETS_USER).await).await;

    let path = format!("{}/{VAULT_ACCESS_ADMINISTRATOR}", in_subscription());
    let shown = async |version: &str| {
        let shown = good(me.arm_at(version, Method::GET, &path, Value::Null).await).await;
        shown["properties"]["permissions"][0].clone()
    };
    assert!(shown("2022-04-01").await.get("condition").is_none());
    let newest = shown("2022-05-01-preview").await;
    assert!(newest["condition"].as_str().unwrap().contains("GuidEquals"));
    assert_eq!(newest["conditionVersion"], "2.0");
    let oldest = shown("2015-07-01").await;
    assert!(oldest.get("dataActions").is_none() && oldest["actions"].is_array());
}

/// Terraform plans again and again for what does not come back [client].
#[tokio::test(flavor = "multi_thread")]
async fn a_custom_role_comes_back_as_it_was_sent() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    let make = async |permissions: Value| {
        let path = format!("{}/{}", in_subscription(), uuid::Uuid::new_v4());
        let body = json!({"properties": {
            "roleName": "custom", "type": "CustomRole", "description": null, "assignableScopes": [subscription],
            "permissions": permissions,
        }});
        good(me.arm(Method::PUT, &path, body).await).await;
        good(me.arm(Method::GET, &path, Value::Null).await).await
    };
    assert_eq!(make(json!([])).await["properties"]["permissions"], json!([]));
    let two = json!([
        {"actions": ["Microsoft.KeyVault/*"], "notActions": ["*/delete"], "dataActions": [], "notDataActions": []},
        {"actions": ["Microsoft.KeyVault/vaults/delete"], "notActions": [], "dataActions": [], "notDataActions": []},
    ]);
    let role = make(two.clone()).await;
    assert_eq!(role["properties"]["permissions"], two);
    assert_eq!(role["properties"]["description"], Value::Null);

    // What one element takes away, the other gives.
    let somebody = world.somebody("keeper").await;
    me.make_vault("vault1", true).await;
    me.assign(&group_path(""), role["name"].as_str().unwrap(), &somebody.object_id).await;
    let path = group_path("/providers/Microsoft.KeyVault/vaults/vault1");
    good(somebody.arm(Method::DELETE, &path, Value::Null).await).await;

    let wrong = json!({"properties": {"roleName": "custom", "permissions": [{"actions": "all"}]}});
    let path = format!("{}/{}", in_subscription(), uuid::Uuid::new_v4());
    let (status, code, _) = refused(me.arm(Method::PUT, &path, wrong).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidRequestContent"));
}
