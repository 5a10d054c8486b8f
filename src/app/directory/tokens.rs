//! Tokens in and out: the tenant's signing key, and turning a presented token into a caller.
//! Must not know: which protocol carried the token.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::world::memory::{Cache, Memo, Under};
use crate::app::world::{clock, work};
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::directory::identity::Standing;
use crate::domain::directory::token::{self, Signer};
use crate::domain::error::TokenError;
use crate::domain::world::crypto;
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::directory::Who;

/// Audiences of resource management (keyvault.md F.3).
pub const ARM: &[&str] =
    &["https://management.azure.com/", "https://management.core.windows.net/", "https://management.core.windows.net//"];
/// Audience of Key Vault.
pub const VAULT: &[&str] = &["https://vault.azure.net"];
/// Audiences of Microsoft Graph.
pub const GRAPH: &[&str] = &["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];
/// Audience of the registries' own tokens' exchange.
pub const REGISTRY: &[&str] = &["https://containerregistry.azure.net"];

/// What is known of tokens and of those who show them.
#[derive(Debug)]
pub(in crate::app) struct Known {
    /// The claims of tokens whose signature was found good.
    tokens: Cache<String, Value>,
    principals: Memo<String, Standing>,
}

impl Default for Known {
    fn default() -> Self {
        Self { tokens: Cache::new(KNOWN_LIMIT), principals: Memo::new(KNOWN_LIMIT) }
    }
}

/// Tokens, and principals, remembered at most.
const KNOWN_LIMIT: usize = 512;

/// The claims of a token that this tenant signed and whose time it is. A signature stays good; time is asked each time.
async fn claims(app: &Arc<App>, token: &str) -> Result<Value> {
    let now = clock::machine();
    let known = app.known.tokens.get(token);
    // Near its end a token is looked at whole again, so that what is said of its age comes from one place.
    if let Some(claims) = known.filter(|c| c["exp"].as_i64().is_some_and(|exp| now.seconds() < exp)) {
        return Ok(claims);
    }
    let claims = app.signer().await?.verify(token, now)?;
    app.known.tokens.keep(token.to_owned(), claims.clone());
    Ok(claims)
}

/// Turns an Entra ID token into a caller: signature, time, audience, issuer, and that its principal is still in the
/// directory and not disabled.
pub async fn authenticate(app: &Arc<App>, token: Option<&str>, audiences: &[&str], address: IpAddr) -> Result<Caller> {
    let token = token.ok_or(TokenError::Missing)?;
    let claims = claims(app, token).await?;
    token::check_entra(&claims, audiences)?;
    let object_id = claims["oid"].as_str().unwrap_or_default();
    let generation = app.generation();
    let standing = match app.known.principals.get(object_id, generation, app.now()) {
        Some(standing) => standing,
        None => {
            let mut tx = app.store.read().await?;
            let found = store::directory::standing(&mut tx, Who::Object(object_id)).await?;
            let standing = found.ok_or(TokenError::Revoked)?;
            // Nothing in it looked at the time.
            let under = Under { generation, until: Timestamp(i64::MAX) };
            app.known.principals.keep(object_id.to_owned(), under, standing.clone());
            standing
        }
    };
    Caller::of(standing, address).map_err(|_| TokenError::Revoked.into())
}

/// A caller as the directory knows it in this transaction: it may be gone, disabled, or in other groups, since it
/// signed in.
pub async fn again(cx: &mut Cx, known: &Caller) -> Result<Caller> {
    let found = store::directory::standing(&mut cx.tx, Who::Object(&known.object_id)).await?;
    let caller = found.and_then(|standing| Caller::of(standing, known.address).ok()).ok_or(TokenError::Revoked)?;
    Ok(Caller { trusted_service: known.trusted_service, service: known.service, ..caller })
}

/// Loads the tenant's signing key, or makes it. It is sealed under the master key.
pub(in crate::app) async fn load_signer(app: &Arc<App>) -> Result<Signer> {
    let mut tx = app.store.read().await?;
    if let Some(kept) = store::world::values::get(&mut tx, "signing-key").await? {
        return open_signer(app, &kept);
    }
    drop(tx);
    let (pkcs1, jwk) = work::run(|| crypto::generate_signing_key(&mut rand::rng())).await??;
    let document = Zeroizing::new(json!({"key": crypto::base64url(&pkcs1), "jwk": jwk}).to_string());
    let sealed = crypto::seal(&app.master, b"signing-key", document.as_bytes(), &mut rand::rng())?;
    let mut tx = app.begin().await?;
    store::world::values::set(&mut tx, "signing-key", &sealed).await?;
    tx.commit().await?;
    Signer::new(&pkcs1, jwk)
}

fn open_signer(app: &App, sealed: &[u8]) -> Result<Signer> {
    let document = crypto::open(&app.master, b"signing-key", sealed)?;
    let document: Value = serde_json::from_slice(&document).map_err(Error::internal)?;
    let key = document["key"].as_str().and_then(crypto::from_base64url);
    let key = Zeroizing::new(key.ok_or_else(|| Error::Internal("the signing key is not readable".to_owned()))?);
    Signer::new(&key, document["jwk"].clone())
}
