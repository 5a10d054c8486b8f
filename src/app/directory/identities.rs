//! Principals and managed identities: the developer every world starts with, identities as resources,
//! and the principals of registries' system-assigned identities.
//! Must not know: what anybody may do.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::resources::groups;
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::directory::applications::{Application, Password};
use crate::domain::directory::identity::{Identity, Principal, PrincipalKind};
use crate::domain::error::ResourceError;
use crate::domain::resources::listing::Part;
use crate::domain::world::well_known::{
    DEVELOPER_CLIENT_ID, DEVELOPER_NAME, DEVELOPER_OBJECT_ID, DEVELOPER_SECRET, DEVELOPER_USER_ID, DEVELOPER_USER_NAME,
    ROLE_OWNER,
};
use crate::domain::world::{crypto, name};
use crate::domain::{Result, Timestamp};
use crate::store;
use crate::store::access::Assignment;

/// Puts the developer into a new world: a service principal, Owner of the subscription.
pub(in crate::app) async fn settle_in(app: &Arc<App>) -> Result<()> {
    let mut tx = app.store.read().await?;
    let there = store::directory::by_object(&mut tx, DEVELOPER_OBJECT_ID).await?.is_some();
    drop(tx);
    if there {
        return Ok(());
    }
    let mut cx = app.write_now(Caller::system()).await?;
    let developer = Principal {
        object_id: DEVELOPER_OBJECT_ID.to_owned(),
        app_id: Some(DEVELOPER_CLIENT_ID.to_owned()),
        kind: PrincipalKind::Application,
        display_name: DEVELOPER_NAME.to_owned(),
        resource_id: None,
        created_at: cx.now,
        doc: json!({}),
    };
    store::directory::insert(&mut cx.tx, &developer).await?;
    let application = Application {
        object_id: cx.guid(),
        app_id: DEVELOPER_CLIENT_ID.to_owned(),
        display_name: DEVELOPER_NAME.to_owned(),
        created_at: cx.now,
        doc: json!({}),
    };
    store::directory::insert_application(&mut cx.tx, &application).await?;
    let password = Password {
        key_id: cx.guid(),
        app_id: DEVELOPER_CLIENT_ID.to_owned(),
        holder: application.object_id,
        display_name: None,
        hint: DEVELOPER_SECRET[..3].to_owned(),
        hash: crypto::sha256(DEVELOPER_SECRET.as_bytes()).to_vec(),
        starts_at: Timestamp(0),
        ends_at: crate::domain::world::time::END_OF_TIME,
    };
    store::directory::add_password(&mut cx.tx, &password).await?;
    own_the_subscription(&mut cx, DEVELOPER_OBJECT_ID, developer.kind).await?;
    cx.commit().await
}

/// Makes a principal Owner of the subscription.
async fn own_the_subscription(cx: &mut Cx, principal_id: &str, kind: PrincipalKind) -> Result<()> {
    let owner = Assignment {
        name: cx.guid(),
        scope: name::subscription_id(),
        role_id: ROLE_OWNER.to_owned(),
        principal_id: principal_id.to_owned(),
        principal_type: kind.principal_type().to_owned(),
        created_by: DEVELOPER_OBJECT_ID.to_owned(),
        created_at: cx.now,
        updated_at: cx.now,
        doc: json!({}),
    };
    store::access::save(&mut cx.tx, &owner).await
}

/// Puts the developer into the directory as a person, too: a user, Owner of the subscription. Once made, the user is
/// the directory's: who has deleted it does not meet it again.
pub(super) async fn meet_developer(app: &Arc<App>) -> Result<()> {
    let mut cx = app.write_now(Caller::system()).await?;
    let known = store::directory::by_object(&mut cx.tx, DEVELOPER_USER_ID).await?.is_some();
    if known || store::world::values::get(&mut cx.tx, "developer-met").await?.is_some() {
        return Ok(());
    }
    let user = Principal {
        object_id: DEVELOPER_USER_ID.to_owned(),
        app_id: None,
        kind: PrincipalKind::User,
        display_name: "Developer".to_owned(),
        resource_id: None,
        created_at: cx.now,
        doc: json!({"userPrincipalName": DEVELOPER_USER_NAME, "mailNickname": "developer", "accountEnabled": true}),
    };
    store::directory::insert(&mut cx.tx, &user).await?;
    own_the_subscription(&mut cx, DEVELOPER_USER_ID, user.kind).await?;
    store::world::values::set(&mut cx.tx, "developer-met", b"1").await?;
    cx.commit().await
}

/// Adds a managed identity's principal to the directory.
pub async fn add_managed(cx: &mut Cx, display_name: &str, resource_id: &str) -> Result<Principal> {
    let principal = Principal {
        object_id: cx.guid(),
        app_id: Some(cx.guid()),
        kind: PrincipalKind::ManagedIdentity,
        display_name: display_name.to_owned(),
        resource_id: Some(resource_id.to_owned()),
        created_at: cx.now,
        doc: json!({}),
    };
    store::directory::insert(&mut cx.tx, &principal).await?;
    Ok(principal)
}

/// A user-assigned identity by group and name.
pub async fn find(cx: &mut Cx, group: &str, identity: &str) -> Result<Option<Identity>> {
    store::directory::identities::find(&mut cx.tx, group, identity).await
}

/// A user-assigned identity of a group that exists.
pub async fn get(cx: &mut Cx, group: &str, identity: &str) -> Result<Identity> {
    groups::get(cx, group).await?;
    let missing =
        || ResourceError::NotFound { resource: format!("{}/{identity}", name::IDENTITIES), group: group.to_owned() };
    Ok(find(cx, group, identity).await?.ok_or_else(missing)?)
}

/// A part of the list of identities.
pub async fn list(cx: &mut Cx, part: &Part<'_>) -> Result<Vec<Identity>> {
    store::directory::identities::list(&mut cx.tx, part).await
}

/// Creates a user-assigned identity, or changes its tags. `true`: it is new.
pub async fn put(
    cx: &mut Cx,
    group: &str,
    identity: &str,
    location: &str,
    tags: Value,
    properties: Value,
) -> Result<(Identity, bool)> {
    if let Some(mut existing) = find(cx, group, identity).await? {
        existing.tags = tags;
        existing.properties = properties;
        store::directory::identities::save(&mut cx.tx, &existing).await?;
        return Ok((existing, false));
    }
    let principal = add_managed(cx, identity, &name::identity_id(group, identity)).await?;
    let made = Identity {
        group: group.to_owned(),
        name: identity.to_owned(),
        location: name::location(location),
        tags,
        properties,
        principal_id: principal.object_id,
        client_id: principal.app_id.unwrap_or_default(),
        created_by: cx.caller.name.clone(),
        created_at: cx.now,
    };
    store::directory::identities::save(&mut cx.tx, &made).await?;
    Ok((made, true))
}

/// Puts tags in the place of an identity's.
pub async fn tag(cx: &mut Cx, group: &str, identity: &str, tags: Value) -> Result<()> {
    let found = get(cx, group, identity).await?;
    store::directory::identities::save(&mut cx.tx, &Identity { tags, ..found }).await
}

/// Deletes a user-assigned identity and its principal. `false`: there was none. Rights it held stay on
/// the books, as on Azure, and open nothing.
pub async fn delete(cx: &mut Cx, group: &str, identity: &str) -> Result<bool> {
    let Some(existing) = find(cx, group, identity).await? else { return Ok(false) };
    store::directory::identities::delete(&mut cx.tx, group, identity).await?;
    store::directory::delete_federated_credentials(&mut cx.tx, &existing.client_id).await?;
    store::directory::delete(&mut cx.tx, &existing.principal_id).await?;
    Ok(true)
}

/// Deletes all identities of a group.
pub async fn delete_all(cx: &mut Cx, group: &str) -> Result<()> {
    for identity in list(cx, &Part::whole(Some(group))).await? {
        delete(cx, group, &identity.name).await?;
    }
    Ok(())
}
