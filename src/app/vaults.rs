//! Vaults as resources: create, change, delete, recover, purge, find.
//! Must not know: registries exist.

use super::Cx;
use crate::domain::Result;
use crate::domain::error::VaultError;
use crate::domain::vault::Vault;
use crate::store;

/// A living vault by name. A deleted one is as unknown as one that never was. [inferred: what the data
/// plane of a soft-deleted vault answers is not known, keyvault.md H.9]
pub async fn living(cx: &mut Cx, name: &str) -> Result<Vault> {
    let found = store::vaults::find(&mut cx.tx, name).await?;
    found.filter(|v| v.deleted.is_none()).ok_or_else(|| VaultError::Unknown(name.to_owned()).into())
}
