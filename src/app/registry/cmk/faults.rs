//! Faults between a registry and its vault: what the vault throttles, fails or loses of the registry's own calls.
//! Must not know: what a key opens.

use std::sync::Arc;

use crate::app::{App, Cx, faults};
use crate::domain::Result;
use crate::domain::access::Caller;
use crate::domain::error::ContentError;
use crate::domain::fault::{Service, Touch};
use crate::domain::registry::Registry;
use crate::domain::registry::cmk::Cmk;
use crate::store;

/// The audit log's names of what a registry asks of its vault.
const UNWRAP: &str = "KeyUnwrap";
const WRAP: &str = "KeyWrap";

/// Meets the fault for a registry's question to its vault whether it may still unwrap its data key. Outside of any
/// transaction, for it may wait.
pub async fn at_unwrapping(app: &Arc<App>, registry: &str) -> Result<()> {
    if !app.faults.any(Service::KeyVault) {
        return Ok(());
    }
    let mut cx = app.read_now(Caller::system()).await?;
    let Some(registry) = store::registry::registries::find(&mut cx.tx, registry).await? else { return Ok(()) };
    let Some(cmk) = registry.cmk.clone() else { return Ok(()) };
    let caller = super::principal(&mut cx, &registry, &cmk.identity).await.ok();
    drop(cx);
    let callers: Vec<&str> = caller.iter().flat_map(faults::names).collect();
    let touch = Touch { callers: &callers, ..touch(&registry, &cmk, &[UNWRAP]) };
    if faults::meet_from_registry(app, &touch).await? { Ok(()) } else { Err(ContentError::KeyForbidden.into()) }
}

/// The same for the work that wraps a data key, which does not wait.
pub(super) fn at_wrapping(cx: &Cx, registry: &Registry, cmk: &Cmk) -> impl FnOnce() -> Result<()> + Send + use<> {
    let (app, registry, cmk) = (cx.app.clone(), registry.clone(), cmk.clone());
    move || at_rotation(&app, &registry, &cmk)
}

/// The same for a rotation.
pub(super) fn at_rotation(app: &App, registry: &Registry, cmk: &Cmk) -> Result<()> {
    if !app.faults.any(Service::KeyVault) {
        return Ok(());
    }
    [UNWRAP, WRAP]
        .into_iter()
        .try_for_each(|operation| faults::strike_from_registry(app, &touch(registry, cmk, &[operation])))
}

fn touch<'a>(registry: &'a Registry, cmk: &'a Cmk, operations: &'a [&'a str]) -> Touch<'a> {
    let (vault, key) = (cmk.key.vault.as_str(), cmk.key.key.as_str());
    Touch { vault, key, registry: &registry.name, ..Touch::of(Service::KeyVault, operations) }
}
