//! Child resources of registries: find, save and remove any kind; scope maps, tokens and their passwords.
//! Must not know: HTTP, what a token is worth in a request (see rights), how webhooks send.

use rand::distr::{Alphanumeric, SampleString as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::Cx;
use crate::domain::error::{RegistryError, RequestError, ResourceError};
use crate::domain::registry::Registry;
use crate::domain::registry::child as rules;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::resources::private_link;
use crate::domain::world::crypto;
use crate::domain::world::typed::Object;
use crate::domain::{Result, Timestamp};
use crate::store;
use crate::store::registry::children::Password;

/// What a PUT or a PATCH says of a child, with the properties that its kind knows.
#[derive(Debug, Default)]
pub struct Asked<P> {
    pub location: Option<String>,
    pub tags: Option<Map<String, Value>>,
    pub properties: P,
}

/// A child by name.
pub async fn get(cx: &mut Cx, registry: &Registry, kind: Kind, name: &str) -> Result<Child> {
    find(cx, registry, kind, name).await?.ok_or_else(|| ResourceError::ChildNotFound(name.to_owned()).into())
}

/// A child by name, if it is there.
pub async fn find(cx: &mut Cx, registry: &Registry, kind: Kind, name: &str) -> Result<Option<Child>> {
    if kind == Kind::SCOPE_MAP
        && let Some(map) = rules::system_scope_maps(registry).into_iter().find(|m| m.name.eq_ignore_ascii_case(name))
    {
        return Ok(Some(map));
    }
    store::registry::children::find(&mut cx.tx, registry.id, kind, name).await
}

/// The children of a kind: Azure's own scope maps first, then by name.
pub async fn list(cx: &mut Cx, registry: &Registry, kind: Kind) -> Result<Vec<Child>> {
    let mut children = match kind {
        Kind::SCOPE_MAP => rules::system_scope_maps(registry),
        _ => Vec::new(),
    };
    children.extend(store::registry::children::list(&mut cx.tx, registry.id, kind).await?);
    Ok(children)
}

/// How many children of a kind were made.
pub async fn count(cx: &mut Cx, registry: &Registry, kind: Kind) -> Result<usize> {
    store::registry::children::count(&mut cx.tx, registry.id, kind).await
}

/// A child to fill and [`save`]: the one that is there, or a new one if SKU, name and number allow it.
/// `true`: it is new.
pub async fn begin(cx: &mut Cx, registry: &Registry, kind: Kind, name: &str) -> Result<(Child, bool)> {
    kind.require_sku(registry)?;
    if let Some(child) = store::registry::children::find(&mut cx.tx, registry.id, kind, name).await? {
        return Ok((child, false));
    }
    if !kind.may_be_named(name) {
        return Err(ResourceError::NameInvalid { name: name.to_owned(), kind: kind.name.to_owned() }.into());
    }
    if let Some(limit) = kind.limit(&registry.sku)
        && count(cx, registry, kind).await? >= limit
    {
        return Err(RegistryError::Invalid(format!(
            "The maximum number of {} ({limit}) of the SKU {} has been reached for registry {}.",
            kind.segment(),
            registry.sku,
            registry.name
        ))
        .into());
    }
    Ok((Child::new(registry, kind, name, &cx.caller.name, cx.now), true))
}

/// Keeps a child.
pub async fn save(cx: &mut Cx, mut child: Child) -> Result<Child> {
    child.modified_by = cx.caller.name.clone();
    child.modified_at = cx.now;
    child.id = store::registry::children::put(&mut cx.tx, &child).await?;
    Ok(child)
}

/// Removes a child with all it holds. `None`: there was none.
pub async fn remove(cx: &mut Cx, registry: &Registry, kind: Kind, name: &str) -> Result<Option<Child>> {
    let Some(child) = find(cx, registry, kind, name).await? else { return Ok(None) };
    if child.id == 0 {
        return Err(RegistryError::Invalid(format!(
            "The scope map {} is defined by the system and cannot be changed or deleted.",
            child.name
        ))
        .into());
    }
    if let Some(principal) = &child.principal {
        store::directory::delete(&mut cx.tx, principal).await?;
    }
    store::registry::children::delete(&mut cx.tx, child.id).await?;
    Ok(Some(child))
}

/// Before a registry goes: its children's principals leave the directory. The rows go with the registry.
pub(in crate::app) async fn remove_principals(cx: &mut Cx, registry: &Registry) -> Result<()> {
    for principal in store::registry::children::principals(&mut cx.tx, registry.id).await? {
        store::directory::delete(&mut cx.tx, &principal).await?;
    }
    Ok(())
}

/// Adds or changes a private endpoint connection: a PUT's body. `true`: it is new.
pub async fn put_private_link(cx: &mut Cx, registry: &Registry, name: &str, asked: &Value) -> Result<(Child, bool)> {
    let (mut link, new) = begin(cx, registry, Kind::PRIVATE_ENDPOINT_CONNECTION, name).await?;
    link.properties = private_link::settle(Some(&link.properties), asked);
    Ok((save(cx, link).await?, new))
}

// Scope maps.

/// What can be asked of a scope map.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScopeMap {
    description: Option<String>,
    actions: Option<Vec<String>>,
}

/// Saves a scope map. `true`: it is new.
pub async fn put_scope_map(
    cx: &mut Cx,
    registry: &Registry,
    name: &str,
    asked: Asked<ScopeMap>,
) -> Result<(Child, bool)> {
    if rules::SYSTEM_SCOPE_MAPS.iter().any(|(system, ..)| system.eq_ignore_ascii_case(name)) {
        return Err(RegistryError::Invalid(format!(
            "The scope map {name} is defined by the system and cannot be changed or deleted."
        ))
        .into());
    }
    let (mut map, new) = begin(cx, registry, Kind::SCOPE_MAP, name).await?;
    let ScopeMap { description, actions } = asked.properties;
    if new && actions.is_none() {
        return Err(missing("actions"));
    }
    if let Some(description) = description {
        map.properties.insert("description".to_owned(), json!(description));
    }
    if let Some(actions) = actions {
        rules::check_actions(&actions)?;
        map.properties.insert("actions".to_owned(), json!(actions));
    }
    map.properties.insert("type".to_owned(), json!("UserDefined"));
    Ok((save(cx, map).await?, new))
}

// Tokens.

/// Characters of a token's password [recorded].
const PASSWORD_LENGTH: usize = 52;
/// The names of a token's passwords [recorded].
pub const PASSWORDS: [&str; 2] = ["password1", "password2"];

/// A token as sign-in meets it.
#[derive(Debug, Clone)]
pub struct RegistryToken {
    /// Its row id: another token of its name has another one.
    pub id: i64,
    pub name: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// What its scope map allows; empty where the scope map is gone. See `child::actions_allow`.
    pub actions: Vec<String>,
    passwords: Vec<Password>,
}

impl RegistryToken {
    /// Whether a password is one of its own and has not expired, in simulated time.
    #[must_use]
    pub fn accepts(&self, password: &str, now: Timestamp) -> bool {
        let hash = crypto::sha256(password.as_bytes());
        let good = |p: &Password| crypto::same_secret(&p.hash, &hash) && p.expires_at.is_none_or(|end| now < end);
        self.passwords.iter().any(good)
    }
}

/// The token with this user name, for sign-in.
pub async fn token_by_name(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Option<RegistryToken>> {
    let found = store::registry::children::find(&mut cx.tx, registry.id, Kind::TOKEN, name).await?;
    as_signed_in(cx, registry, found).await
}

/// The token with this row id, for those who have signed in with it.
pub async fn token_by_id(cx: &mut Cx, registry: &Registry, id: i64) -> Result<Option<RegistryToken>> {
    let found = store::registry::children::find_by_id(&mut cx.tx, registry.id, Kind::TOKEN, id).await?;
    as_signed_in(cx, registry, found).await
}

async fn as_signed_in(cx: &mut Cx, registry: &Registry, found: Option<Child>) -> Result<Option<RegistryToken>> {
    let Some(token) = found else { return Ok(None) };
    let scope_map = match rules::child_name(registry, Kind::SCOPE_MAP, token.scope_map()) {
        Some(name) => find(cx, registry, Kind::SCOPE_MAP, name).await?,
        None => None,
    };
    let actions = scope_map.as_ref().map(|map| map.actions().map(str::to_owned).collect()).unwrap_or_default();
    let passwords = store::registry::children::passwords(&mut cx.tx, token.id).await?;
    let enabled = token.enabled();
    Ok(Some(RegistryToken { id: token.id, name: token.name, enabled, actions, passwords }))
}

/// A token's passwords, without their values.
pub async fn passwords(cx: &mut Cx, token: &Child) -> Result<Vec<Password>> {
    store::registry::children::passwords(&mut cx.tx, token.id).await
}

/// What can be asked of a token.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Token {
    scope_map_id: Option<String>,
    status: Option<String>,
    credentials: Option<Object<Credentials>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Credentials {
    certificates: Option<Vec<Value>>,
    passwords: Option<Vec<Object<Named>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
}

/// Saves a token. A list of passwords keeps those that it names and takes
/// the others away [cli: token credential delete]. `true`: it is new.
pub async fn put_token(cx: &mut Cx, registry: &Registry, name: &str, asked: Asked<Token>) -> Result<(Child, bool)> {
    let (mut token, new) = begin(cx, registry, Kind::TOKEN, name).await?;
    let Token { scope_map_id, status, credentials } = asked.properties;
    let Credentials { certificates, passwords } = credentials.unwrap_or_default().0;
    if let Some(id) = scope_map_id {
        let map = rules::child_name(registry, Kind::SCOPE_MAP, &id).ok_or_else(|| wrong_id("scopeMapId", &id))?;
        let map = get(cx, registry, Kind::SCOPE_MAP, map).await?;
        token.properties.insert("scopeMapId".to_owned(), json!(map.arm_id(registry)));
    }
    if token.scope_map().is_empty() {
        return Err(missing("scopeMapId"));
    }
    if let Some(status) = &status {
        token.properties.insert("status".to_owned(), json!(status_word(status)?));
    } else if new {
        token.properties.insert("status".to_owned(), json!("enabled"));
    }
    if let Some(certificates) = certificates.filter(|c| !c.is_empty()) {
        token.properties.insert("certificates".to_owned(), json!(certificates));
    }
    let token = save(cx, token).await?;
    if let Some(kept) = passwords {
        for name in PASSWORDS {
            if !kept.iter().any(|p| p.0.name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(name))) {
                store::registry::children::delete_password(&mut cx.tx, token.id, name).await?;
            }
        }
    }
    Ok((token, new))
}

/// Makes a token's passwords anew: the named one, or both. Returns the token and each with its secret, which
/// is not to be had again.
pub async fn generate_credentials(
    cx: &mut Cx,
    registry: &Registry,
    token_id: &str,
    name: Option<&str>,
    expires_at: Option<Timestamp>,
) -> Result<(Child, Vec<(Password, String)>)> {
    let token = rules::child_name(registry, Kind::TOKEN, token_id).ok_or_else(|| wrong_id("tokenId", token_id))?;
    let token = get(cx, registry, Kind::TOKEN, token).await?;
    let names: Vec<&str> = match name {
        None => PASSWORDS.to_vec(),
        Some(asked) => {
            let known = PASSWORDS.into_iter().find(|n| n.eq_ignore_ascii_case(asked));
            vec![known.ok_or_else(|| RequestError::InvalidValue {
                property: "name".to_owned(),
                message: format!("'{asked}' is not the name of a password; it is 'password1' or 'password2'"),
            })?]
        }
    };
    let mut made = Vec::new();
    for name in names {
        let secret = Alphanumeric.sample_string(&mut cx.rng(), PASSWORD_LENGTH);
        let hash = crypto::sha256(secret.as_bytes()).to_vec();
        let password = Password { name: name.to_owned(), hash, created_at: cx.now, expires_at };
        store::registry::children::set_password(&mut cx.tx, token.id, &password).await?;
        made.push((password, secret));
    }
    Ok((token, made))
}

/// `enabled` or `disabled`, in any case.
pub(in crate::app) fn status_word(asked: &str) -> Result<&'static str> {
    ["enabled", "disabled"].into_iter().find(|w| w.eq_ignore_ascii_case(asked)).ok_or_else(|| {
        let message = format!("'{asked}' is not one of 'enabled', 'disabled'");
        RequestError::InvalidValue { property: "status".to_owned(), message }.into()
    })
}

/// The refusal of a document without a required property.
pub(in crate::app) fn missing(property: &str) -> crate::domain::Error {
    RequestError::InvalidValue { property: property.to_owned(), message: "it is required".to_owned() }.into()
}

fn wrong_id(property: &str, id: &str) -> crate::domain::Error {
    let message = format!("'{id}' is not the id of such a resource of this registry");
    RequestError::InvalidValue { property: property.to_owned(), message }.into()
}
