//! Cache rules, and the credential sets that they sign in to other registries with.
//! Must not know: HTTP, what lies in a registry.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::Cx;
use crate::app::directory::identities;
use crate::app::registry::children::{self, Asked, begin, missing, save};
use crate::app::registry::cmk;
use crate::app::vault::secrets;
use crate::domain::access::Caller;
use crate::domain::error::{AccessError, ClientError, KeyError, RegistryError, RequestError, SignInError, VaultError};
use crate::domain::registry::Registry;
use crate::domain::registry::cache_rule::{CacheRule, cached_from, check_cache_rule, login_server};
use crate::domain::registry::child::{Child, Kind, child_name};
use crate::domain::registry::cmk::object_id;
use crate::domain::vault::kind::ObjectKind;
use crate::domain::world::typed::Object;
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Error, Result};
use crate::store;
use crate::store::directory::Who;

/// What can be asked of a cache rule.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    /// Null takes it away [recorded].
    #[serde(deserialize_with = "named_or_null")]
    credential_set_resource_id: Option<Option<String>>,
    source_repository: Option<String>,
    target_repository: Option<String>,
}

/// A member that is there, be it null.
fn named_or_null<'de, D: Deserializer<'de>>(member: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::deserialize(member).map(Some)
}

/// Saves a cache rule. `true`: it is new.
pub async fn put_rule(cx: &mut Cx, registry: &Registry, rule: &str, asked: Asked<Rule>) -> Result<(Child, bool)> {
    let asked = asked.properties;
    let (mut child, new) = begin(cx, registry, Kind::CACHE_RULE, rule).await?;
    let mut signs_in = None;
    match asked.credential_set_resource_id {
        Some(Some(id)) if !id.is_empty() => {
            let wrong = || wrong_set(format!("'{id}' is not the id of a credential set of this registry"));
            let name = child_name(registry, Kind::CREDENTIAL_SET, &id).ok_or_else(wrong)?;
            let set = children::get(cx, registry, Kind::CREDENTIAL_SET, name).await?;
            child.properties.insert("credentialSetResourceId".to_owned(), json!(set.arm_id(registry)));
            signs_in = Some(set);
        }
        Some(_) => {
            child.properties.remove("credentialSetResourceId");
        }
        None => {}
    }
    if new {
        for (field, value) in
            [("sourceRepository", asked.source_repository), ("targetRepository", asked.target_repository)]
        {
            let value = value.filter(|v| !v.is_empty());
            child.properties.insert(field.to_owned(), json!(value.ok_or_else(|| missing(field))?));
        }
        let target = child.target_repository().to_owned();
        check_cache_rule(child.source_repository(), &target)?;
        // Names of hosts have no case.
        if let Some((host, repository)) = child.source_repository().split_once('/') {
            let source = format!("{}/{repository}", host.to_ascii_lowercase());
            child.properties.insert("sourceRepository".to_owned(), json!(source));
        }
        // [issue: code and text]
        if source_host(&child) == "docker.io" && child.credential_set().is_none() {
            return Err(RegistryError::DockerWithoutCredentials.into());
        }
        // [issue: that it is so, said by a maintainer; docs. The text is ours]
        if let Some(there) = filled(cx, registry, &CacheRule::of(&child)).await? {
            return Err(RegistryError::Invalid(format!(
                "The repository '{there}' exists already in registry {}. A cache rule fills only repositories that do not.",
                registry.name
            ))
            .into());
        }
        let rules = children::list(cx, registry, Kind::CACHE_RULE).await?;
        if let Some(other) = rules.iter().find(|r| r.target_repository() == target) {
            return Err(RegistryError::Invalid(format!(
                "The target repository '{target}' is used by the cache rule '{}' already.",
                other.name
            ))
            .into());
        }
    }
    if let Some(set) = signs_in {
        check_set(&set, &source_host(&child))?;
    }
    Ok((save(cx, child).await?, new))
}

/// The login server that a rule leads to.
fn source_host(rule: &Child) -> String {
    login_server(rule.source_repository().split('/').next().unwrap_or_default())
}

/// A credential set is for its login server: what it knows is shown to no other. [inferred: that a rule may not name
/// it then, and the text]
fn check_set(set: &Child, host: &str) -> Result<()> {
    let meant = set.login_server();
    if login_server(meant) == login_server(host) {
        return Ok(());
    }
    Err(wrong_set(format!("the credential set '{}' is for the login server '{meant}', not for '{host}'", set.name)))
}

fn wrong_set(message: String) -> Error {
    RequestError::InvalidValue { property: "credentialSetResourceId".to_owned(), message }.into()
}

/// The first repository with something in it that a new rule would fill.
async fn filled(cx: &mut Cx, registry: &Registry, rule: &CacheRule) -> Result<Option<String>> {
    let there = store::registry::content::repositories(&mut cx.tx, registry.id, "", u64::MAX).await?;
    let rule = std::slice::from_ref(rule);
    Ok(there.into_iter().find(|repository| cached_from(rule, repository).is_some()))
}

/// What can be asked of a credential set.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Set {
    login_server: Option<String>,
    auth_credentials: Option<Vec<Object<AuthCredential>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthCredential {
    name: Option<String>,
    username_secret_identifier: Option<String>,
    password_secret_identifier: Option<String>,
}

/// A secret's identifier that must be there.
fn identifier(field: &str, id: Option<String>) -> Result<String> {
    let id = id.ok_or_else(|| missing(field))?;
    if secret_id(&id).is_none() {
        let message = format!("'{id}' is not the identifier of a secret");
        return Err(RequestError::InvalidValue { property: field.to_owned(), message }.into());
    }
    Ok(id)
}

/// Saves a credential set. It always has a system-assigned identity,
/// as which its secrets are read. `true`: it is new.
pub async fn put_set(cx: &mut Cx, registry: &Registry, set: &str, asked: Asked<Set>) -> Result<(Child, bool)> {
    let (mut child, new) = begin(cx, registry, Kind::CREDENTIAL_SET, set).await?;
    let Set { login_server, auth_credentials } = asked.properties;
    if new {
        let server = login_server.filter(|s| !s.is_empty());
        child.properties.insert("loginServer".to_owned(), json!(server.ok_or_else(|| missing("loginServer"))?));
    }
    if let Some(credentials) = auth_credentials {
        let mut kept = Vec::new();
        for Object(AuthCredential { name, username_secret_identifier, password_secret_identifier }) in credentials {
            kept.push(json!({
                "name": name.as_deref().unwrap_or("Credential1"),
                "usernameSecretIdentifier": identifier("usernameSecretIdentifier", username_secret_identifier)?,
                "passwordSecretIdentifier": identifier("passwordSecretIdentifier", password_secret_identifier)?,
            }));
        }
        child.properties.insert("authCredentials".to_owned(), json!(kept));
    }
    if child.auth_credentials().is_empty() {
        return Err(missing("authCredentials"));
    }
    if child.principal.is_none() {
        let principal = identities::add_managed(cx, &child.name, &child.arm_id(registry)).await?;
        child.principal = Some(principal.object_id);
    }
    Ok((save(cx, child).await?, new))
}

/// A credential set's `authCredentials` with their health: whether its identity can read the secrets now.
pub async fn credentials(cx: &mut Cx, set: &Child) -> Result<Vec<Value>> {
    let mut shown = Vec::new();
    for mut credential in set.auth_credentials().to_vec() {
        let mut health = json!({"status": "Healthy"});
        for field in ["usernameSecretIdentifier", "passwordSecretIdentifier"] {
            let id = credential[field].as_str().unwrap_or_default().to_owned();
            // That somebody looks is no call of the set's.
            match read(cx, set, &id, false).await {
                Ok(_) => {}
                Err(failure) if failure.is_failure() => return Err(failure),
                Err(refusal) => {
                    let (code, message) = said(&refusal);
                    health = json!({"status": "Unhealthy", "errorCode": code, "errorMessage": message});
                    break;
                }
            }
        }
        credential["credentialHealth"] = health;
        shown.push(credential);
    }
    Ok(shown)
}

/// User and password for a login server from a credential set, by its ARM id, read as its identity.
pub async fn secrets_of(
    cx: &mut Cx,
    registry: &Registry,
    set: &str,
    host: &str,
) -> Result<(Zeroizing<String>, Zeroizing<String>)> {
    let name = child_name(registry, Kind::CREDENTIAL_SET, set).unwrap_or_default();
    let set = children::get(cx, registry, Kind::CREDENTIAL_SET, name).await?;
    // A set of this name may have been another when the rule was written.
    check_set(&set, host)?;
    let credential = set.auth_credentials().first().cloned().unwrap_or_default();
    let id = |field: &str| credential[field].as_str().unwrap_or_default().to_owned();
    let user = read(cx, &set, &id("usernameSecretIdentifier"), true).await?;
    let password = read(cx, &set, &id("passwordSecretIdentifier"), true).await?;
    Ok((user, password))
}

/// Vault, name and version of a secret's identifier.
fn secret_id(id: &str) -> Option<(String, String, Option<String>)> {
    object_id(id, "secrets")
}

fn no_secret(id: &str) -> Error {
    KeyError::NotFound(ObjectKind::Secret, id.to_owned()).into()
}

/// Reads a secret as the set's identity, through the vault's own gate. `audited`: it leaves an audit record.
async fn read(cx: &mut Cx, set: &Child, id: &str, audited: bool) -> Result<Zeroizing<String>> {
    read_as(cx, set.principal.as_deref().unwrap_or_default(), id, audited).await
}

/// The same as any principal that stands for something of the registry's.
pub(in crate::app) async fn read_as(
    cx: &mut Cx,
    object_id: &str,
    id: &str,
    audited: bool,
) -> Result<Zeroizing<String>> {
    let (vault, name, version) = secret_id(id).ok_or_else(|| no_secret(id))?;
    let found = store::directory::standing(&mut cx.tx, Who::Object(object_id)).await?;
    let found = found.ok_or_else(|| no_secret(id))?;
    let mut caller = Caller::of(found, cmk::REGISTRY_ADDRESS)?;
    caller.trusted_service = true;
    caller.service = cmk::SERVICE;
    let before = cx.act_as(caller);
    let read = if audited {
        secrets::get_audited(cx, &vault, &name, version.as_deref()).await
    } else {
        secrets::get(cx, &vault, &name, version.as_deref()).await
    };
    cx.act_as(before);
    read.map(|(_, value)| value)
}

/// Code and message of a vault's refusal as credential sets pass them on; the first text is [recorded], the
/// others follow Key Vault's own.
pub(in crate::app) fn said(refusal: &Error) -> (&'static str, String) {
    const HELP: &str = "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287";
    match refusal {
        Error::Access(access) => match access.as_ref() {
            AccessError::Policy { caller, kind, permission, vault } => (
                "Forbidden",
                format!(
                    "The user, group or application 'name=Microsoft.ContainerRegistry/registries;appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/' does not have {kind} {permission} permission on key vault '{};location={}'. {HELP}",
                    caller.app_id, caller.object_id, vault.name, vault.location
                ),
            ),
            AccessError::Role { caller, action, vault, .. } => (
                "Forbidden",
                format!(
                    "Caller is not authorized to perform action on resource. Caller: name=Microsoft.ContainerRegistry/registries;appid={};oid={};iss=https://sts.windows.net/{TENANT_ID}/ Action: '{action}' Vault: {};location={}",
                    caller.app_id, caller.object_id, vault.name, vault.location
                ),
            ),
            AccessError::Firewall { vault, .. } | AccessError::PublicNetwork { vault, .. } => (
                "Forbidden",
                format!("Client address is not authorized. Vault: {};location={}", vault.name, vault.location),
            ),
            AccessError::Action { .. } => ("Forbidden", refusal.to_string()),
        },
        Error::Key(KeyError::Disabled(..)) => {
            ("Forbidden", "Operation get is not allowed on a disabled secret.".to_owned())
        }
        Error::Key(KeyError::NotFound(_, name)) => (
            "SecretNotFound",
            format!(
                "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. {HELP}"
            ),
        ),
        // [inferred] The name of a vault that is not there leads nowhere.
        Error::Vault(VaultError::Unknown(vault)) => {
            ("BadRequest", format!("No such host is known. ({vault}.vault.azure.net:443)"))
        }
        // [inferred] What Entra ID says to the identity, which gets no token for the vault.
        Error::SignIn(SignInError::Client(ClientError::PrincipalDisabled { client_id, name })) => {
            ("Unauthorized", format!("AADSTS7000112: Application '{client_id}'({name}) is disabled."))
        }
        other => ("BadRequest", other.to_string()),
    }
}
