//! Entra ID and the managed identity endpoints, as clients meet them on the wire.

use acrite::domain::world::crypto::from_base64url;
use acrite::domain::world::well_known::DEVELOPER_CLIENT_ID;
use acrite::domain::world::well_known::DEVELOPER_OBJECT_ID;
use acrite::domain::world::well_known::DEVELOPER_SECRET;
use acrite::domain::world::well_known::TENANT_DOMAIN;
use acrite::domain::world::well_known::TENANT_ID;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Person, World, good, identity_path};

const LOGIN: &str = "https://login.microsoftonline.com";
const VAULT: &str = "https://vault.azure.net";

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    serde_json::from_slice(&from_base64url(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Status, OAuth error word and AADSTS number of a refusal; its shape is checked on the way.
async fn refused(response: Response) -> (u16, String, u64) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/json; charset=utf-8");
    let body: Value = response.json().await.unwrap();
    let code = body["error_codes"][0].as_u64().unwrap_or_default();
    let description = body["error_description"].as_str().unwrap();
    if code != 0 {
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        assert_eq!(body["error_uri"], format!("https://login.microsoftonline.com/error?code={code}"));
    }
    for member in ["timestamp", "trace_id", "correlation_id"] {
        assert!(description.contains(body[member].as_str().unwrap()), "{description} names its {member}");
    }
    (status, body["error"].as_str().unwrap().to_owned(), code)
}

async fn token_call(world: &World, path: &str, form: &[(&str, &str)]) -> Response {
    world.http().post(format!("{LOGIN}/{path}")).form(form).send().await.unwrap()
}

fn developer_form<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", DEVELOPER_CLIENT_ID),
        ("client_secret", DEVELOPER_SECRET),
    ];
    for (name, value) in more {
        form.retain(|(n, _)| n != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    form
}

#[tokio::test]
async fn discovery_names_this_tenant_and_its_keys() {
    let world = World::new();
    let get = async |path: &str| good(world.http().get(format!("{LOGIN}/{path}")).send().await.unwrap()).await;
    for tenant in [TENANT_ID, TENANT_DOMAIN] {
        let v2 = get(&format!("{tenant}/v2.0/.well-known/openid-configuration")).await;
        assert_eq!(v2["issuer"], format!("{LOGIN}/{TENANT_ID}/v2.0"));
        assert_eq!(v2["token_endpoint"], format!("{LOGIN}/{TENANT_ID}/oauth2/v2.0/token"));
        let v1 = get(&format!("{tenant}/.well-known/openid-configuration")).await;
        assert_eq!(v1["issuer"], format!("https://sts.windows.net/{TENANT_ID}/"));
        assert_eq!(v1["token_endpoint"], format!("{LOGIN}/{TENANT_ID}/oauth2/token"));
    }
    for tenant in ["common", "organizations"] {
        let v2 = get(&format!("{tenant}/v2.0/.well-known/openid-configuration")).await;
        assert_eq!(v2["issuer"], format!("{LOGIN}/{{tenantid}}/v2.0"));
        assert_eq!(v2["token_endpoint"], format!("{LOGIN}/{tenant}/oauth2/v2.0/token"));
    }
    let keys = get(&format!("{TENANT_ID}/discovery/v2.0/keys")).await;
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    assert_eq!(keys, get(&format!("{TENANT_ID}/discovery/keys")).await);

    let unknown = world.http().get(format!("{LOGIN}/elsewhere.example/v2.0/.well-known/openid-configuration"));
    assert_eq!(refused(unknown.send().await.unwrap()).await, (400, "invalid_request".to_owned(), 90_002));
}

#[tokio::test]
async fn instance_discovery_knows_the_public_cloud_and_nothing_else() {
    let world = World::new();
    let ask = async |query: &[(&str, &str)]| {
        let encode = |v| percent_encoding::utf8_percent_encode(v, percent_encoding::NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = query.iter().map(|(n, v)| format!("{n}={}", encode(v))).collect();
        world.http().get(format!("{LOGIN}/common/discovery/instance?{}", query.join("&"))).send().await.unwrap()
    };
    let endpoint = format!("{LOGIN}/{TENANT_ID}/oauth2/v2.0/authorize");
    let old = good(ask(&[("api-version", "1.0"), ("authorization_endpoint", &endpoint)]).await).await;
    assert_eq!(old["tenant_discovery_endpoint"], format!("{LOGIN}/{TENANT_ID}/v2.0/.well-known/openid-configuration"));
    assert_eq!(old.get("metadata"), None);
    let new = good(ask(&[("api-version", "1.1"), ("authorization_endpoint", &endpoint)]).await).await;
    assert_eq!(new["metadata"][0]["preferred_cache"], "login.windows.net");
    assert!(new["metadata"][0]["aliases"].as_array().unwrap().contains(&json!("sts.windows.net")));

    let foreign = ask(&[("authorization_endpoint", "https://login.example/common/oauth2/v2.0/authorize")]).await;
    assert_eq!(refused(foreign).await, (400, "invalid_instance".to_owned(), 50_049));
    assert_eq!(refused(ask(&[]).await).await, (400, "invalid_request".to_owned(), 900_144));
}

#[tokio::test]
async fn tokens_hold_the_claims_that_azure_puts_in() {
    let world = World::new();
    let v2 = format!("{TENANT_ID}/oauth2/v2.0/token");
    // Audience by scope: keyvault.md F.2, az's double slash among them.
    for (scope, audience) in [
        ("https://vault.azure.net/.default", "https://vault.azure.net"),
        ("https://management.core.windows.net//.default", "https://management.core.windows.net/"),
        ("https://management.azure.com/.default", "https://management.azure.com"),
        ("https://graph.microsoft.com//.default openid profile offline_access", "https://graph.microsoft.com/"),
        ("https://containerregistry.azure.net/.default", "https://containerregistry.azure.net"),
    ] {
        let answer = good(token_call(&world, &v2, &developer_form(&[("scope", scope)])).await).await;
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(3599)));
        let claims = claims(answer["access_token"].as_str().unwrap());
        assert_eq!(claims["aud"], audience, "{scope}");
        assert_eq!(claims["iss"], format!("https://sts.windows.net/{TENANT_ID}/"));
        assert_eq!((&claims["appid"], &claims["oid"]), (&json!(DEVELOPER_CLIENT_ID), &json!(DEVELOPER_OBJECT_ID)));
        assert_eq!(
            (&claims["appidacr"], &claims["idtyp"], &claims["ver"]),
            (&json!("1"), &json!("app"), &json!("1.0"))
        );
        assert_eq!(claims["sub"], claims["oid"]);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3599);
    }
    // v1: numbers are texts.
    let form = developer_form(&[("resource", VAULT)]);
    let answer = good(token_call(&world, &format!("{TENANT_DOMAIN}/oauth2/token"), &form).await).await;
    assert_eq!((&answer["expires_in"], &answer["resource"]), (&json!("3599"), &json!(VAULT)));
    assert_eq!(claims(answer["access_token"].as_str().unwrap())["aud"], VAULT);
    // Id and secret by Basic.
    let basic = world.http().post(format!("{LOGIN}/{v2}")).basic_auth(DEVELOPER_CLIENT_ID, Some(DEVELOPER_SECRET));
    let form = [("grant_type", "client_credentials"), ("scope", "https://vault.azure.net/.default")];
    good(basic.form(&form).send().await.unwrap()).await;
}

/// A path, what is changed in the developer's good form, and the refusal.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], (u16, &'a str, u64));

#[tokio::test]
async fn every_wrong_sign_in_is_refused_in_oauths_words() {
    let world = World::new();
    let nobody = "11111111-2222-3333-4444-555555555555";
    let scope = "https://vault.azure.net/.default";
    let v2 = format!("{TENANT_ID}/oauth2/v2.0/token");
    let v1 = format!("{TENANT_ID}/oauth2/token");
    let table: &[Row<'_>] = &[
        (&v2, &[("scope", scope), ("client_secret", "wrong")], (401, "invalid_client", 7_000_215)),
        (&v2, &[("scope", scope), ("client_secret", "")], (401, "invalid_client", 7_000_216)),
        (&v2, &[("scope", scope), ("client_id", nobody)], (400, "unauthorized_client", 700_016)),
        (&v2, &[("scope", scope), ("client_id", "")], (400, "invalid_request", 900_144)),
        (&v2, &[], (400, "invalid_request", 900_144)),
        (&v2, &[("grant_type", "")], (400, "invalid_request", 900_144)),
        (&v2, &[("scope", scope), ("grant_type", "password")], (400, "unsupported_grant_type", 70_003)),
        (&v2, &[("scope", scope), ("grant_type", "authorization_code")], (400, "unsupported_grant_type", 70_003)),
        (&v2, &[("grant_type", "refresh_token"), ("refresh_token", "x")], (400, "invalid_grant", 70_000)),
        (&v2, &[("grant_type", "refresh_token")], (400, "invalid_request", 900_144)),
        (&v2, &[("scope", "https://vault.azure.net")], (400, "invalid_scope", 1_002_012)),
        (&v2, &[("scope", "https://storage.azure.com/.default")], (400, "invalid_resource", 500_011)),
        (&v1, &[("resource", "https://storage.azure.com/")], (400, "invalid_resource", 500_011)),
        (&v1, &[], (400, "invalid_request", 900_144)),
        ("common/oauth2/v2.0/token", &[("scope", scope)], (400, "invalid_request", 50_059)),
        ("elsewhere.example/oauth2/v2.0/token", &[("scope", scope)], (400, "invalid_request", 90_002)),
        (&v2, &[("scope", scope), ("client_assertion", "x")], (400, "invalid_request", 900_144)),
        ("nowhere", &[], (404, "invalid_request", 9_002_313)),
        ("common/oauth2/devicecode", &[("scope", scope)], (400, "unsupported_grant_type", 70_003)),
        (
            "common/oauth2/v2.0/devicecode",
            &[("scope", scope), ("client_id", nobody)],
            (400, "unauthorized_client", 700_016),
        ),
    ];
    for (path, change, (status, word, code)) in table {
        let answer = token_call(&world, path, &developer_form(change)).await;
        assert_eq!(refused(answer).await, (*status, (*word).to_owned(), *code), "{path} {change:?}");
    }
    let assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = [("scope", scope), ("client_assertion", "not.a-jwt"), ("client_assertion_type", assertion_type)];
    let answer = token_call(&world, &v2, &developer_form(&assertion)).await;
    assert_eq!(refused(answer).await, (401, "invalid_client".to_owned(), 50_027));

    let get = world.http().get(format!("{LOGIN}/{v2}")).send().await.unwrap();
    assert_eq!(refused(get).await, (405, "invalid_request".to_owned(), 900_561));
    let not_text = world.http().post(format!("{LOGIN}/{v2}")).body(vec![0xff, 0xfe]).send().await.unwrap();
    assert_eq!(refused(not_text).await, (400, "invalid_request".to_owned(), 9_002_313));
    let huge = world.http().post(format!("{LOGIN}/{v2}")).body(vec![b'a'; 5_000_000]).send().await.unwrap();
    assert_eq!(refused(huge).await, (413, "invalid_request".to_owned(), 9_002_313));
}

#[tokio::test]
async fn an_answer_carries_the_clients_own_request_id() {
    let world = World::new();
    let id = "5a1c6b0e-0000-4000-8000-00000000abcd";
    let asked = world.http().post(format!("{LOGIN}/{TENANT_ID}/oauth2/v2.0/token"));
    let asked = asked.header("client-request-id", id).header("return-client-request-id", "true");
    let answer = asked.form(&[("grant_type", "x")]).send().await.unwrap();
    assert_eq!(answer.headers()["client-request-id"], id);
    assert!(answer.headers().contains_key("x-ms-request-id"));
    assert_eq!(answer.json::<Value>().await.unwrap()["correlation_id"], id);
}

async fn imds(world: &World, query: &str) -> (u16, Value) {
    let url = format!("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&{query}");
    let answer = world.http().get(url).header("Metadata", "true").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn virtual_machines_get_tokens_for_user_assigned_identities() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let resource = "resource=https%3A%2F%2Fvault.azure.net";
    let identity_not_found = json!({"error": "invalid_request", "error_description": "Identity not found"});
    assert_eq!(imds(&world, resource).await, (400, identity_not_found.clone()));

    let (client, object) = developer.make_identity("one").await;
    let (_, only) = imds(&world, resource).await;
    developer.make_identity("two").await;
    for query in [
        format!("client_id={client}"),
        format!("object_id={object}"),
        format!("msi_res_id={}", identity_path("one")),
        format!("mi_res_id={}", identity_path("ONE")),
    ] {
        let (status, answer) = imds(&world, &format!("{resource}&{query}")).await;
        assert_eq!(status, 200, "{query}: {answer}");
        assert_eq!(
            (&answer["client_id"], &answer["resource"], &answer["expires_in"], &answer["token_type"]),
            (&json!(client), &json!(VAULT), &json!("86399"), &json!("Bearer"))
        );
        assert!(answer["expires_on"].as_str().unwrap().parse::<i64>().is_ok());
        for answer in [&answer, &only] {
            let claims = claims(answer["access_token"].as_str().unwrap());
            assert_eq!(
                (&claims["aud"], &claims["oid"], &claims["appid"]),
                (&json!(VAULT), &json!(object), &json!(client))
            );
            assert!(claims["xms_mirid"].as_str().unwrap().ends_with("/userAssignedIdentities/one"));
            assert_eq!(claims["appidacr"], "2");
        }
    }
    let several = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request";
    assert_eq!(imds(&world, resource).await.1, json!({"error": "invalid_request", "error_description": several}));
    // The developer is no managed identity; a registry's own identity is for the registry alone.
    for query in [
        format!("client_id={DEVELOPER_CLIENT_ID}"),
        format!("object_id={DEVELOPER_OBJECT_ID}"),
        "msi_res_id=nonsense".to_owned(),
    ] {
        assert_eq!(imds(&world, &format!("{resource}&{query}")).await, (400, identity_not_found.clone()), "{query}");
    }
    assert_eq!(imds(&world, &format!("client_id={client}")).await.0, 400);
    let (status, unknown) = imds(&world, &format!("resource=https%3A%2F%2Fnowhere&client_id={client}")).await;
    assert_eq!((status, &unknown["error"]), (400, &json!("invalid_resource")));

    let url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x";
    let probe = world.http().get(url).send().await.unwrap();
    assert_eq!(probe.status().as_u16(), 400);
    assert_eq!(probe.json::<Value>().await.unwrap()["error_description"], "Required metadata header not specified");
    let elsewhere = world.http().get("http://169.254.169.254/metadata/nowhere").header("Metadata", "true");
    assert_eq!(elsewhere.send().await.unwrap().status().as_u16(), 404);

    // An identity's token dies with it.
    let token = imds(&world, &format!("resource=https%3A%2F%2Fmanagement.azure.com&client_id={client}")).await.1;
    let call = async || {
        let url = "https://management.azure.com/subscriptions?api-version=2022-12-01";
        let token = token["access_token"].as_str().unwrap();
        world.http().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(call().await, 200);
    good(developer.arm(Method::DELETE, &identity_path("one"), Value::Null).await).await;
    assert_eq!(call().await, 401);
}

#[tokio::test]
async fn app_service_tokens_want_the_instances_own_header() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let (client, _) = developer.make_identity("one").await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let health: Value = http.get(format!("{}/acrite/v1/health", world.url)).send().await.unwrap().json().await.unwrap();
    let header = health["identity_header"].as_str().unwrap();
    let ask = async |header: &str, query: &str| {
        let url = format!("{}/acrite/v1/msi/token?api-version=2019-08-01&{query}", world.url);
        let answer = http.get(url).header("X-IDENTITY-HEADER", header).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, answer) = ask(header, "resource=https://vault.azure.net").await;
    assert_eq!((status, &answer["client_id"], &answer["resource"]), (200, &json!(client), &json!(VAULT)));
    assert!(answer["expires_on"].as_str().unwrap().parse::<i64>().is_ok());
    let (status, answer) = ask("wrong", "resource=https://vault.azure.net").await;
    assert_eq!((status, &answer["statusCode"]), (401, &json!(401)));
    let (status, answer) = ask(header, "resource=https://vault.azure.net&client_id=nobody").await;
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().starts_with("No Managed Identity found"));
}

/// `az login` without a browser, and Graph's and ARM's calls after it [client].
#[tokio::test]
async fn a_device_code_signs_the_developer_in_as_a_person() {
    let world = World::new();
    let developer = world.developer().await;
    let az = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
    let arm = "https://management.core.windows.net//.default offline_access openid profile";
    let code_of = async |scope: &str| {
        let form = [("client_id", az), ("scope", scope)];
        let answer = token_call(&world, "organizations/oauth2/v2.0/devicecode", &form).await;
        let answer: Value = answer.json().await.unwrap();
        answer["device_code"].as_str().unwrap().to_owned()
    };
    let token = format!("{TENANT_ID}/oauth2/v2.0/token");
    let redeem = async |client: &str, code: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", client),
            ("device_code", code),
        ];
        token_call(&world, "organizations/oauth2/v2.0/token", &form).await
    };
    let code = code_of(arm).await;
    assert_eq!(refused(redeem(DEVELOPER_CLIENT_ID, &code).await).await.2, 70_000, "another client's");
    assert_eq!(refused(redeem(az, "nonsense").await).await.2, 70_000);
    let person: Value = redeem(az, &code).await.json().await.unwrap();
    let access = claims(person["access_token"].as_str().unwrap());
    assert_eq!((&access["idtyp"], &access["appid"]), (&json!("user"), &json!(az)));
    assert_eq!(claims(person["id_token"].as_str().unwrap())["aud"], az);
    let call = async |method: Method, url: &str, token: &Value, body: Value| {
        let call = world.http().request(method, url).bearer_auth(token.as_str().unwrap());
        let call = if body.is_null() { call } else { call.json(&body) };
        call.send().await.unwrap()
    };
    let subscriptions = "https://management.azure.com/subscriptions?api-version=2022-12-01";
    let shown = good(call(Method::GET, subscriptions, &person["access_token"], Value::Null).await).await;
    assert_eq!(shown["value"].as_array().unwrap().len(), 1);

    // The refresh token is no access token, and gives tokens for other services.
    let refresh = person["refresh_token"].as_str().unwrap();
    assert_eq!(call(Method::GET, subscriptions, &person["refresh_token"], Value::Null).await.status().as_u16(), 401);
    let again = async || {
        let scope = "https://graph.microsoft.com/.default";
        let form = [("grant_type", "refresh_token"), ("client_id", az), ("refresh_token", refresh), ("scope", scope)];
        token_call(&world, &token, &form).await
    };
    let graph: Value = again().await.json().await.unwrap();
    let me = "https://graph.microsoft.com/v1.0/me";
    let shown = good(call(Method::GET, me, &graph["access_token"], Value::Null).await).await;
    assert_eq!((&shown["id"], &shown["userPrincipalName"]), (&access["oid"], &access["upn"]));

    // Disabled, the person gets no tokens and uses none; deleted, neither.
    let user = format!("users/{}", access["oid"].as_str().unwrap());
    let enable =
        async |on: bool| good(developer.graph(Method::PATCH, &user, json!({"accountEnabled": on})).await).await;
    enable(false).await;
    assert_eq!(refused(again().await).await, (400, "invalid_grant".to_owned(), 50_057));
    assert_eq!(refused(redeem(az, &code).await).await.2, 50_057);
    assert_eq!(call(Method::GET, subscriptions, &person["access_token"], Value::Null).await.status().as_u16(), 401);
    enable(true).await;
    assert_eq!(again().await.status().as_u16(), 200);
    good(developer.graph(Method::DELETE, &user, Value::Null).await).await;
    assert_eq!(refused(again().await).await.2, 50_034);
    assert_eq!(refused(redeem(az, &code).await).await.2, 50_034);
}

/// Go's clients for Terraform ask past every proxy, at the address that ARM_MSI_ENDPOINT holds [sdk-code].
#[tokio::test]
async fn the_machines_endpoint_answers_on_the_emulators_own_port_too() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let (client, _) = developer.make_identity("one").await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str, header: &str| {
        let answer =
            http.get(format!("{}/metadata/{path}", world.url)).header("Metadata", header).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let token = format!("identity/oauth2/token?api-version=2018-02-01&resource={VAULT}&client_id={client}");
    let (status, answer) = ask(&token, "true").await;
    assert_eq!((status, &json(&answer)["client_id"]), (200, &json!(client)));
    assert_eq!(ask(&token, "false").await.0, 400);

    let (status, answer) = ask("instance?api-version=2021-02-01", "true").await;
    assert_eq!((status, &json(&answer)["compute"]["subscriptionId"]), (200, &json!(crate::harness::SUBSCRIPTION)));
    let leaf = "instance/compute/azEnvironment?api-version=2021-02-01&format=text";
    assert_eq!(ask(leaf, "true").await, (200, "AzurePublicCloud".to_owned()));
    let address = "instance/network/interface/0/ipv4/ipAddress/0/privateIpAddress?api-version=2021-02-01&format=text";
    assert_eq!(ask(address, "true").await, (200, "127.0.0.1".to_owned()));
    let (status, answer) = ask("instance/compute/nothing?api-version=2021-02-01", "true").await;
    assert_eq!((status, json(&answer)), (404, json!({"error": "Not found"})));
    assert_eq!(ask("instance", "true").await.0, 400, "no version");
    assert_eq!(ask(leaf, "no").await.0, 400);
}

/// Asks for a vault token with an assertion in place of a secret.
async fn exchange(world: &World, client: &str, assertion: &str) -> Response {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
        ("scope", "https://vault.azure.net/.default"),
    ];
    token_call(world, &format!("{TENANT_ID}/oauth2/v2.0/token"), &form).await
}

async fn application_of(developer: &Person<'_>, client: &str) -> String {
    let found = developer.graph(Method::GET, &format!("applications(appId='{client}')"), Value::Null).await;
    good(found).await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_managed_identitys_token_is_exchanged_where_a_federated_credential_says_so() {
    let world = World::new();
    let developer = world.developer().await;
    developer.make_group().await;
    let (_, object) = developer.make_identity("one").await;
    let (_, issued) = imds(&world, "resource=api://AzureADTokenExchange").await;
    let assertion = issued["access_token"].as_str().unwrap();
    assert_eq!(claims(assertion)["iss"], format!("{LOGIN}/{TENANT_ID}/v2.0"));
    let somebody = world.somebody("federated").await;
    let refusal = exchange(&world, &somebody.client_id, assertion).await;
    assert_eq!(refused(refusal).await, (401, "invalid_client".to_owned(), 700_211));

    let application = application_of(&developer, &somebody.client_id).await;
    let path = format!("applications/{application}/federatedIdentityCredentials");
    let credential = |name: &str, issuer: &str, subject: &str| json!({"name": name, "issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]});
    let issuer = format!("{LOGIN}/{TENANT_ID}/v2.0");
    let other = developer.graph(Method::POST, &path, credential("other", &issuer, "somebody else")).await;
    good(other).await;
    let refusal = exchange(&world, &somebody.client_id, assertion).await;
    assert_eq!(refused(refusal).await, (401, "invalid_client".to_owned(), 700_213));

    let made = good(developer.graph(Method::POST, &path, credential("mine", &issuer, &object)).await).await;
    let answer = good(exchange(&world, &somebody.client_id, assertion).await).await;
    let given = claims(answer["access_token"].as_str().unwrap());
    assert_eq!((&given["oid"], &given["appidacr"]), (&json!(somebody.object_id), &json!("2")));

    // One changed letter in the signature.
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    assert_eq!(refused(exchange(&world, &somebody.client_id, &forged).await).await.2, 50_013);

    // An issuer elsewhere: it fits, but its keys cannot be had, so it is refused.
    good(developer.graph(Method::POST, &path, credential("github", "https://issuer.example", "repo:a")).await).await;
    let encode = |v: Value| acrite::domain::world::crypto::base64url(v.to_string().as_bytes());
    let foreign = json!({"iss": "https://issuer.example", "sub": "repo:a", "aud": "api://AzureADTokenExchange"});
    let foreign = format!("{}.{}.c2ln", encode(json!({"alg": "RS256"})), encode(foreign));
    let refusal = exchange(&world, &somebody.client_id, &foreign).await;
    assert_eq!(refused(refusal).await, (400, "invalid_request".to_owned(), 50_166));

    let id = made["id"].as_str().unwrap();
    good(developer.graph(Method::DELETE, &format!("{path}/{id}"), Value::Null).await).await;
    assert_eq!(refused(exchange(&world, &somebody.client_id, assertion).await).await.2, 700_213);
}

/// A certificate, and what signs with its key.
struct Certificate {
    der: Vec<u8>,
    key: acrite::domain::world::crypto::PrivateKey,
}

impl Certificate {
    fn new() -> Self {
        let (pkcs8, _) = acrite::domain::world::crypto::generate_rsa(2048, &mut rand::rng()).unwrap();
        let pair = rcgen::KeyPair::try_from(pkcs8.as_slice()).unwrap();
        let der = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap().der().to_vec();
        Self { der, key: acrite::domain::world::crypto::PrivateKey::from_pkcs8(&pkcs8, None).unwrap() }
    }

    /// A client assertion as MSAL makes it.
    fn assertion(&self, algorithm: &str, claims: &Value) -> String {
        use acrite::domain::world::crypto::SignAlgorithm;
        use acrite::domain::world::crypto::base64url;
        use acrite::domain::world::crypto::sha1_thumbprint;
        use acrite::domain::world::crypto::sha256;
        let header = match algorithm {
            "RS256" => json!({"alg": "RS256", "typ": "JWT", "x5t": base64url(&sha1_thumbprint(&self.der))}),
            _ => json!({"alg": algorithm, "typ": "JWT", "x5t#S256": base64url(&sha256(&self.der))}),
        };
        let part = |v: &Value| base64url(v.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.key.sign(SignAlgorithm::parse(algorithm).unwrap(), &sha256(signed.as_bytes())).unwrap();
        format!("{signed}.{}", base64url(&signature))
    }
}

#[tokio::test]
async fn a_certificate_signs_in_for_its_application_in_its_time() {
    use base64::Engine as _;
    let world = World::new();
    let developer = world.developer().await;
    let somebody = world.somebody("certified").await;
    let client = somebody.client_id.as_str();
    let path = format!("applications/{}", application_of(&developer, client).await);
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    // az sends DER with line breaks, Terraform PEM, each in base64.
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&certificate.der));
    let now = acrite::app::world::clock::machine().seconds();
    let claims =
        |aud: &str, exp: i64| json!({"aud": aud, "iss": client, "sub": client, "jti": "1", "nbf": now, "exp": exp});
    let mut good_claims = claims(&format!("{LOGIN}/{TENANT_ID}/oauth2/v2.0/token"), now + 600);
    // MSAL for Python writes fractions of seconds.
    good_claims["exp"] = json!(600.25 + now as f64);
    let refusal = exchange(&world, client, &certificate.assertion("PS256", &good_claims)).await;
    assert_eq!(refused(refusal).await, (401, "invalid_client".to_owned(), 700_027));

    for key in [format!("{}\n", base64(&certificate.der)), base64(pem.as_bytes())] {
        let key =
            json!({"type": "AsymmetricX509Cert", "usage": "Verify", "key": key, "endDateTime": "2999-01-01T00:00:00Z"});
        good(developer.graph(Method::PATCH, &path, json!({"keyCredentials": [key]})).await).await;
        for algorithm in ["RS256", "PS256"] {
            let answer = good(exchange(&world, client, &certificate.assertion(algorithm, &good_claims)).await).await;
            assert_eq!(self::claims(answer["access_token"].as_str().unwrap())["appidacr"], "2");
        }
    }
    for (signer, claims, code) in [
        (&other, good_claims.clone(), 700_027),
        (&certificate, claims(&format!("{LOGIN}/{TENANT_ID}/oauth2/v2.0/token"), now - 1), 700_024),
        (&certificate, claims("https://elsewhere.example/token", now + 600), 700_023),
    ] {
        let refusal = exchange(&world, client, &signer.assertion("PS256", &claims)).await;
        assert_eq!(refused(refusal).await.2, code);
    }
    // The secret algorithm family is no way in: the public certificate is no secret.
    let part = |v: Value| acrite::domain::world::crypto::base64url(v.to_string().as_bytes());
    let unsigned = format!("{}.{}.", part(json!({"alg": "none"})), part(good_claims.clone()));
    assert_eq!(refused(exchange(&world, client, &unsigned).await).await.2, 700_027);

    // The key is not shown again; sent back without it, it is kept.
    let shown = good(developer.graph(Method::GET, &path, Value::Null).await).await;
    let kept = &shown["keyCredentials"][0];
    assert_eq!((&kept["key"], kept["customKeyIdentifier"].as_str().unwrap().len()), (&Value::Null, 40));
    good(developer.graph(Method::PATCH, &path, json!({"keyCredentials": [kept]})).await).await;
    good(exchange(&world, client, &certificate.assertion("PS256", &good_claims)).await).await;
    for wrong in [json!([{"key": "AAAA"}]), json!([{"keyId": "unknown", "key": null}]), json!("x")] {
        let refusal = developer.graph(Method::PATCH, &path, json!({"keyCredentials": wrong})).await;
        assert_eq!(crate::harness::refused(refusal).await.0, 400);
    }
    // Taken away, it opens nothing.
    good(developer.graph(Method::PATCH, &path, json!({"keyCredentials": []})).await).await;
    let refusal = exchange(&world, client, &certificate.assertion("PS256", &good_claims)).await;
    assert_eq!(refused(refusal).await.2, 700_027);
    // It ends on the user's clock.
    let ending = json!({"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64(&certificate.der), "endDateTime": "2100-01-01T00:00:00Z"});
    good(developer.graph(Method::PATCH, &path, json!({"keyCredentials": [ending]})).await).await;
    world.advance(80 * 366 * 86_400).await;
    let refusal = exchange(&world, client, &certificate.assertion("PS256", &good_claims)).await;
    assert_eq!(refused(refusal).await.2, 700_027);
}
