//! The directory as it is administered: applications, service principals, groups, users, their secrets and owners.
//! Must not know: Graph's JSON, tokens, roles.

pub mod deleted;
pub mod federated_credentials;
pub mod identities;
pub mod people;
pub mod sign_in;
pub mod tokens;

use serde_json::{Map, Value, json};

use crate::app::Cx;
use crate::domain::directory::applications::{self, Application, Password};
use crate::domain::directory::certificate;
use crate::domain::directory::identity::{Principal, PrincipalKind};
use crate::domain::error::{AccessError, DirectoryError, RequestError};
use crate::domain::world::time::DAY;
use crate::domain::world::well_known::{DEVELOPER_OBJECT_ID, DEVELOPER_USER_ID};
use crate::domain::world::{crypto, json};
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// Requires a right in the directory. Everybody may read; only the developer, who stands for the tenant's
/// administrator, may write: on Azure a new service principal has no right in the directory at all.
fn administer(cx: &Cx, action: &str) -> Result<()> {
    if [DEVELOPER_OBJECT_ID, DEVELOPER_USER_ID].contains(&cx.caller.object_id.as_str()) {
        return Ok(());
    }
    let action = format!("microsoft.directory/{action}");
    Err(AccessError::Action { caller: cx.caller.clone(), action, scope: "/".to_owned() }.into())
}

fn not_found(id: &str) -> Error {
    DirectoryError::NotFound(id.to_owned()).into()
}

/// A document with a change laid over it: objects member by member, everything else replaced.
fn merge(document: &mut Value, change: &Map<String, Value>) {
    if !document.is_object() {
        *document = json!({});
    }
    for (name, value) in change {
        match (&mut document[name], value) {
            (kept @ Value::Object(_), Value::Object(inner)) => merge(kept, inner),
            (kept, value) => *kept = value.clone(),
        }
    }
}

/// Objects that a change replaces whole: claims that it does not name are left out [client].
const REPLACED: [&str; 1] = ["optionalClaims"];

/// Memory that the document of a directory object may take. [inferred: Azure counts 1200 entries of a manifest] Lists go
/// through all objects.
const DOCUMENT_LIMIT: usize = 1024 * 1024;

/// Lays a change over an application's or principal's document.
fn lay_over(cx: &Cx, doc: &mut Value, mut change: Map<String, Value>) -> Result<()> {
    if let Some(sent) = change.get_mut("keyCredentials") {
        certificate::complete_key_credentials(doc, sent, || cx.guid())?;
    }
    for name in REPLACED.iter().filter(|name| change.contains_key(**name)) {
        doc[*name] = Value::Null;
    }
    merge(doc, &change);
    if doc.as_object().is_some_and(|members| !json::may_be_kept(members, DOCUMENT_LIMIT)) {
        return Err(RequestError::TooLarge { limit: json::BODY_LIMIT }.into());
    }
    Ok(())
}

/// What a client sets of an object: its name, and all else as it was sent.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// `displayName`, where it is set.
    pub display_name: Option<String>,
    /// The other properties.
    pub doc: Map<String, Value>,
}

// --- applications ----------------------------------------------------------------------------------------

/// All applications, oldest first.
pub async fn applications(cx: &mut Cx) -> Result<Vec<Application>> {
    store::directory::applications(&mut cx.tx).await
}

/// An application by object id.
pub async fn application(cx: &mut Cx, id: &str) -> Result<Application> {
    store::directory::application_by_object(&mut cx.tx, id).await?.ok_or_else(|| not_found(id))
}

/// An application by application id.
pub async fn application_by_app(cx: &mut Cx, app_id: &str) -> Result<Option<Application>> {
    store::directory::application_by_app(&mut cx.tx, app_id).await
}

/// Registers an application. It can sign in once it has a service principal and a secret.
pub async fn create_application(cx: &mut Cx, change: Change) -> Result<Application> {
    administer(cx, "applications/create")?;
    let display_name = named(&change)?;
    let mut made =
        Application { object_id: cx.guid(), app_id: cx.guid(), display_name, created_at: cx.now, doc: json!({}) };
    lay_over(cx, &mut made.doc, change.doc)?;
    check_identifier_uris(cx, &made).await?;
    store::directory::insert_application(&mut cx.tx, &made).await?;
    Ok(made)
}

/// Changes an application. Its service principal takes the name too, as on Azure.
pub async fn update_application(cx: &mut Cx, id: &str, change: Change) -> Result<()> {
    administer(cx, "applications/update")?;
    let mut kept = application(cx, id).await?;
    lay_over(cx, &mut kept.doc, change.doc)?;
    check_identifier_uris(cx, &kept).await?;
    if let Some(name) = change.display_name {
        kept.display_name.clone_from(&name);
        if let Some(mut principal) = store::directory::by_app(&mut cx.tx, &kept.app_id).await? {
            principal.display_name = name;
            store::directory::update(&mut cx.tx, &principal).await?;
        }
    }
    store::directory::update_application(&mut cx.tx, &kept).await
}

/// Deletes an application, its service principal, and all it signs in with. Tokens stop working at once.
pub async fn delete_application(cx: &mut Cx, id: &str) -> Result<()> {
    administer(cx, "applications/delete")?;
    let gone = application(cx, id).await?;
    if let Some(principal) = store::directory::by_app(&mut cx.tx, &gone.app_id).await? {
        deleted::keep_principal(cx, principal).await?;
    }
    deleted::keep_application(cx, gone).await
}

/// No two applications have one identifier URI.
async fn check_identifier_uris(cx: &mut Cx, application: &Application) -> Result<()> {
    let uris = identifier_uris(application);
    if uris.is_empty() {
        return Ok(());
    }
    for other in applications(cx).await? {
        if other.object_id != application.object_id && identifier_uris(&other).iter().any(|u| uris.contains(u)) {
            return Err(DirectoryError::ValueTaken { property: "identifierUris" }.into());
        }
    }
    Ok(())
}

/// An application's identifier URIs.
#[must_use]
pub fn identifier_uris(application: &Application) -> Vec<String> {
    let uris = application.doc["identifierUris"].as_array();
    uris.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn named(change: &Change) -> Result<String> {
    let name = change.display_name.clone().filter(|n| !n.is_empty());
    name.ok_or_else(|| {
        let message = "A value is required for property 'displayName' of resource.".to_owned();
        RequestError::InvalidValue { property: "displayName".to_owned(), message }.into()
    })
}

// --- service principals ----------------------------------------------------------------------------------

/// A service principal, with the application behind it where it is here.
#[derive(Debug, Clone)]
pub struct ServicePrincipal {
    pub principal: Principal,
    /// Its application; managed identities have none.
    pub application: Option<Application>,
}

fn is_service_principal(principal: &Principal) -> bool {
    matches!(principal.kind, PrincipalKind::Application | PrincipalKind::ManagedIdentity)
}

/// All service principals, managed identities' included.
pub async fn service_principals(cx: &mut Cx) -> Result<Vec<ServicePrincipal>> {
    let mut applications: std::collections::HashMap<String, Application> =
        applications(cx).await?.into_iter().map(|a| (a.app_id.clone(), a)).collect();
    let all = store::directory::all(&mut cx.tx).await?;
    Ok(all
        .into_iter()
        .filter(is_service_principal)
        .map(|principal| {
            let application = principal.app_id.as_ref().and_then(|id| applications.remove(id));
            ServicePrincipal { principal, application }
        })
        .collect())
}

/// A service principal by object id.
pub async fn service_principal(cx: &mut Cx, id: &str) -> Result<ServicePrincipal> {
    let found = store::directory::by_object(&mut cx.tx, id).await?;
    let principal = found.filter(is_service_principal).ok_or_else(|| not_found(id))?;
    with_application(cx, principal).await
}

/// A service principal by application id.
pub async fn service_principal_by_app(cx: &mut Cx, app_id: &str) -> Result<Option<ServicePrincipal>> {
    match store::directory::by_app(&mut cx.tx, app_id).await? {
        Some(principal) => with_application(cx, principal).await.map(Some),
        None => Ok(None),
    }
}

async fn with_application(cx: &mut Cx, principal: Principal) -> Result<ServicePrincipal> {
    let application = match &principal.app_id {
        Some(app_id) => application_by_app(cx, app_id).await?,
        None => None,
    };
    Ok(ServicePrincipal { principal, application })
}

/// Makes an application's service principal.
pub async fn create_service_principal(cx: &mut Cx, app_id: &str, change: Change) -> Result<ServicePrincipal> {
    administer(cx, "servicePrincipals/create")?;
    // Microsoft's own are here without their applications.
    if store::directory::by_app(&mut cx.tx, app_id).await?.is_some() {
        return Err(DirectoryError::ServicePrincipalExists(app_id.to_owned()).into());
    }
    let Some(application) = application_by_app(cx, app_id).await? else {
        return Err(DirectoryError::ApplicationUnknown(app_id.to_owned()).into());
    };
    let mut principal = Principal {
        object_id: cx.guid(),
        app_id: Some(application.app_id.clone()),
        kind: PrincipalKind::Application,
        display_name: application.display_name.clone(),
        resource_id: None,
        created_at: cx.now,
        doc: json!({}),
    };
    lay_over(cx, &mut principal.doc, change.doc)?;
    store::directory::insert(&mut cx.tx, &principal).await?;
    Ok(ServicePrincipal { principal, application: Some(application) })
}

/// Changes a service principal.
pub async fn update_service_principal(cx: &mut Cx, id: &str, change: Change) -> Result<()> {
    administer(cx, "servicePrincipals/update")?;
    let mut kept = service_principal(cx, id).await?.principal;
    apply(cx, &mut kept, change)?;
    store::directory::update(&mut cx.tx, &kept).await
}

/// Deletes a service principal and leaves its application. Managed identities go with their resource only.
pub async fn delete_service_principal(cx: &mut Cx, id: &str) -> Result<()> {
    administer(cx, "servicePrincipals/delete")?;
    let gone = service_principal(cx, id).await?.principal;
    if gone.kind == PrincipalKind::ManagedIdentity {
        let action = "microsoft.directory/servicePrincipals/delete".to_owned();
        return Err(AccessError::Action { caller: cx.caller.clone(), action, scope: "/".to_owned() }.into());
    }
    deleted::keep_principal(cx, gone).await
}

fn apply(cx: &Cx, principal: &mut Principal, change: Change) -> Result<()> {
    if let Some(name) = change.display_name {
        principal.display_name = name;
    }
    lay_over(cx, &mut principal.doc, change.doc)
}

// --- secrets ---------------------------------------------------------------------------------------------

/// The secrets that an application or service principal shows.
pub async fn passwords(cx: &mut Cx, app_id: &str, holder: &str) -> Result<Vec<Password>> {
    let mut all = store::directory::passwords(&mut cx.tx, app_id).await?;
    all.retain(|p| p.holder == holder);
    Ok(all)
}

/// What has owners and, but for groups, secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Application,
    ServicePrincipal,
    Group,
}

impl Holder {
    /// The object id and the application id of the one with this object id.
    async fn find(self, cx: &mut Cx, id: &str) -> Result<(String, String)> {
        Ok(match self {
            Self::Application => {
                let found = application(cx, id).await?;
                (found.object_id, found.app_id)
            }
            Self::ServicePrincipal => {
                let found = service_principal(cx, id).await?.principal;
                (found.object_id, found.app_id.unwrap_or_default())
            }
            Self::Group => (object(cx, PrincipalKind::Group, id).await?.object_id, String::new()),
        })
    }
}

/// What a new secret is to be.
#[derive(Debug, Default)]
pub struct NewPassword {
    /// What it is called.
    pub display_name: Option<String>,
    /// From when it is good: now, where it is not said.
    pub starts_at: Option<Timestamp>,
    /// Until when it is good: two years, where it is not said [docs].
    pub ends_at: Option<Timestamp>,
}

/// Adds a secret, and tells it this once.
pub async fn add_password(cx: &mut Cx, holder: Holder, id: &str, new: NewPassword) -> Result<(Password, String)> {
    let (holder, app_id) = holder.find(cx, id).await?;
    may_change_credentials(cx)?;
    let mut random = [0; 37];
    rand::Rng::fill_bytes(&mut cx.rng(), &mut random);
    let secret = applications::secret_text(&random);
    let starts_at = new.starts_at.unwrap_or(cx.now);
    let password = Password {
        key_id: cx.guid(),
        app_id,
        holder,
        display_name: new.display_name,
        hint: secret[..3].to_owned(),
        hash: crypto::sha256(secret.as_bytes()).to_vec(),
        starts_at,
        ends_at: new.ends_at.unwrap_or_else(|| starts_at.plus(731 * DAY)),
    };
    store::directory::add_password(&mut cx.tx, &password).await?;
    Ok((password, secret))
}

/// Removes a secret.
pub async fn remove_password(cx: &mut Cx, holder: Holder, id: &str, key_id: &str) -> Result<()> {
    let (holder, _) = holder.find(cx, id).await?;
    may_change_credentials(cx)?;
    if store::directory::remove_password(&mut cx.tx, &holder, key_id).await? {
        return Ok(());
    }
    Err(DirectoryError::PasswordNotFound(key_id.to_owned()).into())
}

// --- groups and users ------------------------------------------------------------------------------------

/// All groups, or all users.
pub async fn objects(cx: &mut Cx, kind: PrincipalKind) -> Result<Vec<Principal>> {
    store::directory::of_kind(&mut cx.tx, kind).await
}

/// A group, or a user by object id or user principal name.
pub async fn object(cx: &mut Cx, kind: PrincipalKind, id: &str) -> Result<Principal> {
    let mut found = store::directory::by_object(&mut cx.tx, id).await?;
    if found.is_none() && kind == PrincipalKind::User && id.contains('@') {
        found = objects(cx, kind).await?.into_iter().find(|user| has_name(user, id));
    }
    found.filter(|p| p.kind == kind).ok_or_else(|| not_found(id))
}

fn has_name(user: &Principal, name: &str) -> bool {
    user.doc["userPrincipalName"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name))
}

/// Makes a group or a user. Users can be in groups and hold roles; nobody can sign in as one.
pub async fn create_object(cx: &mut Cx, kind: PrincipalKind, change: Change) -> Result<Principal> {
    administer(cx, if kind == PrincipalKind::User { "users/create" } else { "groups/create" })?;
    let mut made = Principal {
        object_id: cx.guid(),
        app_id: None,
        kind,
        display_name: named(&change)?,
        resource_id: None,
        created_at: cx.now,
        doc: json!({}),
    };
    lay_over(cx, &mut made.doc, change.doc)?;
    check_user_name(cx, &made).await?;
    store::directory::insert(&mut cx.tx, &made).await?;
    Ok(made)
}

async fn check_user_name(cx: &mut Cx, user: &Principal) -> Result<()> {
    let Some(name) = user.doc["userPrincipalName"].as_str() else { return Ok(()) };
    let taken = objects(cx, user.kind).await?.iter().any(|o| o.object_id != user.object_id && has_name(o, name));
    if taken { Err(DirectoryError::ValueTaken { property: "userPrincipalName" }.into()) } else { Ok(()) }
}

/// Changes a group or a user.
pub async fn update_object(cx: &mut Cx, kind: PrincipalKind, id: &str, change: Change) -> Result<()> {
    administer(cx, if kind == PrincipalKind::User { "users/update" } else { "groups/update" })?;
    let mut kept = object(cx, kind, id).await?;
    apply(cx, &mut kept, change)?;
    check_user_name(cx, &kept).await?;
    store::directory::update(&mut cx.tx, &kept).await
}

/// Deletes a group or a user.
pub async fn delete_object(cx: &mut Cx, kind: PrincipalKind, id: &str) -> Result<()> {
    administer(cx, if kind == PrincipalKind::User { "users/delete" } else { "groups/delete" })?;
    let gone = object(cx, kind, id).await?;
    deleted::keep_principal(cx, gone).await
}

/// Whatever has this object id and can hold rights.
pub async fn any_object(cx: &mut Cx, id: &str) -> Result<Option<Principal>> {
    store::directory::by_object(&mut cx.tx, id).await
}

/// The direct members of a group.
pub async fn members(cx: &mut Cx, group: &str) -> Result<Vec<Principal>> {
    let group = object(cx, PrincipalKind::Group, group).await?;
    store::directory::members(&mut cx.tx, &group.object_id).await
}

/// Puts a principal into a group.
pub async fn add_member(cx: &mut Cx, group: &str, member: &str) -> Result<()> {
    administer(cx, "groups/members/update")?;
    let group = object(cx, PrincipalKind::Group, group).await?;
    let member = any_object(cx, member).await?.ok_or_else(|| not_found(member))?;
    if store::directory::add_member(&mut cx.tx, &group.object_id, &member.object_id).await? {
        return Ok(());
    }
    Err(DirectoryError::ReferenceExists("members").into())
}

/// Takes a principal out of a group.
pub async fn remove_member(cx: &mut Cx, group: &str, member: &str) -> Result<()> {
    administer(cx, "groups/members/update")?;
    let group = object(cx, PrincipalKind::Group, group).await?;
    if store::directory::remove_member(&mut cx.tx, &group.object_id, member).await? {
        return Ok(());
    }
    Err(not_found(member))
}

/// The groups a principal is in, by itself or through other groups.
pub async fn groups_of(cx: &mut Cx, id: &str) -> Result<Vec<String>> {
    let principal = any_object(cx, id).await?.ok_or_else(|| not_found(id))?;
    store::directory::groups_of(&mut cx.tx, &principal.object_id).await
}

// --- owners ----------------------------------------------------------------------------------------------

/// The owners of an application, service principal or group.
pub async fn owners(cx: &mut Cx, owned: Holder, id: &str) -> Result<Vec<Principal>> {
    let (owned, _) = owned.find(cx, id).await?;
    store::directory::owners(&mut cx.tx, &owned).await
}

/// Adds an owner. Owning gives no right here: only the developer writes.
pub async fn add_owner(cx: &mut Cx, owned: Holder, id: &str, owner: &str) -> Result<()> {
    let (owned, _) = owned.find(cx, id).await?;
    administer(cx, "applications/owners/update")?;
    let owner = any_object(cx, owner).await?.ok_or_else(|| not_found(owner))?;
    if store::directory::add_owner(&mut cx.tx, &owned, &owner.object_id).await? {
        return Ok(());
    }
    Err(DirectoryError::ReferenceExists("owners").into())
}

/// Removes an owner.
pub async fn remove_owner(cx: &mut Cx, owned: Holder, id: &str, owner: &str) -> Result<()> {
    let (owned, _) = owned.find(cx, id).await?;
    administer(cx, "applications/owners/update")?;
    if store::directory::remove_owner(&mut cx.tx, &owned, owner).await? {
        return Ok(());
    }
    Err(not_found(owner))
}

/// Requires the right to change what an application signs in with.
pub fn may_change_credentials(cx: &Cx) -> Result<()> {
    administer(cx, "applications/credentials/update")
}
