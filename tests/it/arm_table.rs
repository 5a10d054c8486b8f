//! Resource types are rows of one table: what is listed is what is answered, and nothing is answered past the gate.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Person, SUBSCRIPTION, World, good, group_path, refused, registry_path};

/// The types that a provider says it has.
async fn types(me: &Person<'_>, namespace: &str) -> Vec<String> {
    let path = format!("/subscriptions/{SUBSCRIPTION}/providers/{namespace}");
    let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
    let types = shown["resourceTypes"].as_array().unwrap();
    types.iter().map(|t| t["resourceType"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_lists_the_types_that_it_answers_for() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let listed = types(&me, "microsoft.containerregistry").await;
    let below: Vec<&str> = listed.iter().filter_map(|t| t.strip_prefix("registries/")).collect();
    for kind in ["webhooks", "tokens", "scopeMaps", "cacheRules", "credentialSets", "replications"] {
        assert!(below.contains(&kind), "{kind} is not in {listed:?}");
    }
    for kind in below {
        let path = format!("{}/{kind}", registry_path("reg01"));
        assert!(good(me.arm(Method::GET, &path, Value::Null).await).await["value"].is_array(), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_types_of_vaults_and_identities_are_listed_and_answered() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    for (namespace, top, name) in
        [("Microsoft.KeyVault", "vaults", "vault1"), ("Microsoft.ManagedIdentity", "userAssignedIdentities", "id1")]
    {
        let listed = types(&me, namespace).await;
        for kind in listed.iter().filter_map(|t| t.strip_prefix(&format!("{top}/"))).filter(|t| !t.contains('/')) {
            let path = group_path(&format!("/providers/{namespace}/{top}/{name}/{kind}"));
            let answer = me.arm(Method::GET, &path, Value::Null).await;
            match kind {
                // Only changed, and shown with the vault.
                "accessPolicies" => assert_eq!(refused(answer).await.0, 405),
                _ => assert!(good(answer).await["value"].is_array(), "{kind}"),
            }
        }
        for kind in ["vaults/secrets", "vaults/privateEndpointConnections", "locations/deletedVaults"] {
            assert!(namespace != "Microsoft.KeyVault" || listed.iter().any(|t| t == kind), "{kind}: {listed:?}");
        }
        let unknown = group_path(&format!("/providers/{namespace}/{top}/{name}/things/x"));
        let (status, code, message) = refused(me.arm(Method::GET, &unknown, Value::Null).await).await;
        assert_eq!((status, code.as_str()), (404, "InvalidResourceType"));
        assert!(message.contains("'things'") && message.contains(namespace), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_no_role_meets_the_gate_at_every_operation_of_a_registry() {
    let world = World::new();
    let owner = world.developer().await;
    owner.make_group().await;
    owner.make_registry("reg01").await;
    let stranger = world.somebody("stranger").await;
    let registry = registry_path("reg01");
    let mut asked = vec![
        (Method::GET, group_path("/providers/Microsoft.ContainerRegistry/registries"), "registries/read"),
        (Method::GET, format!("{registry}/listUsages"), "registries/listUsages/read"),
    ];
    for (method, verb) in
        [(Method::GET, "read"), (Method::PUT, "write"), (Method::PATCH, "write"), (Method::DELETE, "delete")]
    {
        for below in ["", "/tokens/t", "/scopeMaps/s", "/webhooks/w", "/replications/r", "/cacheRules/c"] {
            let kind = below.split('/').nth(1).map(|kind| format!("/{kind}")).unwrap_or_default();
            let action = format!("registries{kind}/{verb}").leak();
            asked.push((method.clone(), format!("{registry}{below}"), action));
        }
    }
    for word in ["listCredentials", "regenerateCredential", "generateCredentials", "importImage"] {
        asked.push((Method::POST, format!("{registry}/{word}"), format!("registries/{word}/action").leak()));
    }
    for word in ["ping", "getCallbackConfig", "listEvents"] {
        let action = format!("registries/webhooks/{word}/action").leak();
        asked.push((Method::POST, format!("{registry}/webhooks/w/{word}"), action));
    }
    for (method, path, action) in asked {
        // A body that no handler would take: the gate comes first.
        let body = if method == Method::GET { Value::Null } else { json!(["no object"]) };
        let (status, code, message) = refused(stranger.arm(method.clone(), &path, body).await).await;
        assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"), "{method} {path}");
        assert!(message.contains(&format!("'Microsoft.ContainerRegistry/{action}'")), "{method} {path}: {message}");
    }
    assert_eq!(good(owner.arm(Method::GET, &registry, Value::Null).await).await["name"], "reg01");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_type_has_no_operation_for_is_refused_as_such() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    for (method, below, expected) in [
        (Method::POST, "", (405, "HttpMethodNotSupported")),
        (Method::PUT, "/tokens", (405, "HttpMethodNotSupported")),
        (Method::GET, "/importImage", (405, "HttpMethodNotSupported")),
        (Method::DELETE, "/privateLinkResources/registry", (405, "HttpMethodNotSupported")),
        (Method::POST, "/scheduleRuns", (404, "InvalidResourceType")),
        (Method::POST, "/webhooks/w/pong", (404, "InvalidResourceType")),
        (Method::GET, "/connectedRegistries/c", (404, "InvalidResourceType")),
    ] {
        let path = format!("{}{below}", registry_path("reg01"));
        let body = if method == Method::GET { Value::Null } else { json!({}) };
        let (status, code, _) = refused(me.arm(method.clone(), &path, body).await).await;
        assert_eq!((status, code.as_str()), expected, "{method} {below}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_of_resources_may_hold_any_value() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let found = async |filter: &str| {
        let path = format!("/subscriptions/{SUBSCRIPTION}/resources?$filter={}", filter.replace(' ', "%20"));
        let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
        shown["value"].as_array().unwrap().len()
    };
    assert_eq!(found("resourceType eq 'Microsoft.ContainerRegistry/registries' and name eq 'REG01'").await, 1);
    assert_eq!(found("name eq 'this and that'").await, 0);
    assert_eq!(found("name eq 'it''s' and location eq 'eastus'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_of_role_definitions_may_hold_any_value() {
    let world = World::new();
    let me = world.developer().await;
    let definitions = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions");
    let role = json!({"properties": {
        "roleName": "Read and write", "assignableScopes": [format!("/subscriptions/{SUBSCRIPTION}")],
        "permissions": [{"actions": ["*/read"]}],
    }});
    good(me.arm(Method::PUT, &format!("{definitions}/{}", uuid::Uuid::new_v4()), role).await).await;
    let found = async |filter: &str| {
        let path = format!("{definitions}?$filter={}", filter.replace(' ', "%20"));
        let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
        shown["value"].as_array().unwrap().len()
    };
    assert_eq!(found("roleName eq 'Read and write'").await, 1);
    assert_eq!(found("atScopeAndBelow() and type eq 'CustomRole'").await, 1);
    assert!(found("atScopeAndBelow()").await > 1);
    let path = format!("{definitions}?$filter=roleName%20ne%20'x'");
    assert_eq!(refused(me.arm(Method::GET, &path, Value::Null).await).await.0, 400);
}

/// Everything that can lie in a group is listed there, and gone with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_lists_and_takes_with_it_all_that_lies_in_it() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    let listed = good(me.arm(Method::GET, &group_path("/resources"), Value::Null).await).await;
    let ids: Vec<String> =
        listed["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    // What uses others comes first.
    let names: Vec<&str> = ids.iter().filter_map(|id| id.rsplit('/').next()).collect();
    assert_eq!(names, ["reg01", "vault1", "id1"]);
    let answer = me.arm(Method::DELETE, &group_path(""), Value::Null).await;
    assert_eq!(answer.status(), 202);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.contains("/operationresults/"), "{location}");
    for id in ids {
        let (status, ..) = refused(me.arm(Method::GET, &id, Value::Null).await).await;
        assert_eq!(status, 404, "{id}");
    }
    assert_eq!(me.arm(Method::HEAD, &group_path(""), Value::Null).await.status(), 404);
    let word = group_path("/things");
    assert_eq!(refused(me.arm(Method::GET, &word, Value::Null).await).await.1, "InvalidResourceType");
}
