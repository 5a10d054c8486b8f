//! Templates in the shapes of Azure's published modules for registries, vaults and identities, with every optional part:
//! deployed, deployed again, and then nothing is left to change. The templates are ours.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Person, World, good, group_path, identity_path, registry_path, vault_path};

fn body(template: &str, parameters: &Value) -> Value {
    let path = format!("{}/tests/fixtures/avm/{template}.json", env!("CARGO_MANIFEST_DIR"));
    let template: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let named = parameters.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!({ "value": value })));
    let parameters: Value = Value::Object(named.collect());
    json!({"properties": {"mode": "Incremental", "template": template, "parameters": parameters}})
}

/// Deploys a template twice, and looks what a third time would change. Its outputs.
async fn deployed(me: &Person<'_>, template: &str, parameters: Value) -> Value {
    let path = group_path(&format!("/providers/Microsoft.Resources/deployments/{template}"));
    let mut outputs = Value::Null;
    for time in ["first", "second"] {
        good(me.arm(Method::PUT, &path, body(template, &parameters)).await).await;
        let shown = good(me.arm(Method::GET, &path, Value::Null).await).await["properties"].clone();
        assert_eq!(shown["provisioningState"], "Succeeded", "{template}, the {time} time: {:#}", shown["error"]);
        outputs = shown["outputs"].clone();
    }
    let begun = me.arm(Method::POST, &format!("{path}/whatIf"), body(template, &parameters)).await;
    assert_eq!(begun.status(), 202);
    let poll = begun.headers()["location"].to_str().unwrap().to_owned();
    let path = poll.strip_prefix("https://management.azure.com").unwrap().to_owned();
    let told = good(me.arm(Method::GET, &path, Value::Null).await).await;
    let changes = told["properties"]["changes"].as_array().unwrap_or_else(|| panic!("{told}"));
    let left: Vec<&Value> = changes
        .iter()
        .filter(|change| !["NoChange", "Ignore"].contains(&change["changeType"].as_str().unwrap()))
        .map(|change| if change["delta"].is_null() { change } else { &change["delta"] })
        .collect();
    assert!(left.is_empty(), "{template} would change: {left:#?}");
    assert!(changes.len() > 5, "{template}: {} resources were compared", changes.len());
    outputs
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_with_every_part_are_deployed_twice_and_leave_nothing_to_change() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let (_, principal) = me.make_identity("other1").await;
    let network = group_path("/providers/Microsoft.Network/virtualNetworks/net1");
    let subnets = json!([{"name": "pe", "properties": {"addressPrefix": "10.0.0.0/24"}}]);
    let sent = json!({"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}});
    good(me.arm(Method::PUT, &network, sent).await).await;
    let workspace = group_path("/providers/Microsoft.OperationalInsights/workspaces/work1");
    good(me.arm(Method::PUT, &workspace, json!({"location": "eastus"})).await).await;

    let lock = json!({"kind": "CanNotDelete", "name": "keep"});
    let roles = |role: &str| {
        json!([
            {"roleDefinitionIdOrName": role, "principalId": principal, "principalType": "ServicePrincipal"},
            {"roleDefinitionIdOrName": "acdd72a7-3385-48ef-bd42-f606fba81ae7", "principalId": principal},
        ])
    };
    let diagnostics = |category: &str| {
        json!([{"name": "all", "workspaceResourceId": workspace, "metricCategories": [{"category": "AllMetrics"}],
            "logCategoriesAndGroups": [{"category": category}]}])
    };
    let endpoints = |zone: &str| {
        json!([{"subnetResourceId": format!("{network}/subnets/pe"), "tags": {"a": "b"}, "privateDnsZoneGroup": {
            "privateDnsZoneGroupConfigs": [{"privateDnsZoneResourceId": format!("/zones/{zone}")}]}}])
    };
    let tags = json!({"Environment": "Non-Prod", "hidden-title": "This is visible in the resource name"});

    let identity = deployed(&me, "identity", json!({
        "name": "id1", "location": "eastus", "lock": lock, "tags": tags, "roleAssignments": roles("Managed Identity Operator"),
        "federatedIdentityCredentials": [
            {"name": "one", "audiences": ["api://AzureADTokenExchange"], "issuer": "https://issuer.example/1", "subject": "s1"},
            {"name": "two", "audiences": ["api://AzureADTokenExchange"], "issuer": "https://issuer.example/2", "subject": "s2"},
        ],
    })).await;
    let rotation = json!({"attributes": {"expiryTime": "P2Y"}, "lifetimeActions": [
        {"trigger": {"timeBeforeExpiry": "P2M"}, "action": {"type": "rotate"}},
        {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "notify"}},
    ]});
    let permissions = json!({"keys": ["get", "wrapKey", "unwrapKey"]});
    deployed(&me, "vault", json!({
        "name": "vault1", "location": "eastus", "lock": lock, "tags": tags, "roleAssignments": roles("Key Vault Reader"),
        "enableRbacAuthorization": false, "softDeleteRetentionInDays": 7, "sku": "premium",
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [{"value": "40.74.28.0/23"}]},
        "accessPolicies": [{"objectId": identity["principalId"]["value"], "permissions": permissions}],
        "diagnosticSettings": diagnostics("AuditEvent"), "privateEndpoints": endpoints("privatelink.vaultcore.azure.net"),
        "keys": [
            {"name": "cmk1", "kty": "RSA", "keySize": 2048, "rotationPolicy": rotation},
            {"name": "ec1", "kty": "EC"},
        ],
        "secrets": [{"name": "user", "value": "u", "contentType": "text"}, {"name": "pass", "value": "p"}],
    })).await;
    let secret = |name: &str| json!(format!("https://vault1.vault.azure.net/secrets/{name}"));
    let set = format!("{}/credentialSets/creds1", registry_path("reg01"));
    let registry = deployed(&me, "registry", json!({
        "name": "reg01", "location": "eastus", "lock": lock, "tags": tags, "roleAssignments": roles("AcrPull"),
        "managedIdentities": {"userAssignedResourceIds": [identity_path("id1")]},
        "customerManagedKey": {
            "keyName": "cmk1", "keyVaultResourceId": vault_path("vault1"), "userAssignedIdentityResourceId": identity_path("id1"),
        },
        "exportPolicyStatus": "enabled", "networkRuleSetIpRules": [{"action": "Allow", "value": "40.74.28.0/23"}],
        "diagnosticSettings": diagnostics("ContainerRegistryLoginEvents"),
        "privateEndpoints": endpoints("privatelink.azurecr.io"),
        "replications": [{"name": "northeurope", "location": "northeurope"}],
        "webhooks": [{"name": "hook01", "serviceUri": "https://www.contoso.example/webhook"}],
        "scopeMaps": [{"name": "testscope", "actions": ["repositories/app/content/read"], "description": "d"}],
        "tokens": [{"name": "robot01", "scopeMapResourceId": format!("{}/scopeMaps/testscope", registry_path("reg01"))}],
        "credentialSets": [{"name": "creds1", "loginServer": "docker.io", "authCredentials": [{
            "name": "Credential1", "usernameSecretIdentifier": secret("user"), "passwordSecretIdentifier": secret("pass"),
        }]}],
        "cacheRules": [{
            "name": "customRule", "sourceRepository": "docker.io/library/hello-world", "targetRepository": "cached/hello",
            "credentialSetResourceId": set,
        }],
    })).await;
    assert_eq!(registry["loginServer"]["value"], "reg01.azurecr.io");
    assert_eq!(registry["privateEndpoints"]["value"][0]["groupId"], "registry");
    assert_eq!(registry["credentialSetsResourceIds"]["value"], json!([set]));
}
