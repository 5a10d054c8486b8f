//! Resource management: who may, what is refused and how, what round-trips.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    GROUP, Person, SUBSCRIPTION, TENANT, World, good, group_path, identity_path, refused, registry_path, vault_path,
};

#[tokio::test]
async fn a_stranger_may_nothing_until_a_role_is_given_and_after_it_is_taken() {
    let world = World::new();
    let me = world.developer().await;
    let stranger = world.somebody("stranger").await;
    me.make_group().await;
    let (status, code, message) = refused(stranger.arm(Method::GET, &group_path(""), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    assert_eq!(
        message,
        format!(
            "The client '{}' with object id '{}' does not have authorization to perform action 'Microsoft.Resources/subscriptions/resourceGroups/read' over scope '/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            stranger.client_id, stranger.object_id
        )
    );
    let none = good(stranger.arm(Method::GET, "/subscriptions", Value::Null).await).await;
    assert_eq!(none["value"], json!([]));

    let reader = me.assign(&group_path(""), "acdd72a7-3385-48ef-bd42-f606fba81ae7", &stranger.object_id).await;
    good(stranger.arm(Method::GET, &group_path(""), Value::Null).await).await;
    let (status, _, _) =
        refused(stranger.arm(Method::PUT, &identity_path("idx"), json!({"location": "eastus"})).await).await;
    assert_eq!(status, 403);
    good(me.arm(Method::DELETE, &reader, Value::Null).await).await;
    refused(stranger.arm(Method::GET, &group_path(""), Value::Null).await).await;
}

#[tokio::test]
async fn tokens_that_are_not_good_are_told_why() {
    let world = World::new();
    let me = world.developer().await;
    let url = format!("https://management.azure.com{}?api-version=2024-11-01", group_path(""));
    let call = async |token: Option<String>| {
        let mut request = world.http().get(&url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.headers().contains_key("www-authenticate"));
        refused(answer).await
    };
    let (status, code, _) = call(None).await;
    assert_eq!((status, code.as_str()), (401, "AuthenticationFailed"));
    let (_, code, _) = call(Some(me.token("https://vault.azure.net").await)).await;
    assert_eq!(code, "InvalidAuthenticationTokenAudience");
    let good_one = me.token("https://management.azure.com").await;
    let (_, code, _) = call(Some(format!("{}x", &good_one[..good_one.len() - 2]))).await;
    assert_eq!(code, "InvalidAuthenticationToken");
    let (_, code, _) = call(Some("nonsense".to_owned())).await;
    assert_eq!(code, "InvalidAuthenticationToken");
    // Signed by another tenant's key: another instance's.
    let other = World::new();
    let foreign = other.developer().await.token("https://management.azure.com").await;
    let (_, code, _) = call(Some(foreign)).await;
    assert_eq!(code, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn bad_requests_get_arms_own_errors() {
    let world = World::new();
    let me = world.developer().await;
    let token = me.token("https://management.azure.com").await;
    let raw = async |method: Method, path: &str, body: &'static str| {
        let request = world.http().request(method, format!("https://management.azure.com{path}")).bearer_auth(&token);
        refused(request.body(body).send().await.unwrap()).await
    };
    let (status, code, _) = raw(Method::GET, &group_path(""), "").await;
    assert_eq!((status, code.as_str()), (400, "MissingApiVersionParameter"));
    let (status, code, message) = refused(me.arm(Method::GET, &group_path(""), Value::Null).await).await;
    assert_eq!(
        (status, code.as_str(), message.as_str()),
        (404, "ResourceGroupNotFound", "Resource group 'rg' could not be found.")
    );
    me.make_group().await;
    let version = "?api-version=2025-11-01";
    let (status, code, _) = raw(Method::PUT, &format!("{}{version}", registry_path("reg01")), "{not json").await;
    assert_eq!((status, code.as_str()), (400, "InvalidRequestContent"));
    let (_, code, message) = refused(me.arm(Method::GET, &registry_path("reg01"), Value::Null).await).await;
    assert_eq!(code, "ResourceNotFound");
    assert!(message.starts_with(
        "The Resource 'Microsoft.ContainerRegistry/registries/reg01' under resource group 'rg' was not found."
    ));
    let (status, code, _) =
        raw(Method::GET, &format!("/subscriptions/00000000-0000-0000-0000-000000000000{version}"), "").await;
    assert_eq!((status, code.as_str()), (404, "SubscriptionNotFound"));
    let (status, code, _) =
        raw(Method::GET, &format!("{}{version}", group_path("/providers/Microsoft.Web/sites")), "").await;
    assert_eq!((status, code.as_str()), (404, "InvalidResourceNamespace"));
    let (status, code, _) = raw(Method::POST, &format!("{}{version}", group_path("")), "{}").await;
    assert_eq!((status, code.as_str()), (405, "HttpMethodNotSupported"));
    let body = json!({"location": "eastus", "sku": {"name": "Premium"}});
    for name in ["abc", "my-registry", &"a".repeat(51)] {
        let (status, code, _) = refused(me.arm(Method::PUT, &registry_path(name), body.clone()).await).await;
        assert_eq!((status, code.as_str()), (400, "InvalidResourceName"), "{name}");
    }
    let (status, code, _) = refused(
        me.arm(Method::PUT, &registry_path("reg01"), json!({"location": "eastus", "sku": {"name": "Classic"}})).await,
    )
    .await;
    assert_eq!((status, code.as_str()), (400, "ClassicSkuDeprecated"));
    // A body beyond the limit, and the connection goes on.
    let huge = vec![b' '; 5 * 1024 * 1024];
    let request = world.http().put(format!("https://management.azure.com{}{version}", registry_path("reg01")));
    let answer = request.bearer_auth(&token).body(huge).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let list =
        good(me.arm(Method::GET, &group_path("/providers/Microsoft.ContainerRegistry/registries"), Value::Null).await)
            .await;
    assert_eq!(list["value"], json!([]), "nothing of a refused request is stored");
}

#[tokio::test]
async fn names_are_unique_in_the_world() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let other = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/other");
    good(me.arm(Method::PUT, &other, json!({"location": "eastus"})).await).await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    let registry = format!("{other}/providers/Microsoft.ContainerRegistry/registries/REG01");
    let body = json!({"location": "eastus", "sku": {"name": "Basic"}});
    let (status, code, message) = refused(me.arm(Method::PUT, &registry, body).await).await;
    assert_eq!((status, code.as_str()), (409, "AlreadyInUse"));
    assert!(message.starts_with("The registry DNS name reg01.azurecr.io is already in use."));
    let vault = format!("{other}/providers/Microsoft.KeyVault/vaults/vault1");
    let body = json!({"location": "eastus", "properties": {"tenantId": TENANT, "sku": {"name": "standard", "family": "A"}, "accessPolicies": []}});
    let (status, code, _) = refused(me.arm(Method::PUT, &vault, body).await).await;
    assert_eq!((status, code.as_str()), (409, "VaultAlreadyExists"));
    let check = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerRegistry/checkNameAvailability");
    let asked = json!({"name": "reg01", "type": "Microsoft.ContainerRegistry/registries"});
    let answer = good(me.arm(Method::POST, &check, asked).await).await;
    assert_eq!(
        answer,
        json!({"nameAvailable": false, "reason": "AlreadyExists", "message": "The registry reg01 is already in use."})
    );
}

#[tokio::test]
async fn a_vault_is_deleted_softly_and_its_roles_for_good() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_vault("vault1", true).await;
    me.make_key("vault1", "key").await;
    good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await;
    let gone = me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let body = json!({"location": "eastus", "properties": {"tenantId": TENANT, "sku": {"name": "standard", "family": "A"}, "accessPolicies": []}});
    let (status, code, message) = refused(me.arm(Method::PUT, &vault_path("vault1"), body).await).await;
    assert_eq!((status, code.as_str()), (409, "ConflictError"));
    assert!(message.starts_with("A vault with the same name already exists in deleted state."));
    let deleted =
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/vault1");
    let shown = good(me.arm(Method::GET, &deleted, Value::Null).await).await;
    assert_eq!(shown["properties"]["vaultId"], json!(vault_path("vault1")));
    let recover = json!({"location": "eastus", "properties": {"createMode": "recover", "tenantId": TENANT, "sku": {"name": "premium", "family": "A"}}});
    good(me.arm(Method::PUT, &vault_path("vault1"), recover).await).await;
    // The key is back; the role that opened it is not.
    let (status, code, _) = refused(me.vault(Method::GET, "vault1", "keys/key", Value::Null).await).await;
    assert_eq!((status, code.as_str()), (403, "Forbidden"));
    me.assign(&vault_path("vault1"), "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", &me.object_id).await;
    good(me.vault(Method::GET, "vault1", "keys/key", Value::Null).await).await;

    good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await;
    world.advance(89 * 24 * 3600).await;
    good(me.arm(Method::GET, &deleted, Value::Null).await).await;
    world.advance(2 * 24 * 3600).await;
    let (status, code, _) = refused(me.arm(Method::GET, &deleted, Value::Null).await).await;
    assert_eq!((status, code.as_str()), (404, "DeletedVaultNotFound"), "purged by itself after its retention");
}

#[tokio::test]
async fn purge_protection_protects() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let body = |more: Value| {
        let mut properties =
            json!({"tenantId": TENANT, "sku": {"name": "standard", "family": "A"}, "accessPolicies": []});
        for (name, value) in more.as_object().unwrap() {
            properties[name] = value.clone();
        }
        json!({"location": "eastus", "properties": properties})
    };
    let (status, code, message) =
        refused(me.arm(Method::PUT, &vault_path("vault1"), body(json!({"enablePurgeProtection": false}))).await).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));
    assert_eq!(
        message,
        "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action."
    );
    good(me.arm(Method::PUT, &vault_path("vault1"), body(json!({"enablePurgeProtection": true}))).await).await;
    good(me.arm(Method::DELETE, &vault_path("vault1"), Value::Null).await).await;
    let purge = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/vault1/purge"
    );
    refused(me.arm(Method::POST, &purge, Value::Null).await).await;
    good(me.arm(Method::GET, purge.trim_end_matches("/purge"), Value::Null).await).await;
}

#[tokio::test]
async fn the_roles_default_follows_the_api_version() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let body = json!({"location": "eastus", "properties": {"tenantId": TENANT, "sku": {"name": "standard", "family": "A"}, "accessPolicies": []}});
    let old = good(me.arm_at("2023-07-01", Method::PUT, &vault_path("vault1"), body.clone()).await).await;
    assert!(old["properties"].get("enableRbacAuthorization").is_none());
    assert_eq!(old["properties"]["provisioningState"], "RegisteringDns");
    assert_eq!(old["properties"]["vaultUri"], "https://vault1.vault.azure.net");
    let new = good(me.arm_at("2026-02-01", Method::PUT, &vault_path("vault2"), body).await).await;
    assert_eq!(new["properties"]["enableRbacAuthorization"], true);
    let later = good(me.arm(Method::GET, &vault_path("vault1"), Value::Null).await).await;
    assert_eq!(later["properties"]["provisioningState"], "Succeeded");
    assert_eq!(later["properties"]["vaultUri"], "https://vault1.vault.azure.net/");
}

#[tokio::test]
async fn deleting_a_group_deletes_what_lies_in_it() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_vault("vault1", false).await;
    me.make_identity("id1").await;
    let answer = me.arm(Method::DELETE, &group_path(""), Value::Null).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let poll =
        answer.headers()["location"].to_str().unwrap().trim_start_matches("https://management.azure.com").to_owned();
    good(me.arm(Method::GET, &poll, Value::Null).await).await;
    refused(me.arm(Method::GET, &group_path(""), Value::Null).await).await;
    let all = good(me.arm(Method::GET, &format!("/subscriptions/{SUBSCRIPTION}/resources"), Value::Null).await).await;
    assert_eq!(all["value"], json!([]));
    let deleted = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedVaults");
    let deleted = good(me.arm(Method::GET, &deleted, Value::Null).await).await;
    assert_eq!(deleted["value"][0]["name"], "vault1");
    // The registry's name is free again at once.
    me.make_group().await;
    me.make_registry("reg01").await;
}

#[tokio::test]
async fn a_role_is_assigned_once() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let somebody = world.somebody("somebody").await;
    let role = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let first = me.assign(&group_path(""), role, &somebody.object_id).await;
    let definition = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let again =
        format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", group_path(""), uuid::Uuid::new_v4());
    let body = json!({"properties": {"roleDefinitionId": definition, "principalId": somebody.object_id}});
    let (status, code, message) = refused(me.arm(Method::PUT, &again, body).await).await;
    assert_eq!((status, code.as_str()), (409, "RoleAssignmentExists"));
    let id = first.rsplit('/').next().unwrap().replace('-', "");
    assert_eq!(message, format!("The role assignment already exists. The ID of the existing role assignment is {id}."));
    let unknown =
        json!({"properties": {"roleDefinitionId": definition, "principalId": "11111111-2222-3333-4444-555555555555"}});
    let (status, code, message) = refused(me.arm(Method::PUT, &again, unknown).await).await;
    assert_eq!((status, code.as_str()), (400, "PrincipalNotFound"));
    assert!(
        message.starts_with(&format!(
            "Principal 11111111222233334444555555555555 does not exist in the directory {TENANT}."
        ))
    );
}

#[tokio::test]
async fn a_refused_request_does_not_spoil_its_connection() {
    use std::io::{Read, Write};

    let world = World::new();
    let connect = || std::net::TcpStream::connect(world.url.strip_prefix("http://").unwrap()).unwrap();
    let head = |length: usize| {
        format!("POST /acrite/v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
    };
    // One answer: its head, in lower case, and its body.
    let read = |stream: &mut std::net::TcpStream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
        head
    };

    // The body comes after the head: who is refused has not been read to its end.
    let mut stream = connect();
    for _ in 0..20 {
        stream.write_all(head(5).as_bytes()).unwrap();
        stream.write_all(b"hello").unwrap();
        let answer = read(&mut stream);
        assert!(answer.starts_with("http/1.1 404") && !answer.contains("connection: close"), "{answer}");
    }

    // Too much to read for nothing: the client is told that there is no next request here.
    let mut stream = connect();
    stream.write_all(head(1 << 20).as_bytes()).unwrap();
    let answer = read(&mut stream);
    assert!(answer.starts_with("http/1.1 404") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn an_api_version_shows_what_it_knew() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    let subnet = format!("{}/subnets/s", group_path("/providers/Microsoft.Network/virtualNetworks/v"));
    let body = json!({
        "location": "eastus", "sku": {"name": "Premium"},
        "properties": {"networkRuleSet": {"defaultAction": "Deny", "virtualNetworkRules": [{"id": subnet}]}},
    });
    let path = registry_path("versioned");
    good(me.arm_at("2021-08-01-preview", Method::PUT, &path, body).await).await;
    // An update of one part of the rules keeps the others, those that its version does not know too.
    let address = json!({"properties": {"networkRuleSet": {"ipRules": [{"value": "16.17.18.0/24"}]}}});
    good(me.arm_at("2023-11-01-preview", Method::PATCH, &path, address).await).await;

    for (version, rules, shown, hidden) in [
        ("2021-08-01-preview", json!([{"action": "Allow", "id": subnet}]), "exportPolicy", "softDeletePolicy"),
        ("2023-11-01-preview", Value::Null, "softDeletePolicy", "none"),
        ("2023-07-01", Value::Null, "exportPolicy", "azureADAuthenticationAsArmPolicy"),
        ("2025-11-01", Value::Null, "azureADAuthenticationAsArmPolicy", "softDeletePolicy"),
        (
            "2026-09-01-preview",
            json!([{"action": "Allow", "virtualNetworkSubnetResourceId": subnet}]),
            "softDeletePolicy",
            "none",
        ),
    ] {
        let answer = me.arm_at(version, Method::GET, &path, Value::Null).await;
        assert_eq!(answer.headers()["api-supported-versions"], version);
        let shown_then = good(answer).await["properties"].clone();
        let set = &shown_then["networkRuleSet"];
        assert_eq!(set["virtualNetworkRules"], rules, "{version}");
        assert_eq!(set["defaultAction"], "Deny", "{version}");
        assert_eq!(set["ipRules"], json!([{"action": "Allow", "value": "16.17.18.0/24"}]), "{version}");
        let policies = shown_then["policies"].as_object().unwrap();
        assert!(policies.contains_key(shown) && !policies.contains_key(hidden), "{version}: {policies:?}");
        assert_eq!(shown_then.get("anonymousPullEnabled").is_some(), version != "2023-07-01", "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_listed_to_those_who_may_read_them() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    me.make_registry("reg02").await;
    let person = world.somebody("somebody").await;
    let path = format!("/subscriptions/{SUBSCRIPTION}/resources");
    let names = async |who: &Person<'_>| {
        let listed = good(who.arm(Method::GET, &path, Value::Null).await).await;
        listed["value"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&me).await, ["reg01", "reg02"]);
    let (status, code, _) = refused(person.arm(Method::GET, &path, Value::Null).await).await;
    assert_eq!((status, code.as_str()), (403, "AuthorizationFailed"));
    me.assign(&registry_path("reg02"), "acdd72a7-3385-48ef-bd42-f606fba81ae7", &person.object_id).await;
    assert_eq!(names(&person).await, ["reg02"]);
}

#[tokio::test]
async fn registries_take_no_values_that_azure_takes_none_of() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("reg01").await;
    let path = registry_path("reg01");
    let before = good(me.arm(Method::GET, &path, Value::Null).await).await;
    for wrong in [
        json!({"publicNetworkAccess": "Maybe"}),
        json!({"adminUserEnabled": "notabool"}),
        json!({"policies": {"retentionPolicy": {"days": 999}}}),
        json!({"policies": {"softDeletePolicy": {"retentionDays": 0}}}),
        json!({"networkRuleSet": {"ipRules": [{"value": "banana"}]}}),
    ] {
        let answer = me.arm_at("2026-09-01-preview", Method::PATCH, &path, json!({"properties": wrong})).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    let named = json!({"autoGeneratedDomainNameLabelScope": "TenantReuse"});
    let answer = me.arm_at("2026-09-01-preview", Method::PATCH, &path, json!({"properties": named})).await;
    assert_eq!(answer.status(), StatusCode::NOT_IMPLEMENTED);
    let after = good(me.arm(Method::GET, &path, Value::Null).await).await;
    assert_eq!(after["properties"], before["properties"]);

    // Exports can be disabled only without public network access, and that cannot come back before they do.
    let disabled = json!({"policies": {"exportPolicy": {"status": "disabled"}}});
    let refused_then = me.arm(Method::PATCH, &path, json!({"properties": disabled})).await;
    assert_eq!(refused_then.status(), StatusCode::BAD_REQUEST);
    let both = json!({"publicNetworkAccess": "disabled", "policies": {"exportPolicy": {"status": "disabled"}}});
    good(me.arm(Method::PATCH, &path, json!({"properties": both})).await).await;
    let open = json!({"properties": {"publicNetworkAccess": "Enabled"}});
    let (status, code, message) = refused(me.arm(Method::PATCH, &path, open).await).await;
    assert_eq!((status, code.as_str()), (400, "BadRequest"));
    assert_eq!(
        message,
        "Enabling public network access is not supported because the registry 'reg01' has exports disabled."
    );
}

#[tokio::test]
async fn what_hangs_on_a_resource_belongs_to_its_own_provider() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    me.make_registry("providers").await;
    let shown = good(me.arm(Method::GET, &registry_path("providers"), Value::Null).await).await;
    assert_eq!(shown["name"], "providers");
    let below = |rest: &str| format!("{}/providers/{rest}", registry_path("providers"));
    for method in [Method::GET, Method::PUT] {
        let path = below("Microsoft.Advisor/suppressions/all");
        let body = if method == Method::PUT { json!({"properties": {}}) } else { Value::Null };
        let told = refused(me.arm(method, &path, body).await).await;
        let message =
            "The resource namespace 'Microsoft.Advisor' is invalid. See the table of limits in Acrite's README."
                .to_owned();
        assert_eq!(told, (404, "InvalidResourceNamespace".to_owned(), message));
    }
    let (status, code, message) =
        refused(me.arm(Method::GET, &below("Microsoft.KeyVault/vaults/v"), Value::Null).await).await;
    assert_eq!((status, code.as_str()), (404, "InvalidResourceType"));
    assert!(message.contains("'vaults' could not be found in the namespace 'Microsoft.KeyVault'"), "{message}");
}

#[tokio::test]
async fn an_api_version_is_a_date() {
    let world = World::new();
    let me = world.developer().await;
    me.make_group().await;
    for version in ["banana", "2013-12-31", "2025-13-01", "7.4"] {
        let (status, code, message) =
            refused(me.arm_at(version, Method::GET, &group_path(""), Value::Null).await).await;
        assert_eq!((status, code.as_str()), (400, "InvalidApiVersionParameter"));
        let begin = format!("The api-version '{version}' is invalid. The supported versions are '2025-04-01,");
        assert!(message.starts_with(&begin), "{message}");
    }
    for version in ["2014-04-01", "2025-11-01", "2018-09-01-preview"] {
        good(me.arm_at(version, Method::GET, &group_path(""), Value::Null).await).await;
    }
}

#[tokio::test]
async fn a_location_is_a_region_of_azure() {
    let world = World::new();
    let me = world.developer().await;
    let body = |location: &str| {
        json!({"location": location, "sku": {"name": "Premium", "family": "A"}, "properties": {
            "tenantId": TENANT, "sku": {"name": "premium", "family": "A"}, "accessPolicies": []}})
    };
    let (status, code, message) = refused(me.arm(Method::PUT, &group_path(""), body("Mars")).await).await;
    assert_eq!((status, code.as_str()), (400, "LocationNotAvailableForResourceGroup"));
    let told =
        "The provided location 'Mars' is not available for resource group. List of available regions is 'eastus,";
    assert!(message.starts_with(told), "{message}");
    good(me.arm(Method::PUT, &group_path(""), json!({"location": "sweden CENTRAL"})).await).await;
    me.make_registry("reg01").await;
    for (path, kind) in [
        (registry_path("reg02"), "Microsoft.ContainerRegistry/registries"),
        (
            format!("{}/replications/mars", registry_path("reg01")),
            "Microsoft.ContainerRegistry/registries/replications",
        ),
        (vault_path("vault1"), "Microsoft.KeyVault/vaults"),
        (identity_path("id1"), "Microsoft.ManagedIdentity/userAssignedIdentities"),
    ] {
        let (status, code, message) = refused(me.arm(Method::PUT, &path, body("mars")).await).await;
        assert_eq!((status, code.as_str()), (400, "LocationNotAvailableForResourceType"), "{kind}");
        let told = format!(
            "The provided location 'mars' is not available for resource type '{kind}'. List of available regions for the resource type is 'eastus,"
        );
        assert!(message.starts_with(&told), "{message}");
    }
    for (path, location) in [(vault_path("vault1"), "New Zealand North"), (identity_path("id1"), "UKWEST")] {
        let made = good(me.arm(Method::PUT, &path, body(location)).await).await;
        assert_eq!(made["location"], location.replace(' ', "").to_lowercase());
    }
    let path = format!("/subscriptions/{SUBSCRIPTION}/locations");
    let all = good(me.arm(Method::GET, &path, Value::Null).await).await;
    let all: Vec<&str> = all["value"].as_array().unwrap().iter().map(|l| l["displayName"].as_str().unwrap()).collect();
    assert!(all.len() > 55 && all.contains(&"Poland Central"), "{all:?}");
}
