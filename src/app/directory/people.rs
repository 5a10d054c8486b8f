//! People signing in. There is one who does: the developer. A code for a device is granted at once, for there is nobody to
//! ask; later tokens are had for the refresh token. Codes and refresh tokens are signed and kept nowhere.
//! Must not know: which of Entra ID's endpoints asked, how refusals are worded.

use std::sync::Arc;

use serde_json::{Value, json};

use super::sign_in::{self, Granted};
use super::{identities, tokens};
use crate::app::world::clock;
use crate::app::{App, poller};
use crate::domain::directory::identity::Principal;
use crate::domain::directory::token::{self, LIFETIME, Proof, Purpose};
use crate::domain::error::{ClientError, SignInError};
use crate::domain::world::crypto;
use crate::domain::world::well_known::{DEVELOPER_USER_ID, TENANT_ID};
use crate::domain::{Error, Result};
use crate::store;
use crate::store::directory::Who;

/// Seconds for which a device's code can be redeemed [recorded].
pub const CODE_LIFETIME: i64 = 900;
/// Seconds for which a refresh token is good [docs].
const REFRESH_LIFETIME: i64 = 90 * 86_400;

/// What a signed text of this module is for. No service takes such a text as a token: its issuer is none.
const ISSUER: &str = "acrite";
const CODE: &str = "device_code";
const REFRESH: &str = "refresh_token";

/// Tokens for a person.
#[derive(Debug, Clone)]
pub struct Person {
    pub access: Granted,
    /// What it is for, as it was asked.
    pub scope: String,
    pub refresh_token: String,
    pub id_token: String,
    /// Who signed in, for the client's own cache.
    pub client_info: String,
}

/// Whether a path names the tenant, or leaves it to the person.
fn check_tenant(tenant: &str) -> Result<()> {
    match sign_in::check_tenant(tenant) {
        Err(Error::SignIn(SignInError::TenantMissing)) => Ok(()),
        other => other,
    }
}

/// The resource that delegated scopes name, and the scopes without OpenID's own. `RESOURCE/.default`,
/// `RESOURCE/permission`; Graph's permissions stand alone.
fn delegated(scope: &str) -> Result<(String, String)> {
    let openid = ["openid", "profile", "email", "offline_access"];
    let named: Vec<&str> = scope.split_whitespace().filter(|s| !openid.contains(s)).collect();
    let graph = tokens::GRAPH.first().copied().unwrap_or_default();
    let resource = named.first().and_then(|first| first.rsplit_once('/')).map_or(graph, |(resource, _)| resource);
    sign_in::check_resource(resource)?;
    Ok((resource.to_owned(), named.join(" ")))
}

/// A code for a device, which the device redeems for tokens.
pub async fn device_code(app: &Arc<App>, tenant: &str, client_id: &str, scope: &str) -> Result<String> {
    check_tenant(tenant)?;
    check_client(app, tenant, client_id).await?;
    delegated(scope)?;
    signed(app, CODE, client_id, scope, CODE_LIFETIME).await
}

/// Tokens for a device's code.
pub async fn redeem(app: &Arc<App>, tenant: &str, client_id: &str, code: &str) -> Result<Person> {
    check_tenant(tenant)?;
    check_client(app, tenant, client_id).await?;
    let scope = opened(app, CODE, client_id, code).await?;
    identities::meet_developer(app).await?;
    grant(app, client_id, &scope).await
}

/// Tokens for a refresh token; without a scope for what it was given for.
pub async fn refresh(
    app: &Arc<App>,
    tenant: &str,
    client_id: &str,
    refresh_token: &str,
    scope: Option<&str>,
) -> Result<Person> {
    check_tenant(tenant)?;
    let given = opened(app, REFRESH, client_id, refresh_token).await?;
    grant(app, client_id, scope.unwrap_or(&given)).await
}

/// People sign in by clients that the directory knows: Microsoft's, or its own.
async fn check_client(app: &Arc<App>, tenant: &str, client_id: &str) -> Result<()> {
    let mut tx = app.store.read().await?;
    let known = store::directory::by_app(&mut tx, client_id).await?.is_some()
        || store::directory::application_by_app(&mut tx, client_id).await?.is_some();
    if known {
        return Ok(());
    }
    Err(ClientError::Unknown { client_id: client_id.to_owned(), tenant: tenant.to_owned() }.into())
}

async fn signed(app: &Arc<App>, purpose: &str, client_id: &str, scope: &str, lifetime: i64) -> Result<String> {
    let now = clock::machine().seconds();
    let claims = json!({
        "iss": ISSUER, "aud": purpose, "client_id": client_id, "scope": scope, "iat": now, "exp": now + lifetime,
    });
    app.signer().await?.sign(&claims)
}

/// The scope of a text that was signed here for this purpose and client.
async fn opened(app: &Arc<App>, purpose: &str, client_id: &str, text: &str) -> Result<String> {
    let invalid = || Error::from(SignInError::GrantInvalid(purpose.to_owned()));
    let claims = app.signer().await?.verify(text, clock::machine()).map_err(|refusal| match refusal {
        Error::Token(_) => invalid(),
        other => other,
    })?;
    let is = |name: &str, value: &str| claims[name].as_str().is_some_and(|claim| claim.eq_ignore_ascii_case(value));
    if !is("iss", ISSUER) || !is("aud", purpose) || !is("client_id", client_id) {
        return Err(invalid());
    }
    Ok(claims["scope"].as_str().unwrap_or_default().to_owned())
}

async fn grant(app: &Arc<App>, client_id: &str, scope: &str) -> Result<Person> {
    let (resource, scope) = delegated(scope)?;
    poller::catch_up(app).await?;
    let mut tx = app.store.read().await?;
    let found = store::directory::standing(&mut tx, Who::Object(DEVELOPER_USER_ID)).await?;
    drop(tx);
    let standing = found.ok_or(SignInError::UserUnknown)?;
    standing.check().map_err(|_| SignInError::UserDisabled)?;
    let user = &standing.principal;
    let mut unique = [0; 16];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut unique);
    let now = clock::machine();
    let purpose = Purpose { audience: &resource, proof: Proof::Secret, now, lifetime: LIFETIME, unique: &unique };
    let (signer, name) = (app.signer().await?, user_name(user));
    Ok(Person {
        access: Granted {
            token: signer.sign(&token::user_claims(user, &name, client_id, &purpose))?,
            client_id: client_id.to_owned(),
            resource: resource.clone(),
            not_before: now.seconds(),
            lifetime: LIFETIME,
        },
        id_token: signer.sign(&token::id_claims(user, &name, client_id, &purpose))?,
        refresh_token: signed(app, REFRESH, client_id, &scope, REFRESH_LIFETIME).await?,
        client_info: crypto::base64url(json!({"uid": user.object_id, "utid": TENANT_ID}).to_string().as_bytes()),
        scope,
    })
}

fn user_name(user: &Principal) -> String {
    user.doc.get("userPrincipalName").and_then(Value::as_str).unwrap_or(&user.display_name).to_owned()
}
