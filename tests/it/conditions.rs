//! Role assignments with conditions: the registry's repositories, delegation with limits, vaults.

use acrite::domain::world::well_known::SUBSCRIPTION_ID;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::acr_control::accepted;
use crate::harness::{ACCEPTED, Person, World, good, group_path, refused, registry_path, vault_path};
use crate::registry::{claims, token};

const REPOSITORY_READER: &str = "b93aa761-3e63-49ed-ac28-beffa264f7ac";
const REPOSITORY_CONTRIBUTOR: &str = "2efddaa5-3f1f-4df3-97df-af3f13818f4c";
const CATALOG_LISTER: &str = "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7";
const RBAC_ADMINISTRATOR: &str = "f58310d9-a9f6-439a-9e8d-f62e7b41a168";
const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const CRYPTO_USER: &str = "12338af0-0e69-4776-bea7-57ae8d297424";

/// Actions of repositories, below `Microsoft.ContainerRegistry/registries/repositories/`.
const ALL: [&str; 5] = ["content/read", "content/write", "content/delete", "metadata/read", "metadata/write"];

/// The condition that Azure's portal writes: these actions only where the name of the repository is so.
fn only(actions: &[&str], test: &str) -> String {
    let not = |a: &&str| format!("!(ActionMatches{{'Microsoft.ContainerRegistry/registries/repositories/{a}'}})");
    let actions: Vec<String> = actions.iter().map(not).collect();
    let attribute = "@Request[Microsoft.ContainerRegistry/registries/repositories:name]";
    format!("(\n (\n  {}\n )\n OR \n (\n  {attribute} {test}\n )\n)", actions.join("\n  AND\n  "))
}

/// Puts an assignment, new or again.
async fn put(
    me: &Person<'_>,
    scope: &str,
    name: uuid::Uuid,
    role: &str,
    principal: &str,
    more: Value,
) -> reqwest::Response {
    let definition =
        format!("/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let mut properties =
        json!({"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"});
    properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    me.arm(Method::PUT, &path, json!({"properties": properties})).await
}

async fn assign_if(me: &Person<'_>, scope: &str, role: &str, principal: &str, condition: &str) -> Value {
    let more = json!({"condition": condition, "conditionVersion": "2.0"});
    good(put(me, scope, uuid::Uuid::new_v4(), role, principal, more).await).await
}

/// A registry with rights per repository, and things in it.
async fn start(world: &World) -> Person<'_> {
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    for repository in ["team-a/app", "team-b/app", "shared"] {
        me.sign_in("reg01", repository).await.push_image("v1", b"layer").await.unwrap();
    }
    let body = json!({"properties": {"roleAssignmentMode": "AbacRepositoryPermissions"}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), body).await).await;
    me
}

/// What a token for everything holds in each of these scopes.
async fn held(person: &Person<'_>, names: &[&str]) -> Value {
    let all = "pull,push,delete,metadata_read,metadata_write";
    let mut held = json!({});
    for name in names {
        let got = claims(&token(person, &format!("repository:{name}:{all}")).await);
        held[name] = got["access"].get(0).map_or(json!([]), |s| s["actions"].clone());
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_narrow_what_a_role_is_worth_in_each_repository() {
    let world = World::new();
    let me = start(&world).await;
    let registry = registry_path("reg01");
    let person = world.somebody("team a").await;
    let starts = only(&ALL, "StringStartsWithIgnoreCase 'team-a/'");
    let made = assign_if(&me, &registry, REPOSITORY_CONTRIBUTOR, &person.object_id, &starts).await;
    assert_eq!(made["properties"]["condition"], starts);
    assert_eq!(made["properties"]["conditionVersion"], "2.0");
    let everything = json!(["delete", "metadata_read", "metadata_write", "pull", "push"]);
    let wanted =
        json!({"team-a/app": everything, "team-a/new": everything, "team-b/app": [], "shared": [], "team-a": []});
    assert_eq!(held(&person, &["team-a/app", "team-a/new", "team-b/app", "shared", "team-a"]).await, wanted);

    // Another assignment adds to it: roles are a union, each with its own condition.
    let shared = only(&["content/read"], "StringEquals 'shared'");
    assign_if(&me, &registry, REPOSITORY_READER, &person.object_id, &shared).await;
    let wanted = json!({"shared": ["metadata_read", "pull"], "team-b/app": ["metadata_read"]});
    assert_eq!(held(&person, &["shared", "team-b/app"]).await, wanted, "the second leaves metadata alone");

    // By real requests: with the token of a scope, and with the refresh token itself, as docker's password.
    let own = person.sign_in("reg01", "team-a/app").await;
    own.push_image("v2", b"another layer").await.unwrap();
    assert_eq!(own.pull_image("v2").await.unwrap().1, b"another layer");
    let other = person.sign_in("reg01", "team-b/app").await;
    assert_eq!(other.pull_image("v1").await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(other.push_image("v2", b"x").await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    let server = "https://reg01.azurecr.io";
    let entra = person.token("https://containerregistry.azure.net").await;
    let form = [("grant_type", "access_token"), ("service", "reg01.azurecr.io"), ("access_token", &entra)];
    let answer = world.http().post(format!("{server}/oauth2/exchange")).form(&form).send().await.unwrap();
    let refresh = good(answer).await["refresh_token"].as_str().unwrap().to_owned();
    let user = "00000000-0000-0000-0000-000000000000";
    let direct = async |path: &str| {
        let call = world.http().get(format!("{server}{path}")).basic_auth(user, Some(&refresh));
        let sent = call.header("accept", ACCEPTED).send().await.unwrap();
        sent.status().as_u16()
    };
    assert_eq!(direct("/v2/team-a/app/manifests/v1").await, 200);
    assert_eq!(direct("/v2/team-b/app/manifests/v1").await, 401);
    assert_eq!(direct("/acr/v1/team-b/app/_tags").await, 200);
    assert_eq!(direct("/v2/team-a/app/manifests/v1").await, 200, "as remembered");

    // The catalog is a right of its own.
    assert_eq!(direct("/v2/_catalog").await, 401);
    me.assign(&registry, CATALOG_LISTER, &person.object_id).await;
    assert_eq!(direct("/v2/_catalog").await, 200);

    // The condition changed: the next token knows.
    let name = made["name"].as_str().unwrap().parse().unwrap();
    let more = json!({"condition": only(&ALL, "StringLike 'team-?/a*'"), "conditionVersion": "2.0"});
    let changed = put(&me, &registry, name, REPOSITORY_CONTRIBUTOR, &person.object_id, more).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let wanted = json!({"team-a/app": everything, "team-b/app": everything, "team-a/new": ["metadata_read"]});
    assert_eq!(held(&person, &["team-a/app", "team-b/app", "team-a/new"]).await, wanted);
    assert_eq!(direct("/v2/team-b/app/manifests/v1").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_reads_what_its_caller_could_pull() {
    let world = World::new();
    let me = start(&world).await;
    let source = registry_path("reg01");
    good(
        me.arm(Method::PUT, &registry_path("target01"), json!({"location": "eastus", "sku": {"name": "Premium"}}))
            .await,
    )
    .await;
    let import = format!("{}/importImage", registry_path("target01"));
    let from = |image: &str| json!({"source": {"resourceId": source, "sourceImage": image}, "targetTags": [image]});
    let person = world.somebody("team a").await;
    me.assign(&registry_path("target01"), CONTRIBUTOR, &person.object_id).await;
    let starts = only(&ALL, "StringStartsWithIgnoreCase 'team-a/'");
    assign_if(&me, &source, REPOSITORY_READER, &person.object_id, &starts).await;
    assert_eq!(accepted(&person, Method::POST, &import, from("team-a/app:v1")).await.status(), 200);
    let (status, code, message) = refused(accepted(&person, Method::POST, &import, from("team-b/app:v1")).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    assert!(message.contains("'Microsoft.ContainerRegistry/registries/repositories/content/read'"), "{message}");
    // Roles of resource management give no content where rights are per repository, an owner's neither.
    me.assign(&source, CONTRIBUTOR, &person.object_id).await;
    for who in [&person, &me] {
        assert_eq!(accepted(who, Method::POST, &import, from("shared:v1")).await.status(), 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_asks_for_what_is_not_known_gives_nothing() {
    let world = World::with(&["--clock", "2026-03-01T00:00:00Z,frozen"]);
    let me = start(&world).await;
    let registry = registry_path("reg01");
    let person = world.somebody("somebody").await;
    let secret = "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:team_name] StringEquals 'a'";
    assign_if(&me, &registry, REPOSITORY_READER, &person.object_id, secret).await;
    assert_eq!(held(&person, &["shared"]).await, json!({"shared": []}));

    // The emulator's clock is Azure's.
    let until = "@Environment[UtcNow] DateTimeLessThan '2026-03-02T00:00:00Z'";
    let guest = world.somebody("guest").await;
    assign_if(&me, &registry, REPOSITORY_READER, &guest.object_id, until).await;
    assert_eq!(held(&guest, &["shared"]).await, json!({"shared": ["metadata_read", "pull"]}));
    world.advance(86_400).await;
    assert_eq!(held(&guest, &["shared"]).await, json!({"shared": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_cannot_be_read_are_refused() {
    let world = World::new();
    let me = start(&world).await;
    let scope = registry_path("reg01");
    let person = world.somebody("somebody").await;
    let good_one = only(&ALL, "StringEquals 'shared'");
    for more in [
        json!({"condition": "@Request[x] StringIs 'y'", "conditionVersion": "2.0"}),
        json!({"condition": &good_one[1..], "conditionVersion": "2.0"}),
        json!({"condition": good_one, "conditionVersion": "1.0"}),
        json!({"condition": {"not": "text"}, "conditionVersion": "2.0"}),
    ] {
        let answer = put(&me, &scope, uuid::Uuid::new_v4(), REPOSITORY_READER, &person.object_id, more.clone()).await;
        let (status, code, message) = refused(answer).await;
        assert_eq!((status, code.as_str()), (400, "InvalidRoleAssignmentCondition"), "{more}");
        assert_eq!(message, "The given role assignment condition is invalid.", "{more}");
    }
    let path = format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{}'",
        person.object_id
    );
    assert_eq!(good(me.arm(Method::GET, &path, Value::Null).await).await["value"], json!([]));
    let more = json!({"condition": good_one});
    let made = put(&me, &scope, uuid::Uuid::new_v4(), REPOSITORY_READER, &person.object_id, more).await;
    assert_eq!(good(made).await["properties"]["conditionVersion"], "2.0", "as if it had been sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_set_limits_to_who_may_give_which_role() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let delegate = world.somebody("delegate").await;
    let other = world.somebody("other").await;
    // As Microsoft's examples of delegation have it.
    let attribute = "Microsoft.Authorization/roleAssignments:RoleDefinitionId";
    let action = "Microsoft.Authorization/roleAssignments";
    let condition = format!(
        "((!(ActionMatches{{'{action}/write'}})) OR (@Request[{attribute}] ForAnyOfAnyValues:GuidEquals {{{ACR_PULL}}})) AND ((!(ActionMatches{{'{action}/delete'}})) OR (@Resource[{attribute}] ForAnyOfAnyValues:GuidEquals {{{ACR_PULL}}}))"
    );
    assign_if(&me, &group_path(""), RBAC_ADMINISTRATOR, &delegate.object_id, &condition).await;
    let scope = group_path("");
    let one = uuid::Uuid::new_v4();
    let given = put(&delegate, &scope, one, ACR_PULL, &other.object_id, json!({})).await;
    assert_eq!(given.status(), StatusCode::CREATED);
    for who in [&other.object_id, &delegate.object_id] {
        let answer = put(&delegate, &scope, uuid::Uuid::new_v4(), OWNER, who, json!({})).await;
        let (status, code, _) = refused(answer).await;
        assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    }
    let owners = me.assign(&scope, OWNER, &other.object_id).await;
    let (status, code, _) = refused(delegate.arm(Method::DELETE, &owners, Value::Null).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    let own = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{one}");
    assert_eq!(delegate.arm(Method::DELETE, &own, Value::Null).await.status(), StatusCode::OK);
    // What a condition is told of the principal has to be true.
    let lie = json!({"principalType": "User"});
    let (status, code, message) =
        refused(put(&me, &scope, uuid::Uuid::new_v4(), ACR_PULL, &other.object_id, lie).await).await;
    assert_eq!((status, code.as_str()), (400, "UnmatchedPrincipalType"));
    assert!(message.contains("has type 'ServicePrincipal'"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_count_in_vaults_too() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("conditions-v", true).await;
    me.make_key("conditions-v", "key").await;
    let person = world.somebody("wrapper").await;
    let read =
        "!(ActionMatches{'Microsoft.KeyVault/vaults/keys/wrap/action'}) OR @Request[nothing:known] StringEquals 'x'";
    assign_if(&me, &vault_path("conditions-v"), CRYPTO_USER, &person.object_id, read).await;
    let body = json!({"alg": "RSA-OAEP-256", "value": "AAAA"});
    let encrypted = person.vault(Method::POST, "conditions-v", "keys/key/encrypt", body.clone()).await;
    assert_eq!(encrypted.status(), StatusCode::OK);
    let (status, code, message) =
        refused(person.vault(Method::POST, "conditions-v", "keys/key/wrapkey", body).await).await;
    assert_eq!((status, code.as_str()), (403, "Forbidden"), "{message}");
}
