//! Microsoft Graph: what objects show, what queries and bodies may hold, and what is refused.

use acrite::domain::world::well_known::{DEVELOPER_OBJECT_ID, TENANT_DOMAIN, TENANT_ID};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, World, good, refused};

async fn get(person: &Person<'_>, path: &str) -> Value {
    good(person.graph(Method::GET, path, Value::Null).await).await
}

async fn post(person: &Person<'_>, path: &str, body: Value) -> Value {
    good(person.graph(Method::POST, path, body).await).await
}

/// The providers of Terraform compare what they read with what they wrote, member by member [client].
#[tokio::test]
async fn complex_properties_show_their_defaults() {
    let world = World::new();
    let developer = world.developer().await;
    let sent = json!({
        "displayName": "a", "api": {"oauth2PermissionScopes": [{"id": "11111111-2222-3333-4444-555555555555", "value": "x"}]},
        "appRoles": [{"id": "11111111-2222-3333-4444-666666666666", "displayName": "r", "allowedMemberTypes": ["User"]}],
        "optionalClaims": {"idToken": [{"name": "email"}]}, "web": {"redirectUris": ["https://a/"]}, "spa": null,
    });
    let app = post(&developer, "applications", sent).await;
    assert_eq!(app["api"]["requestedAccessTokenVersion"], Value::Null);
    assert_eq!(app["api"]["knownClientApplications"], json!([]));
    assert_eq!(app["api"]["oauth2PermissionScopes"][0]["type"], "User");
    assert_eq!(app["api"]["oauth2PermissionScopes"][0]["isEnabled"], true);
    assert_eq!(app["appRoles"][0]["origin"], "Application");
    assert_eq!(app["appRoles"][0]["value"], Value::Null);
    let email = json!({"name": "email", "additionalProperties": [], "essential": false, "source": null});
    assert_eq!(app["optionalClaims"], json!({"idToken": [email], "accessToken": [], "saml2Token": []}));
    assert_eq!(app["web"]["implicitGrantSettings"]["enableIdTokenIssuance"], false);
    assert_eq!(app["web"]["redirectUriSettings"], json!([{"uri": "https://a/", "index": null}]));
    assert_eq!(app["spa"], json!({"redirectUris": []}));
    for name in ["nativeAuthenticationApisEnabled", "uniqueName"] {
        assert_eq!(app.get(name), Some(&Value::Null), "{name}");
    }

    // Claims are replaced whole.
    let path = format!("applications/{}", app["id"].as_str().unwrap());
    good(developer.graph(Method::PATCH, &path, json!({"optionalClaims": {}})).await).await;
    let claims = get(&developer, &path).await["optionalClaims"].clone();
    assert_eq!(claims, json!({"idToken": [], "accessToken": [], "saml2Token": []}));

    // Its service principal has what it has.
    let made = post(&developer, "servicePrincipals", json!({"appId": app["appId"]})).await;
    assert_eq!(made["appRoles"], app["appRoles"]);
    assert_eq!(made["oauth2PermissionScopes"], app["api"]["oauth2PermissionScopes"]);
    assert_eq!((&made["replyUrls"], &made["appOwnerOrganizationId"]), (&json!(["https://a/"]), &json!(TENANT_ID)));
}

#[tokio::test]
async fn secrets_are_made_with_an_application_and_the_newest_is_first() {
    let world = World::new();
    let developer = world.developer().await;
    let app =
        post(&developer, "applications", json!({"displayName": "a", "passwordCredentials": [{"displayName": "p"}]}))
            .await;
    let made = &app["passwordCredentials"][0];
    assert!(made["keyId"].is_string() && made["secretText"].as_str().unwrap().len() == 40, "{made}");
    let path = format!("applications/{}", app["id"].as_str().unwrap());
    let answer = developer
        .graph(Method::POST, &format!("{path}/addPassword"), json!({"passwordCredential": {"displayName": "q"}}))
        .await;
    assert!(
        answer.headers()["location"].to_str().unwrap().ends_with("Microsoft.DirectoryServices.Application/addPassword")
    );
    good(answer).await;
    let shown = get(&developer, &path).await;
    let names: Vec<&str> =
        shown["passwordCredentials"].as_array().unwrap().iter().map(|p| p["displayName"].as_str().unwrap()).collect();
    assert_eq!(names, ["q", "p"], "[recorded]");
    assert_eq!(shown["passwordCredentials"][1]["secretText"], Value::Null);
}

#[tokio::test]
async fn what_is_made_says_where_it_lies() {
    let world = World::new();
    let developer = world.developer().await;
    let user = json!({"displayName": "A", "userPrincipalName": "a@b.c", "mailNickname": "a", "accountEnabled": true, "passwordProfile": {"password": "only-here-1"}});
    for (noun, kind, body) in [
        ("applications", "Application", json!({"displayName": "a"})),
        ("groups", "Group", json!({"displayName": "g", "mailNickname": "g"})),
        ("users", "User", user),
    ] {
        let answer = developer.graph(Method::POST, noun, body).await;
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let id = good(answer).await["id"].as_str().unwrap().to_owned();
        let tail = format!("/directoryObjects/{id}/Microsoft.DirectoryServices.{kind}");
        assert!(location.ends_with(&tail), "{location}");
    }
    let users = get(&developer, "users?$filter=userPrincipalName eq 'a@b.c'").await;
    let names = users["value"][0].as_object().unwrap().keys().count();
    assert_eq!(names, 11, "the default properties [docs]: {users}");
    let sorted = get(&developer, "users?$orderby=displayName desc&$select=accountEnabled,displayName").await;
    assert_eq!(sorted["value"], json!([{"accountEnabled": true, "displayName": "A"}]));
}

#[tokio::test]
async fn beta_shows_more() {
    let world = World::new();
    let developer = world.developer().await;
    let group = post(&developer, "groups", json!({"displayName": "g", "mailNickname": "g"})).await;
    assert!(group.get("writebackConfiguration").is_none());
    assert!(group["securityIdentifier"].as_str().unwrap().starts_with("S-1-12-1-"));
    let url = format!("https://graph.microsoft.com/beta/groups/{}", group["id"].as_str().unwrap());
    let token = developer.token("https://graph.microsoft.com").await;
    let shown = good(world.http().get(url).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(shown["writebackConfiguration"], json!({"isEnabled": false, "onPremisesGroupType": null}));
    assert_eq!(shown["@odata.context"], "https://graph.microsoft.com/beta/$metadata#groups/$entity");
}

#[tokio::test]
async fn the_tenant_has_its_domain_and_microsofts_service_principals() {
    let world = World::new();
    let developer = world.developer().await;
    let domains = get(&developer, "domains").await;
    assert_eq!((&domains["value"][0]["id"], &domains["value"][0]["isVerified"]), (&json!(TENANT_DOMAIN), &json!(true)));
    assert_eq!(get(&developer, &format!("domains/{TENANT_DOMAIN}")).await["isDefault"], true);
    assert_eq!(refused(developer.graph(Method::GET, "domains/other.example", Value::Null).await).await.0, 404);
    let organization = get(&developer, &format!("organization/{TENANT_ID}")).await;
    assert_eq!(organization["verifiedDomains"][0]["name"], TENANT_DOMAIN);

    for (app_id, name) in [
        ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
        ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault"),
        ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Windows Azure Service Management API"),
        ("6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26", "Azure Container Registry"),
    ] {
        let found = get(&developer, &format!("servicePrincipals?$filter=appId eq '{app_id}'")).await;
        assert_eq!(found["value"][0]["displayName"], name);
        assert_ne!(found["value"][0]["appOwnerOrganizationId"], TENANT_ID);
        let (status, code, _) =
            refused(developer.graph(Method::POST, "servicePrincipals", json!({"appId": app_id})).await).await;
        assert_eq!((status, code.as_str()), (409, "Request_MultipleObjectsWithSameKeyValue"), "{name}");
    }
    let graph = get(&developer, "servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").await;
    let values: Vec<&Value> = graph["appRoles"].as_array().unwrap().iter().map(|role| &role["value"]).collect();
    assert!(values.contains(&&json!("User.Read.All")));
}

/// A certificate that is given no name shows its subject, the last part first [recorded].
#[tokio::test]
async fn a_certificate_without_a_name_shows_its_subject() {
    let world = World::new();
    let developer = world.developer().await;
    let key = rsa_certificate();
    let sent =
        json!({"displayName": "a", "keyCredentials": [{"key": key, "type": "AsymmetricX509Cert", "usage": "Verify"}]});
    let app = post(&developer, "applications", sent).await;
    assert_eq!(app["keyCredentials"][0]["displayName"], "CN=name, O=\"a, b\", S=state, C=DE");
    assert_eq!(app["keyCredentials"][0]["key"], Value::Null);
}

/// A certificate of an RSA key in base64, `C=DE, ST=state, O="a, b", CN=name` in the order of its bytes.
fn rsa_certificate() -> &'static str {
    include_str!("../../fixtures/authorization/certificate.txt").trim()
}

/// No option is taken as absent: each is answered or refused, whatever the route. Printed with `--nocapture`.
#[tokio::test]
async fn no_route_passes_over_a_query_option() {
    let world = World::new();
    let developer = world.developer().await;
    let app = post(&developer, "applications", json!({"displayName": "a"})).await;
    let app = format!("applications/{}", app["id"].as_str().unwrap());
    let group = post(&developer, "groups", json!({"displayName": "g", "mailNickname": "g"})).await;
    let group = format!("groups/{}", group["id"].as_str().unwrap());
    let service_principal = format!("servicePrincipals/{DEVELOPER_OBJECT_ID}");
    let lists: Vec<String> = [
        "applications",
        "servicePrincipals",
        "groups",
        "users",
        "domains",
        "organization",
        "directory/deletedItems/microsoft.graph.application",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        format!("{app}/owners"),
        format!("{app}/federatedIdentityCredentials"),
        format!("{group}/members"),
        format!("{group}/owners"),
        format!("{group}/memberOf"),
        format!("{service_principal}/owners"),
        format!("{service_principal}/memberOf"),
    ])
    .collect();
    let objects = [
        app.clone(),
        group,
        service_principal,
        format!("directoryObjects/{DEVELOPER_OBJECT_ID}"),
        format!("domains/{TENANT_DOMAIN}"),
        format!("organization/{TENANT_ID}"),
    ];
    let everywhere = [
        ("$nonsense=1", "BadRequest"),
        ("$select=nonsense", "BadRequest"),
        ("$expand=nonsense", "Request_UnsupportedQuery"),
        ("$apply=aggregate(x)", "Request_UnsupportedQuery"),
    ];
    let of_lists = [
        ("$filter=nonsense eq 'x'", "BadRequest"),
        ("$filter=nonsense", "Request_UnsupportedQuery"),
        ("$orderby=nonsense", "BadRequest"),
        ("$top=nonsense", "BadRequest"),
        ("$top=1000", "Request_UnsupportedQuery"),
        ("$skip=1", "Request_UnsupportedQuery"),
        ("$skiptoken=nonsense", "Request_UnsupportedQuery"),
        ("$count=nonsense", "BadRequest"),
        ("$search=\"a:b\"", "Request_UnsupportedQuery"),
    ];
    let mut walked = 0;
    let mut check = async |path: &str, option: &str, wanted: &str| {
        let (status, code, message) =
            refused(developer.graph(Method::GET, &format!("{path}?{option}"), Value::Null).await).await;
        eprintln!("{path} {option}: {status} {code}: {message}");
        assert_eq!((status, code.as_str()), (400, wanted), "{path} {option}: {message}");
        walked += 1;
    };
    for path in &lists {
        for (option, wanted) in everywhere.iter().chain(&of_lists) {
            check(path, option, wanted).await;
        }
    }
    for path in &objects {
        for (option, wanted) in everywhere {
            check(path, option, wanted).await;
        }
        for (option, _) in of_lists {
            check(path, option, "BadRequest").await;
        }
    }
    assert!(walked > 200, "{walked}");
    // What a client adds of its own is passed over [docs].
    get(&developer, "applications?mine=1").await;
}

#[tokio::test]
async fn bodies_are_refused_where_graph_refuses_them() {
    let world = World::new();
    let developer = world.developer().await;
    let app = post(&developer, "applications", json!({"displayName": "a"})).await;
    let app = format!("applications/{}", app["id"].as_str().unwrap());
    for (method, path, body, words) in [
        (Method::POST, "applications", json!({"displayName": "a", "nonsense": 1}), "Invalid property 'nonsense'."),
        (Method::PATCH, app.as_str(), json!({"nonsense": null}), "Invalid property 'nonsense'."),
        (
            Method::POST,
            "groups",
            json!({"displayName": "a", "mailNickname": "g", "nonsense": 1}),
            "Invalid property 'nonsense'.",
        ),
        (Method::PATCH, app.as_str(), json!({"tags": "t"}), "tags"),
        (Method::PATCH, app.as_str(), json!({"web": []}), "web"),
        (Method::PATCH, app.as_str(), json!({"isDisabled": "false"}), "Edm.Boolean"),
        (Method::POST, "servicePrincipals", json!({"appId": 1}), "invalid values"),
    ] {
        let (status, code, message) = refused(developer.graph(method, path, body.clone()).await).await;
        assert_eq!((status, code.as_str()), (400, "Request_BadRequest"), "{body}");
        assert!(message.contains(words), "{body}: {message}");
    }
    // Extensions of the directory are properties, and so is what the service sets: clients send back what they read.
    let extension = "extension_11111111222233334444555555555555_size";
    good(developer.graph(Method::PATCH, &app, json!({extension: "m", "publisherDomain": "x", "id": "y"})).await).await;
    assert_eq!(get(&developer, &app).await[extension], "m");
}
