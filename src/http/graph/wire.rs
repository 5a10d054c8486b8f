//! Graph's JSON shapes: objects with all the properties that Graph shows by default, list envelopes, and
//! reading what clients send.
//! Must not know: how objects are kept.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::filter::Filter;
use crate::app::directory::{Change, ServicePrincipal, identifier_uris};
use crate::domain::Result;
use crate::domain::directory::applications::{Application, FederatedCredential, Password};
use crate::domain::directory::identity::{Principal, PrincipalKind};
use crate::domain::error::{DirectoryError, RequestError};
use crate::domain::world::crypto;
use crate::domain::world::well_known::{TENANT_DOMAIN, TENANT_ID};
use crate::http::call::Call;

/// Where `@odata.context` points.
const METADATA: &str = "https://graph.microsoft.com/v1.0/$metadata";

/// Objects on one page, where the client does not say [docs].
const PAGE: usize = 100;
/// The most objects a client may ask for on one page [docs].
const MOST: usize = 999;

// --- shapes ----------------------------------------------------------------------------------------------

/// Defaults, under what the client sent, under what the directory says.
fn shape(mut object: Value, doc: &Value, own: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        for layer in [doc.as_object().cloned().unwrap_or_default(), own.as_object().cloned().unwrap_or_default()] {
            members.extend(layer);
        }
    }
    // Certificates are not shown again [docs].
    for credential in object.get_mut("keyCredentials").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(members) = credential.as_object_mut() {
            members.insert("key".to_owned(), Value::Null);
        }
    }
    object
}

/// An application [docs: default properties].
pub(super) fn application(application: &Application, passwords: &[Password]) -> Value {
    let defaults = json!({
        "id": null, "deletedDateTime": null, "appId": null, "applicationTemplateId": null,
        "disabledByMicrosoftStatus": null, "createdDateTime": null, "displayName": null, "description": null,
        "groupMembershipClaims": null, "identifierUris": [], "isDeviceOnlyAuthSupported": null,
        "isFallbackPublicClient": null, "notes": null, "publisherDomain": TENANT_DOMAIN,
        "serviceManagementReference": null, "signInAudience": "AzureADMyOrg", "tags": [], "tokenEncryptionKeyId": null,
        "samlMetadataUrl": null, "defaultRedirectUri": null, "certification": null, "optionalClaims": null,
        "servicePrincipalLockConfiguration": null, "requestSignatureVerification": null, "addIns": [],
        "api": {"acceptMappedClaims": null, "knownClientApplications": [], "requestedAccessTokenVersion": null, "oauth2PermissionScopes": [], "preAuthorizedApplications": []},
        "appRoles": [],
        "info": {"logoUrl": null, "marketingUrl": null, "privacyStatementUrl": null, "supportUrl": null, "termsOfServiceUrl": null},
        "keyCredentials": [],
        "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
        "passwordCredentials": [],
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": [],
        "verifiedPublisher": {"displayName": null, "verifiedPublisherId": null, "addedDateTime": null},
        "web": {"homePageUrl": null, "logoutUrl": null, "redirectUris": [], "implicitGrantSettings": {"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false}, "redirectUriSettings": []},
        "spa": {"redirectUris": []},
    });
    let own = json!({
        "id": application.object_id,
        "appId": application.app_id,
        "displayName": application.display_name,
        "createdDateTime": application.created_at.zulu(),
        "isDisabled": application.doc["isDisabled"],
        "passwordCredentials": passwords.iter().map(|p| password(p, None)).collect::<Vec<_>>(),
    });
    shape(defaults, &application.doc, own)
}

/// A service principal [docs: default properties].
pub(super) fn service_principal(found: &ServicePrincipal, passwords: &[Password]) -> Value {
    let principal = &found.principal;
    let application = found.application.as_ref();
    let app_id = principal.app_id.clone().unwrap_or_default();
    let managed = principal.kind == PrincipalKind::ManagedIdentity;
    let mut names = application.map(identifier_uris).unwrap_or_default();
    names.push(app_id.clone());
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
    let defaults = json!({
        "id": null, "deletedDateTime": null, "accountEnabled": true, "alternativeNames": [], "appDisplayName": null,
        "appDescription": null, "appId": null, "applicationTemplateId": null, "appOwnerOrganizationId": null,
        "appRoleAssignmentRequired": false, "createdDateTime": null, "description": null,
        "disabledByMicrosoftStatus": null, "displayName": null, "homepage": null, "loginUrl": null, "logoutUrl": null,
        "notes": null, "notificationEmailAddresses": [], "preferredSingleSignOnMode": null,
        "preferredTokenSigningKeyThumbprint": null, "replyUrls": [], "servicePrincipalNames": [],
        "servicePrincipalType": "Application", "signInAudience": null, "tags": [], "tokenEncryptionKeyId": null,
        "samlSingleSignOnSettings": null, "addIns": [], "appRoles": [],
        "info": {"logoUrl": null, "marketingUrl": null, "privacyStatementUrl": null, "supportUrl": null, "termsOfServiceUrl": null},
        "keyCredentials": [], "oauth2PermissionScopes": [], "passwordCredentials": [],
        "resourceSpecificApplicationPermissions": [],
        "verifiedPublisher": {"displayName": null, "verifiedPublisherId": null, "addedDateTime": null},
    });
    let mut own = json!({
        "id": principal.object_id,
        "alternativeNames": alternative,
        "appDisplayName": principal.display_name,
        "appId": app_id,
        "createdDateTime": principal.created_at.zulu(),
        "isDisabled": application.map(|a| &a.doc["isDisabled"]),
        "displayName": principal.display_name,
        "servicePrincipalNames": names,
        "servicePrincipalType": if managed { "ManagedIdentity" } else { "Application" },
        "passwordCredentials": passwords.iter().map(|p| password(p, None)).collect::<Vec<_>>(),
    });
    if let Some(application) = application {
        own["appOwnerOrganizationId"] = json!(TENANT_ID);
        own["appDisplayName"] = json!(application.display_name);
        own["signInAudience"] = application.doc.get("signInAudience").cloned().unwrap_or(json!("AzureADMyOrg"));
    }
    shape(defaults, &principal.doc, own)
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

/// A group [docs: default properties].
pub(super) fn group(group: &Principal) -> Value {
    let defaults = json!({
        "id": null, "deletedDateTime": null, "classification": null, "createdDateTime": null,
        "creationOptions": [], "description": null, "displayName": null, "expirationDateTime": null, "groupTypes": [],
        "isAssignableToRole": null, "mail": null, "mailEnabled": false, "mailNickname": null, "membershipRule": null,
        "membershipRuleProcessingState": null, "onPremisesDomainName": null, "onPremisesLastSyncDateTime": null,
        "onPremisesNetBiosName": null, "onPremisesSamAccountName": null, "onPremisesSecurityIdentifier": null,
        "onPremisesSyncEnabled": null, "preferredDataLocation": null, "preferredLanguage": null, "proxyAddresses": [],
        "renewedDateTime": null, "resourceBehaviorOptions": [], "resourceProvisioningOptions": [],
        "securityEnabled": true, "securityIdentifier": null, "theme": null, "uniqueName": null, "visibility": null,
        "onPremisesProvisioningErrors": [], "serviceProvisioningErrors": [],
    });
    let own = json!({
        "id": group.object_id,
        "displayName": group.display_name,
        "createdDateTime": group.created_at.zulu(),
        "renewedDateTime": group.created_at.zulu(),
    });
    shape(defaults, &group.doc, own)
}

/// What Graph shows of a user unless asked for more [docs].
const USER_DEFAULTS: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// A user with all that is known of it.
pub(super) fn user(user: &Principal) -> Value {
    let defaults = json!({
        "businessPhones": [], "displayName": null, "givenName": null, "jobTitle": null, "mail": null,
        "mobilePhone": null, "officeLocation": null, "preferredLanguage": null, "surname": null,
        "userPrincipalName": null, "id": null, "accountEnabled": true, "mailNickname": null, "userType": "Member",
        "onPremisesImmutableId": null,
    });
    let own = json!({
        "id": user.object_id,
        "displayName": user.display_name,
        "createdDateTime": user.created_at.zulu(),
    });
    shape(defaults, &user.doc, own)
}

/// What Graph shows of a user when nothing is selected.
pub(super) fn user_by_default(all: &Value) -> Value {
    let mut shown = Map::new();
    for name in USER_DEFAULTS {
        shown.insert((*name).to_owned(), all[*name].clone());
    }
    Value::Object(shown)
}

/// Any principal among others: with its type.
pub(super) fn directory_object(found: &ServicePrincipal) -> Value {
    let (kind, object) = match found.principal.kind {
        PrincipalKind::Application | PrincipalKind::ManagedIdentity => {
            ("servicePrincipal", service_principal(found, &[]))
        }
        PrincipalKind::Group => ("group", group(&found.principal)),
        PrincipalKind::User => ("user", user_by_default(&user(&found.principal))),
    };
    shape(json!({"@odata.type": format!("#microsoft.graph.{kind}")}), &object, json!({}))
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

// --- answers ---------------------------------------------------------------------------------------------

/// One object: `context` is what follows `$metadata#`.
pub(super) fn one(status: StatusCode, context: &str, object: &Value) -> Response {
    let body = shape(json!({"@odata.context": format!("{METADATA}#{context}")}), object, json!({}));
    (status, Json(body)).into_response()
}

/// A made object, with its address.
pub(super) fn created(noun: &str, object: &Value) -> Response {
    let id = object["id"].as_str().unwrap_or_default();
    let address = format!("https://graph.microsoft.com/v2/{TENANT_ID}/directoryObjects/{id}");
    let mut response = one(StatusCode::CREATED, &format!("{noun}/$entity"), object);
    if let Ok(address) = address.parse() {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// Done, and nothing to show.
pub(super) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// What a client asks of a list or an object.
pub(super) struct Query {
    /// `$filter`.
    pub filter: Option<Filter>,
    select: Option<Vec<String>>,
    top: usize,
    skip: usize,
    count: bool,
    path: String,
    rest: Vec<(String, String)>,
}

impl Query {
    /// Reads the query options. Those that are not answered here are refused.
    pub(super) fn read(call: &Call, properties: &[&str]) -> Result<Self> {
        let mut query = Self {
            filter: None,
            select: None,
            top: PAGE,
            skip: 0,
            count: false,
            path: call.path.clone(),
            rest: Vec::new(),
        };
        for (name, value) in crate::http::call::pairs(&call.query) {
            let unsupported = || DirectoryError::QueryUnsupported(format!("{name}={value}"));
            match name.to_ascii_lowercase().as_str() {
                "$filter" => query.filter = Some(Filter::parse(&value, properties)?),
                "$select" => query.select = Some(value.split(',').map(|s| s.trim().to_owned()).collect()),
                "$top" => {
                    query.top = value.parse().ok().filter(|t| (1..=MOST).contains(t)).ok_or_else(unsupported)?;
                }
                "$skiptoken" => query.skip = value.parse().map_err(|_| unsupported())?,
                "$count" => query.count = value == "true",
                // Names and ids come in the order of their making; that is an order too.
                "$orderby" | "$expand" | "$search" | "$skip" | "$apply" => return Err(unsupported().into()),
                _ => continue,
            }
            if !name.eq_ignore_ascii_case("$skiptoken") {
                query.rest.push((name, value));
            }
        }
        Ok(query)
    }

    /// Leaves of an object what is selected.
    pub(super) fn selected(&self, mut object: Value) -> Value {
        if let (Some(names), Some(members)) = (&self.select, object.as_object_mut()) {
            members.retain(|name, _| name.starts_with('@') || names.iter().any(|n| n.eq_ignore_ascii_case(name)));
        }
        object
    }

    /// Whether the client says which properties it wants.
    pub(super) fn selects(&self) -> bool {
        self.select.is_some()
    }

    /// The page of a list that is asked for.
    pub(super) fn list(&self, noun: &str, objects: Vec<Value>) -> Response {
        let matching: Vec<Value> =
            objects.into_iter().filter(|o| self.filter.as_ref().is_none_or(|f| f.holds(o))).collect();
        let count = matching.len();
        let page: Vec<Value> = matching.into_iter().skip(self.skip).take(self.top).map(|o| self.selected(o)).collect();
        let mut body = json!({"@odata.context": format!("{METADATA}#{noun}")});
        if self.count {
            body["@odata.count"] = json!(count);
        }
        let shown = self.skip.saturating_add(page.len());
        if shown < count {
            let mut next = format!("https://graph.microsoft.com{}?", self.path);
            for (name, value) in &self.rest {
                let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                next.push_str(&format!("{name}={value}&"));
            }
            body["@odata.nextLink"] = json!(format!("{next}$skiptoken={shown}"));
        }
        body["value"] = Value::Array(page);
        Json(body).into_response()
    }
}

// --- what clients send -----------------------------------------------------------------------------------

/// Reads a body that must be an object.
pub(super) async fn body(call: &mut Call) -> Result<Map<String, Value>> {
    match call.json().await? {
        Value::Object(members) => Ok(members),
        Value::Null => Err(RequestError::Malformed("An empty request payload was received.".to_owned()).into()),
        _ => Err(RequestError::Malformed("An object was expected.".to_owned()).into()),
    }
}

/// A body as a change: without what only the service sets.
pub(super) fn change(mut body: Map<String, Value>) -> Result<Change> {
    for credentials in ["passwordCredentials"] {
        // Secrets are made by addPassword. An empty list changes nothing, unless it is meant to remove.
        if body.remove(credentials).is_some_and(|c| c.as_array().is_some_and(|c| !c.is_empty())) {
            let message = "Update to existing credential with KeyId is not allowed; use addPassword.".to_owned();
            return Err(RequestError::InvalidValue { property: credentials.to_owned(), message }.into());
        }
    }
    // "false" in quotes would leave enabled what was to be disabled.
    for flag in ["accountEnabled", "isDisabled"] {
        if body.get(flag).is_some_and(|value| !value.is_boolean() && !value.is_null()) {
            let message = "A value of type Edm.Boolean is required.".to_owned();
            return Err(RequestError::InvalidValue { property: flag.to_owned(), message }.into());
        }
    }
    let display_name = match body.remove("displayName") {
        None => None,
        Some(Value::String(name)) if !name.is_empty() && name.chars().count() <= 256 => Some(name),
        Some(_) => {
            let message = "It must be a text of 1 to 256 characters.".to_owned();
            return Err(RequestError::InvalidValue { property: "displayName".to_owned(), message }.into());
        }
    };
    body.retain(|name, _| {
        let service_sets = [
            "id",
            "appId",
            "createdDateTime",
            "deletedDateTime",
            "passwordProfile",
            "servicePrincipalNames",
            "servicePrincipalType",
        ];
        !name.contains('@') && !service_sets.contains(&name.as_str())
    });
    Ok(Change { display_name, doc: body })
}

/// A text member of a body, which must be there.
pub(super) fn text(body: &Map<String, Value>, name: &str) -> Result<String> {
    body.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned).ok_or_else(|| {
        let message = "A value is required.".to_owned();
        RequestError::InvalidValue { property: name.to_owned(), message }.into()
    })
}

/// The texts of an array member of a body.
pub(super) fn texts(body: &Map<String, Value>, name: &str) -> Result<Vec<String>> {
    let wrong =
        || RequestError::InvalidValue { property: name.to_owned(), message: "A list of texts is required.".to_owned() };
    let all = body.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
    all.iter().map(|t| t.as_str().map(str::to_owned).ok_or_else(|| wrong().into())).collect()
}

/// The object id at the end of an `@odata.id` reference.
pub(super) fn reference(text: &str) -> String {
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.trim_start_matches("directoryObjects('").trim_end_matches("')").to_owned()
}
