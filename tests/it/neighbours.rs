//! Resources that stand around registries and vaults: kept, shown and checked, without pretending more.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{World, good, group_path, refused, registry_path};

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
