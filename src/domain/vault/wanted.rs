//! What a new key is to be: read once, from the words of the data plane and of resource management alike.
//! Must not know: how either protocol spells its members, how a key is made.

use serde_json::{Map, Value};

use super::object::{Attributes, check_tags, invalid};
use crate::domain::error::{KeyError, RequestError, Result};
use crate::domain::world::crypto::{Curve, RSA_SIZES};

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Material {
    /// RSA of so many bits.
    Rsa(usize),
    Ec(Curve),
}

/// A new key as a request describes it. What is `None` was not sent. An empty text, list or object counts as not sent,
/// for clients write it for what is unset [client].
#[derive(Debug, Clone, Default)]
pub struct Described {
    pub kty: Option<String>,
    pub size: Option<u64>,
    pub curve: Option<String>,
    pub key_ops: Option<Vec<String>>,
    pub attributes: Attributes,
    pub tags: Option<Map<String, Value>>,
    pub release_policy: Option<Map<String, Value>>,
}

impl Described {
    /// A key to be made.
    pub fn wanted(self) -> Result<Wanted> {
        let kty = self.kty.clone().unwrap_or_default();
        let (family, hsm) = family(&kty);
        let curve = self.curve.as_deref().filter(|curve| !curve.is_empty());
        let material = match family.as_str() {
            "RSA" => Material::Rsa(rsa(self.size)?),
            "EC" => Material::Ec(ec(curve, self.size)?),
            "OCT" if hsm => return Err(RequestError::NotEmulated(format!("Key type {kty}")).into()),
            _ => return Err(invalid("kty")),
        };
        self.of(material, hsm)
    }

    /// A key of that material.
    pub fn of(self, material: Material, hsm: bool) -> Result<Wanted> {
        Ok(Wanted {
            material,
            hsm,
            key_ops: operations(self.key_ops)?,
            attributes: self.attributes,
            tags: check_tags(self.tags)?,
            release_policy: policy(self.release_policy),
        })
    }
}

/// A `kty` in capitals, and whether it is one of those ending in `-HSM`.
#[must_use]
pub fn family(kty: &str) -> (String, bool) {
    let kty = kty.to_ascii_uppercase();
    match kty.strip_suffix("-HSM") {
        Some(family) => (family.to_owned(), true),
        None => (kty, false),
    }
}

/// [issue: the text, of certificates; inferred of keys]
fn unsupported<T>(size: u64, sizes: &str) -> Result<T> {
    Err(KeyError::BadParameter(format!("Unsupported key size ({size}). Supported sizes are [{sizes}]")).into())
}

fn rsa(size: Option<u64>) -> Result<usize> {
    let Some(size) = size else { return Ok(2048) };
    let known = RSA_SIZES.into_iter().find(|known| *known as u64 == size);
    known.map_or_else(|| unsupported(size, "2048, 3072, 4096"), Ok)
}

/// A size alone names the curve; one that is not the curve's is refused. [inferred from the sizes in the text]
fn ec(curve: Option<&str>, size: Option<u64>) -> Result<Curve> {
    let by_size = match size {
        None => None,
        Some(256) => Some(Curve::P256),
        Some(384) => Some(Curve::P384),
        Some(521) => Some(Curve::P521),
        Some(other) => return unsupported(other, "256, 384, 521"),
    };
    let Some(name) = curve else { return Ok(by_size.unwrap_or(Curve::P256)) };
    let curve = Curve::parse(name).ok_or_else(|| invalid("crv"))?;
    if by_size.is_some_and(|by_size| by_size.bits() != curve.bits()) {
        return Err(invalid("key_size"));
    }
    Ok(curve)
}

/// A release policy; an empty one is none.
#[must_use]
pub fn policy(policy: Option<Map<String, Value>>) -> Option<Value> {
    policy.filter(|policy| !policy.is_empty()).map(Value::Object)
}

/// Reads `key_ops`, in the spelling Key Vault answers with; an empty list is none. `import` and `export` are operations
/// of HSM keys that only Managed HSM performs.
pub fn operations(words: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    let known = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "export"];
    let mut spelled: Vec<String> = Vec::new();
    for word in words.unwrap_or_default() {
        let Some(operation) = known.iter().find(|known| known.eq_ignore_ascii_case(&word)) else {
            let word: String = word.chars().take(100).collect();
            return Err(KeyError::BadParameter(format!("Property key_ops has invalid value: {word}\r\n")).into());
        };
        // Each once, however often it is said.
        if !spelled.iter().any(|spelled| spelled == operation) {
            spelled.push((*operation).to_owned());
        }
    }
    Ok(Some(spelled).filter(|spelled| !spelled.is_empty()))
}

/// What a new key version is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub material: Material,
    /// Whether its type is one of those ending in `-HSM`. They are software here all the same.
    pub hsm: bool,
    /// `key_ops`; `None`: all of its type.
    pub key_ops: Option<Vec<String>>,
    /// `attributes`.
    pub attributes: Attributes,
    pub tags: Option<Value>,
    /// `release_policy`.
    pub release_policy: Option<Value>,
}

impl Wanted {
    /// Its `kty`.
    #[must_use]
    pub fn kty(&self) -> &'static str {
        match (self.material, self.hsm) {
            (Material::Rsa(_), false) => "RSA",
            (Material::Rsa(_), true) => "RSA-HSM",
            (Material::Ec(_), false) => "EC",
            (Material::Ec(_), true) => "EC-HSM",
        }
    }

    /// The `key_ops` it gets: those asked for, or the defaults of its type in Azure's order [recorded].
    #[must_use]
    pub fn settled_ops(&self) -> Vec<String> {
        let defaults: &[&str] = match self.material {
            Material::Rsa(_) => &["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
            Material::Ec(_) => &["sign", "verify"],
        };
        self.key_ops.clone().unwrap_or_else(|| defaults.iter().map(|op| (*op).to_owned()).collect())
    }

    /// Whether the vault can have such a key. The texts for HSM types are our own (keyvault.md H.4); those
    /// about release policies are recorded.
    pub fn check(&self, premium: bool) -> Result<()> {
        check_policy(self.release_policy.as_ref())?;
        if self.hsm && !premium {
            let text = format!("Key type {} is not supported on a vault of the standard SKU.", self.kty());
            return Err(KeyError::BadParameter(text).into());
        }
        match (self.attributes.exportable == Some(true), self.release_policy.is_some()) {
            (true, false) => bad("AKV.SKR.1004: Exportable keys must have release policy."),
            (false, true) => bad("AKV.SKR.1005: Non-exportable keys must not have release policy."),
            _ => Ok(()),
        }
    }
}

fn bad<T>(text: &str) -> Result<T> {
    Err(KeyError::BadParameter(text.to_owned()).into())
}

/// Bytes of a release policy at most. [inferred] Every version of a key has its own.
const POLICY_LIMIT: usize = 64 * 1024;

/// Refuses a release policy that is too long to keep.
pub fn check_policy(policy: Option<&Value>) -> Result<()> {
    match policy.map(|policy| policy.to_string().len()) {
        Some(length) if length > POLICY_LIMIT => Err(invalid("release_policy")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::world::crypto::Curve::{P256, P256K, P384, P521};
    use serde_json::json;

    fn key(kty: &str, size: Option<u64>, curve: Option<&str>) -> Result<Wanted> {
        let curve = curve.map(str::to_owned);
        Described { kty: Some(kty.to_owned()), size, curve, ..Described::default() }.wanted()
    }

    #[test]
    fn what_is_empty_counts_as_not_sent() {
        let described = Described {
            kty: Some("EC".to_owned()),
            curve: Some(String::new()),
            key_ops: Some(Vec::new()),
            release_policy: Some(Map::new()),
            ..Described::default()
        };
        let wanted = described.wanted().unwrap();
        assert_eq!(wanted.material, Material::Ec(P256));
        assert_eq!(wanted.settled_ops(), ["sign", "verify"], "empty key_ops make no dead key");
        assert_eq!(wanted.release_policy, None);
        assert!(key("", None, None).is_err(), "a type there must be");
    }

    #[test]
    fn sizes_and_curves_name_the_material() {
        let made = |kty, size, curve| key(kty, size, curve).unwrap().material;
        assert_eq!(made("rsa", None, None), Material::Rsa(2048));
        assert_eq!(made("RSA-HSM", Some(4096), None), Material::Rsa(4096));
        assert_eq!(made("EC", Some(384), None), Material::Ec(P384), "not the default curve");
        assert_eq!(made("EC", Some(521), Some("P-521")), Material::Ec(P521));
        assert_eq!(made("EC", Some(256), Some("P-256K")), Material::Ec(P256K), "[issue] Java's client sends both");
        for (kty, size, curve) in [
            ("RSA", Some(1024), None),
            ("RSA", Some(0), None),
            ("EC", Some(2048), None),
            ("EC", Some(256), Some("P-384")),
            ("EC", None, Some("P-1")),
            ("oct", None, None),
            ("oct-HSM", Some(256), None),
            ("DSA", None, None),
        ] {
            assert!(key(kty, size, curve).is_err(), "{kty} {size:?} {curve:?}");
        }
    }

    #[test]
    fn tags_are_few_and_short() {
        let tagged = |tags: Value| {
            let tags = tags.as_object().cloned();
            Described { kty: Some("RSA".to_owned()), tags, ..Described::default() }.wanted()
        };
        assert!(tagged(json!({"a": "b"})).is_ok());
        assert!(tagged(json!({"a": 1})).is_err());
        assert!(tagged(json!({"a": "b".repeat(257)})).is_err());
        let sixteen: Map<String, Value> = (0..16).map(|n| (n.to_string(), json!(""))).collect();
        assert!(tagged(Value::Object(sixteen)).is_err());
    }
}
