//! Federated identity credentials of applications and user-assigned identities: whose tokens are taken in place of a
//! secret. Who may change them is asked where they are reached: here for applications, by ARM for managed identities.
//! Must not know: how such a token is checked (see sign_in).

use crate::app::{Cx, directory};
use crate::domain::directory::applications::{FEDERATED_LIMIT, FederatedCredential};
use crate::domain::error::{DirectoryError, RequestError};
use crate::domain::{Error, Result};
use crate::store;

/// The federated credentials of an application, or of a user-assigned identity by its client id.
pub async fn list(cx: &mut Cx, app_id: &str) -> Result<Vec<FederatedCredential>> {
    store::directory::federated_credentials(&mut cx.tx, app_id).await
}

/// One of them, by id or name.
pub async fn get(cx: &mut Cx, app_id: &str, key: &str) -> Result<FederatedCredential> {
    let all = list(cx, app_id).await?;
    let found = all.into_iter().find(|c| c.id.eq_ignore_ascii_case(key) || c.name.eq_ignore_ascii_case(key));
    found.ok_or_else(|| DirectoryError::NotFound(key.to_owned()).into())
}

/// Adds or replaces a federated credential. Its id is kept where the name is there already; `true`: it is new.
pub async fn put(cx: &mut Cx, mut credential: FederatedCredential) -> Result<(FederatedCredential, bool)> {
    let existing = list(cx, &credential.app_id).await?;
    let same_name = existing.iter().find(|c| c.name.eq_ignore_ascii_case(&credential.name));
    let invalid = |property: &str, message: &str| {
        Error::from(RequestError::InvalidValue { property: property.to_owned(), message: message.to_owned() })
    };
    if credential.audiences.len() != 1 {
        return Err(invalid("audiences", "Exactly one audience is required."));
    }
    if credential.issuer.is_empty() || credential.subject.is_empty() {
        return Err(invalid("issuer", "Issuer and subject are required."));
    }
    let same_token = |c: &&FederatedCredential| c.issuer == credential.issuer && c.subject == credential.subject;
    if existing.iter().filter(|c| !c.name.eq_ignore_ascii_case(&credential.name)).any(|c| same_token(&c)) {
        return Err(DirectoryError::ValueTaken { property: "issuer and subject" }.into());
    }
    let new = same_name.is_none();
    match same_name {
        Some(kept) => credential.id.clone_from(&kept.id),
        None if existing.len() >= FEDERATED_LIMIT => return Err(DirectoryError::TooManyCredentials.into()),
        None => credential.id = cx.guid(),
    }
    store::directory::save_federated_credential(&mut cx.tx, &credential).await?;
    Ok((credential, new))
}

/// Removes a federated credential by name. `false`: there was none.
pub async fn delete(cx: &mut Cx, app_id: &str, name: &str) -> Result<bool> {
    store::directory::delete_federated_credential(&mut cx.tx, app_id, name).await
}

// Of applications.

/// Adds a federated credential to an application; its name must be new. `credential` lacks id and application.
pub async fn add_to_application(
    cx: &mut Cx,
    application: &str,
    credential: FederatedCredential,
) -> Result<FederatedCredential> {
    let app_id = directory::application(cx, application).await?.app_id;
    directory::may_change_credentials(cx)?;
    if list(cx, &app_id).await?.iter().any(|c| c.name.eq_ignore_ascii_case(&credential.name)) {
        return Err(DirectoryError::ValueTaken { property: "name" }.into());
    }
    Ok(put(cx, FederatedCredential { app_id, ..credential }).await?.0)
}

/// What a PATCH changes of a federated credential.
#[derive(Debug, Default)]
pub struct Change {
    /// `issuer`.
    pub issuer: Option<String>,
    /// `subject`.
    pub subject: Option<String>,
    /// `audiences`.
    pub audiences: Option<Vec<String>>,
    /// `description`; the inner `None` takes it away.
    pub description: Option<Option<String>>,
}

/// Changes a federated credential of an application.
pub async fn change_of_application(cx: &mut Cx, application: &str, key: &str, change: Change) -> Result<()> {
    let app_id = directory::application(cx, application).await?.app_id;
    let kept = get(cx, &app_id, key).await?;
    directory::may_change_credentials(cx)?;
    let changed = FederatedCredential {
        issuer: change.issuer.unwrap_or(kept.issuer),
        subject: change.subject.unwrap_or(kept.subject),
        audiences: change.audiences.unwrap_or(kept.audiences),
        description: change.description.unwrap_or(kept.description),
        ..kept
    };
    put(cx, changed).await.map(|_| ())
}

/// Removes a federated credential of an application.
pub async fn delete_of_application(cx: &mut Cx, application: &str, key: &str) -> Result<()> {
    let app_id = directory::application(cx, application).await?.app_id;
    let found = get(cx, &app_id, key).await?;
    directory::may_change_credentials(cx)?;
    delete(cx, &app_id, &found.name).await.map(|_| ())
}
