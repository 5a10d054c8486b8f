//! Tokens: what their claims say and whether they hold. RS256 JWTs, of Entra ID and of the registries.
//! Must not know: how they travel, where the signing key is kept.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use super::crypto;
use super::error::{Error, Result, TokenError};
use super::time::Timestamp;
use super::well_known::TENANT_ID;

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
