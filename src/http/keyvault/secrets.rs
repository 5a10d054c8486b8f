//! Secrets on the wire: what only secrets can be asked for, and how they are shown.
//! Must not know: how rights are decided, how secrets are kept.

use serde_json::{Map, Value, json};

use super::route::{Route, handler};
use super::wire::{self, Shown};
use super::{Asked, Reply, body, objects};
use crate::app::vault::secrets::{self, Found};
use crate::domain::Result;
use crate::domain::access::Permission;
use crate::domain::vault::secret::{Change, SecretVersion, Secrets};

/// The rows of secrets.
pub static ROUTES: &[Route] = &[
    Route::new("GET", "secrets", "SecretList", handler!(objects::list::<Secrets>, false)),
    Route::new("POST", "secrets/restore", "SecretRestore", handler!(objects::restore::<Secrets>)),
    Route::new("PUT", "secrets/{name}", "SecretSet", handler!(set)),
    Route::new("DELETE", "secrets/{name}", "SecretDelete", handler!(objects::delete::<Secrets>)),
    Route::new("GET", "secrets/{name}/versions", "SecretListVersions", handler!(objects::versions::<Secrets>)),
    Route::new("POST", "secrets/{name}/backup", "SecretBackup", handler!(objects::backup::<Secrets>)),
    Route::new("GET", "secrets/{name}/{version}", "SecretGet", handler!(get)),
    Route::new("PATCH", "secrets/{name}/{version}", "SecretUpdate", handler!(objects::update::<Secrets>)),
    Route::new("GET", "deletedsecrets", "SecretListDeleted", handler!(objects::list::<Secrets>, true)),
    Route::new("GET", "deletedsecrets/{name}", "SecretGetDeleted", handler!(objects::get_deleted::<Secrets>)),
    Route::new("DELETE", "deletedsecrets/{name}", "SecretPurge", handler!(objects::purge::<Secrets>)),
    Route::new("POST", "deletedsecrets/{name}/recover", "SecretRecover", handler!(objects::recover::<Secrets>)),
];

impl Shown for Secrets {
    fn item(id: String, version: &SecretVersion) -> Map<String, Value> {
        let mut shown = Map::new();
        if let Some(kind) = &version.own.content_type {
            shown.insert("contentType".into(), json!(kind));
        }
        shown.insert("id".into(), json!(id));
        shown
    }

    fn read_change(body: &Value) -> Result<Change> {
        body::secret_update(body)
    }
}

/// A secret with its value, in front of the rest.
fn whole(asked: &Asked<'_>, found: &Found, value: &str) -> Reply {
    let mut shown = json!({"value": value});
    for (name, member) in wire::bundle(&asked.api, &asked.base(), found).as_object().into_iter().flatten() {
        shown[name] = member.clone();
    }
    Reply::new(&found.0, shown)
}

async fn set(asked: &Asked<'_>) -> Result<Reply> {
    let (value, change) = asked.body(Permission::SECRET_SET, body::secret).await?;
    let mut cx = asked.write().await?;
    let found = secrets::set(&mut cx, &asked.vault, &asked.name, &value, change).await?;
    asked.commit(cx, whole(asked, &found, &value)).await
}

async fn get(asked: &Asked<'_>) -> Result<Reply> {
    let mut cx = asked.reading().await?;
    let (found, value) = secrets::get(&mut cx, &asked.vault, &asked.name, asked.version()).await?;
    Ok(whole(asked, &found, &value))
}
