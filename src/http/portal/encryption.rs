//! How a registry is encrypted, and with which key: its status, and the change of its key. The choice of a key is
//! the same where registries are created.
//! Must not know: how keys are used.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target};
use super::create::required;
use super::form::{self, Options};
use super::frame::{copied, seconds};
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit, items, segment, subscription, text, word};
use super::{envelope, reason};

/// Vaults whose keys are offered at once.
const VAULTS: usize = 25;

/// What a form offers of vaults and their keys.
pub(super) struct Keys {
    vaults: Options,
    keys: Options,
}

/// Keys as resource management lists them: a vault's firewall does not stop it.
pub(super) async fn keys(v: &mut Visit) -> Answer<Keys> {
    // Whoever may not list vaults may still enter a key's URI.
    let path = format!("{}/providers/Microsoft.KeyVault/vaults", subscription());
    let list = v.whole(&path).await.unwrap_or_default();
    let found: Vec<(String, String)> =
        items(&list).map(|i| (text(i, "/id").to_owned(), text(i, "/name").to_owned())).collect();
    let mut keys = Vec::new();
    for (id, vault) in found.iter().take(VAULTS) {
        // Whoever may not list one vault's keys may list another's.
        let Ok(list) = v.arm("GET", &format!("{id}/keys"), Value::Null).await else { continue };
        keys.extend(items(&list).map(|key| {
            let name = text(key, "/name").rsplit('/').next().unwrap_or_default();
            (format!("https://{vault}.vault.azure.net/keys/{name}"), format!("{vault} / {name}"))
        }));
    }
    Ok(Keys { vaults: found.into_iter().map(|(_, name)| (name.clone(), name)).collect(), keys })
}

/// The choice of a key, each way with what it means.
pub(super) fn choice(v: &Visit, keys: &Keys) -> Markup {
    let ways = form::options(&[("vault", v.t(l::SELECT_FROM_VAULT)), ("uri", v.t(l::ENTER_KEY_URI))]);
    let only = if keys.keys.len() == 1 { keys.keys[0].0.as_str() } else { "" };
    let vault = keys.vaults.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    html! {
        (form::radios(v, "how", l::ENCRYPTION_KEY, &ways, "vault"))
        (form::select(v, "key", l::SELECT_FROM_VAULT, &keys.keys, only, v.t(l::SELECTED_HINT)))
        div.aside {
            (form::select(v, "new_key_vault", l::KEY_VAULT, &keys.vaults, vault, ""))
            (form::text(v, "new_key", l::NEW_KEY, "", ""))
            button type="submit" name="do" value="new-key" { (v.t(l::CREATE_NEW)) span.hidden { " " (v.t(l::KEY)) } }
        }
        (form::text(v, "uri", l::ENTER_KEY_URI, "", v.t(l::URI_HINT)))
    }
}

/// Makes a key at once, so that it can be chosen.
pub(super) async fn new_key(v: &mut Visit) -> Answer<Next> {
    let (vault, name) = (required(v, "new_key_vault")?, required(v, "new_key")?);
    let path = format!("keys/{}/create", segment(&name));
    v.vault(&vault, "POST", &path, json!({"kty": "RSA", "key_size": 2048})).await.map_err(|r| r.beside("new_key"))?;
    v.az(format!("az keyvault key create --vault-name {} --name {}", word(&vault), word(&name)));
    super::create::set(v, "key", &format!("https://{vault}.vault.azure.net/keys/{name}"));
    super::create::set(v, "new_key", "");
    super::create::set(v, "how", "vault");
    Ok(Next::Again)
}

/// The identifier that was chosen.
pub(super) fn chosen(v: &Visit) -> Answer<String> {
    match v.typed("how") {
        "uri" => required(v, "uri"),
        "vault" => required(v, "key"),
        _ => Err(Refusal::of_form("how", v.t(l::REQUIRED))),
    }
}

/// Beside which field a refusal of a key is said.
pub(super) fn about(refusal: Refusal, how: &str) -> Refusal {
    let key = if how == "uri" { "uri" } else { "key" };
    refusal.about(
        &[("does not have access to identity", "identity"), ("identityid", "identity"), ("key", key)],
        "identity",
    )
}

/// Managed identities by their client id.
pub(super) async fn identities(v: &mut Visit) -> Answer<Vec<(String, String, String)>> {
    let path = "providers/Microsoft.ManagedIdentity/userAssignedIdentities";
    let list = v.whole(&format!("{}/{path}", subscription())).await?;
    let member = |i: &Value, pointer: &str| text(i, pointer).to_owned();
    Ok(items(&list).map(|i| (member(i, "/properties/clientId"), member(i, "/name"), member(i, "/id"))).collect())
}

pub(super) async fn show(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr encryption show --name {}", word(&target.name)));
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let standing = reason::standing(v, target).await?;
    let encryption = &registry["properties"]["encryption"];
    let key = &encryption["keyVaultProperties"];
    let on = encryption["status"] == "enabled";
    let versioned = text(key, "/versionedKeyIdentifier");
    let identity = standing.status.identity.clone().unwrap_or_else(|| text(key, "/identity").to_owned());
    let identity = if text(key, "/identity") == "system" { v.t(l::SYSTEM_ASSIGNED).to_owned() } else { identity };
    let follows = key["keyRotationEnabled"] == true;
    let rotation = v.t(if follows { l::ROTATION_AUTOMATIC } else { l::ROTATION_MANUAL });
    let next = standing.status.next_look.map_or("-".to_owned(), seconds);
    let rotated = Some(text(key, "/lastKeyRotationTimestamp")).filter(|t| !t.is_empty()).unwrap_or("-");
    Ok(html! {
        (reason::banner(v, &standing))
        @if on {
            p.commands { a href=(target.to("encryption-change")) { (v.t(l::CHANGE_KEY)) } }
            (form::facts(v, &[
                (l::CUSTOMER_MANAGED_KEY, html! { (v.t(l::ENABLED)) }),
                (l::STATUS, html! { (v.t(if standing.broken.is_some() { l::BLOCKED } else { l::OPEN })) }),
                (l::IDENTITY, html! { (identity) }),
                (l::ROTATION, html! { (rotation) }),
                (l::LAST_ROTATION, html! { (rotated) }),
                (l::NEXT_LOOK, html! { (next) }),
            ]))
            (copied(v, "key", v.t(l::KEY), text(key, "/keyIdentifier")))
            (copied(v, "versioned", v.t(l::CURRENT_KEY_VERSION), versioned))
        } @else {
            (form::facts(v, &[(l::CUSTOMER_MANAGED_KEY, html! { (v.t(l::DISABLED)) })]))
            p.hint { (v.t(l::SERVICE_MANAGED_HINT)) }
        }
        h2 { (v.t(l::ENVELOPE)) }
        (envelope::picture(v, &registry, &standing))
    })
}

pub(super) async fn change(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let keys = keys(v).await?;
    let all = identities(v).await?;
    let attached = registry["identity"]["userAssignedIdentities"].as_object();
    let is_attached = |id: &str| attached.is_some_and(|a| a.keys().any(|k| k.eq_ignore_ascii_case(id)));
    let mut offered: Options = vec![("system".to_owned(), v.t(l::SYSTEM_ASSIGNED).to_owned())];
    offered.extend(all.into_iter().filter(|(.., id)| is_attached(id)).map(|(client, name, _)| (client, name)));
    let usual = text(&registry, "/properties/encryption/keyVaultProperties/identity").to_owned();
    let fields = html! {
        (form::sealed(v, &registry))
        (form::select(v, "identity", l::IDENTITY, &offered, &usual, ""))
        (choice(v, &keys))
    };
    Ok(form::form(v, "save", l::SAVE, &fields))
}

pub(super) async fn save(v: &mut Visit, target: &Target) -> Answer<Next> {
    if v.typed("do") == "new-key" {
        return new_key(v).await;
    }
    super::unchanged(v, &target.id).await?;
    let (key, identity, how) = (chosen(v)?, required(v, "identity")?, v.typed("how").to_owned());
    let properties = json!({"keyIdentifier": key, "identity": identity});
    let body = json!({"properties": {"encryption": {"status": "enabled", "keyVaultProperties": properties}}});
    v.arm("PATCH", &target.id, body).await.map_err(|r| about(r, &how))?;
    let identity = if identity == "system" { "[system]".to_owned() } else { word(&identity) };
    let (name, key) = (word(&target.name), word(&key));
    v.az(format!("az acr encryption rotate-key --name {name} --key-encryption-key {key} --identity {identity}"));
    Ok(Next::To(target.to("encryption")))
}
