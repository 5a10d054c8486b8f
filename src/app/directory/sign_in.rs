//! Signing in: a client's proof becomes an access token. Client secrets, federated tokens, certificates,
//! and the managed identity endpoint, where being the caller is the proof.
//! Must not know: which of Entra ID's endpoints asked, how refusals are worded.

use std::sync::Arc;

use serde_json::Value;

use super::tokens;
use crate::app::world::clock;
use crate::app::{App, poller};
use crate::domain::directory::applications::{self, EXCHANGE_AUDIENCE};
use crate::domain::directory::certificate;
use crate::domain::directory::identity::{Principal, PrincipalKind};
use crate::domain::directory::token::{self, LIFETIME, MANAGED_LIFETIME, Proof, Purpose};
use crate::domain::error::{AssertionError, ClientError, SignInError, TokenError};
use crate::domain::resources::listing::Part;
use crate::domain::world::crypto;
use crate::domain::world::name::{IDENTITIES, ResourceId};
use crate::domain::world::well_known::{TENANT_DOMAIN, TENANT_ID};
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::Tx;
use crate::store::directory::Who;

/// How a client says who it is.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// A client secret.
    Secret(&'a str),
    /// A JWT: of an issuer that the application trusts, or signed with the application's certificate.
    Assertion(&'a str),
}

/// A token given.
#[derive(Debug, Clone)]
pub struct Granted {
    pub token: String,
    /// The client's application id.
    pub client_id: String,
    /// The audience, as asked for.
    pub resource: String,
    /// Seconds since 1970, machine time, from which it is good.
    pub not_before: i64,
    /// Seconds for which it is good.
    pub lifetime: i64,
}

/// Whether a path names the tenant: by id or by domain.
pub fn check_tenant(tenant: &str) -> Result<()> {
    if tenant.eq_ignore_ascii_case(TENANT_ID) || tenant.eq_ignore_ascii_case(TENANT_DOMAIN) {
        return Ok(());
    }
    Err(if ["common", "organizations", "consumers"].contains(&tenant) {
        SignInError::TenantMissing
    } else {
        SignInError::TenantUnknown(tenant.to_owned())
    }
    .into())
}

/// The resource that a v2 scope names: `RESOURCE/.default`. az asks ARM with a slash more, which stays in
/// the audience (keyvault.md F.2). OpenID's own scopes name none and are passed over.
pub fn resource_of_scope(scope: &str) -> Result<String> {
    let mut named = scope.split_whitespace().filter(|s| !["openid", "profile", "email", "offline_access"].contains(s));
    let first = named.next().ok_or(SignInError::ParameterMissing("scope"))?;
    match (first.strip_suffix("/.default"), named.next()) {
        (Some(resource), None) if !resource.is_empty() => Ok(resource.to_owned()),
        _ => Err(SignInError::ScopeInvalid(scope.to_owned()).into()),
    }
}

/// Whether a token can be had for a resource: one of the emulated services, or the exchange.
pub(super) fn check_resource(resource: &str) -> Result<()> {
    let asked = resource.trim_end_matches('/');
    let known = [tokens::ARM, tokens::VAULT, tokens::GRAPH, tokens::REGISTRY, &[EXCHANGE_AUDIENCE]];
    if known.concat().iter().any(|k| k.trim_end_matches('/').eq_ignore_ascii_case(asked)) {
        return Ok(());
    }
    Err(SignInError::ResourceUnknown(resource.to_owned()).into())
}

/// Client credentials: a token for an application or, with an assertion, a user-assigned identity.
pub async fn client_credentials(
    app: &Arc<App>,
    tenant: &str,
    client_id: &str,
    credential: Credential<'_>,
    resource: &str,
) -> Result<Granted> {
    check_tenant(tenant)?;
    poller::catch_up(app).await?;
    let mut tx = app.store.read().await?;
    let unknown = || ClientError::Unknown { client_id: client_id.to_owned(), tenant: tenant.to_owned() };
    let Some(standing) = store::directory::standing(&mut tx, Who::App(client_id)).await? else {
        return Err(match store::directory::application_by_app(&mut tx, client_id).await? {
            Some(_) => {
                ClientError::PrincipalMissing { client_id: client_id.to_owned(), tenant: TENANT_ID.to_owned() }.into()
            }
            None => unknown().into(),
        });
    };
    let name = || standing.principal.display_name.clone();
    if standing.application.as_ref().is_some_and(|a| a["signInAudience"] == "PersonalMicrosoftAccount") {
        return Err(ClientError::ConsumersOnly { client_id: client_id.to_owned(), name: name() }.into());
    }
    let proof = match credential {
        Credential::Secret(secret) => {
            // A managed identity has no secrets, so every one is wrong.
            let passwords = store::directory::passwords(&mut tx, client_id).await?;
            applications::check_secret(client_id, &passwords, secret, app.now(), clock::machine())?;
            Proof::Secret
        }
        Credential::Assertion(assertion) => {
            let (header, claims) = token::peek(assertion).ok_or(AssertionError::Malformed)?;
            // What a client signs itself names itself as the issuer (RFC 7523).
            if claims["iss"].as_str().is_some_and(|iss| iss.eq_ignore_ascii_case(client_id)) {
                let mut certificates = certificate::certificates(&standing.principal.doc);
                certificates.extend(standing.application.iter().flat_map(certificate::certificates));
                let signed = SelfSigned { client_id, assertion, header: &header, claims: &claims };
                check_self_signed(&signed, &certificates, app.now())?;
            } else {
                let credentials = store::directory::federated_credentials(&mut tx, client_id).await?;
                check_federated(app, &mut tx, &credentials, assertion, &claims).await?;
            }
            Proof::Key
        }
    };
    drop(tx);
    standing.check()?;
    check_resource(resource)?;
    grant(app, &standing.principal, resource, proof, LIFETIME).await
}

/// An assertion that the client signed with a certificate.
struct SelfSigned<'a> {
    client_id: &'a str,
    assertion: &'a str,
    header: &'a Value,
    claims: &'a Value,
}

/// A client's own assertion: for this tenant's token endpoint, in its time, by one of its certificates.
fn check_self_signed(signed: &SelfSigned<'_>, certificates: &[(Vec<u8>, Timestamp)], now: Timestamp) -> Result<()> {
    let thumbprint = ["x5t", "x5t#S256"].iter().find_map(|name| signed.header[*name].as_str());
    let thumbprint = thumbprint.and_then(crypto::from_base64url).map(|t| crypto::hex(&t).to_ascii_uppercase());
    let wrong = |reason| AssertionError::Certificate {
        client_id: signed.client_id.to_owned(),
        reason,
        thumbprint: thumbprint.clone().unwrap_or_default(),
    };
    let used = certificates.iter().find(|(der, _)| certificate::signed_with(signed.assertion, der));
    let (_, ends_at) = used.ok_or_else(|| wrong("The key was not found."))?;
    // A certificate ends as secrets do: in simulated time.
    if *ends_at <= now {
        return Err(wrong("The key used is expired.").into());
    }
    // Clients in Python write fractions of seconds.
    #[allow(clippy::cast_precision_loss)]
    let machine = clock::machine().seconds() as f64;
    let at = |name: &str| signed.claims[name].as_f64();
    if at("exp").is_none_or(|exp| exp <= machine) || at("nbf").is_some_and(|nbf| machine + 300.0 < nbf) {
        return Err(AssertionError::Time.into());
    }
    let audiences = token::texts(&signed.claims["aud"]);
    let ours = |audience: &String| {
        let mut path = audience.strip_prefix("https://").unwrap_or_default().split('/');
        let host = path.next().unwrap_or_default().split(':').next().unwrap_or_default();
        let host_known = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];
        host_known.contains(&host) && path.next().is_some_and(|tenant| check_tenant(tenant).is_ok())
    };
    if audiences.iter().any(ours) {
        return Ok(());
    }
    Err(AssertionError::Audience(audiences.join(", ")).into())
}

/// A federated token in place of a secret. Its signature can be checked where its issuer is this tenant;
/// the keys of issuers elsewhere cannot be had, and what cannot be checked is refused. Whoever it was given to must
/// still be there and not be disabled, as for every other use of a token [inferred].
async fn check_federated(
    app: &Arc<App>,
    tx: &mut Tx,
    credentials: &[applications::FederatedCredential],
    assertion: &str,
    claims: &Value,
) -> Result<()> {
    let invalid = |why: &str| AssertionError::Invalid(why.to_owned());
    let issuer = claims["iss"].as_str().unwrap_or_default();
    let subject = claims["sub"].as_str().unwrap_or_default();
    applications::check_federated(credentials, issuer, subject, &token::texts(&claims["aud"]))?;
    if issuer != token::issuer() && issuer != token::issuer_v2() {
        return Err(AssertionError::IssuerUnreachable(issuer.to_owned()).into());
    }
    match app.signer().await?.verify(assertion, clock::machine()) {
        Ok(_) => {
            let holder = claims["oid"].as_str().unwrap_or_default();
            let holder = store::directory::standing(tx, Who::Object(holder)).await?;
            holder.ok_or_else(|| invalid("its subject is not in the directory"))?.check()?;
            Ok(())
        }
        Err(Error::Token(TokenError::Expired)) => Err(AssertionError::Time.into()),
        Err(Error::Token(_)) => Err(invalid("its signature does not hold").into()),
        Err(other) => Err(other),
    }
}

/// Which managed identity is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// The only one there is.
    Only,
    /// By client id.
    Client(String),
    /// By object id.
    Object(String),
    /// By ARM id.
    Resource(String),
}

impl Select {
    /// What the identity was named by; empty where it was not.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Only => "",
            Self::Client(name) | Self::Object(name) | Self::Resource(name) => name,
        }
    }
}

/// A token for a managed identity, as Azure's own endpoints give it to whoever runs on the resource that
/// holds the identity. Every process that reaches the emulator runs, in that sense, on a resource that holds
/// every user-assigned identity. Without a choice there must be exactly one.
pub async fn managed_identity(app: &Arc<App>, select: &Select, resource: &str) -> Result<Granted> {
    poller::catch_up(app).await?;
    check_resource(resource)?;
    let mut tx = app.store.read().await?;
    let identity = match select {
        Select::Client(_) | Select::Object(_) => None,
        Select::Resource(id) => {
            let id = ResourceId::parse(id).filter(|id| id.is(IDENTITIES)).ok_or(SignInError::IdentityUnknown)?;
            store::directory::identities::find(&mut tx, &id.group, &id.name).await?
        }
        Select::Only => {
            let two = Part { most: 2, ..Part::whole(None) };
            let mut all = store::directory::identities::list(&mut tx, &two).await?;
            if all.len() > 1 {
                return Err(SignInError::IdentityAmbiguous.into());
            }
            all.pop()
        }
    };
    let who = match (select, &identity) {
        (Select::Client(id), _) => Who::App(id),
        (Select::Object(id), _) => Who::Object(id),
        (_, Some(identity)) => Who::Object(&identity.principal_id),
        (_, None) => return Err(SignInError::IdentityUnknown.into()),
    };
    let found = store::directory::standing(&mut tx, who).await?;
    drop(tx);
    // A registry's system-assigned identity is for the registry alone.
    let user_assigned = |p: &Principal| {
        p.kind == PrincipalKind::ManagedIdentity
            && p.resource_id.as_deref().and_then(ResourceId::parse).is_some_and(|id| id.is(IDENTITIES))
    };
    let standing = found.filter(|s| user_assigned(&s.principal)).ok_or(SignInError::IdentityUnknown)?;
    standing.check()?;
    grant(app, &standing.principal, resource, Proof::Key, MANAGED_LIFETIME).await
}

/// A token for a principal without a proof: for the portal, whose visitor is on this machine, where every secret of the
/// directory can be had, or showed the instance's token.
pub async fn on_behalf_of(app: &Arc<App>, object_id: &str, resource: &str) -> Result<String> {
    let mut tx = app.store.read().await?;
    let standing = store::directory::standing(&mut tx, Who::Object(object_id)).await?.ok_or(TokenError::Revoked)?;
    drop(tx);
    standing.check()?;
    let proof = if standing.principal.kind == PrincipalKind::ManagedIdentity { Proof::Key } else { Proof::Secret };
    Ok(grant(app, &standing.principal, resource, proof, LIFETIME).await?.token)
}

/// The name of a principal of the directory.
pub async fn name_of(app: &App, object_id: &str) -> Result<Option<String>> {
    let mut tx = app.store.read().await?;
    let found = store::directory::standing(&mut tx, Who::Object(object_id)).await?;
    Ok(found.map(|standing| standing.principal.display_name))
}

/// What the forms of a session of the portal must hold.
#[must_use]
pub fn portal_form_token(app: &App, session: &str) -> String {
    made_for(app, format!("portal-form {session} ").as_bytes())
}

/// What `X-IDENTITY-HEADER` must hold at `IDENTITY_ENDPOINT`: made from the master key, so that it is this
/// instance's own, outlives a restart, and need not be kept.
#[must_use]
pub fn identity_header(app: &App) -> String {
    made_for(app, b"identity-header")
}

/// What a client of another machine shows to count as one of this machine; made in the same way.
#[must_use]
pub fn instance_token(app: &App) -> String {
    made_for(app, b"instance-token")
}

fn made_for(app: &App, purpose: &[u8]) -> String {
    let mut material = purpose.to_vec();
    material.extend_from_slice(app.master.as_slice());
    crypto::hex(&crypto::sha256(&material)[..16])
}

/// Whether `X-IDENTITY-HEADER` is this instance's.
pub fn check_identity_header(app: &App, sent: Option<&str>) -> Result<()> {
    match sent {
        Some(sent) if crypto::same_secret(sent.as_bytes(), identity_header(app).as_bytes()) => Ok(()),
        _ => Err(SignInError::IdentityHeaderWrong.into()),
    }
}

async fn grant(app: &Arc<App>, principal: &Principal, resource: &str, proof: Proof, lifetime: i64) -> Result<Granted> {
    let now = clock::machine();
    let mut unique = [0; 16];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut unique);
    let purpose = Purpose { audience: resource, proof, now, lifetime, unique: &unique };
    let claims = if resource.eq_ignore_ascii_case(EXCHANGE_AUDIENCE) {
        token::exchange_claims(principal, &purpose)
    } else {
        token::access_claims(principal, &purpose)
    };
    Ok(Granted {
        token: app.signer().await?.sign(&claims)?,
        client_id: principal.app_id.clone().unwrap_or_default(),
        resource: resource.to_owned(),
        not_before: now.seconds(),
        lifetime,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_name_one_resource() {
        let arm = "https://management.core.windows.net//.default";
        assert_eq!(resource_of_scope(arm).unwrap(), "https://management.core.windows.net/");
        assert_eq!(
            resource_of_scope("https://vault.azure.net/.default openid offline_access").unwrap(),
            "https://vault.azure.net"
        );
        for wrong in ["https://vault.azure.net", "/.default", "a/.default b/.default", "openid"] {
            assert!(resource_of_scope(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_emulated_services_are_resources() {
        for resource in ["https://vault.azure.net", "https://vault.azure.net/", "https://management.core.windows.net//"]
        {
            assert!(check_resource(resource).is_ok(), "{resource}");
        }
        assert!(check_resource("https://storage.azure.com").is_err());
    }
}
