//! Deployments of templates through ARM: the article's, wrong ones, and the fixtures.

use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    GROUP, MANIFEST, Person, SUBSCRIPTION, World, digest, good, group_path, identity_path, refused, registry_path,
};

const API: &str = "2025-04-01";

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn path(name: &str, rest: &str) -> String {
    group_path(&format!("/providers/Microsoft.Resources/deployments/{name}{rest}"))
}

/// The body as today's az sends it: the text of the template pasted in behind an unquoted name.
fn pasted(template: &str, parameters: &Value) -> String {
    format!("{{\"properties\": {{\"parameters\": {parameters}, \"mode\": \"Incremental\", template:{template}}}}}")
}

async fn send(person: &Person<'_>, method: Method, path: &str, body: String) -> reqwest::Response {
    let url = format!("https://management.azure.com{path}?api-version={API}");
    let token = person.token("https://management.azure.com").await;
    let request = person.world.client().request(method, url).bearer_auth(token);
    request.header("content-type", "application/json").body(body).send().await.unwrap()
}

/// Deploys and polls once. What the poll says, and the deployment.
async fn deploy(person: &Person<'_>, name: &str, body: String) -> (Value, Value) {
    let answer = send(person, Method::PUT, &path(name, ""), body).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let poll = answer.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
    let begun: Value = answer.json().await.unwrap();
    assert_eq!(begun["properties"]["provisioningState"], "Accepted");
    let token = person.token("https://management.azure.com").await;
    let outcome = good(person.world.client().get(poll).bearer_auth(token).send().await.unwrap()).await;
    let shown = good(person.arm_at(API, Method::GET, &path(name, ""), Value::Null).await).await;
    assert_eq!(outcome["status"], shown["properties"]["provisioningState"]);
    (outcome, shown)
}

async fn deployed(person: &Person<'_>, name: &str, template: &Value, parameters: &Value) -> Value {
    let (outcome, shown) = deploy(person, name, pasted(&template.to_string(), parameters)).await;
    assert_eq!(outcome, json!({"status": "Succeeded"}));
    shown
}

async fn resources(person: &Person<'_>) -> Vec<String> {
    let all = good(person.arm_at(API, Method::GET, &group_path("/resources"), Value::Null).await).await;
    all["value"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect()
}

async fn changes(person: &Person<'_>, body: String) -> Vec<(String, String)> {
    let answer = send(person, Method::POST, &path("w", "/whatIf"), body).await;
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let token = person.token("https://management.azure.com").await;
    let outcome = good(person.world.client().get(location).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(outcome["status"], "Succeeded", "{outcome}");
    let word = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    let all = outcome["properties"]["changes"].as_array().unwrap();
    all.iter().map(|c| (word(c, "changeType"), word(c, "resourceId").rsplit('/').next().unwrap().to_owned())).collect()
}

fn identity(name: &str) -> Value {
    json!({
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": name,
        "location": "[resourceGroup().location]",
    })
}

#[tokio::test]
async fn the_articles_template() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("v-article", false).await;
    let key = me.make_key("v-article", "k").await;
    let kek = key.rsplit_once('/').unwrap().0;
    let template = std::fs::read_to_string(root("tests/clients/CMKtemplate.json")).unwrap();
    // With a comment, as people have them.
    let template = template.replacen("\"variables\": {},", "// nothing\n  \"variables\": {},", 1);
    let parameters = json!({
        "vault_name": {"value": "v-article"}, "registry_name": {"value": "regarticle"}, "identity_name": {"value": "id1"},
        "kek_id": {"value": kek},
    });
    let body = || pasted(&template, &parameters);
    let validated = good(send(&me, Method::POST, &path("CMKtemplate", "/validate"), body()).await).await;
    assert_eq!(validated["properties"]["provisioningState"], "Succeeded");
    assert_eq!(resources(&me).await, ["v-article"]);
    let before = changes(&me, body()).await;
    assert_eq!(before.iter().filter(|(kind, _)| kind == "Create").count(), 2, "{before:?}");

    let (outcome, shown) = deploy(&me, "CMKtemplate", body()).await;
    assert_eq!(outcome, json!({"status": "Succeeded"}), "{outcome}");
    let properties = &shown["properties"];
    assert_eq!(properties["parameters"]["kek_id"], json!({"type": "String", "value": kek}));
    assert_eq!(properties["outputResources"].as_array().unwrap().len(), 3);
    assert_eq!(properties["dependencies"].as_array().unwrap().len(), 2);
    let encryption = me.encryption("regarticle").await;
    assert_eq!(encryption["keyIdentifier"], kek);
    assert_eq!(encryption["versionedKeyIdentifier"], key);
    let operations = good(me.arm_at(API, Method::GET, &path("CMKtemplate", "/operations"), Value::Null).await).await;
    let operations = operations["value"].as_array().unwrap();
    let done = operations.iter().map(|o| o["properties"]["provisioningOperation"].as_str().unwrap());
    // [recorded] The last one is about the outputs.
    assert_eq!(done.collect::<Vec<_>>(), ["Create", "Create", "Create", "EvaluateDeploymentOutput"]);

    let kinds: Vec<String> = changes(&me, body()).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["NoChange", "NoChange", "NoChange"]);
    let registry = || async { good(me.arm(Method::GET, &registry_path("regarticle"), Value::Null).await).await };
    let once = registry().await;
    deploy(&me, "CMKtemplate", body()).await;
    let twice = registry().await;
    for part in ["sku", "identity", "location", "tags"] {
        assert_eq!(once[part], twice[part]);
    }
    assert_eq!(once["properties"]["policies"], twice["properties"]["policies"]);

    let changed = template.replacen("\"adminUserEnabled\": false", "\"adminUserEnabled\": true", 1);
    let after = changes(&me, pasted(&changed, &parameters)).await;
    assert!(after.contains(&("Modify".to_owned(), "regarticle".to_owned())), "{after:?}");
}

#[tokio::test]
async fn wrong_templates_create_nothing() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let text = |resource: &str| format!("{{\n  \"resources\": [\n    {},\n    {resource}\n  ]\n}}", identity("good"));
    let bad = |extra: &str| {
        text(&format!(
            "{{\"type\": \"Microsoft.KeyVault/vaults\", \"apiVersion\": \"2023-07-01\", \"name\": \"bad\"{extra}}}"
        ))
    };
    let cases = [
        (
            bad(", \"tags\": {\"x\": \"[foo()]\"}"),
            "InvalidTemplate",
            "The template resource 'bad' at line '4' and column '5' is not valid: The template function 'foo' is not valid",
        ),
        (
            bad(", \"tags\": {\"x\": \"[concat('a']\"}"),
            "InvalidTemplate",
            "Unable to parse language expression 'concat('a'': expected token 'RightParenthesis' and actual 'EndOfData'",
        ),
        (
            bad(", \"dependsOn\": [\"bad\"]"),
            "InvalidTemplate",
            "Circular dependency detected on resource: '/subscriptions/",
        ),
        (bad(", \"tags\": {\"x\": \"[toLower(1)]\"}"), "InvalidTemplate", "is of type 'Integer'"),
        (
            "{\n  \"parameters\": {\n    \"p\": { \"type\": \"string\" }\n  },\n  \"resources\": []\n}".to_owned(),
            "InvalidTemplate",
            "The value for the template parameter 'p' at line '3' and column '10' is not provided.",
        ),
        (
            format!("{{\"resources\": [], \"x\": {}1{}}}", "[".repeat(200), "]".repeat(200)),
            "InvalidRequestContent",
            "MaxDepth",
        ),
        (
            "{\"schemaVersion\": 2, \"manifests\": []}".to_owned(),
            "InvalidTemplate",
            "Deployment template validation failed: 'Required property 'resources' not found in JSON. Path '', line 1, position ",
        ),
        (
            "{\"resources\": [}".to_owned(),
            "InvalidRequestContent",
            "Unexpected character encountered while parsing value: }. Path 'properties.template.resources[0]', line 1",
        ),
        (
            text("{\"type\": \"Microsoft.Storage/storageAccounts\", \"apiVersion\": \"2023-01-01\", \"name\": \"s\"}"),
            "InvalidTemplateDeployment",
            "is not valid according to the validation procedure",
        ),
        (
            text("{\"type\": \"Microsoft.KeyVault/vaults\", \"apiVersion\": \"banana\", \"name\": \"v\"}"),
            "InvalidTemplateDeployment",
            "is not valid according to the validation procedure",
        ),
        (
            text("{\"type\": \"Microsoft.KeyVault/managedThings\", \"apiVersion\": \"2023-07-01\", \"name\": \"s\"}"),
            "InvalidTemplateDeployment",
            "is not valid according to the validation procedure",
        ),
    ];
    for (template, code, words) in cases {
        for (method, rest) in [(Method::PUT, ""), (Method::POST, "/validate")] {
            let (status, found, message) =
                refused(send(&me, method, &path("d", rest), pasted(&template, &json!({}))).await).await;
            assert_eq!((status, found.as_str()), (400, code), "{template}: {message}");
            assert!(message.contains(words), "{template}\n{message}\n{words}");
        }
    }
    let violation =
        send(&me, Method::PUT, &path("d", ""), pasted(&bad(", \"tags\": {\"x\": \"[foo()]\"}"), &json!({}))).await;
    let violation: Value = violation.json().await.unwrap();
    assert_eq!(
        violation["error"]["additionalInfo"][0]["info"],
        json!({"lineNumber": 4, "linePosition": 5, "path": "properties.template.resources[1]"})
    );
    let large = pasted(&format!("{{\"resources\": [], \"x\": \"{}\"}}", "x".repeat(5_000_000)), &json!({}));
    let (status, code, _) = refused(send(&me, Method::PUT, &path("d", ""), large).await).await;
    assert_eq!((status, code.as_str()), (413, "RequestContentTooLarge"));
    // Nearly as large as it may be, and all of it to be looked at.
    let many = format!(
        "{{\"resources\": [], \"variables\": {{\"x\": [{}0]}}}}",
        "{\"a\": \"[concat('a', 'b')]\"},".repeat(120_000)
    );
    let began = std::time::Instant::now();
    let _ = send(&me, Method::POST, &path("d", "/validate"), pasted(&many, &json!({}))).await;
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    let (status, code, _) = refused(send(&me, Method::GET, &path("d", ""), String::new()).await).await;
    assert_eq!((status, code.as_str()), (404, "DeploymentNotFound"));
    assert!(resources(&me).await.is_empty());
}

#[tokio::test]
async fn no_guid_comes_twice() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let template = json!({
        "parameters": {"all": {"type": "array", "defaultValue": vec!["[newGuid()]"; 200]}},
        "resources": [],
        "outputs": {"all": {"type": "array", "value": "[parameters('all')]"}},
    });
    let shown = deployed(&me, "guids", &template, &json!({})).await;
    let all = shown["properties"]["outputs"]["all"]["value"].as_array().unwrap();
    let different: std::collections::BTreeSet<&str> = all.iter().map(|guid| guid.as_str().unwrap()).collect();
    assert_eq!((all.len(), different.len()), (200, 200));
}

#[tokio::test]
async fn a_failure_names_the_resource_and_stops_what_waits_for_it() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let registry = json!({
        "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": "x", "location": "eastus", "sku": {"name": "Premium"},
    });
    let mut after = identity("after");
    after["dependsOn"] = json!(["x"]);
    let template = json!({"resources": [registry, identity("beside"), after]});
    let (outcome, shown) = deploy(&me, "d", pasted(&template.to_string(), &json!({}))).await;
    let error = &outcome["error"];
    assert_eq!(error["code"], "DeploymentFailed");
    assert_eq!(error["details"][0]["target"], json!(registry_path("x")));
    assert_eq!(error["details"][0]["code"], "InvalidResourceName", "{outcome}");
    assert_eq!(shown["properties"]["error"], *error);
    assert_eq!(resources(&me).await, ["beside"]);
    let operations = good(me.arm_at(API, Method::GET, &path("d", "/operations"), Value::Null).await).await;
    let failed =
        operations["value"].as_array().unwrap().iter().find(|o| o["properties"]["provisioningState"] == "Failed");
    assert_eq!(failed.unwrap()["properties"]["targetResource"]["resourceName"], "x");

    // A template within a template passes its failure on.
    let inner = json!({
        "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner",
        "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": template},
    });
    let (outcome, _) = deploy(&me, "outer", pasted(&json!({"resources": [inner]}).to_string(), &json!({}))).await;
    let detail = &outcome["error"]["details"][0];
    assert_eq!(detail["code"], "ResourceDeploymentFailure");
    assert_eq!(detail["details"][0]["details"][0]["target"], json!(registry_path("x")));
    let (status, code, _) = refused(me.arm_at(API, Method::POST, &path("outer", "/cancel"), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (409, "DeploymentCannotBeCancelled"));
}

#[tokio::test]
async fn a_deployment_may_no_more_than_its_caller() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let other = world.somebody("other").await;
    let template = json!({"resources": [identity("wanted")]}).to_string();
    let (status, code, _) =
        refused(send(&other, Method::PUT, &path("d", ""), pasted(&template, &json!({}))).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    // Key Vault Crypto Officer: may deploy, may not make identities.
    me.assign(&group_path(""), "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", &other.object_id).await;
    let (outcome, _) = deploy(&other, "d", pasted(&template, &json!({}))).await;
    assert_eq!(outcome["error"]["details"][0]["code"], "AuthorizationFailed");
    assert!(resources(&me).await.is_empty());
}

#[tokio::test]
async fn complete_mode_and_what_may_be_seen() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    for name in ["kept", "surplus"] {
        me.make_identity(name).await;
    }
    let template =
        json!({"parameters": {"secret": {"type": "secureString"}}, "resources": [identity("kept")]}).to_string();
    let parameters = json!({"secret": {"value": "hidden"}});
    let complete = pasted(&template, &parameters).replace("Incremental", "Complete");
    assert!(changes(&me, complete.clone()).await.contains(&("Delete".into(), "surplus".into())));
    assert!(changes(&me, pasted(&template, &parameters)).await.contains(&("Ignore".into(), "surplus".into())));
    let (_, shown) = deploy(&me, "d", complete).await;
    assert_eq!(resources(&me).await, ["kept"]);
    assert!(!shown.to_string().contains("hidden"));
    let list =
        good(me.arm_at(API, Method::GET, &group_path("/providers/Microsoft.Resources/deployments"), Value::Null).await)
            .await;
    assert_eq!(list["value"][0]["name"], "d");
    let exported = good(me.arm_at(API, Method::POST, &path("d", "/exportTemplate"), Value::Null).await).await;
    assert_eq!(exported["template"]["resources"][0]["name"], "kept");
    assert_eq!(me.arm_at(API, Method::HEAD, &path("d", ""), Value::Null).await.status(), 204);
    assert_eq!(me.arm_at(API, Method::DELETE, &path("d", ""), Value::Null).await.status(), 202);
    assert_eq!(me.arm_at(API, Method::HEAD, &path("d", ""), Value::Null).await.status(), 404);
}

#[tokio::test]
async fn templates_within_templates_and_what_bicep_writes() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_identity("there").await;
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "languageVersion": "2.0",
        "contentVersion": "1.0.0.0",
        "definitions": {"name": {"type": "string", "minLength": 3}},
        "parameters": {"prefix": {"$ref": "#/definitions/name"}, "none": {"type": "string", "nullable": true}},
        "variables": {"$fxv#0": "x"},
        "resources": {
            "old": {"existing": true, "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "there"},
            "many": {
                "copy": {"name": "many", "count": 2, "mode": "serial"}, "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
                "apiVersion": "2023-01-31", "name": "[format('{0}-{1}', parameters('prefix'), copyIndex())]", "location": "eastus",
            },
            "module": {
                "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "module",
                "properties": {
                    "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                    "parameters": {"tag": {"value": "[reference('old').clientId]"}},
                    "template": {
                        "parameters": {"tag": {"type": "string"}},
                        "resources": [{
                            "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "inner-id",
                            "location": "eastus", "tags": {"of": "[parameters('tag')]", "literal": "[[not an expression]"},
                        }],
                        "outputs": {"id": {"type": "string", "value": "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'inner-id')]"}},
                    },
                },
                "dependsOn": ["many", "old"],
            },
            "outer": {
                "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "outer",
                "properties": {"mode": "Incremental", "template": {"resources": [{
                    "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31",
                    "name": "[concat(parameters('prefix'), '-outer')]", "location": "eastus",
                }]}},
            },
        },
        "outputs": {
            "inner": {"type": "string", "value": "[reference('module').outputs.id.value]"},
            "second": {"type": "string", "value": "[reference('many[1]').clientId]"},
            "all": {"type": "array", "copy": {"count": 2, "input": "[format('{0}', copyIndex())]"}},
            "unwanted": {"condition": "[equals(parameters('none'), 'x')]", "type": "string", "value": "[fail('no')]"},
        },
    });
    let shown = deployed(&me, "bicep", &template, &json!({"prefix": {"value": "abc"}})).await;
    let outputs = &shown["properties"]["outputs"];
    assert_eq!(outputs["inner"]["value"], json!(identity_path("inner-id")));
    assert_eq!(outputs["all"], json!({"type": "Array", "value": ["0", "1"]}));
    assert!(outputs["unwanted"].is_null());
    let read = async |name: &str| me.arm(Method::GET, &identity_path(name), Value::Null).await;
    let (there, inner) = (identity_path("there"), good(read("inner-id").await).await);
    let there = good(me.arm(Method::GET, &there, Value::Null).await).await;
    assert_eq!(inner["tags"], json!({"of": there["properties"]["clientId"], "literal": "[not an expression]"}));
    let second = good(read("abc-1").await).await;
    assert_eq!(outputs["second"]["value"], second["properties"]["clientId"]);
    good(read("abc-outer").await).await;
}

#[tokio::test]
async fn a_deployment_under_way_is_not_replaced() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let inner = json!({"$schema": "x", "contentVersion": "1.0.0.0", "resources": []});
    let nested = json!({
        "type": "Microsoft.Resources/deployments", "apiVersion": API, "name": "outer",
        "properties": {"mode": "Incremental", "template": inner},
    });
    let template = json!({"$schema": "x", "contentVersion": "1.0.0.0", "resources": [nested]});
    let (outcome, shown) = deploy(&me, "outer", pasted(&template.to_string(), &json!({}))).await;
    assert_eq!(outcome["status"], "Failed");
    let why = &shown["properties"]["error"]["details"][0];
    assert_eq!(why["code"], "DeploymentActive");
    let said = why["message"].as_str().unwrap();
    assert!(said.starts_with("Unable to edit or replace deployment 'outer': previous deployment from '"), "{said}");
    // It has ended.
    deployed(&me, "outer", &inner, &json!({})).await;
}

#[tokio::test]
async fn deployments_to_the_subscription() {
    let world = World::new();
    let me = world.developer().await;
    let template = json!({
        "resources": [
            {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": GROUP, "location": "[deployment().location]"},
            {
                "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "in-group", "resourceGroup": GROUP,
                "dependsOn": [GROUP],
                "properties": {
                    "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                    "template": {"resources": [identity("in-group-id")]},
                },
            },
        ],
    });
    let scope = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/whole");
    let body = pasted(&template.to_string(), &json!({}));
    let (status, code, _) = refused(send(&me, Method::PUT, &scope, body.clone()).await).await;
    assert_eq!((status, code.as_str()), (400, "LocationRequired"));
    let body = body.replacen('{', "{\"location\": \"westeurope\", ", 1);
    assert_eq!(send(&me, Method::PUT, &scope, body).await.status(), 201);
    let shown = good(me.arm_at(API, Method::GET, &scope, Value::Null).await).await;
    assert_eq!(shown["properties"]["provisioningState"], "Succeeded", "{shown}");
    assert_eq!(shown["location"], "westeurope");
    assert_eq!(resources(&me).await, ["in-group-id"]);
}

/// An OCI layout of one layer.
fn layout(layer: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let keep = |bytes: &[u8]| {
        let digest = digest(bytes);
        std::fs::write(blobs.join(digest.strip_prefix("sha256:").unwrap()), bytes).unwrap();
        digest
    };
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": keep(config), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": keep(layer), "size": layer.len()}],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": MANIFEST, "digest": keep(&manifest), "size": manifest.len()}]});
    std::fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    folder
}

#[tokio::test]
async fn fixtures_are_there_before_the_instance_is_announced() {
    let layer = vec![7u8; 9_000_000];
    let image = layout(&layer);
    let pushed = format!("acritecmk/team/app:v1={}", image.path().display());
    let files: Vec<String> = ["cmk", "revoked", "firewalled"]
        .iter()
        .map(|f| root(&format!("fixtures/{f}.json")).display().to_string())
        .collect();
    let world = World::with(&[
        "--template",
        &files[0],
        "--template",
        &files[1],
        "--template",
        &files[2],
        "--group",
        GROUP,
        "--image",
        &pushed,
    ]);
    let status = world.status().await;
    let state = |name: &str| {
        let registry = status["registries"].as_array().unwrap().iter().find(|r| r["name"] == name).unwrap();
        assert_eq!(registry["encryption"], "customer-managed");
        registry["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("acritecmk"), "open");
    assert_eq!(state("acriterevoked"), "locked");
    assert_eq!(state("acritefirewalled"), "open");
    let me = world.developer().await;
    assert_eq!(me.encryption("acritefirewalled").await["identity"], "system");
    let closed = me.vault(Method::GET, "acrite-firewalled", "keys", Value::Null).await;
    assert_eq!(closed.status(), 403);
    let docker = me.sign_in("acritecmk", "team/app").await;
    let (_, pulled) = docker.pull_image("v1").await.unwrap_or_else(|r| panic!("{}", r.status()));
    assert!(pulled == layer);
    // Each can be deployed again, and the one that is ready to use shows no change.
    for name in ["cmk", "revoked", "firewalled", "georeplicated"] {
        let template = std::fs::read_to_string(root(&format!("fixtures/{name}.json"))).unwrap();
        let (outcome, _) = deploy(&me, name, pasted(&template, &json!({}))).await;
        assert_eq!(outcome, json!({"status": "Succeeded"}), "{name}");
    }
    let template = std::fs::read_to_string(root("fixtures/cmk.json")).unwrap();
    let kinds = changes(&me, pasted(&template, &json!({}))).await;
    assert!(kinds.iter().all(|(kind, _)| kind == "NoChange" || kind == "Ignore"), "{kinds:?}");
}

#[test]
fn a_seed_that_fails_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = home.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let wrong = write(
        "wrong.json",
        "{\n  \"resources\": [\n    {\"type\": \"A.B/cs\", \"apiVersion\": \"1\", \"name\": \"[foo()]\"}\n  ]\n}",
    );
    let needy = write("needy.json", "{\"parameters\": {\"p\": {\"type\": \"string\"}}, \"resources\": []}");
    let index = write("index.json", "{\"schemaVersion\": 2, \"manifests\": []}");
    let given = write("given.json", "{\"$schema\": \"x\", \"parameters\": {\"p\": {\"value\": \"x\"}}}");
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_acrite"))
            .args(["exec", "--offline"])
            .args(arguments)
            .args(["--", "true"])
            .current_dir(home.path())
            .output()
            .unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, said) = run(&["--template", &wrong]);
    assert_eq!(code, 1);
    assert!(said.contains("at line '3' and column '5'") && said.contains("correct the template"), "{said}");
    let (code, said) = run(&["--template", &needy]);
    assert!(code == 1 && said.contains("'p'"), "{said}");
    assert_eq!(run(&["--template", &needy, "--parameters", &given]), (0, String::new()));
    let (code, said) = run(&["--template", &index]);
    assert!(code == 1 && said.contains("Required property 'resources' not found"), "{said}");
    let (code, said) = run(&["--template", "nowhere.json"]);
    assert!(code == 1 && said.contains("cannot be read"), "{said}");
    let (code, said) = run(&["--image", "none/app:v1=nowhere"]);
    assert!(code == 1 && said.contains("skopeo copy"), "{said}");
    let content = layout(b"a layer");
    let path = content.path().display();
    let (code, said) = run(&["--image", &format!("none1/app:v1={path}")]);
    assert!(code == 1 && said.contains("make the registry first") && !said.contains("OCI layout"), "{said}");
    let revoked = root("fixtures/revoked.json").display().to_string();
    let image = format!("acriterevoked/app:v1={path}");
    let (code, said) = run(&["--template", &revoked, "--image", &image]);
    assert!(code == 1 && said.contains("the registry is locked: ") && !said.contains("OCI layout"), "{said}");
    assert_eq!(run(&["--image", "nonsense"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_deployment_is_deployed_again_where_one_fails() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let path = |name: &str| group_path(&format!("/providers/Microsoft.Resources/deployments/{name}"));
    let identity = |tag: &str, kind: &str| json!([{"type": kind, "apiVersion": "2023-01-31", "name": "id1", "location": "eastus", "tags": {"state": tag}}]);
    let body = |resources: Value, on_error: Value| {
        json!({"properties": {"mode": "Incremental", "onErrorDeployment": on_error, "parameters": {"Tag": {"value": "first"}}, "template": {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0", "parameters": {"Tag": {"type": "string"}}, "resources": resources,
        }}})
    };
    let good_ones = identity("[parameters('Tag')]", "Microsoft.ManagedIdentity/userAssignedIdentities");
    let bad = json!([
        identity("second", "Microsoft.ManagedIdentity/userAssignedIdentities")[0],
        {"type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": "x", "location": "eastus",
         "sku": {"name": "Basic"}, "dependsOn": ["id1"]},
    ]);
    let last = json!({"type": "LastSuccessful"});
    // Nothing to go back to, and what makes no sense.
    let refusals = [
        (last.clone(), 404),
        (json!({"type": "SpecificDeployment", "deploymentName": "none"}), 404),
        (json!({"type": "SpecificDeployment"}), 400),
        (json!({"type": "Perhaps"}), 400),
    ];
    for (on_error, expected) in refusals {
        let answer = me.arm(Method::PUT, &path("two"), body(bad.clone(), on_error.clone())).await;
        assert_eq!(refused(answer).await.0, expected, "{on_error}");
        assert_eq!(refused(me.arm(Method::GET, &path("two"), Value::Null).await).await.0, 404);
    }
    good(me.arm(Method::PUT, &path("one"), body(good_ones, Value::Null)).await).await;
    // It is no earlier one of its own.
    for (on_error, expected) in
        [(last.clone(), 404), (json!({"type": "SpecificDeployment", "deploymentName": "ONE"}), 404)]
    {
        assert_eq!(refused(me.arm(Method::PUT, &path("one"), body(bad.clone(), on_error)).await).await.0, expected);
    }
    for on_error in [last, json!({"type": "SpecificDeployment", "deploymentName": "one"})] {
        let kind = on_error["type"].clone();
        let accepted = good(me.arm(Method::PUT, &path("two"), body(bad.clone(), on_error)).await).await;
        assert_eq!(accepted["properties"]["onErrorDeployment"], json!({"type": kind, "deploymentName": "one"}));
        let shown = good(me.arm(Method::GET, &path("two"), Value::Null).await).await["properties"].clone();
        assert_eq!(shown["provisioningState"], "Failed");
        let done = json!({"type": kind, "deploymentName": "one", "provisioningState": "Succeeded"});
        assert_eq!(shown["onErrorDeployment"], done);
        let tags = good(me.arm(Method::GET, &identity_path("id1"), Value::Null).await).await["tags"].clone();
        assert_eq!(tags, json!({"state": "first"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_waits_for_its_siblings_by_their_own_names() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let map = |name: &str, more: Value| {
        let mut map = json!({"type": "scopeMaps", "apiVersion": "2023-07-01", "name": name, "properties": {"actions": ["repositories/a/content/read"]}});
        map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        map
    };
    let template = |waits: &str| {
        json!({"properties": {"mode": "Incremental", "template": {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "resources": [{
                "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": "reg01", "location": "eastus",
                "sku": {"name": "Premium"}, "resources": [
                    map("mapone1", json!({"dependsOn": ["reg01"]})),
                    map("maptwo2", json!({"dependsOn": ["reg01", waits]})),
                ],
            }],
        }}})
    };
    let path = group_path("/providers/Microsoft.Resources/deployments/d");
    good(me.arm(Method::PUT, &path, template("mapone1")).await).await;
    let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
    assert_eq!(shown["properties"]["provisioningState"], "Succeeded", "{shown}");
    let (status, code, _) = refused(me.arm(Method::PUT, &path, template("mapnone")).await).await;
    assert_eq!((status, code.as_str()), (400, "InvalidTemplate"));
}

/// It takes milliseconds; who wants to see it asks for a fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_deployment_is_seen_running_and_can_be_cancelled() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let fault =
        json!({"service": "arm", "operation": "Microsoft.ContainerRegistry/registries/write", "latency": 3600.0});
    crate::faults::control(&world, Method::POST, "faults", fault).await;
    let path = group_path("/providers/Microsoft.Resources/deployments/slow");
    let body = json!({"properties": {"mode": "Incremental", "template": {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": [{
            "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": "reg01", "location": "eastus",
            "sku": {"name": "Basic"},
        }],
    }}});
    let cancel = format!("{path}/cancel");
    let deployed = me.arm(Method::PUT, &path, body.clone());
    let cancelled = async {
        // Until it is there.
        loop {
            let answer = me.arm(Method::GET, &path, Value::Null).await;
            if answer.status() == 200 {
                assert_eq!(good(answer).await["properties"]["provisioningState"], "Running");
                break;
            }
        }
        assert_eq!(refused(me.arm(Method::PUT, &path, body.clone()).await).await.1, "DeploymentActive");
        assert_eq!(me.arm(Method::POST, &cancel, Value::Null).await.status(), 204);
    };
    let (deployed, ()) = tokio::join!(deployed, cancelled);
    assert_eq!(deployed.status(), 201);
    let poll = deployed.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
    let poll = poll.strip_prefix("https://management.azure.com").unwrap().split('?').next().unwrap().to_owned();
    assert_eq!(good(me.arm(Method::GET, &poll, Value::Null).await).await["status"], "Canceled");
    let shown = good(me.arm(Method::GET, &path, Value::Null).await).await;
    assert_eq!(shown["properties"]["provisioningState"], "Canceled");
    assert_eq!(refused(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await.0, 404);
    assert_eq!(refused(me.arm(Method::POST, &cancel, Value::Null).await).await.1, "DeploymentCannotBeCancelled");
}
