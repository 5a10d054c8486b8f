//! A registry's conversation with its vault: the only verb that crosses from registries to keys, and it
//! goes as the registry's own identity through the gate that everybody passes.
//! **Where a registry blocks when its key is revoked:** [`open`].

pub mod faults;
pub mod looks;

use std::net::{IpAddr, Ipv4Addr};

use zeroize::Zeroizing;

use crate::app::Cx;
use crate::app::vault::keys;
use crate::app::world::memory::Cache;
use crate::domain::access::Caller;
use crate::domain::directory::identity::Identity;
use crate::domain::error::{ContentError, EncryptionError, RegistryError};
use crate::domain::registry::Registry;
use crate::domain::registry::cmk::{Cmk, KeyId, KeyIdentity, WRAP_ALGORITHM};
use crate::domain::registry::envelope::Dek;
use crate::domain::vault::key::Operation;
use crate::domain::world::crypto;
use crate::domain::world::name::{IDENTITIES, ResourceId};
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::directory::Who;

/// Data keys that were unwrapped before, so that the RSA work is not repeated. Not a permission: unless
/// `--revocation-delay` says otherwise, every use asks the vault whether it still may.
pub(in crate::app) type Unwrapped = Cache<i64, Known>;

/// Data keys kept at most. One takes less than 1 kB.
pub(in crate::app) const UNWRAPPED_LIMIT: usize = 16_384;

#[derive(Debug, Clone)]
pub(in crate::app) struct Known {
    wrapped: Vec<u8>,
    dek: Dek,
    checked_at: Timestamp,
}

/// The registry's data key, if its identity may now unwrap it with the key version that wrapped it; else
/// `ContentError::KeyForbidden` or `ContentError::IdentityInactive`. Every read or write of content or its metadata begins here.
pub async fn open(cx: &mut Cx, registry: &Registry) -> Result<Dek> {
    match unwrap(cx, registry).await {
        Ok(dek) => Ok(dek),
        Err(failure) if failure.is_failure() => Err(failure),
        Err(refusal) => {
            tracing::info!(registry = %registry.name, %refusal, "registry data is blocked: its key cannot be used");
            match refusal {
                Error::Registry(RegistryError::Encryption(EncryptionError::IdentityExpired { .. })) => {
                    Err(ContentError::IdentityInactive.into())
                }
                _ => Err(ContentError::KeyForbidden.into()),
            }
        }
    }
}

/// Why a registry's data is blocked at the moment, if it is. That the emulator looks is no call of the
/// registry's: it leaves no audit record.
pub async fn blocked(cx: &mut Cx, registry: &Registry) -> Option<Error> {
    let unaudited = std::mem::replace(&mut cx.unaudited, true);
    let blocked = unwrap(cx, registry).await.err();
    cx.unaudited = unaudited;
    blocked
}

async fn unwrap(cx: &mut Cx, registry: &Registry) -> Result<Dek> {
    let dek = match leave_to_open(cx, registry).await? {
        Leave::Kept(dek) => return Ok(dek),
        Leave::Memo(dek) => dek,
        Leave::Platform => {
            Dek::from_unwrapped(&crypto::open(&cx.app.master, PLATFORM_CONTEXT, &registry.wrapped_dek)?)?
        }
        Leave::Key(handle) => opened(&handle, &registry.wrapped_dek)?,
    };
    let known = Known { wrapped: registry.wrapped_dek.clone(), dek: dek.clone(), checked_at: cx.now };
    cx.app.unwrapped.keep(registry.id, known);
    Ok(dek)
}

/// Leave to open a registry's data key, and with what.
enum Leave {
    /// Unwrapped before, and not to be asked about again yet.
    Kept(Dek),
    /// Unwrapped before; the vault was asked just now.
    Memo(Dek),
    /// The platform key opens it.
    Platform,
    /// A vault's key opens it.
    Key(Box<keys::Handle>),
}

async fn leave_to_open(cx: &mut Cx, registry: &Registry) -> Result<Leave> {
    let memo = cx.app.unwrapped.get(&registry.id).filter(|known| known.wrapped == registry.wrapped_dek);
    let Some(cmk) = &registry.cmk else {
        return Ok(memo.map_or(Leave::Platform, |memo| Leave::Kept(memo.dek)));
    };
    if let Some(memo) = &memo
        && cx.now.0 - memo.checked_at.0 < cx.app.revocation_delay
    {
        let kept = Leave::Kept(memo.dek.clone());
        cx.holds_until(memo.checked_at.plus(cx.app.revocation_delay));
        return Ok(kept);
    }
    let identity = principal(cx, registry, &cmk.identity).await?;
    let handle = authorize(cx, &identity, &cmk.versioned(), Operation::UnwrapKey).await?;
    Ok(memo.map_or_else(|| Leave::Key(Box::new(handle)), |memo| Leave::Memo(memo.dek)))
}

fn opened(handle: &keys::Handle, wrapped: &[u8]) -> Result<Dek> {
    // The key may be used, and was: what it does not unwrap is damaged.
    let damaged = |why| Error::Internal(format!("a registry's wrapped data key is damaged: {why}"));
    Dek::from_unwrapped(&Zeroizing::new(handle.run(WRAP_ALGORITHM, wrapped).map_err(damaged)?))
}

/// What the platform key's envelope is bound to.
const PLATFORM_CONTEXT: &[u8] = b"platform-wrapped data key";

/// Wraps a data key with the platform key: registries without a customer-managed key.
pub fn wrap_with_platform_key(cx: &Cx, dek: &Dek) -> Result<Vec<u8>> {
    crypto::seal(&cx.app.master, PLATFORM_CONTEXT, dek.to_wrap().as_slice(), &mut cx.rng())
}

/// A key version that may wrap a registry's data key.
struct Target {
    cmk: Cmk,
    wrap: keys::Handle,
    unwrap: keys::Handle,
}

/// Gets `key` as the registry's `identity`, with leave to wrap and to unwrap. Refusals are those of acr.md B.1 rows 6,
/// 7 and 22.
async fn target(cx: &mut Cx, registry: &Registry, key: &KeyId, identity: &KeyIdentity) -> Result<Target> {
    let refused = |why: Error| match why {
        failure if failure.is_failure() => failure,
        _ => {
            tracing::info!(registry = %registry.name, %key, %why, "the key was refused to the registry");
            EncryptionError::KeyAccess { key: key.to_string(), identity: identity.as_str().to_owned() }.into()
        }
    };
    let principal = principal(cx, registry, identity).await;
    // One that is attached and disabled gets no further than to the vault's door.
    let principal = principal.map_err(|why| if matches!(why, Error::SignIn(_)) { refused(why) } else { why })?;
    let outer = cx.act_as(principal.clone());
    let found = keys::get(cx, &key.vault, &key.key, key.version.as_deref()).await;
    cx.act_as(outer);
    let (_, _, version) = found.map_err(refused)?;
    if !version.is_rsa() {
        return Err(EncryptionError::KeyType(key.to_string()).into());
    }
    let exact = key.at(&version.version);
    let wrap = authorize(cx, &principal, &exact, Operation::WrapKey).await.map_err(refused)?;
    let unwrap = authorize(cx, &principal, &exact, Operation::UnwrapKey).await.map_err(refused)?;
    let (key, identity) = (key.clone(), identity.clone());
    let cmk = Cmk { key, version: version.version, identity, rotated_at: None, identity_expires: None };
    Ok(Target { cmk, wrap, unwrap })
}

impl Target {
    /// Wraps, and unwraps once to be sure that the data can be had back.
    fn protect(&self, dek: &Dek) -> Result<Vec<u8>> {
        let wrapped = self.wrap.run(WRAP_ALGORITHM, dek.to_wrap().as_slice())?;
        let back = opened(&self.unwrap, &wrapped)?;
        if crypto::same_secret(back.to_wrap().as_slice(), dek.to_wrap().as_slice()) {
            return Ok(wrapped);
        }
        Err(Error::Internal(format!("{} did not give back what it wrapped", self.cmk.versioned())))
    }
}

/// Makes a data key and takes it under `key`, as the registry's `identity`. Within a change.
pub async fn protect(cx: &mut Cx, registry: &Registry, key: &KeyId, identity: &KeyIdentity) -> Result<(Cmk, Vec<u8>)> {
    let target = target(cx, registry, key, identity).await?;
    let cmk = target.cmk.clone();
    let question = format!("a data key wrapped by {}", cmk.versioned());
    let meets = faults::at_wrapping(cx, registry, &cmk);
    let wrapped = cx.aside(&registry.arm_id(), &question, move || {
        meets()?;
        target.protect(&Dek::generate(&mut crate::app::rng()))
    })?;
    Ok((cmk, wrapped))
}

/// Moves a registry's data key to `key`, as its `identity`. `None`: it is there already. Within a change.
pub async fn rewrap(
    cx: &mut Cx,
    registry: &Registry,
    key: &KeyId,
    identity: &KeyIdentity,
) -> Result<Option<(Cmk, Vec<u8>)>> {
    let leave = leave_to_rotate(cx, registry, identity).await?;
    let target = target(cx, registry, key, identity).await?;
    let cmk = target.cmk.clone();
    if registry.cmk.as_ref().is_some_and(|old| Cmk { rotated_at: None, ..old.clone() } == cmk) {
        return Ok(None);
    }
    let before = registry.wrapped_dek.clone();
    let question = format!("{} wrapped by {}", crypto::hex(&crypto::sha256(&before)), cmk.versioned());
    let meets = faults::at_wrapping(cx, registry, &cmk);
    let wrapped = cx.aside(&registry.arm_id(), &question, move || {
        meets()?;
        match leave {
            Leave::Kept(dek) | Leave::Memo(dek) => target.protect(&dek),
            Leave::Key(handle) => target.protect(&opened(&handle, &before)?),
            Leave::Platform => Err(Error::Internal("the platform key protects no registry that can rotate".to_owned())),
        }
    })?;
    Ok(Some((cmk, wrapped)))
}

/// Leave to open the data key for a rotation, by the identity so far or, where that one is refused, by the new one:
/// so an identity that was lost can be replaced as long as the key itself is there.
async fn leave_to_rotate(cx: &mut Cx, registry: &Registry, new_identity: &KeyIdentity) -> Result<Leave> {
    let refusal = match leave_to_open(cx, registry).await {
        Ok(leave) => return Ok(leave),
        Err(refusal) => refusal,
    };
    let Some(cmk) = &registry.cmk else { return Err(refusal) };
    let other = Registry {
        cmk: Some(Cmk { identity: new_identity.clone(), identity_expires: None, ..cmk.clone() }),
        ..registry.clone()
    };
    leave_to_open(cx, &other).await.map_err(|_| match refusal {
        failure if failure.is_failure() => failure,
        _ => {
            EncryptionError::KeyAccess { key: cmk.versioned().to_string(), identity: cmk.identity.as_str().to_owned() }
                .into()
        }
    })
}

async fn authorize(cx: &mut Cx, identity: &Caller, key: &KeyId, operation: Operation) -> Result<keys::Handle> {
    let outer = cx.act_as(identity.clone());
    let handle = keys::authorize(cx, &key.vault, &key.key, key.version.as_deref(), operation).await;
    cx.act_as(outer);
    if cx.unaudited {
        return handle;
    }
    match handle {
        Ok(handle) => Ok(handle.audited_as(identity)),
        Err(refusal) => {
            let object = (key.key.as_str(), key.version.as_deref().unwrap_or_default());
            if let Some(call) = keys::refusal(cx, identity, &key.vault, object, operation, &refusal).await? {
                cx.audit(call);
            }
            Err(refusal)
        }
    }
}

/// The registry's identity as a caller. It must be attached to the registry, and its principal must exist and not be
/// disabled: it would get no token for the vault. Only the system-assigned one counts as a trusted service (article: the firewall scenario).
async fn principal(cx: &mut Cx, registry: &Registry, identity: &KeyIdentity) -> Result<Caller> {
    if let Some(cmk) = registry.cmk.as_ref().filter(|cmk| cmk.identity == *identity)
        && let Some(expires) = cmk.identity_expires
    {
        if expires <= cx.now {
            let (identity, registry) = (identity.as_str().to_owned(), registry.name.clone());
            return Err(EncryptionError::IdentityExpired { identity, registry }.into());
        }
        cx.holds_until(expires);
    }
    let (object_id, trusted) = match identity {
        KeyIdentity::System => (registry.system_principal.clone(), true),
        KeyIdentity::User(client_id) => (attached(cx, &registry.user_identities, client_id).await?, false),
    };
    let found = match object_id {
        Some(id) => store::directory::standing(&mut cx.tx, Who::Object(&id)).await?,
        None => None,
    };
    let found = found.ok_or_else(|| not_attached(registry, identity))?;
    let mut caller = Caller::of(found, REGISTRY_ADDRESS)?;
    caller.trusted_service = trusted;
    caller.service = SERVICE;
    Ok(caller)
}

/// What registries call themselves where they call vaults.
pub(in crate::app) const SERVICE: &str = "Microsoft.ContainerRegistry";

/// The address from which registries call vaults: one of no network that a rule would admit
/// (TEST-NET-1, RFC 5737).
pub(in crate::app) const REGISTRY_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The refusal for an identity that the registry does not have (acr.md A.4).
#[must_use]
pub fn not_attached(registry: &Registry, identity: &KeyIdentity) -> Error {
    let identity = match identity {
        KeyIdentity::System => registry.system_principal.clone().unwrap_or_else(|| "system".to_owned()),
        KeyIdentity::User(client_id) => client_id.clone(),
    };
    EncryptionError::IdentityNotAttached { registry_id: registry.arm_id(), registry: registry.name.clone(), identity }
        .into()
}

/// The object id of the attached user-assigned identity with this client id.
pub async fn attached(cx: &mut Cx, ids: &[String], client_id: &str) -> Result<Option<String>> {
    Ok(attached_identity(cx, ids, client_id).await?.map(|identity| identity.principal_id))
}

async fn attached_identity(cx: &mut Cx, ids: &[String], client_id: &str) -> Result<Option<Identity>> {
    for id in ids {
        let Some(id) = ResourceId::parse(id).filter(|id| id.is(IDENTITIES)) else { continue };
        if let Some(identity) = store::directory::identities::find(&mut cx.tx, &id.group, &id.name).await?
            && identity.client_id.eq_ignore_ascii_case(client_id)
        {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

/// The name of the identity with which a registry goes to its vault: `system`, or that of an attached one
/// that is still there.
pub(in crate::app) async fn identity_name(cx: &mut Cx, registry: &Registry) -> Result<Option<String>> {
    match registry.cmk.as_ref().map(|cmk| &cmk.identity) {
        None => Ok(None),
        Some(system @ KeyIdentity::System) => Ok(Some(system.as_str().to_owned())),
        Some(KeyIdentity::User(client_id)) => {
            Ok(attached_identity(cx, &registry.user_identities, client_id).await?.map(|identity| identity.name))
        }
    }
}
