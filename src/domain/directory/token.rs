//! Tokens: what their claims say and whether they hold. RS256 JWTs, of Entra ID and of the registries.
//! Must not know: how they travel, where the signing key is kept.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use super::applications::EXCHANGE_APP_ID;
use super::identity::Principal;
use crate::domain::error::{Error, Result, TokenError};
use crate::domain::world::crypto;
use crate::domain::world::time::Timestamp;
use crate::domain::world::well_known::TENANT_ID;

/// The tenant's signing key.
pub struct Signer {
    kid: String,
    jwk: Value,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.kid)
    }
}

impl Signer {
    /// From PKCS#1 DER and the public JWK members.
    pub fn new(pkcs1: &[u8], jwk: Value) -> Result<Self> {
        let member = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
        let (n, e) = (member("n"), member("e"));
        let decoding = DecodingKey::from_rsa_components(&n, &e).map_err(Error::internal)?;
        let kid = crypto::base64url(&crypto::sha256(n.as_bytes())[..20]);
        Ok(Self { kid, jwk, encoding: EncodingKey::from_rsa_der(pkcs1), decoding })
    }

    /// The key as the JWKS document shows it.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "x5t": self.kid, "n": self.jwk["n"], "e": self.jwk["e"]})
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid.clone());
        header.x5t = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(Error::internal)
    }

    /// The claims of a token whose signature is ours and whose time is now. Times are machine time, for
    /// clients judge by it.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Value> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Value>(token, &self.decoding, &validation)
            .map_err(|e| Error::from(TokenError::Malformed(e.to_string())))?
            .claims;
        let at = |name: &str| claims[name].as_i64();
        let expired = at("exp").is_none_or(|exp| now.seconds() >= exp);
        // Five minutes of grace before nbf, as Azure gives for clocks that differ.
        let early = at("nbf").is_some_and(|nbf| now.seconds() + 300 < nbf);
        if expired || early {
            return Err(TokenError::Expired.into());
        }
        Ok(claims)
    }
}

/// The issuer of v1 access tokens, which vaults and ARM expect (keyvault.md F.3).
#[must_use]
pub fn issuer() -> String {
    format!("https://sts.windows.net/{TENANT_ID}/")
}

/// Checks audience (any of `accepted`) and issuer of Entra ID claims.
pub fn check_entra(claims: &Value, accepted: &[&str]) -> Result<()> {
    let found = claims["aud"].as_str().unwrap_or_default();
    if !accepted.iter().any(|a| a.trim_end_matches('/') == found.trim_end_matches('/')) {
        let expected = accepted.first().copied().unwrap_or_default().to_owned();
        return Err(TokenError::Audience { expected, found: found.to_owned() }.into());
    }
    let found = claims["iss"].as_str().unwrap_or_default();
    if found != issuer() {
        return Err(TokenError::Issuer { expected: issuer(), found: found.to_owned() }.into());
    }
    Ok(())
}

/// Seconds for which an access token is good: what Azure says of an ordinary one [recorded].
pub const LIFETIME: i64 = 3599;
/// Seconds for which a token of the managed identity endpoint is good (keyvault.md F.4).
pub const MANAGED_LIFETIME: i64 = 86_399;

/// With what a client proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A client secret.
    Secret,
    /// A certificate, another issuer's token, or being the resource that holds a managed identity.
    Key,
}

/// For what a token is, and when.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// `aud`, as it was asked for.
    pub audience: &'a str,
    /// How the client proved itself.
    pub proof: Proof,
    /// Machine time.
    pub now: Timestamp,
    /// Seconds for which it is good.
    pub lifetime: i64,
    /// Makes it unlike every other token.
    pub unique: &'a [u8; 16],
}

/// Claims of a v1 access token for a service principal (keyvault.md F.3).
#[must_use]
pub fn access_claims(principal: &Principal, purpose: &Purpose<'_>) -> Value {
    let unique = crypto::base64url(purpose.unique);
    let issued = purpose.now.seconds();
    let mut claims = json!({
        "aud": purpose.audience,
        "iss": issuer(),
        "iat": issued,
        "nbf": issued,
        "exp": issued + purpose.lifetime,
        "aio": crypto::base64url(&crypto::sha256(purpose.unique)),
        "appid": principal.app_id,
        "appidacr": match purpose.proof {
            Proof::Secret => "1",
            Proof::Key => "2",
        },
        "idp": issuer(),
        "idtyp": "app",
        "oid": principal.object_id,
        "rh": format!("1.{unique}."),
        "sub": principal.object_id,
        "tid": TENANT_ID,
        "uti": unique,
        "ver": "1.0",
    });
    if let Some(id) = &principal.resource_id {
        claims["xms_mirid"] = json!(id);
    }
    claims
}

/// Claims of a v1 access token for a person, by the client that the person uses [docs: access token claims].
#[must_use]
pub fn user_claims(user: &Principal, user_name: &str, client_id: &str, purpose: &Purpose<'_>) -> Value {
    let mut claims = access_claims(user, purpose);
    for (name, value) in [
        ("acr", json!("1")),
        ("amr", json!(["pwd"])),
        ("appid", json!(client_id)),
        ("appidacr", json!("0")),
        ("idtyp", json!("user")),
        ("name", json!(user.display_name)),
        ("scp", json!("user_impersonation")),
        ("unique_name", json!(user_name)),
        ("upn", json!(user_name)),
    ] {
        claims[name] = value;
    }
    claims
}

/// Claims of the token that tells a client who signed in [docs: ID token claims].
#[must_use]
pub fn id_claims(user: &Principal, user_name: &str, client_id: &str, purpose: &Purpose<'_>) -> Value {
    let issued = purpose.now.seconds();
    json!({
        "aud": client_id,
        "iss": issuer_v2(),
        "iat": issued,
        "nbf": issued,
        "exp": issued + purpose.lifetime,
        "name": user.display_name,
        "oid": user.object_id,
        "preferred_username": user_name,
        "sub": user.object_id,
        "tid": TENANT_ID,
        "uti": crypto::base64url(purpose.unique),
        "ver": "2.0",
    })
}

/// The issuer of v2 tokens: that of a managed identity's token to be exchanged, and of the discovery document.
#[must_use]
pub fn issuer_v2() -> String {
    format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0")
}

/// Claims of a token that is to be exchanged for another application's, by a federated credential: a v2
/// token, whose subject is the principal's object id [docs: "managed identity as federated credential"].
#[must_use]
pub fn exchange_claims(principal: &Principal, purpose: &Purpose<'_>) -> Value {
    let mut claims = access_claims(principal, purpose);
    claims["aud"] = json!(EXCHANGE_APP_ID);
    claims["iss"] = json!(issuer_v2());
    claims["azp"] = json!(principal.app_id);
    claims["azpacr"] = claims["appidacr"].take();
    claims["ver"] = json!("2.0");
    if let Some(claims) = claims.as_object_mut() {
        claims.remove("appid");
        claims.remove("appidacr");
    }
    claims
}

/// What a JWT says, believed by nobody yet: header and claims.
#[must_use]
pub fn peek(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let mut part = || serde_json::from_slice::<Value>(&crypto::from_base64url(parts.next()?)?).ok();
    let (header, claims) = (part()?, part()?);
    (parts.count() == 1 && header.is_object() && claims.is_object()).then_some((header, claims))
}

/// A claim that may be one text or several: `aud`.
#[must_use]
pub fn texts(claim: &Value) -> Vec<String> {
    match claim {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
