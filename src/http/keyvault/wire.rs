//! What the data plane shows, by api-version (keyvault.md A.5).
//! Must not know: rights, storage, what an object of any kind is made of.

use serde_json::{Map, Value, json};

use super::api::Api;
use super::recording::About;
use crate::app::vault::object::{Found, Kept};
use crate::domain::Result;
use crate::domain::vault::Vault;
use crate::domain::vault::object::{Object, Version};
use crate::domain::world::time::SECOND;

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
    if api.shows_recoverable_days() {
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
