//! Graph's objects as JSON: what is known of each, with defaults where nobody set anything.
//! Must not know: how objects are kept, queries.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schema::{APPLICATION, DOMAIN, Entity, GROUP, ORGANIZATION, SERVICE_PRINCIPAL, USER, fill};
use crate::app::directory::{ServicePrincipal, identifier_uris};
use crate::domain::directory::applications::{Application, FederatedCredential, Password};
use crate::domain::directory::identity::{Principal, PrincipalKind};
use crate::domain::world::crypto;
use crate::domain::world::well_known::{TENANT_DOMAIN, TENANT_ID};

/// Layers over each other, the first at the bottom, filled in with the type's defaults.
fn shape(entity: &Entity, layers: &[&Value]) -> Value {
    let mut object = entity.defaults();
    for layer in layers {
        object.extend(layer.as_object().cloned().unwrap_or_default());
    }
    entity.complete(&mut object);
    // Certificates are not shown again [docs].
    for credential in object.get_mut("keyCredentials").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(members) = credential.as_object_mut() {
            members.insert("key".to_owned(), Value::Null);
        }
    }
    complete_elements(&mut object);
    Value::Object(object)
}

/// Fills in the elements of lists [docs: appRole, permissionScope, optionalClaim, preAuthorizedApplication].
fn complete_elements(object: &mut Map<String, Value>) {
    let scope = json!({
        "adminConsentDescription": null, "adminConsentDisplayName": null, "id": null, "isEnabled": true,
        "type": "User", "userConsentDescription": null, "userConsentDisplayName": null, "value": null,
    });
    let role = json!({
        "allowedMemberTypes": [], "description": null, "displayName": null, "id": null, "isEnabled": true,
        "origin": "Application", "value": null,
    });
    if let Some(roles) = object.get_mut("appRoles") {
        fill_each(roles, &role);
    }
    if let Some(scopes) = object.get_mut("oauth2PermissionScopes") {
        fill_each(scopes, &scope);
    }
    if let Some(api) = object.get_mut("api").and_then(Value::as_object_mut) {
        if let Some(scopes) = api.get_mut("oauth2PermissionScopes") {
            fill_each(scopes, &scope);
        }
        if let Some(applications) = api.get_mut("preAuthorizedApplications") {
            fill_each(applications, &json!({"appId": null, "delegatedPermissionIds": []}));
        }
    }
    if let Some(claims) = object.get_mut("optionalClaims").filter(|claims| claims.is_object()) {
        fill(claims, &json!({"accessToken": [], "idToken": [], "saml2Token": []}));
        for list in claims.as_object_mut().into_iter().flat_map(Map::values_mut) {
            fill_each(list, &json!({"additionalProperties": [], "essential": false, "name": null, "source": null}));
        }
    }
    if let Some(web) = object.get_mut("web").and_then(Value::as_object_mut) {
        let uris = web.get("redirectUris").and_then(Value::as_array).cloned().unwrap_or_default();
        let settings: Vec<Value> = uris.iter().map(|uri| json!({"uri": uri, "index": null})).collect();
        web.insert("redirectUriSettings".to_owned(), Value::Array(settings));
    }
}

fn fill_each(list: &mut Value, default: &Value) {
    for element in list.as_array_mut().into_iter().flatten().filter(|element| element.is_object()) {
        fill(element, default);
    }
}

/// An application.
pub(super) fn application(application: &Application, passwords: &[Password]) -> Value {
    let own = json!({
        "id": application.object_id,
        "appId": application.app_id,
        "displayName": application.display_name,
        "createdDateTime": application.created_at.zulu(),
        "passwordCredentials": passwords.iter().map(|p| password(p, None)).collect::<Vec<_>>(),
    });
    shape(&APPLICATION, &[&application.doc, &own])
}

/// What a service principal has of its application [docs].
fn of_application(application: &Application) -> Value {
    let doc = &application.doc;
    let list = |value: &Value| if value.is_array() { value.clone() } else { json!([]) };
    json!({
        "appDescription": doc["description"], "appDisplayName": application.display_name,
        "appOwnerOrganizationId": TENANT_ID, "appRoles": list(&doc["appRoles"]), "homepage": doc["web"]["homePageUrl"],
        "info": doc["info"], "isDisabled": doc["isDisabled"], "logoutUrl": doc["web"]["logoutUrl"],
        "oauth2PermissionScopes": list(&doc["api"]["oauth2PermissionScopes"]),
        "replyUrls": list(&doc["web"]["redirectUris"]), "samlMetadataUrl": doc["samlMetadataUrl"],
        "signInAudience": doc.get("signInAudience").cloned().unwrap_or(json!("AzureADMyOrg")),
        "tags": list(&doc["tags"]),
    })
}

/// A service principal. Its application's id is its first name [recorded].
pub(super) fn service_principal(found: &ServicePrincipal, passwords: &[Password]) -> Value {
    let principal = &found.principal;
    let app_id = principal.app_id.clone().unwrap_or_default();
    let managed = principal.kind == PrincipalKind::ManagedIdentity;
    let mut names = vec![app_id.clone()];
    names.extend(found.application.as_ref().map(identifier_uris).unwrap_or_default());
    let named = principal.doc["servicePrincipalNames"].as_array();
    names.extend(named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    if managed {
        // A managed identity's second name. Its object id is none of its names (keyvault.md E.3).
        names.push(format!("https://identity.azure.net/{}", crypto::base64url(&crypto::sha256(app_id.as_bytes()))));
    }
    let explicit =
        principal.resource_id.as_deref().is_some_and(|id| id.to_ascii_lowercase().contains("/userassignedidentities/"));
    let alternative = match (&principal.resource_id, managed) {
        (Some(id), true) => json!([format!("isExplicit={}", if explicit { "True" } else { "False" }), id]),
        _ => json!([]),
    };
    let own = json!({
        "id": principal.object_id,
        "alternativeNames": alternative,
        "appId": app_id,
        "createdDateTime": principal.created_at.zulu(),
        "displayName": principal.display_name,
        "servicePrincipalNames": names,
        "servicePrincipalType": if managed { "ManagedIdentity" } else { "Application" },
        "passwordCredentials": passwords.iter().map(|p| password(p, None)).collect::<Vec<_>>(),
    });
    let inherited = match &found.application {
        Some(application) => of_application(application),
        None => json!({"appDisplayName": principal.display_name}),
    };
    shape(&SERVICE_PRINCIPAL, &[&inherited, &principal.doc, &own])
}

/// A client secret's public part; the secret itself is told once, when it is made.
pub(super) fn password(password: &Password, secret: Option<&str>) -> Value {
    json!({
        "customKeyIdentifier": null,
        "displayName": password.display_name,
        "endDateTime": password.ends_at.zulu(),
        "hint": password.hint,
        "keyId": password.key_id,
        "secretText": secret,
        "startDateTime": password.starts_at.zulu(),
    })
}

/// The security identifier that Windows knows a user or group by: its object id in four numbers [docs].
fn security_identifier(object_id: &str) -> Option<String> {
    let bytes = Uuid::try_parse(object_id).ok()?.to_bytes_le();
    let numbers = bytes.chunks_exact(4).filter_map(|four| four.try_into().ok().map(u32::from_le_bytes));
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    Some(format!("S-1-12-1-{}", numbers.join("-")))
}

/// A group.
pub(super) fn group(group: &Principal) -> Value {
    let own = json!({
        "id": group.object_id,
        "displayName": group.display_name,
        "createdDateTime": group.created_at.zulu(),
        "renewedDateTime": group.created_at.zulu(),
        "securityIdentifier": security_identifier(&group.object_id),
    });
    shape(&GROUP, &[&group.doc, &own])
}

/// A user.
pub(super) fn user(user: &Principal) -> Value {
    let own = json!({
        "id": user.object_id,
        "displayName": user.display_name,
        "createdDateTime": user.created_at.zulu(),
        "securityIdentifier": security_identifier(&user.object_id),
    });
    shape(&USER, &[&user.doc, &own])
}

/// Any principal among others: with its type.
pub(super) fn directory_object(found: &ServicePrincipal) -> Value {
    let (entity, mut object): (&Entity, Value) = match found.principal.kind {
        PrincipalKind::Application | PrincipalKind::ManagedIdentity => {
            (&*SERVICE_PRINCIPAL, service_principal(found, &[]))
        }
        PrincipalKind::Group => (&*GROUP, group(&found.principal)),
        PrincipalKind::User => (&*USER, user(&found.principal)),
    };
    object["@odata.type"] = json!(format!("#microsoft.graph.{}", entity.name));
    object
}

/// A federated credential.
pub(super) fn federated_credential(credential: &FederatedCredential) -> Value {
    json!({
        "id": credential.id,
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "description": credential.description,
        "audiences": credential.audiences,
    })
}

/// The tenant's only domain.
pub(super) fn domain() -> Value {
    shape(&DOMAIN, &[])
}

/// The tenant.
pub(super) fn organization() -> Value {
    let domain = json!({"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true, "name": TENANT_DOMAIN, "type": "Managed"});
    let own = json!({
        "id": TENANT_ID, "displayName": "Acrite", "verifiedDomains": [domain],
    });
    shape(&ORGANIZATION, &[&own])
}
