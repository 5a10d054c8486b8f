//! A vault's own pages: overview, how access to it is given, and its networking.
//! Must not know: its keys, or who uses them.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target, to};
use super::create::{enabled_or_not, models, networks};
use super::form;
use super::frame::copied;
use super::labels as l;
use super::visit::{Answer, Visit, items, subscription, text, word};

pub(super) async fn overview(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az keyvault show --name {}", word(&target.name)));
    let vault = v.arm("GET", &target.id, Value::Null).await?;
    let p = &vault["properties"];
    let on = |value: &Value| v.t(if value == true { l::ENABLED } else { l::DISABLED });
    let model = if p["enableRbacAuthorization"] == true { l::MODEL_RBAC } else { l::MODEL_POLICIES };
    Ok(html! {
        (form::facts(v, &[
            (l::RESOURCE_GROUP, html! { a href=(to(&super::visit::group_id(&target.group), "overview")) { (target.group) } }),
            (l::LOCATION, html! { (text(&vault, "/location")) }),
            (l::PRICING_TIER, html! { (text(p, "/sku/name")) }),
            (l::SOFT_DELETE, html! { (on(&p["enableSoftDelete"])) " (" (p["softDeleteRetentionInDays"]) ")" }),
            (l::PURGE_PROTECTION, html! { (on(&p["enablePurgeProtection"])) }),
            (l::PERMISSION_MODEL, html! { (v.t(model)) }),
        ]))
        (copied(v, "uri", v.t(l::VAULT_URI), text(p, "/vaultUri")))
        (copied(v, "id", v.t(l::RESOURCE_ID), text(&vault, "/id")))
        (form::delete(v, &target.name))
    })
}

pub(super) async fn properties(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let vault = v.arm("GET", &target.id, Value::Null).await?;
    let p = &vault["properties"];
    let model = if p["enableRbacAuthorization"] == true { "rbac" } else { "policies" };
    let purge = if p["enablePurgeProtection"] == true { "true" } else { "false" };
    let fields = html! {
        (form::sealed(v, &vault))
        (form::radios(v, "model", l::PERMISSION_MODEL, &models(v), model))
        (form::radios(v, "purge", l::PURGE_PROTECTION, &enabled_or_not(v), purge))
    };
    Ok(form::form(v, "save", l::SAVE, &fields))
}

pub(super) async fn save_properties(v: &mut Visit, target: &Target) -> Answer<Next> {
    let vault = super::unchanged(v, &target.id).await?;
    let (roles, purge) = (v.typed("model") == "rbac", v.typed("purge") == "true");
    let mut properties = json!({"enableRbacAuthorization": roles});
    if purge || vault["properties"]["enablePurgeProtection"] == true {
        properties["enablePurgeProtection"] = json!(purge);
    }
    let patch = v.arm("PATCH", &target.id, json!({"properties": properties})).await;
    patch.map_err(|r| r.about(&[("rbac", "model")], "purge"))?;
    let purge = if purge { " --enable-purge-protection" } else { "" };
    v.az(format!("az keyvault update --name {} --enable-rbac-authorization {roles}{purge}", word(&target.name)));
    Ok(Next::To(target.to("properties")))
}

pub(super) async fn networking(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az keyvault network-rule list --name {}", word(&target.name)));
    let vault = v.arm("GET", &target.id, Value::Null).await?;
    let p = &vault["properties"];
    let acls = &p["networkAcls"];
    let action = if acls["defaultAction"] == "Deny" { "Deny" } else { "Allow" };
    let bypass = if acls["bypass"] == "None" { "None" } else { "AzureServices" };
    let public = if p["publicNetworkAccess"] == "Disabled" { "Disabled" } else { action };
    let mut from = networks(v);
    from.push(("Disabled".to_owned(), v.t(l::NO_PUBLIC_ACCESS).to_owned()));
    let addresses: Vec<&str> =
        acls["ipRules"].as_array().into_iter().flatten().map(|rule| text(rule, "/value")).collect();
    let yes_no = form::options(&[("AzureServices", v.t(l::YES)), ("None", v.t(l::NO))]);
    let fields = html! {
        (form::sealed(v, &vault))
        (form::radios(v, "network", l::ALLOW_ACCESS_FROM, &from, public))
        (form::text(v, "addresses", l::IP_ADDRESSES, &addresses.join(", "), v.t(l::IP_ADDRESSES_HINT)))
        (form::radios(v, "bypass", l::TRUSTED_BYPASS, &yes_no, bypass))
    };
    Ok(form::form(v, "save", l::SAVE, &fields))
}

pub(super) async fn save_networking(v: &mut Visit, target: &Target) -> Answer<Next> {
    super::unchanged(v, &target.id).await?;
    let (network, bypass) = (v.typed("network").to_owned(), v.typed("bypass").to_owned());
    let addresses: Vec<String> = split(v.typed("addresses"));
    let rules: Vec<Value> = addresses.iter().map(|a| json!({"value": a})).collect();
    let public = if network == "Disabled" { "Disabled" } else { "Enabled" };
    let action = if network == "Allow" { "Allow" } else { "Deny" };
    let acls = json!({"defaultAction": action, "bypass": bypass, "ipRules": rules});
    let body = json!({"properties": {"publicNetworkAccess": public, "networkAcls": acls}});
    let patch = v.arm("PATCH", &target.id, body).await;
    patch.map_err(|r| r.about(&[("bypass", "bypass"), ("ip", "addresses"), ("address", "addresses")], "network"))?;
    let name = word(&target.name);
    v.az(format!(
        "az keyvault update --name {name} --default-action {action} --bypass {bypass} --public-network-access {public}"
    ));
    for address in &addresses {
        v.az(format!("az keyvault network-rule add --name {name} --ip-address {}", word(address)));
    }
    Ok(Next::To(target.to("networking")))
}

/// Values parted by commas or blanks.
pub(super) fn split(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n', '\r', '\t']).filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

/// Vaults that were deleted and can be recovered.
pub(super) async fn deleted(v: &mut Visit, _: &Target) -> Answer<Markup> {
    v.az("az keyvault list-deleted --resource-type vault");
    let list =
        v.arm("GET", &format!("{}/providers/Microsoft.KeyVault/deletedVaults", subscription()), Value::Null).await?;
    let all: Vec<&Value> = items(&list).collect();
    let (page, pages) = form::paged(v, &all);
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|d| {
            let (name, location) = (text(d, "/name"), text(d, "/properties/location"));
            let values = [("vault", name), ("location", location), ("id", text(d, "/properties/vaultId"))];
            let purge = form::button(v, "purge", l::PURGE, name, &values);
            vec![
                html! { (name) },
                html! { (text(d, "/properties/deletionDate")) },
                html! { (text(d, "/properties/scheduledPurgeDate")) },
                html! { (form::button(v, "recover", l::RECOVER, name, &values)) " " (purge) },
            ]
        })
        .collect();
    Ok(html! {
        (form::table(v, l::DELETED_VAULTS, &[l::NAME, l::DELETED_ON, l::PURGED_ON, l::ACTION], &rows))
        (pages)
    })
}

pub(super) async fn act_on_deleted(v: &mut Visit, _: &Target) -> Answer<Next> {
    let (name, location, id) = (v.typed("vault").to_owned(), v.typed("location").to_owned(), v.typed("id").to_owned());
    if v.typed("do") == "purge" {
        let kind = "providers/Microsoft.KeyVault/locations";
        let path = format!(
            "{}/{kind}/{}/deletedVaults/{}/purge",
            subscription(),
            super::visit::segment(&location),
            super::visit::segment(&name)
        );
        v.arm("POST", &path, json!({})).await?;
        v.az(format!("az keyvault purge --name {} --location {}", word(&name), word(&location)));
        return Ok(Next::To(v.here.clone()));
    }
    let properties = json!({"tenantId": super::visit::tenant(), "sku": {"family": "A", "name": "standard"}, "createMode": "recover"});
    v.arm("PUT", &id, json!({"location": location, "properties": properties})).await?;
    v.az(format!("az keyvault recover --name {}", word(&name)));
    Ok(Next::To(to(&id, "overview")))
}
