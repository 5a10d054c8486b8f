//! The one way to use a key version, by requests and by services inside the emulator, and the audit records of the
//! latter.
//! Must not know: registries exist; HTTP.

use std::sync::Arc;

use super::{Found, seal_context};
use crate::app::vault::object::find;
use crate::app::world::memory::{Cache, Memo, Under};
use crate::app::world::work;
use crate::app::{App, Cx};
use crate::domain::access::{Caller, Permission};
use crate::domain::audit::{self, Call};
use crate::domain::error::KeyError;
use crate::domain::vault::Vault;
use crate::domain::vault::key::{Key, Operation, Version};
use crate::domain::vault::uses::Use;
use crate::domain::vault::wanted::Material;
use crate::domain::world::crypto::{self, PrivateKey};
use crate::domain::{Error, Result, Timestamp};
use crate::store;

/// Private keys once opened and parsed. Opening one costs as much as using it several times.
///
/// Nothing is permitted because it is here: a key is looked up only after the gate and the state of its
/// version were asked in the store, within the same request.
pub(in crate::app) type Parsed = Cache<(i64, String), Arc<PrivateKey>>;

/// Parsed private keys kept at most. One takes about 10 kB.
pub(in crate::app) const PARSED_LIMIT: usize = 512;

/// What the gate decided, and what it found.
pub(in crate::app) type Permitted = Memo<Question, Found>;

/// Who (and from where) asks to do what with which key version.
type Question = (String, std::net::IpAddr, &'static str, [String; 3]);

/// Decisions remembered at most.
pub(in crate::app) const PERMITTED_LIMIT: usize = 512;

/// Leave to use a key version once, for one operation. Made only by [`authorize`]; used outside of any
/// transaction.
#[derive(Debug, Clone)]
pub struct Handle {
    app: Arc<App>,
    operation: Operation,
    /// Who uses it, where that is no request that leaves its own audit record.
    user: Option<Caller>,
    /// When it was given.
    pub at: Timestamp,
    pub vault: Vault,
    pub key: Key,
    /// The version, resolved.
    pub version: Version,
}

impl Handle {
    fn private(&self) -> Result<Arc<PrivateKey>> {
        let name = (self.version.id, self.version.version.clone());
        if let Some(key) = self.app.parsed.get(&name) {
            return Ok(key);
        }
        let der = crypto::open(
            &self.app.master,
            seal_context(&self.version.version).as_bytes(),
            &self.version.own.private_key,
        )?;
        let key = Arc::new(PrivateKey::from_pkcs8(&der, self.version.curve())?);
        self.app.parsed.keep(name, key.clone());
        Ok(key)
    }

    /// The same leave, held by a service inside the emulator: each use leaves an audit record of its own.
    #[must_use]
    pub fn audited_as(self, caller: &Caller) -> Self {
        Self { user: Some(caller.clone()), ..self }
    }

    /// The same leave, given at another instant.
    #[must_use]
    pub fn given_at(&self, at: Timestamp) -> Self {
        Self { at, ..self.clone() }
    }

    /// Performs the operation for a request; with a large key's private half aside of the request threads.
    pub async fn answer(self, algorithm: String, value: Vec<u8>) -> Result<Vec<u8>> {
        let private = matches!(self.operation, Operation::Sign | Operation::Decrypt | Operation::UnwrapKey);
        if private && matches!(self.version.material(), Material::Rsa(bits) if bits > 2048) {
            return work::run(move || self.run(&algorithm, &value)).await?;
        }
        self.run(&algorithm, &value)
    }

    /// Performs the operation. For `verify` see [`Handle::verify`].
    pub fn run(&self, algorithm: &str, value: &[u8]) -> Result<Vec<u8>> {
        let mut records = Vec::new();
        let done = self.run_recorded(algorithm, value, &mut records);
        records.into_iter().for_each(|call| self.app.audit.call(call));
        done
    }

    /// [`Handle::run`] by who writes the audit record with something else.
    pub fn run_recorded(&self, algorithm: &str, value: &[u8], records: &mut Vec<Call>) -> Result<Vec<u8>> {
        let done = self.perform(algorithm, value);
        if let Some(caller) = &self.user {
            let call = used(self.at, caller, &self.vault, &self.key.name, &self.version.version, self.operation);
            records.push(Call {
                key: Some(audit::key_properties(&self.version, false)),
                status: if done.is_ok() { (200, "OK") } else { (400, "Bad Request") },
                ..call
            });
        }
        done
    }

    fn perform(&self, algorithm: &str, value: &[u8]) -> Result<Vec<u8>> {
        let kid = self.kid();
        let using = self.of(&kid, algorithm);
        let done = match self.operation {
            Operation::Sign => {
                let algorithm = using.signing("value", value.len())?;
                self.private()?.sign(algorithm, value)
            }
            Operation::Verify => None,
            Operation::Encrypt | Operation::WrapKey => {
                let algorithm = using.encrypting(value.len())?;
                self.private()?.rsa().and_then(|key| key.encrypt(algorithm, value))
            }
            Operation::Decrypt | Operation::UnwrapKey => {
                let algorithm = using.decrypting(value.len())?;
                self.private()?.rsa().and_then(|key| key.decrypt(algorithm, value)).map(|value| value.to_vec())
            }
        };
        done.map_or_else(|| self.unfit(algorithm), Ok)
    }

    fn kid(&self) -> String {
        format!("{}/keys/{}/{}", self.vault.uri(), self.key.name, self.version.version)
    }

    fn of<'a>(&'a self, kid: &'a str, algorithm: &'a str) -> Use<'a> {
        Use { kid, version: &self.version, algorithm }
    }

    /// Whether `signature` is this version's over `digest`.
    pub fn verify(&self, algorithm: &str, digest: &[u8], signature: &[u8]) -> Result<bool> {
        let parsed = self.of(&self.kid(), algorithm).signing("digest", digest.len())?;
        let verdict = self.private()?.verify(parsed, digest, signature);
        verdict.map_or_else(|| self.unfit(algorithm), Ok)
    }

    /// All went together, and still it cannot be done: what is to be decrypted is not this key's. The text is our own.
    fn unfit<T>(&self, algorithm: &str) -> Result<T> {
        let operation = self.operation.as_str();
        let kty = &self.version.own.kty;
        Err(KeyError::BadParameter(format!(
            "Operation {operation} with algorithm {algorithm} and this value is not possible on a key of type {kty}."
        ))
        .into())
    }
}

fn permission(operation: Operation) -> Permission {
    match operation {
        Operation::Encrypt => Permission::KEY_ENCRYPT,
        Operation::Decrypt => Permission::KEY_DECRYPT,
        Operation::WrapKey => Permission::KEY_WRAP,
        Operation::UnwrapKey => Permission::KEY_UNWRAP,
        Operation::Sign => Permission::KEY_SIGN,
        Operation::Verify => Permission::KEY_VERIFY,
    }
}

/// Authorises one use of a key version by the caller: the vault lives, the gate opens, the version exists
/// (`None`: the newest) and its state allows the operation, in this order (keyvault.md D.1).
pub async fn authorize(
    cx: &mut Cx,
    vault: &str,
    key: &str,
    version: Option<&str>,
    operation: Operation,
) -> Result<Handle> {
    let (vault, key, version) = find(cx, vault, key, version, permission(operation)).await?;
    if let Some(turns) = version.turns_after(cx.now) {
        cx.holds_until(turns);
    }
    version.allows(operation, cx.now)?;
    Ok(Handle { app: cx.app.clone(), operation, user: None, at: cx.now, vault, key, version })
}

/// [`authorize`] for a request that does nothing else: the same decision without a transaction, where it was made
/// before and nothing was written since. `generation` is from before the caller was looked up. What depends on the
/// time is decided each time.
pub async fn authorize_alone(
    app: &Arc<App>,
    caller: &Caller,
    (vault, key, version): (&str, &str, Option<&str>),
    operation: Operation,
    generation: u64,
) -> Result<Handle> {
    app.catch_up().await?;
    let object = [vault, key, version.unwrap_or_default()].map(str::to_ascii_lowercase);
    let question = (caller.object_id.clone(), caller.address, operation.as_str(), object);
    let known = app.permitted.get(&question, app.generation(), app.now());
    let (vault, key, version) = match known {
        Some(found) => found,
        None => {
            let mut cx = app.read_now(caller.clone()).await?;
            let found = find(&mut cx, vault, key, version, permission(operation)).await?;
            app.permitted.keep(question, Under { generation, until: cx.until }, found.clone());
            found
        }
    };
    let at = app.now();
    version.allows(operation, at)?;
    Ok(Handle { app: app.clone(), operation, user: None, at, vault, key, version })
}

/// What `operation` is called in the audit log.
#[must_use]
pub const fn audited(operation: Operation) -> &'static str {
    match operation {
        Operation::Encrypt => "KeyEncrypt",
        Operation::Decrypt => "KeyDecrypt",
        Operation::WrapKey => "KeyWrap",
        Operation::UnwrapKey => "KeyUnwrap",
        Operation::Sign => "KeySign",
        Operation::Verify => "KeyVerify",
    }
}

/// The audit record of a service inside the emulator that used a key version, were it an HTTP call.
fn used(at: Timestamp, caller: &Caller, vault: &Vault, key: &str, version: &str, operation: Operation) -> Call {
    let id = format!("{}/keys/{key}/{version}", vault.uri());
    let uri = format!("{id}/{}", operation.as_str().to_ascii_lowercase());
    inside(at, caller, vault, audited(operation), id, uri)
}

/// The audit record of a service inside the emulator that was let use something of a vault.
pub(in crate::app) fn inside(
    at: Timestamp,
    caller: &Caller,
    vault: &Vault,
    operation: &'static str,
    id: String,
    uri: String,
) -> Call {
    Call {
        time: at,
        operation,
        caller: Some(caller.clone()),
        address: caller.address,
        vault_id: vault.arm_id(),
        decision: Some((vault.uses_roles(), true)),
        uri,
        id: Some(id),
        key: None,
        client: caller.service.to_owned(),
        version: String::new(),
        status: (200, "OK"),
        refusal: None,
        correlation: uuid::Uuid::new_v4().to_string(),
        took: 0,
    }
}

/// The audit record of a refusal to a service inside the emulator. None of a vault that is gone: on Azure there is
/// nobody to leave one.
pub async fn refusal(
    cx: &mut Cx,
    caller: &Caller,
    vault: &str,
    (key, version): (&str, &str),
    operation: Operation,
    error: &Error,
) -> Result<Option<Call>> {
    let vault = store::vault::vaults::find(&mut cx.tx, vault).await?.filter(|v| v.deleted.is_none());
    Ok(vault.map(|vault| refused(used(cx.now, caller, &vault, key, version, operation), &vault, error)))
}

/// The record of the same call, made again.
#[must_use]
pub fn again(call: &Call, at: Timestamp) -> Call {
    Call { time: at, correlation: uuid::Uuid::new_v4().to_string(), ..call.clone() }
}

/// The same record of one that was not.
pub(in crate::app) fn refused(call: Call, vault: &Vault, error: &Error) -> Call {
    let (status, why) = audit::refused(error);
    let through = !matches!(error, Error::Access(_));
    Call { decision: Some((vault.uses_roles(), through)), status, refusal: Some(why), ..call }
}
