//! What a run signs in to other registries with, and the secrets of its task file: given, or read from vaults as an identity
//! of its task.
//! Must not know: what they are used for.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::builder::Login;
use crate::app::registry::copying::cache_rules::{self, said};
use crate::app::registry::{children, cmk, credentials, registries, sign_in};
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::registry::Registry;
use crate::domain::registry::child::Kind;
use crate::domain::registry::tasks::file::Secret;
use crate::domain::registry::tasks::order;
use crate::domain::registry::tasks::run::Run;
use crate::store;
use crate::store::directory::Who;

/// The object id of an identity of a run's task: `[system]`, or a client id.
async fn object_of(cx: &mut Cx, registry: &Registry, run: &Run, identity: Option<&str>) -> Result<String, String> {
    let none = || "the run has no task whose identity could be used".to_owned();
    let task = run.task.as_deref().ok_or_else(none)?;
    let task = children::find(cx, registry, Kind::TASK, task).await.map_err(|e| e.to_string())?.ok_or_else(none)?;
    match identity.filter(|i| !i.eq_ignore_ascii_case("[system]")) {
        None => task.principal.ok_or_else(|| "the task has no system-assigned identity".to_owned()),
        Some(client) => {
            let users = super::documents::user_identities(&task);
            let found = cmk::attached(cx, &users, client).await.map_err(|e| e.to_string())?;
            found.ok_or_else(|| format!("the identity '{client}' is not assigned to the task"))
        }
    }
}

async fn secret(
    app: &Arc<App>,
    registry: &Registry,
    run: &Run,
    id: &str,
    identity: Option<&str>,
) -> Result<Zeroizing<String>, String> {
    let mut cx = app.read(Caller::system()).await.map_err(|e| e.to_string())?;
    let object = object_of(&mut cx, registry, run, identity).await?;
    let read = cache_rules::read_as(&mut cx, &object, id, true).await;
    read.map_err(|refusal| format!("failed to get the secret {id}: {}", said(&refusal).1))
}

/// The values of a task file's secrets.
pub(super) async fn secrets(
    app: &Arc<App>,
    registry: &Registry,
    run: &Run,
    wanted: &[Secret],
) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for wanted in wanted {
        let value = secret(app, registry, run, &wanted.vault, wanted.client.as_deref()).await?;
        found.push((wanted.id.clone(), value.to_string()));
    }
    Ok(found)
}

/// User and password for each registry that a run signs in to.
pub(super) async fn resolve(
    app: &Arc<App>,
    registry: &Registry,
    run: &Run,
    wanted: &[order::Login],
) -> Result<Vec<Login>, String> {
    let mut found = Vec::new();
    for login in wanted {
        let identity = login.identity.as_deref();
        let known = match (&login.user, &login.password) {
            (Some((user, user_in_vault)), Some((password, password_in_vault))) => {
                let user = match user_in_vault {
                    true => secret(app, registry, run, user, identity).await?.to_string(),
                    false => user.clone(),
                };
                let password = match password_in_vault {
                    true => secret(app, registry, run, password, identity).await?,
                    false => Zeroizing::new(password.clone()),
                };
                Login { server: login.server.clone(), user, password }
            }
            _ => as_identity(app, registry, run, &login.server, identity).await?,
        };
        found.push(known);
    }
    Ok(found)
}

/// Signs in to an emulated registry as an identity of the task: what its roles there give.
async fn as_identity(
    app: &Arc<App>,
    registry: &Registry,
    run: &Run,
    server: &str,
    identity: Option<&str>,
) -> Result<Login, String> {
    let name = server.strip_suffix(".azurecr.io").ok_or_else(|| format!("no credentials are known for {server}"))?;
    let mut cx = app.read(Caller::system()).await.map_err(|e| e.to_string())?;
    let object = object_of(&mut cx, registry, run, identity).await?;
    let unknown = || format!("there is no registry {server}");
    let other = registries::by_name(&mut cx, name).await.map_err(|_| unknown())?;
    let standing = store::directory::standing(&mut cx.tx, Who::Object(&object)).await.map_err(|e| e.to_string())?;
    let standing = standing.ok_or("the identity is gone")?;
    Caller::of(standing, cx.caller.address).map_err(|_| "the identity is disabled")?;
    drop(cx);
    let token = sign_in::for_identity(app, &other, &object).await.map_err(|e| e.to_string())?;
    let user = credentials::TOKEN_USER.to_owned();
    Ok(Login { server: server.to_owned(), user, password: Zeroizing::new(token) })
}
