//! Bodies of the data plane's requests, typed (keyvault.md A.5). Members that are not known are passed over: clients send
//! those of newer versions, and no answer of Key Vault's holds them.
//! Must not know: rights, storage, what is shown.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::Result;
use crate::domain::error::{KeyError, RequestError};
use crate::domain::vault::key::Change;
use crate::domain::vault::object::{Attributes, check_tags, invalid};
use crate::domain::vault::secret;
use crate::domain::vault::wanted::{Described, Material, Wanted, family, operations, policy};
use crate::domain::world::crypto::{self, Curve};
use crate::domain::world::typed::{self, Object};

type Document = Option<Map<String, Value>>;

/// Reads a body, or an object within one.
pub fn read<T: DeserializeOwned>(body: &Value) -> Result<T> {
    typed::read(body).map_err(|member| invalid(&member))
}

fn unpacked<T: Default>(object: Option<Object<T>>) -> T {
    object.unwrap_or_default().0
}

/// A member that must be there [issue].
fn required(name: &str, value: Option<String>) -> Result<String> {
    value.ok_or_else(|| KeyError::BadParameter(format!("Property '{name}' is required.\r\n")).into())
}

/// Bytes that must be there [issue: the text].
fn bytes(name: &str, value: Option<&str>) -> Result<Vec<u8>> {
    let bytes = crypto::from_base64url(&required(name, value.map(str::to_owned))?);
    let text = format!("Content of '{name}' is not base64url.\r\nProperty '{name}' is required.\r\n");
    bytes.ok_or_else(|| KeyError::BadParameter(text).into())
}

/// The body of a create.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    kty: Option<String>,
    key_size: Option<u64>,
    public_exponent: Option<u64>,
    crv: Option<String>,
    key_ops: Option<Vec<String>>,
    attributes: Option<Object<Attributes>>,
    tags: Document,
    release_policy: Document,
}

/// What a new key is to be.
pub fn create(body: &Value) -> Result<Wanted> {
    let body: Create = read(body)?;
    if body.public_exponent.is_some_and(|e| ![0, 65537].contains(&e)) {
        return Err(invalid("public_exponent"));
    }
    let described = Described {
        kty: body.kty,
        size: body.key_size,
        curve: body.crv,
        key_ops: body.key_ops,
        attributes: unpacked(body.attributes),
        tags: body.tags,
        release_policy: body.release_policy,
    };
    described.wanted()
}

/// The body of an import.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Import {
    key: Document,
    #[serde(rename = "Hsm", alias = "hsm")]
    hsm: Option<bool>,
    attributes: Option<Object<Attributes>>,
    tags: Document,
    release_policy: Document,
}

/// The members of a JWK that are no numbers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Jwk {
    kty: Option<String>,
    crv: Option<String>,
    key_ops: Option<Vec<String>>,
    key_hsm: Option<String>,
}

/// What an imported key is to be, and its JWK, whose numbers are not looked at yet.
pub fn import(body: &Value) -> Result<(Wanted, Value)> {
    let body: Import = read(body)?;
    let jwk = body.key.map(Value::Object).ok_or_else(|| invalid("key"))?;
    let Jwk { kty, crv, key_ops, key_hsm } = read(&jwk)?;
    if key_hsm.is_some_and(|blob| !blob.is_empty()) {
        return Err(RequestError::NotEmulated("Keys wrapped for an HSM".to_owned()).into());
    }
    let (family, hsm) = family(&kty.unwrap_or_default());
    let material = match family.as_str() {
        "RSA" => crypto::rsa_bits(&jwk).map(Material::Rsa),
        "EC" => crv.as_deref().and_then(Curve::parse).map(Material::Ec),
        _ => None,
    };
    let described = Described {
        // The operations of an import stand in the JWK.
        key_ops,
        attributes: unpacked(body.attributes),
        tags: body.tags,
        release_policy: body.release_policy,
        ..Described::default()
    };
    let wanted = described.of(material.ok_or_else(|| invalid("key"))?, hsm || body.hsm.unwrap_or(false))?;
    Ok((wanted, jwk))
}

/// The body of a key's update.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    key_ops: Option<Vec<String>>,
    attributes: Option<Object<Attributes>>,
    tags: Document,
    release_policy: Document,
}

/// What an update of a key says. Java's client sends an empty list of operations where it was given none.
pub fn update(body: &Value) -> Result<Change> {
    let body: Update = read(body)?;
    Ok(Change {
        key_ops: operations(body.key_ops)?,
        attributes: unpacked(body.attributes),
        tags: check_tags(body.tags)?,
        release_policy: policy(body.release_policy),
    })
}

/// The body of a use: what is to be done with which bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Use {
    alg: Option<String>,
    value: Option<String>,
    digest: Option<String>,
}

/// The algorithm and the bytes of a use.
pub fn used(body: &Value) -> Result<(String, Vec<u8>)> {
    let body: Use = read(body)?;
    Ok((required("alg", body.alg)?, bytes("value", body.value.as_deref())?))
}

/// What a signature is to be of.
pub fn digest(body: &Value) -> Result<Vec<u8>> {
    let body: Use = read(body)?;
    bytes("digest", body.digest.as_deref())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Random {
    count: Option<usize>,
}

/// How many random bytes are asked for.
pub fn count(body: &Value) -> Result<usize> {
    let body: Random = read(body)?;
    body.count.filter(|count| (1..=128).contains(count)).ok_or_else(|| invalid("count"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Restore {
    value: Option<String>,
}

/// The backup that is to be restored.
pub fn restore(body: &Value) -> Result<String> {
    let body: Restore = read(body)?;
    required("value", body.value)
}

/// The body of a secret's write.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Secret {
    value: Option<String>,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    attributes: Option<Object<Attributes>>,
    tags: Document,
}

fn secret_change(body: Secret) -> Result<(Option<String>, secret::Change)> {
    let Secret { value, content_type, attributes, tags } = body;
    Ok((value, secret::Change { content_type, attributes: unpacked(attributes), tags: check_tags(tags)? }))
}

/// What an update of a secret says.
pub fn secret_update(body: &Value) -> Result<secret::Change> {
    secret_change(read(body)?).map(|(_, change)| change)
}

/// The value of a secret, and what stands beside it.
pub fn secret(body: &Value) -> Result<(String, secret::Change)> {
    let (value, change) = secret_change(read(body)?)?;
    Ok((required("value", value)?, change))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn creates_are_read_strictly_where_it_matters() {
        let rsa = create(&json!({"kty": "RSA", "key_size": null, "key_ops": null, "newer": {}})).unwrap();
        assert_eq!((rsa.material, rsa.hsm), (Material::Rsa(2048), false));
        assert_eq!(rsa.settled_ops().len(), 6);
        assert_eq!(create(&json!({"kty": "EC-HSM", "crv": "P-521"})).unwrap().kty(), "EC-HSM");
        for bad in [
            json!(null),
            json!(["RSA"]),
            json!({"kty": "RSA", "public_exponent": 3}),
            json!({"kty": 1}),
            json!({"kty": "RSA", "key_size": "2048"}),
            json!({"kty": "RSA", "key_ops": ["fly"]}),
            json!({"kty": "RSA", "key_ops": "sign"}),
            json!({"kty": "RSA", "attributes": {"exp": "soon"}}),
            json!({"kty": "RSA", "attributes": [true]}),
            json!({"kty": "RSA", "tags": {"a": 1}}),
            json!({"kty": "RSA", "tags": []}),
            json!({"kty": "RSA", "release_policy": "p"}),
        ] {
            assert!(create(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refusals_name_the_member() {
        let said = |refused: crate::domain::Error| match refused {
            crate::domain::Error::Key(KeyError::BadParameter(text)) => text,
            other => panic!("{other:?}"),
        };
        let wrong = create(&json!({"kty": "RSA", "attributes": {"exp": "soon"}})).unwrap_err();
        assert_eq!(said(wrong), "Property exp has invalid value\r\n");
        assert_eq!(said(create(&json!(null)).unwrap_err()), "Property  has invalid value\r\n");
        assert_eq!(said(used(&json!({"alg": "RS256"})).unwrap_err()), "Property 'value' is required.\r\n");
        let wrong = used(&json!({"alg": "RS256", "value": "+/"})).unwrap_err();
        assert_eq!(said(wrong), "Content of 'value' is not base64url.\r\nProperty 'value' is required.\r\n");
    }
}
