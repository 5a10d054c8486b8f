//! Resources that stand around registries and vaults: kept, shown and checked, without pretending more.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{SUBSCRIPTION, TENANT, World, good, group_path, refused, registry_path};

#[tokio::test(flavor = "multi_thread")]
async fn diagnostic_settings_are_checked_and_kept_with_what_they_are_about() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    let vault = group_path("/providers/Microsoft.KeyVault/vaults/vault1");
    let settings = |of: &str| format!("{of}/providers/Microsoft.Insights/diagnosticSettings");
    let sink = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w";
    let body = |logs: Value| json!({"properties": {"workspaceId": sink, "storageAccountId": "", "logs": logs}});
    for (resource, category) in [(registry_path("reg01"), "ContainerRegistryLoginEvents"), (vault, "AuditEvent")] {
        let all = settings(&resource);
        let one = format!("{all}/one");
        let made = good(me.arm(Method::PUT, &one, body(json!([{"category": category, "enabled": true}]))).await).await;
        let kept = json!({
            "workspaceId": sink, "metrics": [],
            "logs": [{"category": category, "enabled": true, "retentionPolicy": {"enabled": false, "days": 0}}],
        });
        assert_eq!((&made["properties"], &made["name"]), (&kept, &json!("one")));
        assert_eq!(made["type"], "Microsoft.Insights/diagnosticSettings");
        assert_eq!(good(me.arm(Method::GET, &one.to_lowercase(), Value::Null).await).await, made);
        assert_eq!(good(me.arm(Method::GET, &all, Value::Null).await).await["value"], json!([made]));
        // [docs] A sink takes a category from one setting alone.
        let group = body(json!([{"categoryGroup": "audit", "enabled": true}]));
        let (status, code, message) = refused(me.arm(Method::PUT, &format!("{all}/two"), group).await).await;
        assert_eq!((status, code.as_str()), (409, "Conflict"), "{message}");
        for wrong in [body(json!([{"category": "None", "enabled": true}])), json!({"properties": {"logs": []}})] {
            assert_eq!(refused(me.arm(Method::PUT, &format!("{all}/two"), wrong).await).await.1, "BadRequest");
        }
        let known = format!("{resource}/providers/Microsoft.Insights/diagnosticSettingsCategories");
        let known = good(me.arm(Method::GET, &known, Value::Null).await).await;
        let names: Vec<&str> = known["value"].as_array().unwrap().iter().filter_map(|c| c["name"].as_str()).collect();
        assert!(names.contains(&category) && names.contains(&"AllMetrics"), "{names:?}");
    }
    // What has no logs, what is not there, what is not emulated.
    let identity = group_path("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1");
    for (scope, expected) in [
        (identity, (400, "ResourceTypeNotSupported")),
        (registry_path("reg02"), (404, "ResourceNotFound")),
        (group_path(""), (400, "ResourceTypeNotSupported")),
    ] {
        let put = me.arm(Method::PUT, &format!("{}/x", settings(&scope)), body(json!([]))).await;
        let (status, code, _) = refused(put).await;
        assert_eq!((status, code.as_str()), expected, "{scope}");
    }
    let (status, code, _) =
        refused(me.arm(Method::GET, &format!("{}/x", settings(&registry_path("reg01"))), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (404, "ResourceNotFound"));
    let unknown = format!("{}/providers/Microsoft.Insights/metrics", registry_path("reg01"));
    assert_eq!(refused(me.arm(Method::GET, &unknown, Value::Null).await).await.1, "InvalidResourceType");
    // Who has no right, and locks.
    let stranger = world.somebody("stranger").await;
    let one = format!("{}/one", settings(&registry_path("reg01")));
    assert_eq!(refused(stranger.arm(Method::GET, &one, Value::Null).await).await.1, "AuthorizationFailed");
    let lock = format!("{}/providers/Microsoft.Authorization/locks/keep", registry_path("reg01"));
    good(me.arm(Method::PUT, &lock, json!({"properties": {"level": "CanNotDelete"}})).await).await;
    assert_eq!(refused(me.arm(Method::DELETE, &one, Value::Null).await).await.1, "ScopeLocked");
    assert_eq!(me.arm(Method::DELETE, &lock, Value::Null).await.status(), 200);
    assert_eq!(me.arm(Method::DELETE, &one, Value::Null).await.status(), 200);
    assert_eq!(me.arm(Method::DELETE, &one, Value::Null).await.status(), 204);
}

const NETWORK: &str = "/providers/Microsoft.Network/virtualNetworks/net1";

fn endpoint(subnet: &str, target: &str, member: &str, list: &str) -> Value {
    json!({"location": "eastus", "properties": {
        "subnet": {"id": subnet},
        list: [{"name": "link", "properties": {"privateLinkServiceId": target, "groupIds": [member]}}],
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_hold_subnets_and_subnets_what_is_put_into_them() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let network = group_path(NETWORK);
    let body = |prefix: &str, subnets: Value| {
        json!({"location": "eastus", "tags": {"a": "b"}, "properties": {
            "addressSpace": {"addressPrefixes": [prefix]}, "subnets": subnets,
        }})
    };
    let subnets = json!([{"name": "one", "properties": {"addressPrefix": "10.0.1.0/24"}}]);
    let (status, code, _) = refused(me.arm(Method::PUT, &network, body("10.1.0.0/16", subnets.clone())).await).await;
    assert_eq!((status, code.as_str()), (400, "NetcfgSubnetRangeOutsideVnet"));
    let (status, code, _) = refused(me.arm(Method::PUT, &network, json!({"location": "eastus"})).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidRequestContent"));
    assert_eq!(me.arm(Method::PUT, &network, body("10.0.0.0/16", subnets)).await.status(), 201);
    let two = format!("{network}/subnets/two");
    // [recorded 2026] It says that it is being changed, and is done.
    let made = good(me.arm(Method::PUT, &two, json!({"properties": {"addressPrefix": "10.0.2.0/24"}})).await).await;
    assert_eq!((&made["id"], &made["properties"]["provisioningState"]), (&json!(two), &json!("Updating")));
    let shown = good(me.arm(Method::GET, &network, Value::Null).await).await;
    let names: Vec<&Value> = shown["properties"]["subnets"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["one", "two"]);
    let alone = good(me.arm(Method::GET, &two, Value::Null).await).await;
    assert_eq!(alone["properties"]["provisioningState"], "Succeeded");
    assert_eq!(alone["etag"], shown["properties"]["subnets"][1]["etag"]);
    let listed = good(me.arm(Method::GET, &group_path("/resources"), Value::Null).await).await;
    assert_eq!(listed["value"][0]["id"], json!(network));

    // An endpoint makes its connection where it leads to, once.
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    let vault = group_path("/providers/Microsoft.KeyVault/vaults/vault1");
    for (name, target, member, list, status) in [
        ("pe1", registry_path("reg01"), "registry", "privateLinkServiceConnections", "Approved"),
        ("pe2", vault, "vault", "manualPrivateLinkServiceConnections", "Pending"),
    ] {
        let path = group_path(&format!("/providers/Microsoft.Network/privateEndpoints/{name}"));
        for (wrong, code) in [
            (endpoint(&format!("{network}/subnets/none"), &target, member, list), "InvalidResourceReference"),
            (endpoint(&two, &format!("{target}x/y"), member, list), "InvalidResourceReference"),
            (endpoint(&two, &target, "other", list), "InvalidRequestContent"),
        ] {
            assert_eq!(refused(me.arm(Method::PUT, &path, wrong).await).await.1, code);
        }
        let body = endpoint(&two, &target, member, list);
        let first = me.arm(Method::PUT, &path, body.clone()).await;
        assert_eq!(first.status(), 201);
        let made = good(first).await;
        let state = |shown: &Value| {
            shown["properties"][list][0]["properties"]["privateLinkServiceConnectionState"]["status"].clone()
        };
        assert_eq!(state(&made), status);
        let links = format!("{target}/privateEndpointConnections");
        let link = good(me.arm(Method::GET, &links, Value::Null).await).await["value"][0].clone();
        assert_eq!(link["properties"]["privateEndpoint"]["id"], json!(path));
        // What the owner of the target decides is seen, and stays.
        let id = link["id"].as_str().unwrap();
        let no = json!({"properties": {"privateLinkServiceConnectionState": {"status": "Rejected"}}});
        good(me.arm(Method::PUT, id, no).await).await;
        assert_eq!(state(&good(me.arm(Method::PUT, &path, body).await).await), "Rejected");
        assert_eq!(good(me.arm(Method::GET, &links, Value::Null).await).await["value"].as_array().unwrap().len(), 1);
        let zones = format!("{path}/privateDnsZoneGroups/default");
        let zone =
            json!({"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": {"privateDnsZoneId": "/z"}}]}});
        assert_eq!(good(me.arm(Method::PUT, &zones, zone).await).await["id"], json!(zones));
        assert_eq!(refused(me.arm(Method::DELETE, &two, Value::Null).await).await.1, "InUseSubnetCannotBeDeleted");
        assert_eq!(refused(me.arm(Method::DELETE, &network, Value::Null).await).await.1, "InUseSubnetCannotBeDeleted");
        assert_eq!(me.arm(Method::DELETE, &path, Value::Null).await.status(), 200);
        assert_eq!(refused(me.arm(Method::GET, &zones, Value::Null).await).await.0, 404);
        assert_eq!(good(me.arm(Method::GET, &links, Value::Null).await).await["value"], json!([]));
    }
    assert_eq!(me.arm(Method::DELETE, &two, Value::Null).await.status(), 200);
    let path = group_path("/providers/Microsoft.Network/privateEndpoints/pe1");
    // One that is led elsewhere leaves nothing behind.
    me.make_registry("reg02").await;
    let automatic = "privateLinkServiceConnections";
    let subnet = format!("{network}/subnets/one");
    for (target, left) in [("reg02", "reg01"), ("reg01", "reg02")] {
        let body = endpoint(&subnet, &registry_path(target), "registry", automatic);
        good(me.arm(Method::PUT, &path, body).await).await;
        for (registry, count) in [(target, 1), (left, 0)] {
            let links = format!("{}/privateEndpointConnections", registry_path(registry));
            let links = good(me.arm(Method::GET, &links, Value::Null).await).await;
            assert_eq!(links["value"].as_array().unwrap().len(), count, "{registry}");
        }
    }
    // What is quoted in a name is no part of the path.
    for name in ["a%2Fb", "pe%2FprivateDnsZoneGroups%2Fz", "a%5Cb"] {
        let quoted = group_path(&format!("/providers/Microsoft.Network/privateEndpoints/{name}"));
        let body = endpoint(&subnet, &registry_path("reg01"), "registry", automatic);
        assert_eq!(refused(me.arm(Method::PUT, &quoted, body).await).await.0, 400, "{name}");
    }
    // What the other side has ended is disconnected, and all goes with the group.
    let body = endpoint(
        &format!("{network}/subnets/one"),
        &registry_path("reg01"),
        "registry",
        "privateLinkServiceConnections",
    );
    good(me.arm(Method::PUT, &path, body).await).await;
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
    let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
    let link = &shown["properties"]["privateLinkServiceConnections"][0]["properties"];
    assert_eq!(link["privateLinkServiceConnectionState"]["status"], "Disconnected");
    assert_eq!(me.arm(Method::DELETE, &group_path(""), Value::Null).await.status(), 202);
    me.make_group().await;
    assert_eq!(refused(me.arm(Method::GET, &network, Value::Null).await).await.0, 404);
    assert_eq!(refused(me.arm(Method::GET, &path, Value::Null).await).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_kept_so_that_settings_can_name_them() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let path = group_path("/providers/Microsoft.OperationalInsights/workspaces/work1");
    assert_eq!(refused(me.arm(Method::PUT, &path, json!({})).await).await.1, "LocationRequired");
    let body = json!({"location": "eastus", "properties": {"retentionInDays": 60}});
    let first = me.arm(Method::PUT, &path, body.clone()).await;
    assert_eq!(first.status(), 201);
    let made = good(first).await;
    assert_eq!(made["properties"]["sku"]["name"], "PerGB2018");
    let again = good(me.arm(Method::PUT, &path, body).await).await;
    assert_eq!(again["properties"]["customerId"], made["properties"]["customerId"]);
    let patched = good(me.arm(Method::PATCH, &path, json!({"tags": {"a": "b"}})).await).await;
    assert_eq!((&patched["tags"]["a"], &patched["properties"]["retentionInDays"]), (&json!("b"), &json!(60)));
    // There is nothing behind it: no keys are given out.
    let keys = me.arm(Method::POST, &format!("{path}/sharedKeys"), Value::Null).await;
    assert_eq!(refused(keys).await.1, "InvalidResourceType");
    assert_eq!(me.arm(Method::DELETE, &path, Value::Null).await.status(), 200);
    assert_eq!(me.arm(Method::DELETE, &path, Value::Null).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_changed_by_themselves_at_any_scope() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    good(
        me.arm(
            Method::PUT,
            &group_path(NETWORK),
            json!({"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}),
        )
        .await,
    )
    .await;
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    for scope in [
        subscription,
        group_path(""),
        registry_path("reg01"),
        group_path("/providers/Microsoft.KeyVault/vaults/vault1"),
        group_path("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"),
        group_path(NETWORK),
    ] {
        let tags = format!("{scope}/providers/Microsoft.Resources/tags/default");
        let sent = |tags: Value| json!({"properties": {"tags": tags}});
        let patch = async |operation: &str, tags_sent: Value| {
            let body = json!({"operation": operation, "properties": {"tags": tags_sent}});
            good(me.arm(Method::PATCH, &tags, body).await).await["properties"]["tags"].clone()
        };
        let made = good(me.arm(Method::PUT, &tags, sent(json!({"team": "red"}))).await).await;
        assert_eq!((&made["id"], &made["name"]), (&json!(tags), &json!("default")));
        assert_eq!(patch("Merge", json!({"Team": "blue", "cost": "1"})).await, json!({"Team": "blue", "cost": "1"}));
        assert_eq!(
            good(me.arm(Method::GET, &scope, Value::Null).await).await["tags"],
            json!({"Team": "blue", "cost": "1"})
        );
        assert_eq!(patch("Delete", json!({"team": "", "cost": "2"})).await, json!({"cost": "1"}));
        assert_eq!(patch("Replace", json!({"a": "b"})).await, json!({"a": "b"}));
        let (status, ..) = refused(me.arm(Method::PATCH, &tags, json!({"operation": "Perhaps"})).await).await;
        assert_eq!(status, 400);
        assert_eq!(me.arm(Method::DELETE, &tags, Value::Null).await.status(), 200);
        assert_eq!(good(me.arm(Method::GET, &tags, Value::Null).await).await["properties"]["tags"], json!({}));
    }
    let missing = format!("{}/providers/Microsoft.Resources/tags/default", registry_path("reg02"));
    assert_eq!(refused(me.arm(Method::GET, &missing, Value::Null).await).await.0, 404);
    let child = format!("{}/webhooks/w/providers/Microsoft.Resources/tags/default", registry_path("reg01"));
    assert_eq!(refused(me.arm(Method::GET, &child, Value::Null).await).await.0, 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_moved_between_groups_with_all_that_knows_them() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    let (registry, vault) = (registry_path("reg01"), group_path("/providers/Microsoft.KeyVault/vaults/vault1"));
    let other = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/other");
    good(me.arm(Method::PUT, &other, json!({"location": "eastus"})).await).await;
    let token = json!({"properties": {"scopeMapId": format!("{registry}/scopeMaps/_repositories_pull")}});
    good(me.arm(Method::PUT, &format!("{registry}/tokens/robot01"), token).await).await;
    let lock = "/providers/Microsoft.Authorization/locks/keep";
    good(me.arm(Method::PUT, &format!("{registry}{lock}"), json!({"properties": {"level": "CanNotDelete"}})).await)
        .await;
    let setting = "/providers/Microsoft.Insights/diagnosticSettings/one";
    let body = json!({"properties": {"workspaceId": "/w", "logs": [{"categoryGroup": "audit", "enabled": true}]}});
    good(me.arm(Method::PUT, &format!("{vault}{setting}"), body).await).await;
    let ask = async |word: &str, resources: Value, target: &str| {
        me.arm(
            Method::POST,
            &group_path(&format!("/{word}")),
            json!({"resources": resources, "targetResourceGroup": target}),
        )
        .await
    };
    let identity = group_path("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1");
    for word in ["validateMoveResources", "moveResources"] {
        for (resources, target, expected) in [
            (json!([identity]), other.as_str(), (409, "ResourceMoveNotSupported")),
            (json!([registry_path("none1")]), other.as_str(), (404, "ResourceNotFound")),
            (json!([registry]), &format!("{other}x"), (404, "ResourceGroupNotFound")),
            (json!([registry]), &group_path(""), (400, "InvalidRequestContent")),
            (json!([]), other.as_str(), (400, "InvalidRequestContent")),
        ] {
            let (status, code, _) = refused(ask(word, resources, target).await).await;
            assert_eq!((status, code.as_str()), expected, "{word}");
        }
    }
    assert_eq!(ask("validateMoveResources", json!([registry, vault]), &other).await.status(), 202);
    good(me.arm(Method::GET, &registry, Value::Null).await).await;
    let moved = ask("moveResources", json!([registry, vault]), &other).await;
    assert_eq!(moved.status(), 202);
    let poll = moved.headers()["location"].to_str().unwrap().to_owned();
    assert!(poll.contains("/operationresults/move-"), "{poll}");
    for (id, child) in [(&registry, "/tokens/robot01"), (&registry, lock), (&vault, setting)] {
        assert_eq!(refused(me.arm(Method::GET, id, Value::Null).await).await.0, 404, "{id}");
        let there = id.replace("/resourceGroups/rg/", "/resourceGroups/other/");
        assert_ne!(&there, id);
        assert_eq!(good(me.arm(Method::GET, &there, Value::Null).await).await["id"], json!(there));
        good(me.arm(Method::GET, &format!("{there}{child}"), Value::Null).await).await;
    }
    let there = registry.replace("/resourceGroups/rg/", "/resourceGroups/other/");
    // Settings that were left where something was are no obstacle to what comes there.
    let there_vault = vault.replace("/resourceGroups/rg/", "/resourceGroups/other/");
    let left = group_path("/providers/Microsoft.KeyVault/vaults/vault2");
    me.make_vault("vault2", false).await;
    let body = json!({"properties": {"workspaceId": "/w", "logs": [{"categoryGroup": "audit", "enabled": true}]}});
    good(me.arm(Method::PUT, &format!("{left}{setting}"), body.clone()).await).await;
    good(me.arm(Method::DELETE, &left, Value::Null).await).await;
    let purge = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/vault2/purge"
    );
    assert!(me.arm(Method::POST, &purge, Value::Null).await.status().is_success());
    let over_there = left.replace("/resourceGroups/rg/", "/resourceGroups/other/");
    let vault2 = json!({"location": "eastus", "properties": {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}});
    good(me.arm(Method::PUT, &over_there, vault2).await).await;
    good(me.arm(Method::PUT, &format!("{over_there}{setting}"), body).await).await;
    let both = json!({"resources": [there_vault, over_there], "targetResourceGroup": group_path("")});
    let moved = me.arm(Method::POST, &format!("{other}/moveResources"), both).await;
    assert_eq!(moved.status(), 202);
    // Its log follows it.
    assert_eq!(good(me.arm(Method::GET, &format!("{vault}{setting}"), Value::Null).await).await["name"], "one");
    me.make_key("vault1", "moved").await;
    let log = world.dir.join("diagnostics/w/AuditEvent.json");
    world.http().get(format!("{}/acrite/v1/audit", world.url)).send().await.unwrap();
    assert!(std::fs::read_to_string(&log).unwrap().contains("/keys/moved"), "no record of the moved vault");
    let token = good(me.arm(Method::GET, &format!("{there}/tokens/robot01"), Value::Null).await).await;
    assert_eq!(token["properties"]["scopeMapId"], json!(format!("{there}/scopeMaps/_repositories_pull")));
    assert_eq!(refused(me.arm(Method::DELETE, &there, Value::Null).await).await.1, "ScopeLocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_unregistered_once_nothing_of_it_is_left() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let provider = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerRegistry");
    let ask = async |word: &str| me.arm(Method::POST, &format!("{provider}/{word}"), Value::Null).await;
    assert_eq!(refused(ask("unregister").await).await.0, 409);
    good(me.arm(Method::DELETE, &registry_path("reg01"), Value::Null).await).await;
    assert_eq!(good(ask("unregister").await).await["registrationState"], "Unregistered");
    assert_eq!(good(me.arm(Method::GET, &provider, Value::Null).await).await["registrationState"], "Unregistered");
    let body = json!({"location": "eastus", "sku": {"name": "Basic"}});
    let (status, code, _) = refused(me.arm(Method::PUT, &registry_path("reg01"), body.clone()).await).await;
    assert_eq!((status, code.as_str()), (409, "MissingSubscriptionRegistration"));
    assert_eq!(good(ask("register").await).await["registrationState"], "Registered");
    // Resource management's own provider is everybody's.
    let own = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources");
    let kept = good(me.arm(Method::POST, &format!("{own}/unregister"), Value::Null).await).await;
    assert_eq!(
        (&kept["registrationState"], &kept["registrationPolicy"]),
        (&json!("Registered"), &json!("RegistrationFree"))
    );
    good(me.arm(Method::PUT, &group_path(""), json!({"location": "eastus"})).await).await;
    good(me.arm(Method::PUT, &registry_path("reg01"), body).await).await;
}
