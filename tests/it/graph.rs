//! Microsoft Graph, as az and Terraform meet it on the wire.

use acrite::domain::world::well_known::DEVELOPER_CLIENT_ID;
use acrite::domain::world::well_known::DEVELOPER_NAME;
use acrite::domain::world::well_known::DEVELOPER_OBJECT_ID;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Person, SUBSCRIPTION, World, good, refused};

async fn get(person: &Person<'_>, path: &str) -> Value {
    good(person.graph(Method::GET, path, Value::Null).await).await
}

async fn post(person: &Person<'_>, path: &str, body: Value) -> Value {
    good(person.graph(Method::POST, path, body).await).await
}

async fn delete(person: &Person<'_>, path: &str) -> Response {
    person.graph(Method::DELETE, path, Value::Null).await
}

fn ids(list: &Value) -> Vec<&str> {
    list["value"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap()).collect()
}

/// Whether a client id and secret sign in.
async fn signs_in(world: &World, client_id: &str, secret: &str) -> bool {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", secret),
        ("scope", "https://vault.azure.net/.default"),
    ];
    let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", crate::harness::TENANT);
    world.http().post(url).form(&form).send().await.unwrap().status().is_success()
}

#[tokio::test]
async fn az_finds_a_principal_by_application_id_or_by_object_id() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let (client, object) = developer.make_identity("one").await;
    let by_name = async |name: &str| {
        get(
            &developer,
            &format!("servicePrincipals?$filter=servicePrincipalNames%2Fany%28c%3Ac%20eq%20%27{name}%27%29"),
        )
        .await
    };
    let found = by_name(DEVELOPER_CLIENT_ID).await;
    assert_eq!(ids(&found), [DEVELOPER_OBJECT_ID]);
    assert_eq!(found["@odata.context"], "https://graph.microsoft.com/v1.0/$metadata#servicePrincipals");
    assert_eq!(found["value"][0]["displayName"], DEVELOPER_NAME);
    let managed = by_name(&client).await;
    assert_eq!(ids(&managed), [object.as_str()]);
    assert_eq!(managed["value"][0]["servicePrincipalType"], "ManagedIdentity");
    assert_eq!(managed["value"][0]["alternativeNames"][0], "isExplicit=True");
    // A managed identity's object id is none of its names: az then asks by id.
    assert_eq!(by_name(&object).await["value"], json!([]));
    let asked = json!({"ids": [object, "11111111-2222-3333-4444-555555555555"], "types": ["user", "group", "servicePrincipal", "directoryObjectPartnerReference"]});
    let found = post(&developer, "directoryObjects/getByIds", asked).await;
    assert_eq!(ids(&found), [object.as_str()]);
    assert_eq!(found["value"][0]["@odata.type"], "#microsoft.graph.servicePrincipal");
    assert_eq!(
        post(&developer, "directoryObjects/getByIds", json!({"ids": [object], "types": ["user"]})).await["value"],
        json!([])
    );
}

#[tokio::test]
async fn create_for_rbac_makes_a_client_that_signs_in_until_it_is_deleted() {
    let world = World::new();
    let developer = world.developer().await;
    // The calls of `az ad sp create-for-rbac -n NAME`, in order (keyvault.md E.3).
    assert_eq!(get(&developer, "servicePrincipals?$filter=displayName eq 'ci'").await["value"], json!([]));
    assert_eq!(get(&developer, "applications?$filter=startswith(displayName,'ci')").await["value"], json!([]));
    let app = post(&developer, "applications", json!({"displayName": "ci", "keyCredentials": []})).await;
    assert_eq!((&app["passwordCredentials"], &app["signInAudience"]), (&json!([]), &json!("AzureADMyOrg")));
    let (id, client) = (app["id"].as_str().unwrap(), app["appId"].as_str().unwrap());
    let asked = json!({"passwordCredential": {"displayName": "rbac", "startDateTime": "2020-01-01T00:00:00Z", "endDateTime": "2999-01-01T00:00:00Z"}});
    let password = post(&developer, &format!("applications/{id}/addPassword"), asked).await;
    let secret = password["secretText"].as_str().unwrap();
    assert_eq!((secret.len(), &secret[..3]), (40, password["hint"].as_str().unwrap()));
    assert!(!signs_in(&world, client, secret).await, "no service principal yet");
    let sp = post(&developer, "servicePrincipals", json!({"appId": client, "accountEnabled": true})).await;
    assert_eq!(sp["servicePrincipalNames"], json!([client]));
    assert!(signs_in(&world, client, secret).await);
    assert!(!signs_in(&world, client, "wrong").await);

    // Shown without the secret.
    let shown = get(&developer, &format!("applications/{id}")).await;
    assert_eq!(shown["passwordCredentials"][0]["displayName"], "rbac");
    assert_eq!(shown["passwordCredentials"][0]["secretText"], Value::Null);
    assert_eq!(shown["passwordCredentials"][0]["endDateTime"], "2999-01-01T00:00:00Z");

    let again = developer.graph(Method::POST, "servicePrincipals", json!({"appId": client})).await;
    assert_eq!(refused(again).await.0, 409);
    let missing = json!({"appId": "11111111-2222-3333-4444-555555555555"});
    let (status, _, message) = refused(developer.graph(Method::POST, "servicePrincipals", missing).await).await;
    assert!(status == 400 && message.contains(" does not reference "), "{message}");

    // A service principal's own secret; both go when they are removed.
    let sp_id = sp["id"].as_str().unwrap();
    let own = post(&developer, &format!("servicePrincipals/{sp_id}/addPassword"), json!({})).await;
    assert!(signs_in(&world, client, own["secretText"].as_str().unwrap()).await);
    assert_eq!(
        get(&developer, &format!("applications/{id}")).await["passwordCredentials"].as_array().unwrap().len(),
        1
    );
    let remove = json!({"keyId": password["keyId"]});
    post(&developer, &format!("applications/{id}/removePassword"), remove.clone()).await;
    assert!(!signs_in(&world, client, secret).await);
    let gone = developer.graph(Method::POST, &format!("applications/{id}/removePassword"), remove).await;
    assert_eq!(refused(gone).await.0, 400);

    // A disabled account does not sign in.
    let path = format!("servicePrincipals/{sp_id}");
    good(developer.graph(Method::PATCH, &path, json!({"accountEnabled": false})).await).await;
    assert!(!signs_in(&world, client, own["secretText"].as_str().unwrap()).await);
    good(developer.graph(Method::PATCH, &path, json!({"accountEnabled": true})).await).await;

    assert_eq!(delete(&developer, &format!("applications/{id}")).await.status().as_u16(), 204);
    assert!(!signs_in(&world, client, own["secretText"].as_str().unwrap()).await);
    assert_eq!(refused(developer.graph(Method::GET, &path, Value::Null).await).await.0, 404);
}

#[tokio::test]
async fn tokens_of_the_deleted_stop_working_at_once() {
    let world = World::new();
    let developer = world.developer().await;
    let somebody = world.somebody("leaver").await;
    get(&somebody, "servicePrincipals").await;
    assert_eq!(delete(&developer, &format!("servicePrincipals/{}", somebody.object_id)).await.status().as_u16(), 204);
    let (status, code, _) = refused(somebody.graph(Method::GET, "servicePrincipals", Value::Null).await).await;
    assert_eq!((status, code.as_str()), (401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn a_secret_expires_on_the_users_clock() {
    let world = World::new();
    let developer = world.developer().await;
    let somebody = world.somebody("old").await;
    assert!(signs_in(&world, &somebody.client_id, &somebody.secret).await);
    world.advance(3 * 366 * 86_400).await;
    assert!(!signs_in(&world, &somebody.client_id, &somebody.secret).await, "two years are over");
    assert!(signs_in(&world, &developer.client_id, &developer.secret).await, "the developer's never ends");
}

#[tokio::test]
async fn only_the_developer_changes_the_directory() {
    let world = World::new();
    let somebody = world.somebody("reader").await;
    get(&somebody, "applications").await;
    let asked = somebody.graph(Method::POST, "applications", json!({"displayName": "x"})).await;
    let (status, code, message) = refused(asked).await;
    assert_eq!((status, code.as_str()), (403, "Authorization_RequestDenied"));
    assert_eq!(message, "Insufficient privileges to complete the operation.");
    let developer = format!("servicePrincipals/{DEVELOPER_OBJECT_ID}");
    assert_eq!(delete(&somebody, &developer).await.status().as_u16(), 403);
}

#[tokio::test]
async fn what_clients_send_comes_back_and_names_follow() {
    let world = World::new();
    let developer = world.developer().await;
    let sent = json!({"displayName": "api", "identifierUris": ["api://one"], "web": {"redirectUris": ["https://a"]}, "api": {"requestedAccessTokenVersion": 2}, "tags": ["t"], "notes": "n"});
    let app = post(&developer, "applications", sent.clone()).await;
    for name in ["identifierUris", "tags", "notes"] {
        assert_eq!(app[name], sent[name], "{name}");
    }
    let (id, client) = (app["id"].as_str().unwrap(), app["appId"].as_str().unwrap());
    let sp = post(&developer, "servicePrincipals", json!({"appId": client})).await;
    assert_eq!(sp["servicePrincipalNames"], json!([client, "api://one"]), "[recorded]");
    let found = get(&developer, "servicePrincipals?$filter=servicePrincipalNames/any(c:c eq 'api://one')").await;
    assert_eq!(ids(&found), [sp["id"].as_str().unwrap()]);
    let found = get(&developer, "applications?$filter=identifierUris/any(s:s eq 'api://one')").await;
    assert_eq!(ids(&found), [id]);

    let change = json!({"displayName": "renamed", "web": {"homePageUrl": "https://b"}, "id": "ignored"});
    let changed = developer.graph(Method::PATCH, &format!("applications/{id}"), change).await;
    assert_eq!(changed.status().as_u16(), 204);
    let shown = get(&developer, &format!("applications/{id}")).await;
    assert_eq!((&shown["displayName"], &shown["id"]), (&json!("renamed"), &json!(id)));
    assert_eq!(
        (&shown["web"]["homePageUrl"], &shown["web"]["redirectUris"]),
        (&json!("https://b"), &json!(["https://a"]))
    );
    let sp = get(&developer, &format!("servicePrincipals(appId='{client}')")).await;
    assert_eq!(sp["displayName"], "renamed");

    let taken = json!({"displayName": "other", "identifierUris": ["api://one"]});
    let (status, _, message) = refused(developer.graph(Method::POST, "applications", taken).await).await;
    assert_eq!(
        (status, message.as_str()),
        (400, "Another object with the same value for property identifierUris already exists.")
    );
    // Owners.
    let owner =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{DEVELOPER_OBJECT_ID}")});
    let owners = format!("applications/{id}/owners");
    post(&developer, &format!("{owners}/$ref"), owner.clone()).await;
    assert_eq!(ids(&get(&developer, &owners).await), [DEVELOPER_OBJECT_ID]);
    let (status, _, message) = refused(developer.graph(Method::POST, &format!("{owners}/$ref"), owner).await).await;
    assert!(status == 400 && message.ends_with("already exist for the following modified properties: 'owners'."));
    assert_eq!(delete(&developer, &format!("{owners}/{DEVELOPER_OBJECT_ID}/$ref")).await.status().as_u16(), 204);
}

#[tokio::test]
async fn groups_hold_members_and_members_of_members() {
    let world = World::new();
    let developer = world.developer().await;
    let somebody = world.somebody("member").await;
    let asked = json!({"displayName": "g", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true});
    let inner = post(&developer, "groups", asked.clone()).await;
    let outer = post(&developer, "groups", json!({"displayName": "outer", "mailNickname": "o"})).await;
    let (inner, outer) = (inner["id"].as_str().unwrap(), outer["id"].as_str().unwrap());
    let found = get(&developer, "groups?$filter=displayName eq 'g' and mailNickname eq 'g'").await;
    assert_eq!(ids(&found), [inner]);
    let reference = |id: &str| json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}")});
    post(&developer, &format!("groups/{inner}/members/$ref"), reference(&somebody.object_id)).await;
    post(&developer, &format!("groups/{outer}/members/$ref"), reference(inner)).await;
    assert_eq!(ids(&get(&developer, &format!("groups/{inner}/members")).await), [somebody.object_id.as_str()]);
    let twice =
        developer.graph(Method::POST, &format!("groups/{inner}/members/$ref"), reference(&somebody.object_id)).await;
    assert_eq!(refused(twice).await.0, 400);
    let path = format!("directoryObjects/{}/checkMemberGroups", somebody.object_id);
    assert_eq!(post(&developer, &path, json!({"groupIds": [outer]})).await["value"], json!([outer]));

    // A role given to the outer group reaches the member.
    let vaults = crate::harness::group_path("/providers/Microsoft.KeyVault/vaults");
    developer.make_group().await;
    assert_eq!(somebody.arm(Method::GET, &vaults, Value::Null).await.status().as_u16(), 403);
    let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let (group, name) = (crate::harness::group_path(""), uuid::Uuid::new_v4());
    let role = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{reader}");
    let body = json!({"properties": {"roleDefinitionId": role, "principalId": outer, "principalType": "Group"}});
    let path = format!("{group}/providers/Microsoft.Authorization/roleAssignments/{name}");
    good(developer.arm(Method::PUT, &path, body).await).await;
    assert_eq!(somebody.arm(Method::GET, &vaults, Value::Null).await.status().as_u16(), 200);
    let member = format!("groups/{inner}/members/{}/$ref", somebody.object_id);
    assert_eq!(delete(&developer, &member).await.status().as_u16(), 204);
    assert_eq!(somebody.arm(Method::GET, &vaults, Value::Null).await.status().as_u16(), 403);
    assert_eq!(delete(&developer, &member).await.status().as_u16(), 404);
    assert_eq!(delete(&developer, &format!("groups/{outer}")).await.status().as_u16(), 204);
    assert_eq!(ids(&get(&developer, "groups").await), [inner]);
}

#[tokio::test]
async fn users_are_in_the_directory_though_nobody_signs_in_as_one() {
    let world = World::new();
    let developer = world.developer().await;
    assert_eq!(get(&developer, "users?$filter=userPrincipalName%20eq%20%27a%40b.c%27").await["value"], json!([]));
    let asked = json!({"displayName": "A", "userPrincipalName": "a@b.c", "mailNickname": "a", "accountEnabled": true, "passwordProfile": {"password": "only-here-1"}});
    let made = post(&developer, "users", asked.clone()).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(ids(&get(&developer, "users?$filter=userPrincipalName eq 'A@b.c'").await), [id]);
    let shown = get(&developer, "users/a@b.c").await;
    assert_eq!((&shown["id"], shown.get("accountEnabled")), (&json!(id), None));
    let shown = get(&developer, "users/a@b.c?$select=id,accountEnabled").await;
    assert_eq!(shown["accountEnabled"], true);
    assert!(!get(&developer, &format!("users/{id}?$select=passwordProfile")).await.to_string().contains("only-here-1"));
    assert_eq!(refused(developer.graph(Method::POST, "users", asked).await).await.0, 400);
    assert_eq!(delete(&developer, "users/a@b.c").await.status().as_u16(), 204);
    assert_eq!(delete(&developer, "users/a@b.c").await.status().as_u16(), 404);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new();
    let developer = world.developer().await;
    for n in 0..5 {
        post(&developer, "groups", json!({"displayName": format!("p{n}"), "mailNickname": "p"})).await;
    }
    let mut path = "groups?$filter=startswith(displayName,'p')&$top=2&$select=displayName&$count=true".to_owned();
    let mut names = Vec::new();
    let mut pages = 0;
    loop {
        let page = get(&developer, &path).await;
        pages += 1;
        assert_eq!(page["@odata.count"], 5);
        names.extend(page["value"].as_array().unwrap().iter().map(|g| g["displayName"].as_str().unwrap().to_owned()));
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        path = next.strip_prefix("https://graph.microsoft.com/v1.0/").unwrap().to_owned();
    }
    assert_eq!((pages, names), (3, (0..5).map(|n| format!("p{n}")).collect()));
}

#[tokio::test]
async fn every_wrong_call_is_refused_in_graphs_words() {
    let world = World::new();
    let developer = world.developer().await;
    let nobody = "11111111-2222-3333-4444-555555555555";
    let table: &[(Method, &str, Value, (u16, &str))] = &[
        (Method::GET, "me", Value::Null, (400, "BadRequest")),
        (Method::GET, "me/ownedObjects", Value::Null, (400, "BadRequest")),
        (Method::GET, "devices", Value::Null, (400, "BadRequest")),
        (Method::GET, "applications/a/b/c", Value::Null, (400, "BadRequest")),
        (Method::PUT, "applications", json!({}), (405, "Request_BadRequest")),
        (Method::GET, &format!("applications/{nobody}"), Value::Null, (404, "Request_ResourceNotFound")),
        (Method::GET, &format!("servicePrincipals/{nobody}"), Value::Null, (404, "Request_ResourceNotFound")),
        (Method::GET, &format!("groups/{DEVELOPER_OBJECT_ID}"), Value::Null, (404, "Request_ResourceNotFound")),
        (Method::POST, "applications", json!({}), (400, "Request_BadRequest")),
        (Method::POST, "applications", json!([]), (400, "BadRequest")),
        (Method::POST, "applications", Value::Null, (400, "BadRequest")),
        (Method::POST, "applications", json!({"displayName": ""}), (400, "Request_BadRequest")),
        (Method::POST, "groups", json!({"displayName": "x"}), (400, "Request_BadRequest")),
        (Method::POST, "users", json!({"displayName": "x"}), (400, "Request_BadRequest")),
        (Method::POST, "directoryObjects/getByIds", json!({"ids": "x"}), (400, "Request_BadRequest")),
        (Method::GET, "applications?$filter=contains(displayName,'x')", Value::Null, (400, "Request_UnsupportedQuery")),
        (Method::GET, "applications?$filter=displayName eq", Value::Null, (400, "Request_UnsupportedQuery")),
        (Method::GET, "applications?$orderby=displayName", Value::Null, (400, "Request_UnsupportedQuery")),
        (Method::GET, "applications?$top=0", Value::Null, (400, "Request_UnsupportedQuery")),
        (Method::GET, "applications?$skiptoken=x", Value::Null, (400, "Request_UnsupportedQuery")),
    ];
    for (method, path, body, (status, code)) in table {
        let answer = developer.graph(method.clone(), path, body.clone()).await;
        let headers = answer.headers().clone();
        assert_eq!(headers["odata-version"], "4.0", "{path}");
        assert!(headers["content-type"].to_str().unwrap().starts_with("application/json;odata.metadata=minimal"));
        assert!(headers.contains_key("request-id"));
        let (got, word, message) = refused(answer).await;
        assert_eq!((got, word.as_str()), (*status, *code), "{method} {path} {body}: {message}");
    }
    let me = refused(developer.graph(Method::GET, "me", Value::Null).await).await.2;
    assert_eq!(me, "/me request is only valid with delegated authentication flow.");
    // Tokens: none, another audience, nonsense.
    let url = "https://graph.microsoft.com/v1.0/applications";
    let vault = developer.token("https://vault.azure.net").await;
    for token in ["", vault.as_str(), "nonsense"] {
        let mut call = world.http().get(url);
        if !token.is_empty() {
            call = call.bearer_auth(token);
        }
        let answer = call.send().await.unwrap();
        assert!(answer.headers().contains_key("www-authenticate"));
        assert_eq!(refused(answer).await.1, "InvalidAuthenticationToken");
    }
}

#[tokio::test]
async fn what_was_deleted_can_be_restored_for_thirty_days() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let somebody = world.somebody("ci").await;
    let group = crate::harness::group_path("");
    developer.assign(&group, "acdd72a7-3385-48ef-bd42-f606fba81ae7", &somebody.object_id).await;
    let reads = async || somebody.arm(Method::GET, &group, Value::Null).await.status().as_u16();
    let application = get(&developer, &format!("applications(appId='{}')", somebody.client_id)).await;
    let (application, principal) = (application["id"].as_str().unwrap(), somebody.object_id.as_str());
    let members = post(&developer, "groups", json!({"displayName": "g", "mailNickname": "g"})).await;
    let members = format!("groups/{}/members", members["id"].as_str().unwrap());
    let reference = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{principal}")});
    post(&developer, &format!("{members}/$ref"), reference).await;
    assert_eq!(reads().await, 200);
    assert!(signs_in(&world, &somebody.client_id, &somebody.secret).await);

    // Deleted, both are nobody's, and listed by their kinds.
    assert_eq!(delete(&developer, &format!("applications/{application}")).await.status().as_u16(), 204);
    assert_eq!(reads().await, 401);
    assert_eq!(get(&developer, &members).await["value"], json!([]));
    let items = async |kind: &str| get(&developer, &format!("directory/deletedItems/microsoft.graph.{kind}")).await;
    let listed = items("application").await;
    assert_eq!((ids(&listed), listed["value"][0]["deletedDateTime"].is_string()), (vec![application], true));
    assert_eq!(ids(&items("servicePrincipal").await), [principal]);
    let shown = get(&developer, &format!("directory/deletedItems/{principal}")).await;
    assert_eq!(shown["@odata.type"], "#microsoft.graph.servicePrincipal");

    // The application comes back without its service principal.
    let restore = async |id: &str| {
        developer.graph(Method::POST, &format!("directory/deletedItems/{id}/restore"), Value::Null).await
    };
    let restored = good(restore(application).await).await;
    assert_eq!((&restored["id"], &restored["deletedDateTime"]), (&json!(application), &Value::Null));
    assert!(!signs_in(&world, &somebody.client_id, &somebody.secret).await);
    good(restore(principal).await).await;
    assert!(signs_in(&world, &somebody.client_id, &somebody.secret).await, "with the secret it had");
    assert_eq!(reads().await, 200, "with the right it had, and the token");
    assert_eq!(ids(&get(&developer, &members).await), [principal]);
    assert_eq!(ids(&items("servicePrincipal").await), [""; 0]);
    assert_eq!(refused(restore(principal).await).await.0, 404);

    // Not beside another one of the same application.
    let path = format!("servicePrincipals/{principal}");
    assert_eq!(delete(&developer, &path).await.status().as_u16(), 204);
    let another = post(&developer, "servicePrincipals", json!({"appId": somebody.client_id})).await;
    assert_eq!(refused(restore(principal).await).await.0, 409);
    let another = another["id"].as_str().unwrap();
    assert_eq!(delete(&developer, &format!("servicePrincipals/{another}")).await.status().as_u16(), 204);
    // For good, by hand or by time.
    assert_eq!(delete(&developer, &format!("directory/deletedItems/{another}")).await.status().as_u16(), 204);
    assert_eq!(refused(restore(another).await).await.0, 404);
    world.advance(29 * 86_400).await;
    good(restore(principal).await).await;
    assert_eq!(delete(&developer, &path).await.status().as_u16(), 204);
    world.advance(30 * 86_400).await;
    assert_eq!(refused(restore(principal).await).await.0, 404);
    assert_eq!(items("servicePrincipal").await["value"], json!([]));
}

#[tokio::test]
async fn users_and_groups_are_restored_where_azure_does() {
    let world = World::new();
    let developer = world.developer().await;
    let restore = async |id: &str| {
        developer.graph(Method::POST, &format!("directory/deletedItems/{id}/restore"), Value::Null).await
    };
    let user = json!({"displayName": "A", "userPrincipalName": "a@b.c", "mailNickname": "a", "accountEnabled": true, "passwordProfile": {"password": "only-here-1"}});
    let made = post(&developer, "users", user.clone()).await["id"].as_str().unwrap().to_owned();
    assert_eq!(delete(&developer, &format!("users/{made}")).await.status().as_u16(), 204);
    let other = post(&developer, "users", user).await["id"].as_str().unwrap().to_owned();
    assert_eq!(refused(restore(&made).await).await.0, 400, "the name is taken");
    assert_eq!(delete(&developer, &format!("users/{other}")).await.status().as_u16(), 204);
    assert_eq!(good(restore(&made).await).await["@odata.type"], "#microsoft.graph.user");

    // Security groups go for good.
    for (types, status) in [(json!([]), 404), (json!(["Unified"]), 200)] {
        let asked = json!({"displayName": "g", "mailNickname": "g", "groupTypes": types});
        let group = post(&developer, "groups", asked).await["id"].as_str().unwrap().to_owned();
        let reference = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{made}")});
        post(&developer, &format!("groups/{group}/members/$ref"), reference).await;
        assert_eq!(delete(&developer, &format!("groups/{group}")).await.status().as_u16(), 204);
        assert_eq!(restore(&group).await.status().as_u16(), status, "{types}");
        if status == 200 {
            assert_eq!(ids(&get(&developer, &format!("groups/{group}/members")).await), [made.as_str()]);
        }
    }
    let somebody = world.somebody("curious").await;
    let path = format!("directory/deletedItems/{other}");
    get(&somebody, &path).await;
    assert_eq!(refused(delete(&somebody, &path).await).await.0, 403);
}
