//! What resource management makes of bodies: of a field that nobody knows, and of an empty text in each known field.
//! `tests/fixtures/arm-bodies.txt` lists each answer, with its reason where it is not a refusal.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Person, SUBSCRIPTION, TENANT, World, good, group_path, identity_path, refused, registry_path, vault_path,
};

/// A field that no version of any type has.
const UNKNOWN: &str = "someUnknownField";

/// What can be written: type, method, path, a body that is taken.
fn writes(principal: &str) -> Vec<(&'static str, Method, String, Value)> {
    let (registry, vault) = (registry_path("reg01"), vault_path("vault1"));
    let child = |kind: &str, name: &str| format!("{registry}/{kind}/{name}");
    let network = group_path("/providers/Microsoft.Network/virtualNetworks/net1");
    let endpoint = group_path("/providers/Microsoft.Network/privateEndpoints/pe1");
    let role = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions");
    let put = |kind, path: String, body: Value| (kind, Method::PUT, path, body);
    vec![
        put(
            "Microsoft.Resources/resourceGroups",
            format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/more"),
            json!({"location": "eastus", "managedBy": "/x", "tags": {"a": "b"}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries",
            registry_path("reg02"),
            json!({"location": "eastus", "sku": {"name": "Premium"}, "tags": {"a": "b"}, "properties": {
                "adminUserEnabled": false, "publicNetworkAccess": "Enabled", "zoneRedundancy": "Disabled", "networkRuleBypassOptions": "AzureServices",
                "networkRuleSet": {"defaultAction": "Allow"}, "policies": {"retentionPolicy": {"days": 7, "status": "disabled"}, "exportPolicy": {"status": "enabled"}},
            }}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/scopeMaps",
            child("scopeMaps", "mapone1"),
            json!({"properties": {"description": "d", "actions": ["repositories/a/content/read"]}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/tokens",
            child("tokens", "robot01"),
            json!({"properties": {"scopeMapId": child("scopeMaps", "_repositories_pull"), "status": "enabled"}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/webhooks",
            child("webhooks", "hook01"),
            json!({"location": "eastus", "tags": {"a": "b"}, "properties": {"serviceUri": "https://example.com/hook", "status": "enabled", "scope": "a:*", "actions": ["push"]}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/replications",
            child("replications", "westus"),
            json!({"location": "westus", "properties": {"zoneRedundancy": "Disabled"}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/credentialSets",
            child("credentialSets", "creds1"),
            json!({"identity": {"type": "SystemAssigned"}, "properties": {"loginServer": "docker.io", "authCredentials": [{"name": "Credential1", "usernameSecretIdentifier": "https://vault1.vault.azure.net/secrets/u", "passwordSecretIdentifier": "https://vault1.vault.azure.net/secrets/p"}]}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/cacheRules",
            child("cacheRules", "rule01"),
            json!({"properties": {"sourceRepository": "docker.io/library/a", "targetRepository": "a", "credentialSetResourceId": child("credentialSets", "creds1")}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/privateEndpointConnections",
            child("privateEndpointConnections", "link01"),
            json!({"properties": {"privateEndpoint": {"id": "/pe"}, "privateLinkServiceConnectionState": {"status": "Approved", "description": "d"}}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/tasks",
            child("tasks", "task01"),
            json!({"location": "eastus", "properties": {"status": "Enabled", "platform": {"os": "Linux", "architecture": "amd64"}, "step": {"type": "EncodedTask", "encodedTaskContent": "dmVyc2lvbjogdjEuMS4wCg=="}}}),
        ),
        put(
            "Microsoft.ContainerRegistry/registries/agentPools",
            child("agentPools", "pool01"),
            json!({"location": "eastus", "properties": {"count": 1, "tier": "S1", "os": "Linux"}}),
        ),
        put(
            "Microsoft.KeyVault/vaults",
            vault_path("vault2"),
            json!({"location": "eastus", "tags": {"a": "b"}, "properties": {"tenantId": "", "sku": {"name": "standard", "family": "A"}, "accessPolicies": [], "publicNetworkAccess": "Enabled", "createMode": "default", "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"}}}),
        ),
        put(
            "Microsoft.KeyVault/vaults/accessPolicies",
            format!("{vault}/accessPolicies/add"),
            json!({"properties": {"accessPolicies": []}}),
        ),
        put(
            "Microsoft.KeyVault/vaults/keys",
            format!("{vault}/keys/key1"),
            json!({"tags": {"a": "b"}, "properties": {"kty": "EC", "curveName": "P-256"}}),
        ),
        put(
            "Microsoft.KeyVault/vaults/secrets",
            format!("{vault}/secrets/secret1"),
            json!({"tags": {"a": "b"}, "properties": {"value": "v", "contentType": "text"}}),
        ),
        put(
            "Microsoft.KeyVault/vaults/privateEndpointConnections",
            format!("{vault}/privateEndpointConnections/link1"),
            json!({"properties": {"privateLinkServiceConnectionState": {"status": "Approved", "description": "d"}}}),
        ),
        put(
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            identity_path("id2"),
            json!({"location": "eastus", "tags": {"a": "b"}, "properties": {"isolationScope": "None"}}),
        ),
        put(
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
            format!("{}/federatedIdentityCredentials/f1", identity_path("id1")),
            json!({"properties": {"issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]}}),
        ),
        put(
            "Microsoft.Authorization/roleAssignments",
            group_path("/providers/Microsoft.Authorization/roleAssignments/11111111-1111-1111-1111-111111111111"),
            json!({"properties": {"roleDefinitionId": format!("{role}/7f951dda-4ed3-4680-a7ca-43fe172d538d"), "principalId": principal, "principalType": "ServicePrincipal", "description": "d"}}),
        ),
        put(
            "Microsoft.Authorization/roleDefinitions",
            format!("{role}/22222222-2222-2222-2222-222222222222"),
            json!({"properties": {"roleName": "Mine", "description": "d", "type": "CustomRole", "permissions": [], "assignableScopes": [format!("/subscriptions/{SUBSCRIPTION}")]}}),
        ),
        put(
            "Microsoft.Authorization/locks",
            format!("{}/providers/Microsoft.Authorization/locks/lock1", identity_path("id1")),
            json!({"properties": {"level": "CanNotDelete", "notes": "n"}}),
        ),
        put(
            "Microsoft.Insights/diagnosticSettings",
            format!("{registry}/providers/Microsoft.Insights/diagnosticSettings/s1"),
            json!({"properties": {"workspaceId": "/w", "logs": [{"category": "ContainerRegistryLoginEvents", "enabled": true}]}}),
        ),
        put(
            "Microsoft.Network/virtualNetworks",
            network.clone(),
            json!({"location": "eastus", "tags": {"a": "b"}, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}),
        ),
        put(
            "Microsoft.Network/virtualNetworks/subnets",
            format!("{network}/subnets/one"),
            json!({"properties": {"addressPrefix": "10.0.1.0/24"}}),
        ),
        put(
            "Microsoft.Network/privateEndpoints",
            endpoint.clone(),
            json!({"location": "eastus", "properties": {"subnet": {"id": format!("{network}/subnets/one")}, "privateLinkServiceConnections": [{"name": "l", "properties": {"privateLinkServiceId": registry, "groupIds": ["registry"], "requestMessage": "m"}}]}}),
        ),
        put(
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
            format!("{endpoint}/privateDnsZoneGroups/z"),
            json!({"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": {"privateDnsZoneId": "/z"}}]}}),
        ),
        put(
            "Microsoft.OperationalInsights/workspaces",
            group_path("/providers/Microsoft.OperationalInsights/workspaces/work1"),
            json!({"location": "eastus", "properties": {"sku": {"name": "PerGB2018"}}}),
        ),
        put(
            "Microsoft.Resources/tags",
            format!("{registry}/providers/Microsoft.Resources/tags/default"),
            json!({"properties": {"tags": {"a": "b"}}}),
        ),
        put(
            "Microsoft.Resources/deployments",
            group_path("/providers/Microsoft.Resources/deployments/d1"),
            json!({"properties": {"mode": "Incremental", "template": {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": []}}}),
        ),
    ]
}

/// The pointers of all texts in a document.
fn texts(document: &Value, at: &str, found: &mut Vec<String>) {
    match document {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| texts(item, &format!("{at}/{i}"), found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| texts(value, &format!("{at}/{}", name.replace('/', "~1")), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What became of a changed body: refused, or what the resource shows afterwards.
async fn outcome(me: &Person<'_>, (method, path): (&Method, &str), body: Value, pointer: &str) -> String {
    let answer = me.arm(method.clone(), path, body).await;
    if !answer.status().is_success() {
        let (status, code, message) = refused(answer).await;
        assert!(status < 500, "{path} {pointer}: {status} {message}");
        assert!(!message.contains("Some(") && !message.contains("src/"), "{path} {pointer}: {message}");
        return format!("{status} {code}");
    }
    let answered = if answer.status() == 204 { Value::Null } else { good(answer).await };
    let read = me.arm(Method::GET, path, Value::Null).await;
    let shown = if read.status().is_success() { good(read).await } else { answered };
    match shown.pointer(pointer) {
        None | Some(Value::Null) => "absent".to_owned(),
        Some(value) if value == "" => "kept".to_owned(),
        Some(value) if value == "?" => "kept".to_owned(),
        Some(_) => "another value".to_owned(),
    }
}

/// `cargo test --test it arm_bodies -- --nocapture` prints what each field of each type answered.
#[tokio::test(flavor = "multi_thread")]
async fn no_field_of_a_body_is_taken_as_absent_unless_listed() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    let (_, principal) = me.make_identity("id3").await;
    let premium = json!({"location": "eastus", "sku": {"name": "Premium"}});
    good(me.arm(Method::PUT, &registry_path("reg01"), premium).await).await;
    let writes = writes(&principal);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (kind, method, path, body) in &writes {
        let mut body = body.clone();
        if *kind == "Microsoft.KeyVault/vaults" {
            body["properties"]["tenantId"] = json!(TENANT);
        }
        let at = (method, path.as_str());
        let plain = me.arm(method.clone(), path, body.clone()).await;
        assert!(plain.status().is_success(), "{path}: {} {}", plain.status(), plain.text().await.unwrap());
        for place in ["", "/properties"] {
            let mut changed = body.clone();
            let Some(within) = changed.pointer_mut(place).filter(|within| within.is_object()) else { continue };
            within[UNKNOWN] = json!("?");
            let pointer = format!("{place}/{UNKNOWN}");
            let answered = outcome(&me, at, changed, &pointer).await;
            found.insert(format!("{kind} {pointer}"), answered);
            me.arm(method.clone(), path, body.clone()).await;
        }
        let mut pointers = Vec::new();
        texts(&body, "", &mut pointers);
        for pointer in pointers {
            let mut changed = body.clone();
            *changed.pointer_mut(&pointer).unwrap() = json!("");
            let answered = outcome(&me, at, changed, &pointer).await;
            found.insert(format!("{kind} {pointer} empty"), answered);
            me.arm(method.clone(), path, body.clone()).await;
        }
    }
    for (field, answered) in &found {
        eprintln!("{field}: {answered}");
    }
    let listed =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/arm-bodies.txt")).unwrap();
    let mut listed: BTreeMap<&str, (&str, &str)> = listed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut parts = line.split(" | ");
            (parts.next().unwrap(), (parts.next().unwrap(), parts.next().unwrap_or_default()))
        })
        .collect();
    for (field, answered) in &found {
        let Some((expected, reason)) = listed.remove(field.as_str()) else {
            panic!("{field} is not listed: {answered}")
        };
        assert_eq!(answered, expected, "{field}");
        assert!(answered.starts_with('4') || !reason.is_empty(), "{field}: a reason is wanted for '{answered}'");
    }
    assert!(listed.is_empty(), "listed, and not asked: {listed:?}");
    assert!(found.len() > 100, "{} fields were asked", found.len());

    // Whatever else is there is only read, or has a body of another kind.
    let providers =
        good(me.arm(Method::GET, &format!("/subscriptions/{SUBSCRIPTION}/providers"), Value::Null).await).await;
    for provider in providers["value"].as_array().unwrap() {
        for kind in provider["resourceTypes"].as_array().unwrap() {
            let namespace = provider["namespace"].as_str().unwrap();
            let kind = format!("{namespace}/{}", kind["resourceType"].as_str().unwrap());
            let written = writes.iter().any(|(known, ..)| *known == kind);
            let read = READ.iter().any(|(known, _)| *known == kind);
            assert!(written != read, "{kind} is in exactly one of the lists");
        }
    }
}

/// Types without a PUT of a body, and why.
const READ: &[(&str, &str)] = &[
    ("Microsoft.Authorization/permissions", "only read"),
    ("Microsoft.Authorization/policyAssignments", "only read: there are none"),
    ("Microsoft.Authorization/denyAssignments", "only read: there are none"),
    ("Microsoft.Authorization/roleEligibilityScheduleInstances", "only read: there are none"),
    ("Microsoft.Authorization/providerOperations", "only read"),
    ("Microsoft.ContainerRegistry/registries/taskRuns", "a PUT starts a run, which needs a builder: tests/it/tasks.rs"),
    ("Microsoft.ContainerRegistry/registries/runs", "changed by one flag alone: tests/it/tasks.rs"),
    ("Microsoft.ContainerRegistry/registries/privateLinkResources", "only read"),
    ("Microsoft.ContainerRegistry/checkNameAvailability", "a question: tests/it/registry_versions.rs"),
    ("Microsoft.ContainerRegistry/locations/operationResults", "only read"),
    ("Microsoft.Insights/diagnosticSettingsCategories", "only read"),
    ("Microsoft.KeyVault/vaults/keys/versions", "only read"),
    ("Microsoft.KeyVault/vaults/privateLinkResources", "only read"),
    ("Microsoft.KeyVault/deletedVaults", "only read"),
    ("Microsoft.KeyVault/locations/deletedVaults", "no body"),
    ("Microsoft.KeyVault/locations/operationResults", "only read"),
    ("Microsoft.KeyVault/checkNameAvailability", "a question: tests/it/arm.rs"),
    ("Microsoft.KeyVault/managedHSMs", "only read: there are none"),
    ("Microsoft.KeyVault/deletedManagedHSMs", "only read: there are none"),
    ("Microsoft.Resources/tagNames", "no body"),
    ("Microsoft.Resources/tagNames/tagValues", "no body"),
    ("Microsoft.Resources/subscriptions", "only read"),
    ("Microsoft.Resources/tenants", "only read"),
];
