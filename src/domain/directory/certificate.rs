//! Certificates that applications sign in with: Graph's key credentials, and whether one signed an assertion.
//! Must not know: who the application is, what an assertion claims.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::domain::error::{RequestError, Result};
use crate::domain::world::crypto;
use crate::domain::world::time::Timestamp;

/// A certificate's bytes out of a key credential's `key`: base64 of DER, with line breaks where az sends a
/// PEM's body, or of a whole PEM as Terraform sends it.
fn certificate(key: &str) -> Option<Vec<u8>> {
    let key: String = key.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = crypto::from_base64(&key)?;
    if !bytes.starts_with(b"-----BEGIN") {
        return Some(bytes);
    }
    x509_parser::pem::parse_x509_pem(&bytes).ok().map(|(_, pem)| pem.contents)
}

/// The certificates of an application's or service principal's `keyCredentials`, each with its end.
#[must_use]
pub fn certificates(doc: &Value) -> Vec<(Vec<u8>, Timestamp)> {
    let credentials = doc["keyCredentials"].as_array();
    let one = |c: &Value| {
        let ends_at = c["endDateTime"].as_str().and_then(Timestamp::parse)?;
        Some((certificate(c["key"].as_str()?)?, ends_at))
    };
    credentials.into_iter().flatten().filter_map(one).collect()
}

/// Completes the `keyCredentials` that a client sends. Those it names by id alone are kept as they were, for
/// Graph never shows a key again [docs]. `new_id` makes ids for those without.
pub fn complete_key_credentials(kept: &Value, sent: &mut Value, mut new_id: impl FnMut() -> String) -> Result<()> {
    let invalid = |message: &str| RequestError::InvalidValue {
        property: "keyCredentials".to_owned(),
        message: message.to_owned(),
    };
    let known = kept["keyCredentials"].as_array().cloned().unwrap_or_default();
    for credential in sent.as_array_mut().ok_or_else(|| invalid("A list is required."))? {
        let Some(key) = credential["key"].as_str() else {
            let same = |k: &&Value| k["keyId"].is_string() && k["keyId"] == credential["keyId"];
            *credential = known.iter().find(same).cloned().ok_or_else(|| invalid("A key is required."))?;
            continue;
        };
        let der = certificate(key).filter(|der| public_key(der).is_some());
        let der =
            der.ok_or_else(|| invalid("Key credential is invalid: an X.509 certificate of an RSA key is required."))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|e| invalid(&e.to_string()))?;
        let default = |name: &str, value: Value, credential: &mut Value| {
            if credential[name].is_null() {
                credential[name] = value;
            }
        };
        let validity = parsed.validity();
        let at = |time: x509_parser::time::ASN1Time| json!(Timestamp::from_seconds(time.timestamp()).zulu());
        default("startDateTime", at(validity.not_before), credential);
        default("endDateTime", at(validity.not_after), credential);
        default("keyId", json!(new_id()), credential);
        default("type", json!("AsymmetricX509Cert"), credential);
        default("usage", json!("Verify"), credential);
        let thumbprint = crypto::hex(&crypto::sha1_thumbprint(&der)).to_ascii_uppercase();
        default("customKeyIdentifier", json!(thumbprint), credential);
        default("displayName", json!(distinguished_name(parsed.subject())), credential);
        let unread = credential["endDateTime"].as_str().and_then(Timestamp::parse).is_none();
        if unread {
            return Err(invalid("'endDateTime' is not a time.").into());
        }
    }
    Ok(())
}

/// A certificate's subject as .NET writes it: the last part first, `S` for the state [recorded].
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter().map(|rdn| rdn.iter().map(name_part).collect::<Vec<_>>().join(" + ")).collect();
    parts.reverse();
    parts.join(", ")
}

fn name_part(attribute: &AttributeTypeAndValue<'_>) -> String {
    let label = match oid2abbrev(attribute.attr_type(), oid_registry()) {
        Ok("ST") => "S".to_owned(),
        Ok("emailAddress") => "E".to_owned(),
        Ok(known) => known.to_owned(),
        Err(_) => format!("OID.{}", attribute.attr_type().to_id_string()),
    };
    let text = attribute.as_str().unwrap_or_default();
    let special = [',', '+', '"', '\\', '<', '>', ';', '=', '#', '\n'];
    if text.contains(special) || text.trim() != text {
        format!("{label}=\"{}\"", text.replace('"', "\"\""))
    } else {
        format!("{label}={text}")
    }
}

/// Whether a client assertion is signed with a certificate's RSA key (RS256 or PS256), believing nothing it
/// says.
#[must_use]
pub fn signed_with(token: &str, certificate: &[u8]) -> bool {
    let Some(key) = public_key(certificate) else { return false };
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = vec![Algorithm::RS256, Algorithm::PS256];
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

fn public_key(certificate: &[u8]) -> Option<DecodingKey> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    match certificate.public_key().parsed().ok()? {
        x509_parser::public_key::PublicKey::RSA(key) => {
            let trimmed = |bytes: &[u8]| bytes.iter().skip_while(|b| **b == 0).copied().collect::<Vec<u8>>();
            Some(DecodingKey::from_rsa_raw_components(&trimmed(key.modulus), &trimmed(key.exponent)))
        }
        _ => None,
    }
}
