//! JSON of the data plane, in and out, by api-version (keyvault.md A.5).
//! Must not know: rights, storage, what an object of any kind is made of.

use serde_json::{Map, Value, json};

use super::heard::About;
use crate::app::vault::object::{Found, Kept};
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::vault::key::{Attributes, Change, Material, Wanted, operations};
use crate::domain::vault::object::{Object, Version};
use crate::domain::vault::{Vault, secret};
use crate::domain::world::crypto::{self, Curve};
use crate::domain::world::time::SECOND;

/// The api-version of a request. Any is accepted; what it changes are a few attributes.
#[derive(Debug, Clone)]
pub struct Api {
    sent: String,
    /// 0 for 7.0 and all before it, …, 5 for 7.5 and all after it.
    level: u8,
}

impl Api {
    /// From the query parameter.
    pub fn new(sent: String) -> Self {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let level = match sent.strip_prefix("7.") {
            Some(minor) => digits(minor).parse().unwrap_or(5),
            // Dated versions are the oldest (2015, 2016) or the newest (2025 on).
            None if digits(&sent).parse().is_ok_and(|year: u16| (2014..2020).contains(&year)) => 0,
            None => 5,
        };
        Self { sent, level }
    }

    /// As the client wrote it.
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// Whether keys say where they are kept and whether they can leave.
    pub fn shows_exportable(&self) -> bool {
        self.level >= 5
    }
}

// ---------------------------------------------------------------- in

fn invalid(property: &str) -> RequestError {
    RequestError::InvalidValue { property: property.to_owned(), message: String::new() }
}

/// A property that is absent, `null`, or of this type.
fn optional<T>(value: &Value, name: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| invalid(name).into()),
    }
}

fn text(value: &Value, name: &str) -> Result<Option<String>> {
    optional(value, name, |v| v.as_str().map(str::to_owned))
}

/// A base64url property that must be there.
pub fn bytes(value: &Value, name: &str) -> Result<Vec<u8>> {
    value[name].as_str().and_then(crypto::from_base64url).ok_or_else(|| invalid(name).into())
}

/// A text property that must be there.
pub fn required(value: &Value, name: &str) -> Result<String> {
    text(value, name)?.ok_or_else(|| invalid(name).into())
}

fn read_attributes(value: &Value) -> Result<Attributes> {
    let Some(attributes) = optional(value, "attributes", |v| v.is_object().then(|| v.clone()))? else {
        return Ok(Attributes::default());
    };
    Ok(Attributes {
        enabled: optional(&attributes, "enabled", Value::as_bool)?,
        not_before: optional(&attributes, "nbf", Value::as_i64)?,
        expires: optional(&attributes, "exp", Value::as_i64)?,
        exportable: optional(&attributes, "exportable", Value::as_bool)?,
    })
}

/// Tags: at most 15 texts, each of at most 256 characters, as are their names [docs].
fn tags(value: &Value) -> Result<Option<Value>> {
    let short = |text: &str| text.chars().count() <= 256;
    optional(value, "tags", |v| {
        let map = v.as_object()?;
        let fits = |(name, value): (&String, &Value)| short(name) && value.as_str().is_some_and(short);
        (map.len() <= 15 && map.iter().all(fits)).then(|| v.clone())
    })
}

fn key_ops(value: &Value) -> Result<Option<Vec<String>>> {
    let words = optional(value, "key_ops", |v| {
        v.as_array()?.iter().map(|w| w.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    })?;
    let words = words.as_ref().map(|w| w.iter().map(String::as_str).collect::<Vec<_>>());
    words.map(|w| operations(&w)).transpose()
}

fn release_policy(value: &Value) -> Result<Option<Value>> {
    optional(value, "release_policy", |v| v.is_object().then(|| v.clone()))
}

/// The body of a create.
pub fn create(body: &Value) -> Result<Wanted> {
    let kty = required(body, "kty")?;
    let size = optional(body, "key_size", Value::as_u64)?;
    let curve = text(body, "crv")?;
    if optional(body, "public_exponent", Value::as_u64)?.is_some_and(|e| ![0, 65537].contains(&e)) {
        return Err(invalid("public_exponent").into());
    }
    let upper = kty.to_ascii_uppercase();
    let (family, hsm) = match upper.strip_suffix("-HSM") {
        Some(family) => (family, true),
        None => (upper.as_str(), false),
    };
    let material = match (family, size) {
        ("RSA", None) => Material::Rsa(2048),
        ("RSA", Some(bits)) => Material::Rsa(
            crypto::RSA_SIZES.into_iter().find(|size| *size as u64 == bits).ok_or_else(|| invalid("key_size"))?,
        ),
        ("EC", _) => Material::Ec(match curve {
            None => Curve::P256,
            Some(name) => Curve::parse(&name).ok_or_else(|| invalid("crv"))?,
        }),
        ("OCT", _) if hsm => return Err(RequestError::NotEmulated(format!("Key type {kty}")).into()),
        _ => return Err(invalid("kty").into()),
    };
    wanted(body, material, hsm, key_ops(body)?)
}

fn wanted(body: &Value, material: Material, hsm: bool, key_ops: Option<Vec<String>>) -> Result<Wanted> {
    Ok(Wanted {
        material,
        hsm,
        key_ops,
        attributes: read_attributes(body)?,
        tags: tags(body)?,
        release_policy: release_policy(body)?,
    })
}

/// The body of an import: what the key is to be, and its JWK, whose numbers are not looked at yet.
pub fn import(body: &Value) -> Result<(Wanted, Value)> {
    let jwk = &body["key"];
    let kty = required(jwk, "kty")?.to_ascii_uppercase();
    let told = optional(body, "Hsm", Value::as_bool)?.or(optional(body, "hsm", Value::as_bool)?);
    let hsm = told.unwrap_or(false) || kty.ends_with("-HSM");
    let material = match kty.trim_end_matches("-HSM") {
        "RSA" => crypto::rsa_bits(jwk).map(Material::Rsa),
        "EC" => jwk["crv"].as_str().and_then(Curve::parse).map(Material::Ec),
        _ => None,
    };
    let material = material.ok_or_else(|| invalid("key"))?;
    // The operations of an import stand in the JWK.
    Ok((wanted(body, material, hsm, key_ops(jwk)?)?, jwk.clone()))
}

/// The body of an update.
pub fn update(body: &Value) -> Result<Change> {
    Ok(Change {
        key_ops: key_ops(body)?,
        attributes: read_attributes(body)?,
        tags: tags(body)?,
        release_policy: release_policy(body)?,
    })
}

/// What a secret's write says beside its value.
pub fn secret_change(body: &Value) -> Result<secret::Change> {
    Ok(secret::Change {
        content_type: text(body, "contentType")?,
        attributes: read_attributes(body)?,
        tags: tags(body)?,
    })
}

// ---------------------------------------------------------------- out

/// How a kind of object is shown, and what its updates can say.
pub trait Shown: Kept {
    /// What an item of a list begins with.
    fn item(id: String, version: &Version<Self>) -> Map<String, Value>;

    /// What an object that is shown whole begins with.
    fn bundle(id: String, version: &Version<Self>) -> Map<String, Value> {
        Self::item(id, version)
    }

    /// Adds the attributes that only its kind has.
    fn attributes(_api: &Api, _version: &Version<Self>, _shown: &mut Map<String, Value>) {}

    /// Adds what an object that is shown whole ends with.
    fn rest(_version: &Version<Self>, _shown: &mut Map<String, Value>) {}

    /// The body of an update.
    fn read_change(body: &Value) -> Result<Self::Change>;

    /// What the audit log tells of a version that was used (`changed`: made or changed).
    fn about(_id: Option<String>, _version: &Version<Self>, _changed: bool) -> About {
        About::default()
    }
}

/// `https://v/keys/{n}/{v}`; without a version the object's own.
pub fn id<K: Shown>(base: &str, object: &Object<K>, version: Option<&Version<K>>) -> String {
    let object = format!("{base}/{}/{}", K::KIND.collection(), object.name);
    version.map_or(object.clone(), |version| format!("{object}/{}", version.version))
}

/// Attributes in Azure's order [recorded]; absent when unset.
fn attributes<K: Shown>(api: &Api, vault: &Vault, version: &Version<K>) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("enabled", json!(version.enabled));
    for (name, at) in [("nbf", version.not_before), ("exp", version.expires)] {
        if let Some(at) = at {
            put(name, json!(at));
        }
    }
    put("created", json!(version.created_at.seconds()));
    put("updated", json!(version.updated_at.seconds()));
    put("recoveryLevel", json!(vault.recovery_level()));
    if api.level >= 3 {
        put("recoverableDays", json!(vault.retention_days()));
    }
    K::attributes(api, version, &mut shown);
    Value::Object(shown)
}

fn described<K: Shown>(api: &Api, vault: &Vault, version: &Version<K>, shown: &mut Map<String, Value>) {
    shown.insert("attributes".to_owned(), attributes(api, vault, version));
    if let Some(tags) = &version.tags {
        shown.insert("tags".to_owned(), tags.clone());
    }
}

/// An object that is shown whole.
pub fn bundle<K: Shown>(api: &Api, base: &str, (vault, object, version): &Found<K>) -> Value {
    let mut shown = K::bundle(id(base, object, Some(version)), version);
    described(api, vault, version, &mut shown);
    K::rest(version, &mut shown);
    Value::Object(shown)
}

/// An item of a list. Where the id has no version, the attributes are the newest one's [recorded].
pub fn item<K: Shown>(api: &Api, id: String, vault: &Vault, version: &Version<K>) -> Value {
    let mut shown = K::item(id, version);
    described(api, vault, version, &mut shown);
    Value::Object(shown)
}

/// The same of a deleted object: `recoveryId` and the two dates stand in front.
pub fn deleted<K: Shown>(base: &str, object: &Object<K>, rest: Value) -> Value {
    let mut shown = json!({"recoveryId": format!("{base}/{}/{}", K::KIND.deleted_collection(), object.name)});
    if let Some(deletion) = object.deleted {
        shown["deletedDate"] = json!(deletion.at.seconds());
        // Exactly the retention later [recorded]: from the whole second, not rounded by itself.
        shown["scheduledPurgeDate"] = json!(deletion.at.seconds() + (deletion.purge_at.0 - deletion.at.0) / SECOND);
    }
    for (name, value) in rest.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_version_has_its_level() {
        let level = |sent: &str| Api::new(sent.to_owned()).level;
        assert_eq!(["2016-10-01", "7.0", "7.2", "7.3", "7.4"].map(level), [0, 0, 2, 3, 4]);
        assert_eq!(["7.5-preview.1", "7.6-preview.2", "2025-07-01", "2026-01-01-preview"].map(level), [5, 6, 5, 5]);
    }

    #[test]
    fn creates_are_read_strictly_where_it_matters() {
        let rsa = create(&json!({"kty": "RSA", "key_size": null, "key_ops": null})).unwrap();
        assert_eq!((rsa.material, rsa.hsm), (Material::Rsa(2048), false));
        assert_eq!(rsa.settled_ops().len(), 6);
        let empty = create(&json!({"kty": "RSA", "key_ops": []})).unwrap();
        assert_eq!(empty.settled_ops().len(), 6, "empty key_ops make no dead key");
        assert_eq!(create(&json!({"kty": "EC-HSM", "crv": "P-521"})).unwrap().kty(), "EC-HSM");
        for bad in [
            json!(null),
            json!({"kty": "DSA"}),
            json!({"kty": "oct"}),
            json!({"kty": "RSA", "key_size": 1024}),
            json!({"kty": "EC", "crv": "P-1"}),
            json!({"kty": "RSA", "key_ops": ["fly"]}),
            json!({"kty": "RSA", "attributes": {"exp": "soon"}}),
            json!({"kty": "RSA", "tags": {"a": 1}}),
        ] {
            assert!(create(&bad).is_err(), "{bad}");
        }
    }
}
