//! A registry's own pages: overview, identity, access keys, networking.
//! Must not know: its key, its content, or its children.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target, to};
use super::form;
use super::frame::copied;
use super::labels as l;
use super::visit::{Answer, Visit, group_id, items, subscription, text, word};
use super::{envelope, reason, vault};

pub(super) async fn overview(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr show --name {}", word(&target.name)));
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let usages = v.arm("GET", &format!("{}/listUsages", target.id), Value::Null).await;
    let size = usages.as_ref().ok().and_then(|u| items_of(u).find(|u| text(u, "/name") == "Size"));
    let size = size.and_then(|u| u["currentValue"].as_i64());
    let standing = reason::standing(v, target).await?;
    Ok(html! {
        (reason::banner(v, &standing))
        (form::facts(v, &[
            (l::RESOURCE_GROUP, html! { a href=(to(&group_id(&target.group), "overview")) { (target.group) } }),
            (l::LOCATION, html! { (text(&registry, "/location")) }),
            (l::SKU, html! { (text(&registry, "/sku/name")) }),
            (l::PROVISIONING_STATE, html! { (text(&registry, "/properties/provisioningState")) }),
            (l::CREATED, html! { (text(&registry, "/properties/creationDate")) }),
            (l::SIZE, html! { (size.map_or("-".to_owned(), bytes)) }),
        ]))
        (copied(v, "server", v.t(l::LOGIN_SERVER), text(&registry, "/properties/loginServer")))
        (copied(v, "id", v.t(l::RESOURCE_ID), text(&registry, "/id")))
        h2 { (v.t(l::ENVELOPE)) }
        (envelope::picture(v, &registry, &standing))
        (form::delete(v, &target.name))
    })
}

pub(super) fn items_of(usages: &Value) -> impl Iterator<Item = &Value> {
    usages["value"].as_array().into_iter().flatten()
}

/// A number of bytes for people.
pub(super) fn bytes(count: i64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let mut size = count as f64;
    for unit in ["B", "KiB", "MiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

/// The ids of the user-assigned identities of a registry.
fn user_assigned(registry: &Value) -> Vec<String> {
    let all = registry["identity"]["userAssignedIdentities"].as_object();
    all.into_iter().flatten().map(|(id, _)| id.clone()).collect()
}

fn has_system(registry: &Value) -> bool {
    text(registry, "/identity/type").to_ascii_lowercase().contains("systemassigned")
}

pub(super) async fn identity(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr identity show --name {}", word(&target.name)));
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let path = "providers/Microsoft.ManagedIdentity/userAssignedIdentities";
    let all = v.whole(&format!("{}/{path}", subscription())).await;
    let offered: form::Options = match &all {
        Ok(all) => items(all).map(|i| (text(i, "/id").to_owned(), text(i, "/name").to_owned())).collect(),
        Err(_) => Vec::new(),
    };
    let on_off = form::options(&[("on", v.t(l::ON)), ("off", v.t(l::OFF))]);
    let state = if has_system(&registry) { "on" } else { "off" };
    let rows: Vec<Vec<Markup>> = user_assigned(&registry)
        .iter()
        .map(|id| {
            let name = id.rsplit('/').next().unwrap_or_default();
            let values = [("identity", id.as_str()), ("seen", &form::seal(&registry))];
            vec![html! { a href=(to(id, "overview")) { (name) } }, form::button(v, "detach", l::REMOVE, name, &values)]
        })
        .collect();
    Ok(html! {
        section { h2 { (v.t(l::SYSTEM_ASSIGNED)) }
            (form::form(v, "system", l::SAVE, &html! { (form::sealed(v, &registry)) (form::radios(v, "status", l::STATUS, &on_off, state)) }))
            @if has_system(&registry) { (copied(v, "object", v.t(l::OBJECT_ID), text(&registry, "/identity/principalId"))) }
        }
        section { h2 { (v.t(l::USER_ASSIGNED)) }
            (form::table(v, l::USER_ASSIGNED, &[l::NAME, l::ACTION], &rows))
            (form::form(v, "attach", l::ADD, &html! { (form::sealed(v, &registry)) (form::select(v, "attached", l::MANAGED_IDENTITY, &offered, "", "")) }))
        }
    })
}

pub(super) async fn save_identity(v: &mut Visit, target: &Target) -> Answer<Next> {
    let registry = super::unchanged(v, &target.id).await?;
    let mut system = has_system(&registry);
    // The identities that are named stay; one that is null goes.
    let mut assigned = json!({});
    for id in user_assigned(&registry) {
        assigned[id] = json!({});
    }
    let name = word(&target.name);
    match v.typed("do") {
        "attach" => {
            let id = super::create::required(v, "attached")?;
            v.az(format!("az acr identity assign --name {name} --identities {}", word(&id)));
            assigned[id] = json!({});
        }
        "detach" => {
            let id = v.typed("identity").to_owned();
            v.az(format!("az acr identity remove --name {name} --identities {}", word(&id)));
            assigned[id] = Value::Null;
        }
        _ => {
            system = v.typed("status") == "on";
            let verb = if system { "assign" } else { "remove" };
            v.az(format!("az acr identity {verb} --name {name} --identities [system]"));
        }
    }
    let left = assigned.as_object().is_some_and(|all| all.values().any(|value| !value.is_null()));
    let kind = match (system, left) {
        (true, true) => "SystemAssigned, UserAssigned",
        (true, false) => "SystemAssigned",
        (false, true) => "UserAssigned",
        (false, false) => "None",
    };
    let mut identity = json!({"type": kind});
    if left {
        identity["userAssignedIdentities"] = assigned;
    }
    let field = if v.typed("do") == "attach" { "attached" } else { "status" };
    v.arm("PATCH", &target.id, json!({"identity": identity})).await.map_err(|r| r.beside(field))?;
    Ok(Next::To(target.to("identity")))
}

pub(super) async fn access_keys(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr credential show --name {}", word(&target.name)));
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let admin = registry["properties"]["adminUserEnabled"] == true;
    let mut credentials = Value::Null;
    if admin {
        // Who may see the registry may not see its passwords: that is said, and the rest of the page stays.
        match v.arm("POST", &format!("{}/listCredentials", target.id), json!({})).await {
            Ok(found) => credentials = found,
            Err(refusal) => v.problem = v.problem.take().or(Some(refusal)),
        }
    }
    let passwords: Vec<(String, String)> = credentials["passwords"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| (text(p, "/name").to_owned(), text(p, "/value").to_owned()))
        .collect();
    let state = if admin { "true" } else { "false" };
    Ok(html! {
        (copied(v, "server", v.t(l::LOGIN_SERVER), text(&registry, "/properties/loginServer")))
        (form::form(v, "admin", l::SAVE, &html! { (form::sealed(v, &registry)) (form::radios(v, "enabled", l::ADMIN_USER, &super::create::enabled_or_not(v), state)) }))
        @if !credentials.is_null() {
            (copied(v, "user", v.t(l::USERNAME), text(&credentials, "/username")))
            @for (name, value) in &passwords {
                details { summary { (v.t(l::SHOW)) " " (name) } (copied(v, name, name, value)) }
                (form::button(v, "regenerate", l::REGENERATE, name, &[("password", name)]))
            }
        }
    })
}

pub(super) async fn save_access_keys(v: &mut Visit, target: &Target) -> Answer<Next> {
    let name = word(&target.name);
    if v.typed("do") == "regenerate" {
        let password = v.typed("password").to_owned();
        v.arm("POST", &format!("{}/regenerateCredential", target.id), json!({"name": password})).await?;
        v.az(format!("az acr credential renew --name {name} --password-name {}", word(&password)));
    } else {
        super::unchanged(v, &target.id).await?;
        let on = v.typed("enabled") == "true";
        let body = json!({"properties": {"adminUserEnabled": on}});
        v.arm("PATCH", &target.id, body).await.map_err(|r| r.beside("enabled"))?;
        v.az(format!("az acr update --name {name} --admin-enabled {on}"));
    }
    Ok(Next::To(target.to("access-keys")))
}

pub(super) async fn networking(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr network-rule list --name {}", word(&target.name)));
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let p = &registry["properties"];
    let rules = &p["networkRuleSet"];
    let action = if rules["defaultAction"] == "Deny" { "Deny" } else { "Allow" };
    let network = if p["publicNetworkAccess"] == "Disabled" { "Disabled" } else { action };
    let mut from = super::create::networks(v);
    from.push(("Disabled".to_owned(), v.t(l::NO_PUBLIC_ACCESS).to_owned()));
    let addresses: Vec<&str> = rules["ipRules"].as_array().into_iter().flatten().map(|r| text(r, "/value")).collect();
    let bypass = if p["networkRuleBypassOptions"] == "None" { "None" } else { "AzureServices" };
    let yes_no = form::options(&[("AzureServices", v.t(l::YES)), ("None", v.t(l::NO))]);
    let fields = html! {
        (form::sealed(v, &registry))
        (form::radios(v, "network", l::PUBLIC_NETWORK_ACCESS, &from, network))
        (form::text(v, "addresses", l::IP_ADDRESSES, &addresses.join(", "), v.t(l::IP_ADDRESSES_HINT)))
        (form::radios(v, "bypass", l::TRUSTED_SERVICES, &yes_no, bypass))
    };
    Ok(form::form(v, "save", l::SAVE, &fields))
}

pub(super) async fn save_networking(v: &mut Visit, target: &Target) -> Answer<Next> {
    super::unchanged(v, &target.id).await?;
    let (network, bypass) = (v.typed("network").to_owned(), v.typed("bypass").to_owned());
    let addresses = vault::split(v.typed("addresses"));
    let rules: Vec<Value> = addresses.iter().map(|a| json!({"action": "Allow", "value": a})).collect();
    let public = if network == "Disabled" { "Disabled" } else { "Enabled" };
    let action = if network == "Allow" { "Allow" } else { "Deny" };
    let body = json!({"properties": {"publicNetworkAccess": public, "networkRuleBypassOptions": bypass,
        "networkRuleSet": {"defaultAction": action, "ipRules": rules}}});
    let patch = v.arm("PATCH", &target.id, body).await;
    patch
        .map_err(|r| r.about(&[("bypass", "bypass"), ("iprule", "addresses"), ("address", "addresses")], "network"))?;
    let (name, on) = (word(&target.name), public == "Enabled");
    v.az(format!("az acr update --name {name} --default-action {action} --public-network-enabled {on} --allow-trusted-services {}", bypass != "None"));
    for address in &addresses {
        v.az(format!("az acr network-rule add --name {name} --ip-address {}", word(address)));
    }
    Ok(Next::To(target.to("networking")))
}
