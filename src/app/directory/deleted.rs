//! What was deleted in the directory: kept for a while, restored, or gone for good. A deleted object is found by nobody
//! who looks for the living: its tokens are refused, and what it may do waits for it.
//! Must not know: Graph's JSON, tokens, roles.

use super::{Application, administer, check_identifier_uris, check_user_name, not_found};
use crate::app::Cx;
use crate::domain::directory::deleted::{Deleted, Object, is_restorable};
use crate::domain::directory::identity::Principal;
use crate::domain::error::DirectoryError;
use crate::domain::{Result, Timestamp};
use crate::store;

/// Takes an application out of the directory, its service principal left aside.
pub(super) async fn keep_application(cx: &mut Cx, application: Application) -> Result<()> {
    let (id, app_id) = (application.object_id.clone(), application.app_id.clone());
    let mut deleted = Deleted::bare(Object::Application(application), cx.now);
    deleted.federated = store::directory::federated_credentials(&mut cx.tx, &app_id).await?;
    hang_on(cx, &mut deleted, Some(&app_id)).await?;
    store::directory::delete_federated_credentials(&mut cx.tx, &app_id).await?;
    store::directory::delete_application(&mut cx.tx, &id).await?;
    store::directory::deleted::insert(&mut cx.tx, &deleted).await
}

/// Takes a principal out of the directory: to be restored, where its kind can be.
pub(super) async fn keep_principal(cx: &mut Cx, principal: Principal) -> Result<()> {
    let (id, app_id) = (principal.object_id.clone(), principal.app_id.clone());
    let restorable = is_restorable(&principal);
    let mut deleted = Deleted::bare(Object::Principal(principal), cx.now);
    hang_on(cx, &mut deleted, app_id.as_deref()).await?;
    deleted.groups = store::directory::direct_groups_of(&mut cx.tx, &id).await?;
    let members = store::directory::members(&mut cx.tx, &id).await?;
    deleted.members = members.into_iter().map(|member| member.object_id).collect();
    store::directory::delete(&mut cx.tx, &id).await?;
    if restorable {
        store::directory::deleted::insert(&mut cx.tx, &deleted).await?;
    }
    Ok(())
}

/// Notes secrets and owners, and takes them away.
async fn hang_on(cx: &mut Cx, deleted: &mut Deleted, app_id: Option<&str>) -> Result<()> {
    let id = deleted.object_id().to_owned();
    if let Some(app_id) = app_id {
        deleted.passwords = super::passwords(cx, app_id, &id).await?;
    }
    let owners = store::directory::owners(&mut cx.tx, &id).await?;
    deleted.owners = owners.into_iter().map(|owner| owner.object_id).collect();
    store::directory::remove_passwords_of(&mut cx.tx, &id).await?;
    store::directory::remove_owners_of(&mut cx.tx, &id).await
}

/// The deleted objects of a kind, in Graph's word.
pub async fn list(cx: &mut Cx, kind: &str) -> Result<Vec<Deleted>> {
    store::directory::deleted::list(&mut cx.tx, kind).await
}

/// A deleted object.
pub async fn get(cx: &mut Cx, id: &str) -> Result<Deleted> {
    store::directory::deleted::find(&mut cx.tx, id).await?.ok_or_else(|| not_found(id))
}

/// Brings a deleted object back as it was. An application's service principal does not come with it [docs].
pub async fn restore(cx: &mut Cx, id: &str) -> Result<Deleted> {
    administer(cx, "deletedItems/restore")?;
    let deleted = get(cx, id).await?;
    match &deleted.object {
        Object::Application(application) => {
            check_identifier_uris(cx, application).await?;
            store::directory::insert_application(&mut cx.tx, application).await?;
        }
        Object::Principal(principal) => {
            if let Some(app_id) = &principal.app_id
                && store::directory::by_app(&mut cx.tx, app_id).await?.is_some()
            {
                return Err(DirectoryError::ServicePrincipalExists(app_id.clone()).into());
            }
            check_user_name(cx, principal).await?;
            store::directory::insert(&mut cx.tx, principal).await?;
        }
    }
    for password in deleted.passwords.iter().rev() {
        store::directory::add_password(&mut cx.tx, password).await?;
    }
    for credential in &deleted.federated {
        store::directory::save_federated_credential(&mut cx.tx, credential).await?;
    }
    // Others may have gone meanwhile.
    let id = deleted.object_id();
    for owner in &deleted.owners {
        if super::any_object(cx, owner).await?.is_some() {
            store::directory::add_owner(&mut cx.tx, id, owner).await?;
        }
    }
    for group in &deleted.groups {
        if super::any_object(cx, group).await?.is_some() {
            store::directory::add_member(&mut cx.tx, group, id).await?;
        }
    }
    for member in &deleted.members {
        if super::any_object(cx, member).await?.is_some() {
            store::directory::add_member(&mut cx.tx, id, member).await?;
        }
    }
    store::directory::deleted::remove(&mut cx.tx, id).await?;
    Ok(deleted)
}

/// Removes a deleted object for good.
pub async fn purge(cx: &mut Cx, id: &str) -> Result<()> {
    administer(cx, "deletedItems/delete")?;
    if store::directory::deleted::remove(&mut cx.tx, id).await? { Ok(()) } else { Err(not_found(id)) }
}

/// When the next deleted object goes for good.
pub(in crate::app) async fn due(cx: &mut Cx) -> Result<Option<Timestamp>> {
    store::directory::deleted::next_purge(&mut cx.tx).await
}

/// Removes those whose time has come at the context's instant.
pub(in crate::app) async fn do_due(cx: &mut Cx) -> Result<()> {
    let now = cx.now;
    store::directory::deleted::purge_due(&mut cx.tx, now).await
}
