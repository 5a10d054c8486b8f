//! Keys of a vault, over its data plane: lists, versions, deleted ones, rotation.
//! Must not know: who uses them.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target};
use super::create::{enabled_or_not, required};
use super::form;
use super::frame::{copied, seconds};
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit, items, segment, text, word};
use crate::domain::Timestamp;

fn name_of(item: &Value) -> String {
    text(item, "/kid").split('/').nth(4).unwrap_or_default().to_owned()
}

fn version_of(item: &Value) -> String {
    text(item, "/kid").split('/').nth(5).unwrap_or_default().to_owned()
}

fn moment(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".to_owned(), |s| seconds(Timestamp(s.saturating_mul(1_000_000))))
}

fn state(v: &Visit, item: &Value) -> &'static str {
    v.t(if item["attributes"]["enabled"] == true { l::ENABLED } else { l::DISABLED })
}

async fn list(v: &mut Visit, vault: &str, path: &str) -> Answer<Value> {
    let after = v.asked("after").to_owned();
    if after.is_empty() { v.vault(vault, "GET", path, Value::Null).await } else { v.follow(&after).await }
}

pub(super) async fn keys(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az keyvault key list --vault-name {} --output table", word(&target.name)));
    let list = list(v, &target.name, "keys?maxresults=25").await?;
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|k| {
            let name = name_of(k);
            let url = target.to(&format!("key/{}", segment(&name)));
            let expires = moment(&k["attributes"]["exp"]);
            vec![html! { a href=(url) { (name) } }, html! { (state(v, k)) }, html! { (expires) }]
        })
        .collect();
    Ok(html! {
        p.commands {
            a href=(target.to("keys-create")) { "+ " (v.t(l::GENERATE_IMPORT)) } " "
            a href=(target.to("keys-deleted")) { (v.t(l::MANAGE_DELETED_KEYS)) } " "
            a href=(target.to("keys")) { (v.t(l::REFRESH)) }
        }
        (form::table(v, l::KEYS, &[l::NAME, l::STATUS, l::EXPIRATION_DATE], &rows))
        (form::onwards(v, list["nextLink"].as_str()))
    })
}

pub(super) async fn create(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let kinds = form::options(&[("RSA", "RSA"), ("RSA-HSM", "RSA-HSM"), ("EC", "EC"), ("EC-HSM", "EC-HSM")]);
    let sizes = form::options(&[("2048", "2048"), ("3072", "3072"), ("4096", "4096")]);
    let ways = form::options(&[("generate", v.t(l::GENERATE)), ("import", v.t(l::IMPORT))]);
    let fields = html! {
        (form::radios(v, "way", l::OPTIONS, &ways, "generate"))
        (form::text(v, "name", l::NAME, "", ""))
        (form::select(v, "kty", l::KEY_TYPE, &kinds, "RSA", ""))
        (form::select(v, "size", l::RSA_KEY_SIZE, &sizes, "2048", ""))
        (form::area(v, "jwk", l::KEY_MATERIAL, "", v.t(l::KEY_MATERIAL_HINT)))
        (form::text(v, "nbf", l::ACTIVATION_DATE, "", v.t(l::DATE_HINT)))
        (form::text(v, "exp", l::EXPIRATION_DATE, "", v.t(l::DATE_HINT)))
        (form::radios(v, "enabled", l::ENABLED, &form::options(&[("true", v.t(l::YES)), ("false", v.t(l::NO))]), "true"))
    };
    Ok(form::form(v, "create", l::CREATE, &fields))
}

/// `attributes` as typed. A date that is none is said beside its field.
fn attributes(v: &Visit) -> Answer<Value> {
    let mut attributes = json!({"enabled": v.typed("enabled") != "false"});
    for name in ["nbf", "exp"] {
        let typed = v.typed(name);
        if !typed.is_empty() {
            let at = Timestamp::parse(typed).ok_or_else(|| Refusal::of_form(name, v.t(l::DATE_HINT)))?;
            attributes[name] = json!(at.seconds());
        }
    }
    Ok(attributes)
}

pub(super) async fn create_key(v: &mut Visit, target: &Target) -> Answer<Next> {
    let name = required(v, "name")?;
    let attributes = attributes(v)?;
    let (vault, path) = (word(&target.name), format!("keys/{}", segment(&name)));
    let made = if v.typed("way") == "import" {
        let key = serde_json::from_str::<Value>(v.typed("jwk"));
        let key = key.map_err(|e| Refusal::of_form("jwk", format!("{} ({e})", v.t(l::KEY_MATERIAL_HINT))))?;
        v.az(format!("az keyvault key import --vault-name {vault} --name {} --pem-file KEY.pem", word(&name)));
        v.vault(&target.name, "PUT", &path, json!({"key": key, "attributes": attributes})).await
    } else {
        let (kty, size) = (v.typed("kty").to_owned(), v.typed("size").to_owned());
        let mut body = json!({"kty": kty, "attributes": attributes});
        let mut more = String::new();
        if kty.starts_with("RSA") {
            body["key_size"] = size.parse::<i64>().map(Value::from).unwrap_or_else(|_| json!(size));
            more = format!(" --size {}", word(&size));
        }
        v.az(format!("az keyvault key create --vault-name {vault} --name {} --kty {}{more}", word(&name), word(&kty)));
        v.vault(&target.name, "POST", &format!("{path}/create"), body).await
    };
    let about =
        [("key size", "size"), ("key_size", "size"), ("kty", "kty"), ("expir", "exp"), ("nbf", "nbf"), ("jwk", "jwk")];
    made.map_err(|r| r.about(&about, "name"))?;
    Ok(Next::To(target.to(&format!("key/{}", segment(&name)))))
}

pub(super) async fn key(v: &mut Visit, target: &Target) -> Answer<Markup> {
    if !target.rest(1).is_empty() {
        return version(v, target).await;
    }
    let name = target.rest(0).to_owned();
    v.az(format!("az keyvault key list-versions --vault-name {} --name {}", word(&target.name), word(&name)));
    let path = format!("keys/{}", segment(&name));
    // The list of versions does not say that there is no such key.
    let newest = v.vault(&target.name, "GET", &path, Value::Null).await?;
    let newest = text(&newest, "/key/kid").to_owned();
    let list = list(v, &target.name, &format!("{path}/versions?maxresults=25")).await?;
    let row = |item: &Value| {
        let version = version_of(item);
        let url = target.to(&format!("key/{}/{version}", segment(&name)));
        vec![
            html! { a href=(url) { code { (version) } } },
            html! { (state(v, item)) },
            html! { (moment(&item["attributes"]["created"])) },
            html! { (moment(&item["attributes"]["exp"])) },
        ]
    };
    let heads = [l::VERSION, l::STATUS, l::CREATED, l::EXPIRATION_DATE];
    let (now, older): (Vec<&Value>, Vec<&Value>) = items(&list).partition(|i| text(i, "/kid") == newest);
    let of = |all: Vec<&Value>| all.into_iter().map(row).collect::<Vec<_>>();
    Ok(html! {
        p.commands {
            a href={(target.to("keys-create")) "?name=" (segment(&name))} { "+ " (v.t(l::NEW_VERSION)) } " "
            a href=(target.to(&format!("key-rotation/{}", segment(&name)))) { (v.t(l::ROTATION_POLICY)) }
            (form::button(v, "rotate", l::ROTATE_NOW, &name, &[]))
        }
        h2 { (v.t(l::CURRENT_VERSION)) }
        (form::table(v, l::CURRENT_VERSION, &heads, &of(now)))
        h2 { (v.t(l::OLDER_VERSIONS)) }
        (form::table(v, l::OLDER_VERSIONS, &heads, &of(older)))
        (form::onwards(v, list["nextLink"].as_str()))
        (form::delete(v, &name))
    })
}

async fn version(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let (name, version) = (target.rest(0).to_owned(), target.rest(1).to_owned());
    let (vault, key) = (word(&target.name), word(&name));
    v.az(format!("az keyvault key show --vault-name {vault} --name {key} --version {}", word(&version)));
    let path = format!("keys/{}/{}", segment(&name), segment(&version));
    let shown = v.vault(&target.name, "GET", &path, Value::Null).await?;
    let a = &shown["attributes"];
    let date = |name: &str| a[name].as_i64().map(|_| moment(&a[name])).unwrap_or_default();
    let (enabled, nbf, exp) = (a["enabled"] == true, date("nbf"), date("exp"));
    let operations: Vec<&str> =
        shown["key"]["key_ops"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = html! {
        (form::sealed(v, &shown))
        (form::text(v, "nbf", l::ACTIVATION_DATE, &nbf, v.t(l::DATE_HINT)))
        (form::text(v, "exp", l::EXPIRATION_DATE, &exp, v.t(l::DATE_HINT)))
        (form::radios(v, "enabled", l::STATUS, &enabled_or_not(v), if enabled { "true" } else { "false" }))
    };
    Ok(html! {
        (copied(v, "kid", v.t(l::KEY_IDENTIFIER), text(&shown, "/key/kid")))
        (form::facts(v, &[
            (l::KEY_TYPE, html! { (text(&shown, "/key/kty")) }),
            (l::CREATED, html! { (moment(&a["created"])) }),
            (l::UPDATED, html! { (moment(&a["updated"])) }),
            (l::PERMITTED_OPERATIONS, html! { (operations.join(", ")) }),
        ]))
        (form::form(v, "save", l::SAVE, &fields))
    })
}

pub(super) async fn act_on_key(v: &mut Visit, target: &Target) -> Answer<Next> {
    let (name, version) = (target.rest(0).to_owned(), target.rest(1).to_owned());
    let (vault, key) = (word(&target.name), word(&name));
    let path = format!("keys/{}", segment(&name));
    match v.typed("do") {
        "rotate" => {
            v.vault(&target.name, "POST", &format!("{path}/rotate"), json!({})).await?;
            v.az(format!("az keyvault key rotate --vault-name {vault} --name {key}"));
            Ok(Next::To(v.here.clone()))
        }
        "delete" => {
            if v.typed("confirm") != name {
                return Err(Refusal::of_form("confirm", v.t(l::TYPE_NAME_TO_DELETE)));
            }
            v.vault(&target.name, "DELETE", &path, Value::Null).await.map_err(|r| r.beside("confirm"))?;
            v.az(format!("az keyvault key delete --vault-name {vault} --name {key}"));
            Ok(Next::To(target.to("keys-deleted")))
        }
        _ => {
            let path = format!("{path}/{}", segment(&version));
            let now = v.vault(&target.name, "GET", &path, Value::Null).await?;
            super::require_unchanged(v, &now)?;
            let attributes = attributes(v)?;
            let mut line = format!(
                "az keyvault key set-attributes --vault-name {vault} --name {key} --version {} --enabled {}",
                word(&version),
                attributes["enabled"]
            );
            for (option, name) in [("--not-before", "nbf"), ("--expires", "exp")] {
                if !v.typed(name).is_empty() {
                    line.push_str(&format!(" {option} {}", word(v.typed(name))));
                }
            }
            let patch = v.vault(&target.name, "PATCH", &path, json!({"attributes": attributes})).await;
            patch.map_err(|r| r.about(&[("exp", "exp"), ("nbf", "nbf")], "enabled"))?;
            v.az(line);
            Ok(Next::To(v.here.clone()))
        }
    }
}

pub(super) async fn deleted(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az keyvault key list-deleted --vault-name {} --output table", word(&target.name)));
    let list = list(v, &target.name, "deletedkeys?maxresults=25").await?;
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|k| {
            let name = name_of(k);
            let values = [("key", name.as_str())];
            vec![
                html! { (name) },
                html! { (moment(&k["deletedDate"])) },
                html! { (moment(&k["scheduledPurgeDate"])) },
                html! { (form::button(v, "recover", l::RECOVER, &name, &values)) " " (form::button(v, "purge", l::PURGE, &name, &values)) },
            ]
        })
        .collect();
    Ok(html! {
        (form::table(v, l::MANAGE_DELETED_KEYS, &[l::NAME, l::DELETED_ON, l::PURGED_ON, l::ACTION], &rows))
        (form::onwards(v, list["nextLink"].as_str()))
    })
}

pub(super) async fn act_on_deleted(v: &mut Visit, target: &Target) -> Answer<Next> {
    let name = v.typed("key").to_owned();
    let (vault, key, path) = (word(&target.name), word(&name), format!("deletedkeys/{}", segment(&name)));
    if v.typed("do") == "purge" {
        v.vault(&target.name, "DELETE", &path, Value::Null).await?;
        v.az(format!("az keyvault key purge --vault-name {vault} --name {key}"));
        return Ok(Next::To(target.to("keys-deleted")));
    }
    v.vault(&target.name, "POST", &format!("{path}/recover"), json!({})).await?;
    v.az(format!("az keyvault key recover --vault-name {vault} --name {key}"));
    Ok(Next::To(target.to(&format!("key/{}", segment(&name)))))
}

pub(super) async fn rotation(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let name = target.rest(0).to_owned();
    v.az(format!("az keyvault key rotation-policy show --vault-name {} --name {}", word(&target.name), word(&name)));
    let path = format!("keys/{}/rotationpolicy", segment(&name));
    let policy = v.vault(&target.name, "GET", &path, Value::Null).await?;
    let actions = || policy["lifetimeActions"].as_array().into_iter().flatten();
    let rotate = actions().find(|a| text(a, "/action/type").eq_ignore_ascii_case("rotate"));
    let trigger = rotate.map(|a| a["trigger"].clone()).unwrap_or_default();
    let before = text(&trigger, "/timeBeforeExpiry");
    let after = text(&trigger, "/timeAfterCreate");
    let (when, usual) = if before.is_empty() { ("after", after) } else { ("before", before) };
    let whens = form::options(&[("after", v.t(l::AFTER_CREATION)), ("before", v.t(l::BEFORE_EXPIRY))]);
    let auto = if rotate.is_some() { "true" } else { "false" };
    let fields = html! {
        (form::sealed(v, &policy))
        (form::text(v, "expiry", l::EXPIRY_TIME, text(&policy, "/attributes/expiryTime"), v.t(l::PERIOD_HINT)))
        (form::radios(v, "auto", l::AUTO_ROTATION, &enabled_or_not(v), auto))
        (form::select(v, "when", l::ROTATION_OPTION, &whens, when, ""))
        (form::text(v, "time", l::ROTATION_TIME, usual, v.t(l::PERIOD_HINT)))
    };
    Ok(form::form(v, "save", l::SAVE, &fields))
}

pub(super) async fn save_rotation(v: &mut Visit, target: &Target) -> Answer<Next> {
    let name = target.rest(0).to_owned();
    let path = format!("keys/{}/rotationpolicy", segment(&name));
    let now = v.vault(&target.name, "GET", &path, Value::Null).await?;
    super::require_unchanged(v, &now)?;
    let rotates = |a: &Value| text(a, "/action/type").eq_ignore_ascii_case("rotate");
    let others = now["lifetimeActions"].as_array().into_iter().flatten().filter(|a| !rotates(a));
    let mut actions: Vec<Value> = others.cloned().collect();
    if v.typed("auto") == "true" {
        let trigger = if v.typed("when") == "before" { "timeBeforeExpiry" } else { "timeAfterCreate" };
        actions.push(json!({"trigger": {trigger: v.typed("time")}, "action": {"type": "Rotate"}}));
    }
    let mut body = json!({"lifetimeActions": actions, "attributes": {}});
    if !v.typed("expiry").is_empty() {
        body["attributes"]["expiryTime"] = json!(v.typed("expiry"));
    }
    let put = v.vault(&target.name, "PUT", &path, body.clone()).await;
    put.map_err(|r| r.about(&[("expirytime", "expiry"), ("lifetime", "time")], "time"))?;
    let (vault, key) = (word(&target.name), word(&name));
    v.az(format!(
        "az keyvault key rotation-policy update --vault-name {vault} --name {key} --value {}",
        word(&body.to_string())
    ));
    Ok(Next::To(v.here.clone()))
}
