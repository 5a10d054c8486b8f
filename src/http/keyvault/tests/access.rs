//! Who is let in, and in which order that is asked: tokens, network, policies, roles.
//! Must not know: how any of it is kept.

use serde_json::json;

use super::*;
use crate::domain::world::time::MINUTE;

#[tokio::test]
async fn the_challenge_comes_first_even_for_what_is_not_there() {
    let (bed, _) = world().await;
    let path = "/keys/none?api-version=7.4";
    let answer = send(&bed, "v-one.vault.azure.net", None, "GET", path, "").await;
    let expected = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{TENANT_ID}\", resource=\"https://vault.azure.net\""
    );
    assert_eq!(answer.headers["www-authenticate"], expected);
    assert_eq!(answer.error(), (401, "Unauthorized", "", "AKV10000: Request is missing a Bearer or PoP token."));
    assert_eq!(answer.headers["x-ms-client-request-id"], "mine");

    // Python and Go compare host and port: on another port it must stand in the challenge.
    let answer = send(&bed, "v-one.vault.azure.net:4443", None, "GET", path, "").await;
    assert!(
        answer.headers["www-authenticate"].to_str().unwrap().ends_with("resource=\"https://vault.azure.net:4443\"")
    );

    let answer = send(&bed, "nowhere.vault.azure.net", None, "GET", path, "").await;
    assert_eq!((answer.status.as_u16(), answer.body["error"]["code"].as_str()), (404, Some("VaultNotFound")));
}

#[tokio::test]
async fn bad_tokens_are_told_apart() {
    let (bed, _) = world().await;
    let host = "v-one.vault.azure.net";
    let path = "/keys?api-version=7.4";
    let arm = bed.person(json!({"aud": "https://management.azure.com/"})).await;
    let answer = send(&bed, host, Some(&arm.token), "GET", path, "").await;
    let text = "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com/.";
    assert_eq!(answer.error(), (401, "Unauthorized", "", text));
    let old = bed.person(json!({"exp": 1_000_000})).await;
    let answer = send(&bed, host, Some(&old.token), "GET", path, "").await;
    assert_eq!(answer.error().3, "[TokenExpired] Error validating token: 'S2S12086'.");
    let foreign = bed.person(json!({"iss": "https://sts.windows.net/other/"})).await;
    let answer = send(&bed, host, Some(&foreign.token), "GET", path, "").await;
    assert_eq!(
        answer.error().3,
        format!(
            "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{TENANT_ID}/, found https://sts.windows.net/other/."
        )
    );
    let answer = send(&bed, host, Some("junk"), "GET", path, "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains_key("www-authenticate"));
}

/// A decision is remembered while nothing is written; where it looked at the time, only until time decides otherwise.
#[tokio::test]
async fn a_decision_that_looked_at_the_time_is_not_remembered_beyond_it() {
    let bed = Bed::new().await;
    bed.vault("v-two", json!({"enableRbacAuthorization": true})).await;
    let (owner, user) = (bed.person(json!({})).await, bed.person(json!({})).await);
    bed.role(&owner, ADMINISTRATOR, &bed.vault_id("v-two")).await;
    At { bed: &bed, person: &owner, vault: "v-two" }.key("k").await;
    let condition = "@Environment[UtcNow] DateTimeGreaterThanEquals '2026-01-01T01:00:00Z' AND \
                     @Environment[UtcNow] DateTimeLessThan '2026-01-01T02:00:00Z'";
    let doc = json!({"condition": condition, "conditionVersion": "2.0"});
    bed.role_if(&user.object_id, ENCRYPTION_USER, &bed.vault_id("v-two"), doc).await;
    let at = At { bed: &bed, person: &user, vault: "v-two" };
    for (minutes, status) in [(59, 403), (1, 200), (59, 200), (1, 403)] {
        bed.run(minutes * MINUTE);
        for time in ["first", "remembered"] {
            assert_eq!(at.wrap("k").await.status, status, "{minutes} minutes on, {time}");
        }
    }
}

#[tokio::test]
async fn access_policies_are_enforced_by_permission_group_and_application() {
    let (bed, owner) = world().await;
    let reader = bed.person(json!({})).await;
    bed.vault("v-one", json!({"accessPolicies": [policy(&owner, &["all"]), policy(&reader, &["GET", "wrapkey"])]}))
        .await;
    let at = At { bed: &bed, person: &owner, vault: "v-one" };
    let other = At { bed: &bed, person: &reader, vault: "v-one" };
    at.key("k").await;
    assert_eq!(other.get("/keys/k").await.status, 200);
    assert_eq!(other.wrap("k").await.status, 200);
    let text = format!(
        "The user, group or application 'appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/' does not have keys list permission on key vault 'v-one;location=eastus'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        reader.app_id, reader.object_id
    );
    assert_eq!(other.get("/keys").await.error(), (403, "Forbidden", "ForbiddenByPolicy", text.as_str()));
    // Authorization comes before existence, and before the body.
    assert_eq!(other.delete("/keys/none").await.error().2, "ForbiddenByPolicy");
    assert_eq!(other.post("/keys/new/create", json!({"kty": "nonsense"})).await.error().2, "ForbiddenByPolicy");
    assert_eq!(at.post("/keys/new/create", json!({"kty": "nonsense"})).await.error().1, "BadParameter");
    // `all` has neither purge nor rotate.
    at.delete("/keys/k").await;
    assert_eq!(at.delete("/deletedkeys/k").await.error().2, "ForbiddenByPolicy");
    let compound = json!({"tenantId": TENANT_ID, "objectId": reader.object_id, "applicationId": owner.app_id,
        "permissions": {"keys": ["all"]}});
    bed.vault("v-one", json!({"accessPolicies": [compound]})).await;
    assert_eq!(other.get("/keys").await.error().2, "ForbiddenByPolicy", "another application");
}

#[tokio::test]
async fn a_role_opens_its_own_scope_and_no_other() {
    let bed = Bed::new().await;
    let owner = bed.person(json!({})).await;
    let user = bed.person(json!({})).await;
    for vault in ["v-one", "v-two"] {
        bed.vault(vault, json!({"enableRbacAuthorization": true, "accessPolicies": [policy(&user, &["all"])]})).await;
        bed.role(&owner, ADMINISTRATOR, &bed.vault_id(vault)).await;
        let at = At { bed: &bed, person: &owner, vault };
        at.key("k-a").await;
        at.key("k-b").await;
    }
    let one = At { bed: &bed, person: &user, vault: "v-one" };
    let two = At { bed: &bed, person: &user, vault: "v-two" };
    let text = format!(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/\r\nAction: 'Microsoft.KeyVault/vaults/keys/wrap/action'\r\nResource: '{}/keys/k-a'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: v-one;location=eastus\r\n",
        user.app_id,
        user.object_id,
        bed.vault_id("v-one").to_ascii_lowercase()
    );
    assert_eq!(one.wrap("k-a").await.error(), (403, "Forbidden", "ForbiddenByRbac", text.as_str()));
    let scope = format!("{}/keys/K-A", bed.vault_id("v-one"));
    let assignment = bed.role(&user, ENCRYPTION_USER, &scope).await;
    assert_eq!(one.wrap("k-a").await.status, 200);
    assert_eq!(one.get("/keys/k-a").await.status, 200);
    assert_eq!(one.wrap("k-b").await.error().2, "ForbiddenByRbac");
    assert_eq!(two.wrap("k-a").await.error().2, "ForbiddenByRbac");
    assert_eq!(one.get("/keys").await.error().2, "ForbiddenByRbac", "a list is of the vault");
    assert_eq!(one.delete("/keys/k-a").await.error().2, "ForbiddenByRbac");
    bed.unrole(&assignment, &scope).await;
    assert_eq!(one.wrap("k-a").await.error().2, "ForbiddenByRbac", "a removed role closes at once");
}

#[tokio::test]
async fn the_firewall_is_asked_before_roles() {
    let (bed, person) = world().await;
    let at = At { bed: &bed, person: &person, vault: "v-one" };
    let caller = format!("appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/", person.app_id, person.object_id);
    bed.vault("v-one", json!({"networkAcls": {"defaultAction": "Deny"}})).await;
    let text = format!(
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\nCaller: {caller}\r\nVault: v-one;location=eastus"
    );
    assert_eq!(at.get("/keys/none").await.error(), (403, "Forbidden", "ForbiddenByFirewall", text.as_str()));
    let acls = json!({"defaultAction": "Deny", "ipRules": [{"value": "127.0.0.0/8"}]});
    bed.vault("v-one", json!({"networkAcls": acls})).await;
    assert_eq!(at.get("/keys/none").await.error().2, "ForbiddenByPolicy");
    bed.vault("v-one", json!({"networkAcls": {"defaultAction": "Deny", "bypass": "None"}})).await;
    assert!(at.get("/keys").await.error().3.contains("bypass is set to None"));
    bed.vault("v-one", json!({"publicNetworkAccess": "Disabled"})).await;
    assert_eq!(at.get("/keys").await.error().2, "ForbiddenByConnection");
}
