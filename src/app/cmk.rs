//! A registry's conversation with its vault: the only verb that crosses from registries to keys, and it
//! goes as the registry's own identity through the gate that everybody passes.
//! **Where a registry blocks when its key is revoked:** [`open`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::{App, Cx, keys, tokens};
use crate::domain::access::Caller;
use crate::domain::cmk::{Cmk, KeyId, KeyIdentity, WRAP_ALGORITHM};
use crate::domain::envelope::Dek;
use crate::domain::error::{ContentError, RegistryError};
use crate::domain::key::Operation;
use crate::domain::name::{IDENTITIES, ResourceId};
use crate::domain::registry::Registry;
use crate::domain::{Error, Result, Timestamp, crypto};
use crate::store;

/// Data keys that were unwrapped before, so that the RSA work is not repeated. Not a permission: unless
/// `--revocation-delay` says otherwise, every use asks the vault whether it still may.
#[derive(Debug, Default)]
pub struct Unwrapped(Mutex<HashMap<i64, Memo>>);

#[derive(Debug, Clone)]
struct Memo {
    wrapped: Vec<u8>,
    dek: Dek,
    checked_at: Timestamp,
}

impl Unwrapped {
    fn get(&self, registry: &Registry) -> Option<Memo> {
        let memos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memos.get(&registry.id).filter(|m| m.wrapped == registry.wrapped_dek).cloned()
    }

    fn put(&self, registry: &Registry, dek: &Dek, checked_at: Timestamp) {
        let memo = Memo { wrapped: registry.wrapped_dek.clone(), dek: dek.clone(), checked_at };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.id, memo);
    }

    /// Forgets a registry's data key.
    pub fn forget(&self, registry: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&registry);
    }
}

/// The registry's data key, if its identity may now unwrap it with the key version that wrapped it; else
/// `ContentError::KeyForbidden`. Every read or write of content or its metadata begins here.
pub async fn open(cx: &mut Cx, registry: &Registry) -> Result<Dek> {
    match unwrap(cx, registry).await {
        Ok(dek) => Ok(dek),
        Err(Error::Internal(text)) => Err(Error::Internal(text)),
        Err(refusal) => {
            tracing::info!(registry = %registry.name, %refusal, "registry data is blocked: its key cannot be used");
            Err(ContentError::KeyForbidden.into())
        }
    }
}

/// Why a registry's data is blocked at the moment, if it is.
pub async fn blocked(cx: &mut Cx, registry: &Registry) -> Option<Error> {
    unwrap(cx, registry).await.err()
}

async fn unwrap(cx: &mut Cx, registry: &Registry) -> Result<Dek> {
    let app = cx.app.clone();
    let memo = app.unwrapped.get(registry);
    let Some(cmk) = &registry.cmk else {
        if let Some(memo) = memo {
            return Ok(memo.dek);
        }
        let dek = Dek::from_unwrapped(&crypto::open(&app.master, PLATFORM_CONTEXT, &registry.wrapped_dek)?)?;
        app.unwrapped.put(registry, &dek, cx.now);
        return Ok(dek);
    };
    if let Some(memo) = &memo
        && cx.now.0 - memo.checked_at.0 < app.revocation_delay
    {
        return Ok(memo.dek.clone());
    }
    let identity = principal(cx, registry, &cmk.identity).await?;
    let handle = authorize(cx, &identity, &cmk.versioned(), Operation::UnwrapKey).await?;
    let dek = match memo {
        Some(memo) => memo.dek,
        None => Dek::from_unwrapped(&Zeroizing::new(handle.run(WRAP_ALGORITHM, &registry.wrapped_dek)?))?,
    };
    app.unwrapped.put(registry, &dek, cx.now);
    Ok(dek)
}

/// What the platform key's envelope is bound to.
const PLATFORM_CONTEXT: &[u8] = b"platform-wrapped data key";

/// Wraps a data key with the platform key: registries without a customer-managed key.
pub fn wrap_with_platform_key(cx: &Cx, dek: &Dek) -> Result<Vec<u8>> {
    crypto::seal(&cx.app.master, PLATFORM_CONTEXT, dek.to_wrap().as_slice(), &mut cx.rng())
}

/// Takes a data key under `key`, as the registry's `identity`: gets the key, wraps, and unwraps once to be
/// sure that the data can be had back. Refusals are those of acr.md B.1 rows 6, 7 and 22.
pub async fn protect(
    cx: &mut Cx,
    registry: &Registry,
    key: &KeyId,
    identity: &KeyIdentity,
    dek: &Dek,
) -> Result<(Cmk, Vec<u8>)> {
    let refused = |why: Error| match why {
        Error::Internal(_) => why,
        _ => {
            tracing::info!(registry = %registry.name, %key, %why, "the key was refused to the registry");
            RegistryError::KeyAccess { key: key.to_string(), identity: identity.as_str().to_owned() }.into()
        }
    };
    let principal = principal(cx, registry, identity).await?;
    let outer = cx.act_as(principal.clone());
    let found = keys::get(cx, &key.vault, &key.key, key.version.as_deref()).await;
    cx.act_as(outer);
    let (_, _, version) = found.map_err(refused)?;
    if !version.is_rsa() {
        return Err(RegistryError::KeyType(key.to_string()).into());
    }
    let exact = key.at(&version.version);
    let wrap = authorize(cx, &principal, &exact, Operation::WrapKey).await.map_err(refused)?;
    let unwrap = authorize(cx, &principal, &exact, Operation::UnwrapKey).await.map_err(refused)?;
    let wrapped = wrap.run(WRAP_ALGORITHM, dek.to_wrap().as_slice())?;
    let back = Dek::from_unwrapped(&Zeroizing::new(unwrap.run(WRAP_ALGORITHM, &wrapped)?))?;
    if !crypto::same_secret(back.to_wrap().as_slice(), dek.to_wrap().as_slice()) {
        return Err(Error::Internal(format!("{exact} did not give back what it wrapped")));
    }
    let cmk = Cmk { key: key.clone(), version: version.version, identity: identity.clone(), rotated_at: None };
    Ok((cmk, wrapped))
}

/// The data key for a rotation, by the identity so far or, where that one is refused, by the new one: so
/// an identity that was lost can be replaced as long as the key itself is there.
pub async fn open_for_rotation(cx: &mut Cx, registry: &Registry, new_identity: &KeyIdentity) -> Result<Dek> {
    let refusal = match unwrap(cx, registry).await {
        Ok(dek) => return Ok(dek),
        Err(refusal) => refusal,
    };
    let Some(cmk) = &registry.cmk else { return Err(refusal) };
    let other = Registry { cmk: Some(Cmk { identity: new_identity.clone(), ..cmk.clone() }), ..registry.clone() };
    unwrap(cx, &other).await.map_err(|_| match refusal {
        Error::Internal(text) => Error::Internal(text),
        _ => RegistryError::KeyAccess { key: cmk.versioned().to_string(), identity: cmk.identity.as_str().to_owned() }
            .into(),
    })
}

async fn authorize(cx: &mut Cx, identity: &Caller, key: &KeyId, operation: Operation) -> Result<keys::Handle> {
    let outer = cx.act_as(identity.clone());
    let handle = keys::authorize(cx, &key.vault, &key.key, key.version.as_deref(), operation).await;
    cx.act_as(outer);
    handle
}

/// The registry's identity as a caller. It must be attached to the registry, and its principal must exist.
/// Only the system-assigned one counts as a trusted service (article: the firewall scenario).
async fn principal(cx: &mut Cx, registry: &Registry, identity: &KeyIdentity) -> Result<Caller> {
    let (object_id, trusted) = match identity {
        KeyIdentity::System => (registry.system_principal.clone(), true),
        KeyIdentity::User(client_id) => (attached(cx, &registry.user_identities, client_id).await?, false),
    };
    let found = match object_id {
        Some(id) => store::directory::by_object(&mut cx.tx, &id).await?,
        None => None,
    };
    let found = found.ok_or_else(|| not_attached(registry, identity))?;
    let groups = store::directory::groups_of(&mut cx.tx, &found.object_id).await?;
    let mut caller = tokens::caller(&found, groups, REGISTRY_ADDRESS);
    caller.trusted_service = trusted;
    Ok(caller)
}

/// The address from which registries call vaults: one of no network that a rule would admit
/// (TEST-NET-1, RFC 5737).
pub(super) const REGISTRY_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The refusal for an identity that the registry does not have (acr.md A.4).
#[must_use]
pub fn not_attached(registry: &Registry, identity: &KeyIdentity) -> Error {
    let identity = match identity {
        KeyIdentity::System => registry.system_principal.clone().unwrap_or_else(|| "system".to_owned()),
        KeyIdentity::User(client_id) => client_id.clone(),
    };
    RegistryError::IdentityNotAttached { registry_id: registry.arm_id(), registry: registry.name.clone(), identity }
        .into()
}

/// The object id of the attached user-assigned identity with this client id.
pub async fn attached(cx: &mut Cx, ids: &[String], client_id: &str) -> Result<Option<String>> {
    for id in ids {
        let Some(id) = ResourceId::parse(id).filter(|id| id.is(IDENTITIES)) else { continue };
        if let Some(identity) = store::identities::find(&mut cx.tx, &id.group, &id.name).await?
            && identity.client_id.eq_ignore_ascii_case(client_id)
        {
            return Ok(Some(identity.principal_id));
        }
    }
    Ok(None)
}

/// When registries next look for new versions of their keys.
pub(super) async fn next_look(cx: &mut Cx) -> Result<Option<Timestamp>> {
    store::registries::next_look(&mut cx.tx).await
}

/// The hourly look, at the instant `now`: each registry whose time has come takes the newest version of
/// its key, if there is a new one and it may wrap with it; else it stays with what it has.
pub(super) async fn look_for_new_versions(app: &Arc<App>, now: Timestamp) -> Result<()> {
    let mut cx = app.read_now(Caller::system()).await?;
    cx.now = now;
    let mut rotations = Vec::new();
    for registry in store::registries::looking(&mut cx.tx, now).await? {
        if let Some(rotation) = newer(&mut cx, &registry).await? {
            rotations.push((registry, rotation));
        }
    }
    drop(cx);
    let mut cx = app.write_now(Caller::system()).await?;
    for (registry, (cmk, wrapped)) in &rotations {
        if store::registries::rewrap(&mut cx.tx, registry.id, &registry.wrapped_dek, cmk, wrapped, now).await? {
            tracing::info!(registry = %registry.name, key = %cmk.versioned(), "rotated to the key's new version");
        }
    }
    store::registries::put_off_looks(&mut cx.tx, now).await?;
    cx.commit().await
}

async fn newer(cx: &mut Cx, registry: &Registry) -> Result<Option<(Cmk, Vec<u8>)>> {
    let Some(cmk) = registry.cmk.as_ref().filter(|c| c.follows_new_versions()) else { return Ok(None) };
    let identity = match principal(cx, registry, &cmk.identity).await {
        Ok(identity) => identity,
        Err(Error::Internal(text)) => return Err(Error::Internal(text)),
        Err(_) => return Ok(None),
    };
    let outer = cx.act_as(identity);
    let newest = keys::get(cx, &cmk.key.vault, &cmk.key.key, None).await;
    cx.act_as(outer);
    match newest {
        Ok((_, _, version)) if version.version == cmk.version => return Ok(None),
        Ok(_) => {}
        Err(Error::Internal(text)) => return Err(Error::Internal(text)),
        Err(why) => {
            tracing::info!(registry = %registry.name, %why, "could not look for a new key version");
            return Ok(None);
        }
    }
    let rotated = match unwrap(cx, registry).await {
        Ok(dek) => protect(cx, registry, &cmk.key, &cmk.identity, &dek).await,
        Err(why) => Err(why),
    };
    match rotated {
        Ok((new, wrapped)) => Ok(Some((Cmk { rotated_at: Some(cx.now), ..new }, wrapped))),
        Err(Error::Internal(text)) => Err(Error::Internal(text)),
        Err(why) => {
            tracing::info!(registry = %registry.name, %why, "could not rotate to the key's new version");
            Ok(None)
        }
    }
}
