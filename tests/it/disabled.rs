//! Who is disabled can do nothing anywhere, and everything again once enabled: principals, applications, the
//! identities of registries. Revocation of keys themselves is in cmk_revocation.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Docker, Person, SUBSCRIPTION, TENANT, World, digest, good, group_path, identity_path, refused};
use crate::harness::{registry_path, vault_path};
use crate::stage::{self, Stage};

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const LAYER: &[u8] = b"a layer that must come back byte for byte";

/// OAuth's word and the AADSTS number of a sign-in.
async fn sign_in(world: &World, form: &[(&str, &str)]) -> Result<Value, (String, u64)> {
    let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let answer = world.http().post(url).form(form).send().await.unwrap();
    let granted = answer.status().is_success();
    let body: Value = answer.json().await.unwrap();
    if granted {
        return Ok(body);
    }
    Err((body["error"].as_str().unwrap().to_owned(), body["error_codes"][0].as_u64().unwrap()))
}

/// Sends a request below the registry's login server, signed in as the test chooses.
fn registry(world: &World, method: Method, path: &str) -> reqwest::RequestBuilder {
    world.http().request(method, format!("https://reg01.azurecr.io/{path}"))
}

async fn registry_token(world: &World, refresh: &str) -> reqwest::Response {
    let form = [
        ("grant_type", "refresh_token"),
        ("service", "reg01.azurecr.io"),
        ("scope", "repository:team/app:pull,push"),
        ("refresh_token", refresh),
    ];
    registry(world, Method::POST, "oauth2/token").form(&form).send().await.unwrap()
}

async fn exchanged(world: &World, access: &str) -> reqwest::Response {
    let form =
        [("grant_type", "access_token"), ("service", "reg01.azurecr.io"), ("tenant", TENANT), ("access_token", access)];
    registry(world, Method::POST, "oauth2/exchange").form(&form).send().await.unwrap()
}

/// What somebody has in hand, from when everything was allowed.
struct Hand<'a, 'w> {
    somebody: &'a Person<'w>,
    refresh: String,
    docker: Docker<'a>,
}

impl Hand<'_, '_> {
    /// The status of each way in: Entra ID, resource management, vault, directory, and the registry by exchange,
    /// refresh token, access token, and user and password.
    async fn statuses(&self) -> Vec<(&'static str, u16)> {
        let (world, me) = (self.somebody.world, self.somebody);
        let scope = ("scope", "https://vault.azure.net/.default");
        let form =
            [("grant_type", "client_credentials"), ("client_id", &me.client_id), ("client_secret", &me.secret), scope];
        let entra = match sign_in(world, &form).await {
            Ok(_) => 200,
            Err(refusal) => {
                assert_eq!(refusal, ("unauthorized_client".to_owned(), 7_000_112));
                400
            }
        };
        let arm = me.arm(Method::GET, &registry_path("reg01"), Value::Null).await;
        let vault = me.vault(Method::GET, "vault1", "keys", Value::Null).await;
        let graph = me.graph(Method::GET, "groups", Value::Null).await;
        let access = me.token("https://management.azure.com").await;
        let basic = registry(world, Method::GET, "v2/team/app/tags/list").basic_auth(&me.client_id, Some(&me.secret));
        vec![
            ("Entra ID", entra),
            ("resource management", arm.status().as_u16()),
            ("vault", vault.status().as_u16()),
            ("directory", graph.status().as_u16()),
            ("exchange", exchanged(world, &access).await.status().as_u16()),
            ("refresh token", registry_token(world, &self.refresh).await.status().as_u16()),
            ("access token", self.docker.call(Method::GET, "manifests/v1").send().await.unwrap().status().as_u16()),
            ("user and password", basic.send().await.unwrap().status().as_u16()),
        ]
    }

    async fn can_do_all(&self, why: &str) {
        for (way, status) in self.statuses().await {
            assert_eq!(status, 200, "{why}: {way}");
        }
    }

    async fn can_do_nothing(&self, why: &str) {
        for (way, status) in self.statuses().await {
            let wanted = if way == "Entra ID" { 400 } else { 401 };
            assert_eq!(status, wanted, "{why}: {way}");
        }
        let answer = self.somebody.arm(Method::GET, &registry_path("reg01"), Value::Null).await;
        assert_eq!(refused(answer).await.1, "InvalidAuthenticationToken", "{why}");
    }
}

#[tokio::test]
async fn a_disabled_principal_can_do_nothing_until_it_is_enabled() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.sign_in("reg01", "team/app").await.push_image("v1", LAYER).await.unwrap();
    let somebody = world.somebody("ci").await;
    me.assign(&format!("/subscriptions/{SUBSCRIPTION}"), OWNER, &somebody.object_id).await;
    somebody.make_vault("vault1", false).await;
    let access = somebody.token("https://management.azure.com").await;
    let refresh = good(exchanged(&world, &access).await).await["refresh_token"].as_str().unwrap().to_owned();
    let docker = somebody.sign_in("reg01", "team/app").await;
    let principal = format!("servicePrincipals/{}", somebody.object_id);
    let application = format!("applications(appId='{}')", somebody.client_id);
    let hand = Hand { somebody: &somebody, refresh, docker };
    hand.can_do_all("at first").await;

    let by_microsoft = "DisabledDueToViolationOfServicesAgreement";
    for (object, property, off, on) in [
        (&principal, "accountEnabled", json!(false), json!(true)),
        (&application, "isDisabled", json!(true), json!(null)),
        (&application, "disabledByMicrosoftStatus", json!(by_microsoft), json!(null)),
    ] {
        good(me.graph(Method::PATCH, object, json!({ property: off })).await).await;
        hand.can_do_nothing(property).await;
        // It is shown; nobody else is hit.
        let shown = good(me.graph(Method::GET, object, Value::Null).await).await;
        assert_eq!(shown[property], off);
        good(me.graph(Method::PATCH, object, json!({ property: on })).await).await;
        hand.can_do_all(property).await;
    }
    // Text in place of a truth value would leave it enabled; that an application is disabled is its own to say.
    for wrong in [json!({"accountEnabled": "false"}), json!({"isDisabled": true})] {
        assert_eq!(refused(me.graph(Method::PATCH, &principal, wrong).await).await.0, 400);
    }
    hand.can_do_all("after what was refused").await;

    // An application for personal accounts is in no tenant.
    good(me.graph(Method::PATCH, &application, json!({"signInAudience": "PersonalMicrosoftAccount"})).await).await;
    let (client, secret) = (&somebody.client_id, &somebody.secret);
    let scope = ("scope", "https://vault.azure.net/.default");
    let form = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret), scope];
    assert_eq!(sign_in(&world, &form).await.unwrap_err(), ("invalid_request".to_owned(), 9_002_331));
}

async fn imds(world: &World, resource: &str) -> (u16, Value) {
    let url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=";
    let asked = world.http().get(format!("{url}{resource}")).header("Metadata", "true");
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_disabled_managed_identity_gets_no_token_and_uses_none() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", false).await;
    me.make_key("vault1", "key").await;
    let (client, principal) = me.make_identity("id1").await;
    me.allow("vault1", &principal).await;
    let reads = async |token: &str| {
        let url = crate::harness::vault_url("vault1", "keys/key");
        world.http().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let (_, given) = imds(&world, "https://vault.azure.net").await;
    let token = given["access_token"].as_str().unwrap().to_owned();
    // Its token opens an application that trusts it.
    let somebody = world.somebody("federated").await;
    let credentials = format!("applications(appId='{}')/federatedIdentityCredentials", somebody.client_id);
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let trusted =
        json!({"name": "mine", "issuer": issuer, "subject": principal, "audiences": ["api://AzureADTokenExchange"]});
    good(me.graph(Method::POST, &credentials, trusted).await).await;
    let (_, given) = imds(&world, "api://AzureADTokenExchange").await;
    let assertion = given["access_token"].as_str().unwrap().to_owned();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &somebody.client_id),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
        ("scope", "https://vault.azure.net/.default"),
    ];
    assert_eq!(reads(&token).await, 200);
    sign_in(&world, &form).await.unwrap();

    let path = format!("servicePrincipals/{principal}");
    good(me.graph(Method::PATCH, &path, json!({"accountEnabled": false})).await).await;
    let (status, refusal) = imds(&world, "https://vault.azure.net").await;
    assert_eq!((status, &refusal["error"]), (400, &json!("unauthorized_client")));
    let text = refusal["error_description"].as_str().unwrap();
    assert!(text.starts_with(&format!("AADSTS7000112: Application '{client}'(id1) is disabled.")), "{text}");
    assert_eq!(reads(&token).await, 401);
    assert_eq!(sign_in(&world, &form).await.unwrap_err().1, 7_000_112);

    good(me.graph(Method::PATCH, &path, json!({"accountEnabled": true})).await).await;
    assert_eq!(imds(&world, "https://vault.azure.net").await.0, 200);
    assert_eq!(reads(&token).await, 200);
    sign_in(&world, &form).await.unwrap();

    // Of one that is gone, made anew under the same name, no token is good.
    good(me.arm(Method::DELETE, &identity_path("id1"), Value::Null).await).await;
    let (_, anew) = me.make_identity("id1").await;
    me.allow("vault1", &anew).await;
    assert_eq!(reads(&token).await, 401);
    assert_eq!(sign_in(&world, &form).await.unwrap_err(), ("invalid_client".to_owned(), 50_013));
}

#[tokio::test]
async fn a_group_that_is_left_gives_nothing_in_the_registry_any_more() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let somebody = world.somebody("member").await;
    let group = json!({"displayName": "g", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true});
    let group = good(me.graph(Method::POST, "groups", group).await).await["id"].as_str().unwrap().to_owned();
    let role = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}");
    let path = format!(
        "{}/providers/Microsoft.Authorization/roleAssignments/{}",
        registry_path("reg01"),
        uuid::Uuid::new_v4()
    );
    let body = json!({"properties": {"roleDefinitionId": role, "principalId": group, "principalType": "Group"}});
    good(me.arm(Method::PUT, &path, body).await).await;
    let members = format!("groups/{group}/members");
    let reference = format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", somebody.object_id);
    good(me.graph(Method::POST, &format!("{members}/$ref"), json!({"@odata.id": reference})).await).await;

    let access = somebody.token("https://management.azure.com").await;
    let refresh = good(exchanged(&world, &access).await).await["refresh_token"].as_str().unwrap().to_owned();
    let scopes = async || {
        let given = good(registry_token(&world, &refresh).await).await["access_token"].as_str().unwrap().to_owned();
        let claims = acrite::domain::world::crypto::from_base64url(given.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()["access"].clone()
    };
    assert_eq!(scopes().await[0]["actions"], json!(["pull", "push"]));
    good(me.graph(Method::DELETE, &format!("{members}/{}/$ref", somebody.object_id), Value::Null).await).await;
    assert_eq!(scopes().await, json!([]));
    assert_eq!(exchanged(&world, &access).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(somebody.arm(Method::GET, &group_path(""), Value::Null).await.status(), StatusCode::FORBIDDEN);
}

/// What `az acr encryption rotate-key` sends, with the same key and identity.
async fn rotate(me: &Person<'_>) -> reqwest::Response {
    let shown = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
    let encryption = shown["properties"]["encryption"].clone();
    me.arm(Method::PATCH, &registry_path("reg01"), json!({"properties": {"encryption": encryption}})).await
}

#[tokio::test]
async fn a_registry_is_blocked_while_its_identity_is_disabled() {
    let world = World::new();
    let me = world.developer().await;
    let Stage { kid, versionless, client, principal, .. } = stage::key(&me, false).await;
    let mut body = Person::cmk_body(&versionless, "id1", &client);
    body["identity"]["type"] = json!("SystemAssigned, UserAssigned");
    let made = good(me.arm(Method::PUT, &registry_path("reg01"), body).await).await;
    let system = made["identity"]["principalId"].as_str().unwrap().to_owned();
    me.allow("vault1", &system).await;
    let docker = me.sign_in("reg01", "team/app").await;
    docker.push_image("v1", LAYER).await.unwrap();
    let blob = format!("blobs/{}", digest(LAYER));
    let set = async |principal: &str, enabled: bool| {
        let path = format!("servicePrincipals/{principal}");
        good(me.graph(Method::PATCH, &path, json!({ "accountEnabled": enabled })).await).await;
    };
    let blocked = async |name: &str| {
        for path in ["manifests/v1", &blob, "tags/list"] {
            let answer = docker.call(Method::GET, path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
            let body: Value = answer.json().await.unwrap();
            let message = body["errors"][0]["message"].as_str().unwrap();
            assert!(message.starts_with("Access to Key Encryption Key is forbidden."), "{path}: {message}");
        }
        let status = world.status().await;
        let why = status["registries"][0]["why"].as_str().unwrap().to_owned();
        assert!(why.contains(&format!("the principal {name} (")) && why.ends_with(" is disabled"), "{why}");
        let (_, code, message) = refused(rotate(&me).await).await;
        assert_eq!(code, "BadRequest");
        assert!(message.starts_with("Failed to access KeyId"), "{message}");
    };
    let open = async || assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);

    set(&principal, false).await;
    blocked("id1").await;
    // The other identity takes over where the key lets it in; disabled as well, it does not.
    set(&system, false).await;
    let take_over = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": versionless, "identity": "system"}}}});
    let (_, _, message) = refused(me.arm(Method::PATCH, &registry_path("reg01"), take_over.clone()).await).await;
    assert!(message.starts_with("Failed to access KeyId"), "{message}");
    // Nor does the hourly look follow a new version.
    let newer = me.make_key("vault1", "key").await;
    world.advance(2 * 3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], kid);
    set(&principal, true).await;
    open().await;
    world.advance(3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], newer);

    set(&system, true).await;
    good(me.arm(Method::PATCH, &registry_path("reg01"), take_over).await).await;
    open().await;
    set(&system, false).await;
    blocked("reg01").await;
    set(&system, true).await;
    open().await;
}

#[tokio::test]
async fn a_vault_and_key_made_anew_under_their_names_open_nothing() {
    let world = World::new();
    let me = world.developer().await;
    let Stage { kid, principal, .. } = stage::registry(&me, false).await;
    let docker = me.sign_in("reg01", "team/app").await;
    docker.push_image("v1", LAYER).await.unwrap();
    let backup = good(me.vault(Method::POST, "vault1", "keys/key/backup", json!({})).await).await;

    good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await;
    let purge = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/vault1/purge"
    );
    good(me.arm(Method::POST, &purge, Value::Null).await).await;
    me.make_vault("vault1", false).await;
    me.allow("vault1", &principal).await;
    me.make_key("vault1", "key").await;
    let blocked = async || docker.pull_image("v1").await.unwrap_err().status();
    assert_eq!(blocked().await, StatusCode::FORBIDDEN);
    world.advance(2 * 3600).await;
    assert_eq!(blocked().await, StatusCode::FORBIDDEN, "the hourly look finds a version that cannot help");
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], kid);
    assert!(refused(rotate(&me).await).await.2.starts_with("Failed to access KeyId"));

    // Only the key itself, from a backup, gives the data back.
    good(me.vault(Method::DELETE, "vault1", "keys/key", Value::Null).await).await;
    good(me.vault(Method::DELETE, "vault1", "deletedkeys/key", Value::Null).await).await;
    good(me.vault(Method::POST, "vault1", "keys/restore", json!({"value": backup["value"]})).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);
}

const INACTIVE: &str = "The identity associated with the registry is inactive. This could be due to attempted removal of the identity. Reassign the identity manually";
const DAY: u64 = 86_400;

/// Its removal is refused, and stops the identity's renewal: three months later it has expired.
#[tokio::test]
async fn an_identity_whose_removal_was_tried_expires_unless_it_is_assigned_again() {
    let world = World::new();
    let me = world.developer().await;
    let (Stage { versionless, client, .. }, docker, _) = stage::image(&me, false, "team/app", LAYER).await;
    let (second, principal) = me.make_identity("id2").await;
    me.allow("vault1", &principal).await;
    let open = async || assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);
    let patch = async |body: Value| me.arm(Method::PATCH, &registry_path("reg01"), body).await;
    // What `az acr identity assign` and `az acr identity remove` send: the whole registry back.
    let whole = async |identity: Value| {
        let mut whole = good(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
        whole["identity"] = identity;
        whole
    };
    let attached = |ids: &[&str]| {
        let ids: serde_json::Map<String, Value> = ids.iter().map(|id| (identity_path(id), json!({}))).collect();
        json!({"type": "userAssigned", "userAssignedIdentities": ids})
    };
    let refusal = format!("does not have access to identity '{client}' Try forcibly adding the identity");
    let remove = async || {
        let body = whole(json!({"type": "None"})).await;
        let answer = me.arm(Method::PUT, &registry_path("reg01"), body).await;
        let (status, _, message) = refused(answer).await;
        assert!(status == 400 && message.contains(&refusal), "{status} {message}");
    };
    let rotate = async |identity: &str| {
        let key = json!({"keyIdentifier": versionless, "identity": identity});
        patch(json!({"identity": attached(&["id1", "id2"]), "properties": {"encryption": {"status": "enabled", "keyVaultProperties": key}}})).await
    };

    // A rotation to an identity that is not attached is no attempt to remove one.
    let key = json!({"keyIdentifier": versionless, "identity": second});
    let elsewhere = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": key}}});
    refused(patch(elsewhere).await).await;
    assert_eq!(world.status().await["registries"][0]["identity_expires"], Value::Null);
    remove().await;
    let expires = world.status().await["registries"][0]["identity_expires"].clone();
    assert!(expires.is_string());
    open().await;
    // Nor can the key be rotated now. What says nothing of identities assigns none.
    good(patch(json!({"tags": {"a": "b"}})).await).await;
    let (status, _, message) = refused(rotate(&second).await).await;
    assert!(status == 400 && message.contains(&refusal), "{status} {message}");
    // Assigned again, both is as before.
    good(patch(whole(attached(&["id1"])).await).await).await;
    assert_eq!(world.status().await["registries"][0]["identity_expires"], Value::Null);
    world.advance(100 * DAY).await;
    let me = world.developer().await;
    let docker = me.sign_in("reg01", "team/app").await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);

    // Another attempt, and the time is not put off by the next; meanwhile new versions are followed.
    remove().await;
    let newer = me.make_key("vault1", "key").await;
    world.advance(89 * DAY).await;
    remove().await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], newer);
    assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);
    world.advance(DAY).await;
    for path in ["manifests/v1", "tags/list"] {
        let answer = docker.call(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["errors"][0]["code"], &body["errors"][0]["message"]), (&json!("DENIED"), &json!(INACTIVE)));
    }
    let status = world.status().await["registries"][0].clone();
    assert_eq!(status["state"], "locked");
    assert!(status["why"].as_str().unwrap().ends_with("it has to be assigned again"), "{status}");
    let newest = me.make_key("vault1", "key").await;
    world.advance(2 * 3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], newer, "nor does it follow any more");
    refused(rotate(&second).await).await;

    good(patch(whole(attached(&["id1"])).await).await).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);
    world.advance(3600).await;
    assert_eq!(me.encryption("reg01").await["versionedKeyIdentifier"], newest);
    // The article's cure: another identity takes over, then the first may go.
    good(patch(json!({ "identity": attached(&["id1", "id2"]) })).await).await;
    good(rotate(&second).await).await;
    good(patch(json!({ "identity": attached(&["id2"]) })).await).await;
    world.advance(200 * DAY).await;
    assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);
}

/// The same of the system-assigned identity.
#[tokio::test]
async fn a_system_identity_whose_removal_was_tried_comes_back_as_itself() {
    let world = World::new();
    let me = world.developer().await;
    let Stage { kid, client, .. } = stage::key(&me, false).await;
    let mut body = Person::cmk_body(&kid, "id1", &client);
    body["identity"]["type"] = json!("SystemAssigned, UserAssigned");
    let made = good(me.arm(Method::PUT, &registry_path("reg01"), body).await).await;
    let system = made["identity"]["principalId"].clone();
    me.allow("vault1", system.as_str().unwrap()).await;
    let key = json!({"keyIdentifier": kid, "identity": "system"});
    let moved = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": key}}});
    good(me.arm(Method::PATCH, &registry_path("reg01"), moved).await).await;
    let docker = me.sign_in("reg01", "team/app").await;
    docker.push_image("v1", LAYER).await.unwrap();
    let identity = async |kind: &str| {
        let users = json!({identity_path("id1"): {}});
        let identity = if kind.contains("User") {
            json!({"type": kind, "userAssignedIdentities": users})
        } else {
            json!({ "type": kind })
        };
        me.arm(Method::PATCH, &registry_path("reg01"), json!({ "identity": identity })).await
    };
    refused(identity("UserAssigned").await).await;
    world.advance(91 * DAY).await;
    let answer = docker.call(Method::GET, "manifests/v1").send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["message"], INACTIVE);
    let shown = good(identity("SystemAssigned").await).await;
    assert_eq!(shown["identity"]["principalId"], system, "the same principal, with the rights it had");
    assert_eq!(docker.pull_image("v1").await.unwrap().1, LAYER);
}
