//! Registries as resources: create, change, delete, find.
//! Must not know: how their keys are used (see cmk), what lies in them (see content).

use super::Cx;
use crate::domain::Result;
use crate::domain::error::RegistryError;
use crate::domain::registry::Registry;
use crate::store;

/// The registry of a login server's first label.
pub async fn by_name(cx: &mut Cx, name: &str) -> Result<Registry> {
    let found = store::registries::find(&mut cx.tx, name).await?;
    found.ok_or_else(|| RegistryError::Unknown(name.to_owned()).into())
}
