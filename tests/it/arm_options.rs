//! What resource management is asked beside its paths: filters, pages, tags, locks.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{SUBSCRIPTION, World, good, group_path, refused, registry_path};

fn encoded(filter: &str) -> String {
    filter.replace(' ', "%20")
}

/// No list takes an option that it does not know as absent. `cargo test --test it arm_options::no_list -- --nocapture`
/// prints what each path answered.
#[tokio::test(flavor = "multi_thread")]
async fn no_list_takes_an_unknown_option_as_absent() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", true).await;
    me.make_identity("id1").await;
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    let mut paths: Vec<String> = vec!["/subscriptions".to_owned(), "/tenants".to_owned(), subscription.clone()];
    for below in ["resourceGroups", "resources", "tagNames", "locations", "providers"] {
        paths.push(format!("{subscription}/{below}"));
    }
    paths.push(group_path(""));
    paths.push(group_path("/resources"));
    paths.push(group_path("/providers/Microsoft.Resources/deployments"));
    let providers = good(me.arm(Method::GET, &format!("{subscription}/providers"), Value::Null).await).await;
    for provider in providers["value"].as_array().unwrap() {
        let namespace = provider["namespace"].as_str().unwrap();
        for kind in provider["resourceTypes"].as_array().unwrap() {
            let kind = kind["resourceType"].as_str().unwrap();
            let names = ["reg01", "vault1", "id1", "x"];
            let name = match kind.split('/').next().unwrap() {
                "registries" => names[0],
                "vaults" => names[1],
                "userAssignedIdentities" => names[2],
                _ => names[3],
            };
            let mut levels = kind.split('/');
            let mut path = group_path(&format!("/providers/{namespace}/{}", levels.next().unwrap()));
            for (at, level) in levels.enumerate() {
                let name = if at == 0 { name } else { "x" };
                path = format!("{path}/{name}/{level}");
            }
            paths.push(path);
        }
    }
    assert!(paths.len() > 40, "paths were found: {}", paths.len());
    let mut asked = 0;
    for path in &paths {
        let plain = me.arm(Method::GET, path, Value::Null).await;
        if !plain.status().is_success() {
            continue;
        }
        let plain = good(plain).await;
        for option in ["$filter=nonsense%20eq%20'x'", "$filter=nonsense", "$top=none", "$orderby=name", "$nonsense=1"] {
            let answer = me.arm(Method::GET, &format!("{path}?{option}"), Value::Null).await;
            let (status, code, message) = refused(answer).await;
            eprintln!("{path} {option}: {status} {code}");
            let name = option.split('=').next().unwrap();
            assert_eq!(status, 400, "{path} {option}");
            assert!(code.ends_with("InQueryString"), "{path} {option}: {code}");
            assert!(message.starts_with(&format!("Invalid {name} '")), "{message}");
            asked += 1;
        }
        // An option without a value was not sent; those without a dollar are passed over, as Azure does [issue].
        let same = good(me.arm(Method::GET, &format!("{path}?$filter=&filter=x&nonsense=1"), Value::Null).await).await;
        assert_eq!(same, plain, "{path}");
    }
    assert!(asked > 100, "{asked} were asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_filtered_by_tags_and_say_who_manages_them() {
    let world = World::new();
    let me = world.developer().await;
    let path = |name: &str| format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}");
    for (name, team) in [("a", "red"), ("b", "blue"), ("c", "Red")] {
        let body = json!({"location": "eastus", "tags": {"Team": team, "n": name}, "managedBy": "/some/one"});
        good(me.arm(Method::PUT, &path(name), body).await).await;
    }
    let list = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups");
    let found = async |query: &str| {
        let listed = good(me.arm(Method::GET, &format!("{list}?{}", encoded(query)), Value::Null).await).await;
        let names = listed["value"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>().join(" "), listed["nextLink"].as_str().map(str::to_owned))
    };
    // [recorded] az group list --tag team=red
    assert_eq!(found("$filter=tagName eq 'team' and tagValue eq 'red'").await.0, "a c");
    assert_eq!(found("$filter=tagName eq 'n' and tagValue eq 'red'").await.0, "", "name and value are of one tag");
    assert_eq!(found("$filter=tagName eq 'none'").await.0, "");
    let (first, next) = found("$top=2").await;
    assert_eq!(first, "a b");
    let next = next.unwrap();
    assert_eq!(found(next.split_once('?').unwrap().1).await, ("c".to_owned(), None));
    // [issue] Names are no part of it.
    let (status, code, message) =
        refused(me.arm(Method::GET, &format!("{list}?$filter=name%20eq%20'a'"), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidFilterInQueryString"));
    assert_eq!(message, "Invalid $filter 'name eq 'a'' specified in the query string.");

    // [recorded] What manages a group stays, whatever later requests say of it.
    good(me.arm(Method::PUT, &path("a"), json!({"location": "eastus"})).await).await;
    good(me.arm(Method::PATCH, &path("a"), json!({"tags": {}})).await).await;
    assert_eq!(good(me.arm(Method::GET, &path("a"), Value::Null).await).await["managedBy"], "/some/one");
    good(me.arm(Method::PATCH, &path("a"), json!({"managedBy": "/other"})).await).await;
    let listed = good(me.arm(Method::GET, &list, Value::Null).await).await;
    assert_eq!(listed["value"][0]["managedBy"], "/other");
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_filtered_and_paged() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    for (name, team) in [("regone", "red"), ("regtwo", "blue"), ("other1", "red")] {
        let body = json!({"location": "eastus", "sku": {"name": "Basic"}, "tags": {"team": team}});
        good(me.arm(Method::PUT, &registry_path(name), body).await).await;
    }
    let found = async |query: &str| {
        let path = format!("/subscriptions/{SUBSCRIPTION}/resources?{}", encoded(query));
        let listed = good(me.arm(Method::GET, &path, Value::Null).await).await;
        let mut names: Vec<String> =
            listed["value"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    // [docs: resources/list]
    assert_eq!(found("$filter=tagName eq 'team' and tagValue eq 'red'").await, "other1 regone");
    assert_eq!(found("$filter=startswith(tagName,'te')").await, "other1 regone regtwo");
    assert_eq!(found("$filter=substringof('reg',name)").await, "regone regtwo");
    assert_eq!(found("$filter=name eq 'other1' or name eq 'REGTWO'").await, "other1 regtwo");
    assert_eq!(found("$filter=name ne 'other1' and location eq 'eastus'").await, "regone regtwo");
    assert_eq!(found("$top=2&$expand=createdTime").await.split(' ').count(), 2);
    // [issue] Tags are asked for by themselves.
    let mixed = encoded("$filter=resourceType eq 'x/y' and tagName eq 'team'");
    let path = format!("/subscriptions/{SUBSCRIPTION}/resources?{mixed}");
    assert_eq!(refused(me.arm(Method::GET, &path, Value::Null).await).await.1, "InvalidFilterInQueryString");

    // [docs: tags] Names and values, with how many have them.
    let tags = format!("/subscriptions/{SUBSCRIPTION}/tagNames");
    let all = good(me.arm(Method::GET, &tags, Value::Null).await).await;
    let team = &all["value"][0];
    assert_eq!((&team["tagName"], &team["count"]["value"]), (&json!("team"), &json!(3)));
    assert_eq!(team["values"][1]["tagValue"], "red");
    assert_eq!(team["values"][1]["count"]["value"], 2);
    assert_eq!(me.arm(Method::PUT, &format!("{tags}/cost"), Value::Null).await.status(), 201);
    assert_eq!(me.arm(Method::PUT, &format!("{tags}/cost"), Value::Null).await.status(), 200);
    assert_eq!(me.arm(Method::PUT, &format!("{tags}/cost/tagValues/low"), Value::Null).await.status(), 201);
    assert_eq!(me.arm(Method::PUT, &format!("{tags}/none/tagValues/low"), Value::Null).await.status(), 404);
    let all = good(me.arm(Method::GET, &tags, Value::Null).await).await;
    assert_eq!(
        (&all["value"][0]["tagName"], &all["value"][0]["values"][0]["tagValue"]),
        (&json!("cost"), &json!("low"))
    );
    assert_eq!(me.arm(Method::DELETE, &format!("{tags}/cost/tagValues/low"), Value::Null).await.status(), 200);
    assert_eq!(me.arm(Method::DELETE, &format!("{tags}/cost"), Value::Null).await.status(), 200);
    assert_eq!(me.arm(Method::DELETE, &format!("{tags}/cost"), Value::Null).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_hold_what_they_lock() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let registry = registry_path("reg01");
    let lock = |scope: &str| format!("{scope}/providers/Microsoft.Authorization/locks/keep");
    let body = |level: &str| json!({"properties": {"level": level, "notes": "because"}});
    let locked = async |method: Method, path: &str, body: Value| {
        let (status, code, message) = refused(me.arm(method, path, body).await).await;
        assert_eq!((status, code.as_str()), (409, "ScopeLocked"), "{path}: {message}");
        message
    };
    assert_eq!(refused(me.arm(Method::PUT, &lock(&registry), body("Perhaps")).await).await.0, 400);
    assert_eq!(me.arm(Method::PUT, &lock(&registry), body("CanNotDelete")).await.status(), 201);
    let shown = good(me.arm(Method::PUT, &lock(&registry), body("canNotDelete")).await).await;
    assert_eq!(shown["properties"], json!({"level": "CanNotDelete", "notes": "because"}));
    assert_eq!(good(me.arm(Method::GET, &lock(&registry), Value::Null).await).await, shown);
    // The resource, what lies in it, and the group around it.
    let message = locked(Method::DELETE, &registry, Value::Null).await;
    assert_eq!(
        message,
        format!(
            "The scope '{registry}' cannot perform delete operation because following scope(s) are locked: '{registry}'. Please remove the lock and try again."
        )
    );
    locked(Method::DELETE, &group_path(""), Value::Null).await;
    locked(Method::DELETE, &format!("{registry}/scopeMaps/x"), Value::Null).await;
    good(me.arm(Method::PATCH, &registry, json!({"tags": {"a": "b"}})).await).await;
    // A read-only group takes no change at all.
    good(me.arm(Method::PUT, &lock(&group_path("")), body("ReadOnly")).await).await;
    locked(Method::PATCH, &registry, json!({"tags": {}})).await;
    locked(Method::PUT, &group_path(""), json!({"location": "eastus"})).await;
    locked(Method::POST, &format!("{registry}/listCredentials"), Value::Null).await;
    locked(Method::POST, &format!("{registry}/listBuildSourceUploadUrl"), Value::Null).await;
    let template = json!({"properties": {"mode": "Incremental", "template": {"$schema": "x", "contentVersion": "1.0.0.0", "resources": []}}});
    locked(Method::PUT, &group_path("/providers/Microsoft.Resources/deployments/d"), template).await;
    let all = group_path("/providers/Microsoft.Authorization/locks");
    assert_eq!(good(me.arm(Method::GET, &all, Value::Null).await).await["value"].as_array().unwrap().len(), 2);
    let here = format!("{all}?$filter=atScope()");
    assert_eq!(good(me.arm(Method::GET, &here, Value::Null).await).await["value"].as_array().unwrap().len(), 1);
    // Without the locks all goes again.
    for scope in [&group_path(""), &registry] {
        assert_eq!(me.arm(Method::DELETE, &lock(scope), Value::Null).await.status(), 200);
        assert_eq!(me.arm(Method::DELETE, &lock(scope), Value::Null).await.status(), 204);
    }
    assert_eq!(me.arm(Method::DELETE, &group_path(""), Value::Null).await.status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_answer_as_azure_writes_names() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let deployments = group_path("/providers/Microsoft.Resources/deployments");
    let template = |more: Value| {
        let mut template = json!({
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "languageVersion": "2.0", "contentVersion": "1.0.0.0", "resources": {},
        });
        template.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"properties": {"mode": "Incremental", "template": template}})
    };
    let put = async |name: &str, more: Value| {
        let path = format!("{deployments}/{name}");
        good(me.arm(Method::PUT, &path, template(more)).await).await;
        good(me.arm(Method::GET, &path, Value::Null).await).await["properties"].clone()
    };
    // [recorded] Names begin small in answers; [file] a default may name what is declared after it.
    let shown = put(
        "names",
        json!({
            "parameters": {
                "Name": {"type": "string", "defaultValue": "[replace(parameters('Src'),'/','-')]"},
                "Src": {"type": "string", "defaultValue": "a/b"},
            },
            "outputs": {
                "NewNSG": {"type": "string", "value": "[parameters('Name')]"},
                "RegistryId": {"type": "string", "value": "x"},
            },
        }),
    )
    .await;
    assert_eq!(
        shown["outputs"],
        json!({"newNSG": {"type": "String", "value": "a-b"}, "registryId": {"type": "String", "value": "x"}})
    );
    assert_eq!(shown["parameters"].as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "src"]);
    let operations = good(me.arm(Method::GET, &format!("{deployments}/names/operations"), Value::Null).await).await;
    let last = operations["value"].as_array().unwrap().last().unwrap();
    assert_eq!(last["properties"]["provisioningOperation"], "EvaluateDeploymentOutput");
    assert_eq!(last["properties"]["statusCode"], "OK");
    let circle = json!({"parameters": {
        "a": {"type": "string", "defaultValue": "[parameters('b')]"},
        "b": {"type": "string", "defaultValue": "[parameters('a')]"},
    }});
    let (status, code, _) =
        refused(me.arm(Method::PUT, &format!("{deployments}/circle"), template(circle)).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidTemplate"));

    // [file] What is conditioned away need not make sense. [recorded] A type may end with a slash.
    let shown = put(
        "away",
        json!({
            "parameters": {"cmk": {"type": "object", "nullable": true}},
            "resources": {
                "kv": {
                    "existing": true, "type": "Microsoft.KeyVault/vaults", "apiVersion": "2023-07-01",
                    "condition": "[not(empty(tryGet(parameters('cmk'),'id')))]",
                    "name": "[last(split(tryGet(parameters('cmk'),'id'),'/'))]",
                },
                "id": {
                    "type": "Microsoft.ManagedIdentity/userAssignedIdentities/", "apiVersion": "2023-01-31",
                    "name": "id1", "location": "eastus", "dependsOn": ["kv"],
                },
            },
        }),
    )
    .await;
    assert_eq!(shown["provisioningState"], "Succeeded", "{shown}");
    // [recorded] Nothing is shown of parameters where there are none.
    assert_eq!(put("none", json!({})).await.get("parameters"), None);
    let listed = good(me.arm(Method::GET, &format!("{deployments}?$top=1"), Value::Null).await).await;
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    assert!(listed["nextLink"].is_string());
    let failed = format!("{deployments}?$filter={}", encoded("provisioningState eq 'Failed'"));
    assert_eq!(good(me.arm(Method::GET, &failed, Value::Null).await).await["value"], json!([]));

    // [recorded] A nested template for a group that is not there.
    let nested = json!({"resources": {"inner": {
        "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "resourceGroup": "nowhere",
        "properties": {"mode": "Incremental", "template": template(json!({}))["properties"]["template"]},
    }}});
    let path = format!("{deployments}/n/validate");
    let (status, code, _) = refused(me.arm(Method::POST, &path, template(nested)).await).await;
    assert_eq!((status, code.as_str()), (404, "ResourceGroupNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_list_their_operations() {
    let world = World::new();
    let me = world.developer().await;
    for (namespace, action) in [
        ("Microsoft.ContainerRegistry", "Microsoft.ContainerRegistry/registries/write"),
        ("microsoft.keyvault", "Microsoft.KeyVault/vaults/delete"),
        ("Microsoft.ManagedIdentity", "Microsoft.ManagedIdentity/userAssignedIdentities/read"),
    ] {
        let path = format!("/providers/{namespace}/operations");
        let listed = good(me.arm(Method::GET, &path, Value::Null).await).await;
        assert!(listed["value"].as_array().unwrap().iter().any(|o| o["name"] == action), "{action}");
        // The same by type: az provider operation show.
        let path = format!("/providers/Microsoft.Authorization/providerOperations/{namespace}?$expand=resourceTypes");
        let one = good(me.arm(Method::GET, &path, Value::Null).await).await;
        let kinds = one["resourceTypes"].as_array().unwrap().iter();
        let named = |kind: &Value| kind["operations"].as_array().unwrap().iter().any(|o| o["name"] == action);
        assert!(kinds.clone().any(named), "{action}: {one}");
    }
    let path = "/providers/Microsoft.Authorization/providerOperations";
    let all = good(me.arm(Method::GET, path, Value::Null).await).await;
    assert!(all["value"].as_array().unwrap().len() > 5);
    let (status, code, _) = refused(me.arm(Method::GET, &format!("{path}/Microsoft.None"), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (404, "InvalidResourceNamespace"));
}
