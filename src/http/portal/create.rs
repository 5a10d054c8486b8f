//! Creating groups, managed identities and vaults, tab by tab; and what every such form begins with.
//! Must not know: registries.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target, to};
use super::form::{self, Options};
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit, group_id, items, segment, subscription, tenant, text, word};
use super::wizard::{self, REVIEW, Tab};

/// What a form needs to offer: groups and regions.
pub(super) struct Offered {
    groups: Options,
    regions: Options,
}

pub(super) async fn offered(v: &mut Visit) -> Answer<Offered> {
    // Whoever may not list something is offered none of it, and may still ask for what the form is about.
    let groups = v.arm("GET", &format!("{}/resourcegroups", subscription()), Value::Null).await.unwrap_or_default();
    let regions = v.arm("GET", &format!("{}/locations", subscription()), Value::Null).await.unwrap_or_default();
    let pairs = |list: &Value, words: &str| {
        items(list).map(|i| (text(i, "/name").to_owned(), text(i, words).to_owned())).collect()
    };
    Ok(Offered { groups: pairs(&groups, "/name"), regions: pairs(&regions, "/displayName") })
}

/// The names of the fields of [`basics`].
pub(super) const BASICS: [&str; 4] = ["group", "new_group", "name", "location"];

pub(super) fn basics(v: &Visit, offered: &Offered) -> Markup {
    let first = offered.groups.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    html! {
        (form::select(v, "group", l::RESOURCE_GROUP, &offered.groups, first, ""))
        div.aside {
            (form::text(v, "new_group", l::NEW_GROUP, "", ""))
            button type="submit" name="do" value="new-group" { (v.t(l::CREATE_NEW)) span.hidden { " " (v.t(l::RESOURCE_GROUP)) } }
        }
        (form::text(v, "name", l::NAME, "", ""))
        (form::select(v, "location", l::REGION, &offered.regions, "eastus", ""))
    }
}

/// Makes a group at once, so that it can be chosen.
pub(super) async fn new_group(v: &mut Visit) -> Answer<Next> {
    let name = v.typed("new_group").to_owned();
    let location = Some(v.typed("location")).filter(|l| !l.is_empty()).unwrap_or("eastus").to_owned();
    put_group(v, &name, &location, "new_group").await?;
    set(v, "group", &name);
    set(v, "new_group", "");
    Ok(Next::Again)
}

pub(super) fn set(v: &mut Visit, name: &str, value: &str) {
    v.typed.retain(|(n, _)| n != name);
    v.typed.push((name.to_owned(), value.to_owned()));
}

async fn put_group(v: &mut Visit, name: &str, location: &str, field: &'static str) -> Answer<()> {
    let required = required(v, field)?;
    let body = json!({"location": location});
    v.arm("PUT", &group_id(&required), body).await.map_err(|r| r.about(&[("location", "location")], field))?;
    v.az(format!("az group create --name {} --location {location}", word(name)));
    Ok(())
}

/// What must be there before anybody can be asked: without it there is no address to ask at.
pub(super) fn required(v: &Visit, field: &'static str) -> Answer<String> {
    match v.typed(field) {
        "" => Err(Refusal::of_form(field, v.t(l::REQUIRED))),
        // A segment of a path that is one of these is another path.
        "." | ".." => Err(Refusal::of_form(field, v.t(l::NOT_A_NAME))),
        typed => Ok(typed.to_owned()),
    }
}

/// Beside which field a refusal of a resource is said.
pub(super) const ABOUT: [(&str, &str); 5] = [
    ("resourcegroup", "group"),
    ("resource group", "group"),
    ("location", "location"),
    ("sku", "sku"),
    ("softdelete", "retention"),
];

pub(super) async fn group(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let offered = offered(v).await?;
    let fields = html! {
        (form::text(v, "name", l::NAME, "", ""))
        (form::select(v, "location", l::REGION, &offered.regions, "eastus", ""))
    };
    Ok(form::form(v, "create", l::CREATE, &fields))
}

pub(super) async fn create_group(v: &mut Visit, _: &Target) -> Answer<Next> {
    let (name, location) = (v.typed("name").to_owned(), v.typed("location").to_owned());
    put_group(v, &name, &location, "name").await?;
    Ok(Next::To(to(&group_id(&name), "overview")))
}

const IDENTITY: [Tab; 1] = [Tab { id: "basics", label: l::BASICS, fields: &BASICS }];

pub(super) async fn identity(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let offered = offered(v).await?;
    let body = match wizard::current(v, &IDENTITY) {
        REVIEW => wizard::review(v, &basics_review(v)),
        _ => basics(v, &offered),
    };
    Ok(wizard::show(v, &IDENTITY, &body))
}

pub(super) fn basics_review(v: &Visit) -> Vec<(l::Label, String)> {
    let typed = |name: &str| v.value(name, "").to_owned();
    vec![(l::RESOURCE_GROUP, typed("group")), (l::NAME, typed("name")), (l::REGION, typed("location"))]
}

pub(super) async fn create_identity(v: &mut Visit, _: &Target) -> Answer<Next> {
    match v.typed("do") {
        "new-group" => return new_group(v).await,
        "create" => {}
        _ => return Ok(Next::Again),
    }
    let (group, name) = (required(v, "group")?, required(v, "name")?);
    let location = v.typed("location").to_owned();
    let path = format!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}", segment(&name));
    let id = format!("{}{path}", group_id(&group));
    v.arm("PUT", &id, json!({"location": location})).await.map_err(|r| r.about(&ABOUT, "name"))?;
    let (group, name) = (word(&group), word(&name));
    v.az(format!("az identity create --resource-group {group} --name {name} --location {location}"));
    Ok(Next::To(to(&id, "overview")))
}

const VAULT: [Tab; 3] = [
    Tab {
        id: "basics",
        label: l::BASICS,
        fields: &["group", "new_group", "name", "location", "sku", "retention", "purge"],
    },
    Tab { id: "access", label: l::ACCESS_CONFIGURATION, fields: &["model"] },
    Tab { id: "networking", label: l::NETWORKING, fields: &["network"] },
];

pub(super) async fn vault(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let offered = offered(v).await?;
    let body = match wizard::current(v, &VAULT) {
        "basics" => html! {
            (basics(v, &offered))
            (form::select(v, "sku", l::PRICING_TIER, &form::options(&[("standard", "Standard"), ("premium", "Premium")]), "standard", ""))
            (form::text(v, "retention", l::RETENTION_DAYS, "90", "7 - 90"))
            (form::radios(v, "purge", l::PURGE_PROTECTION, &enabled_or_not(v), "true"))
        },
        "access" => form::radios(v, "model", l::PERMISSION_MODEL, &models(v), "policies"),
        "networking" => form::radios(v, "network", l::ALLOW_ACCESS_FROM, &networks(v), "Allow"),
        _ => {
            let mut all = basics_review(v);
            for (label, name, usual) in [
                (l::PRICING_TIER, "sku", "standard"),
                (l::RETENTION_DAYS, "retention", "90"),
                (l::PURGE_PROTECTION, "purge", "true"),
                (l::PERMISSION_MODEL, "model", "policies"),
                (l::ALLOW_ACCESS_FROM, "network", "Allow"),
            ] {
                all.push((label, given(v, name, usual)));
            }
            wizard::review(v, &all)
        }
    };
    Ok(wizard::show(v, &VAULT, &body))
}

/// What was typed on a tab, or what stands there where the tab was never looked at.
pub(super) fn given(v: &Visit, name: &str, usual: &str) -> String {
    let from = if v.posted { &v.typed } else { &v.query };
    from.iter().find(|(n, _)| n == name).map_or(usual.to_owned(), |(_, value)| value.trim().to_owned())
}

pub(super) fn enabled_or_not(v: &Visit) -> Options {
    form::options(&[("true", v.t(l::ENABLED)), ("false", v.t(l::DISABLED))])
}

pub(super) fn models(v: &Visit) -> Options {
    form::options(&[("rbac", v.t(l::MODEL_RBAC)), ("policies", v.t(l::MODEL_POLICIES))])
}

pub(super) fn networks(v: &Visit) -> Options {
    form::options(&[("Allow", v.t(l::ALL_NETWORKS)), ("Deny", v.t(l::SELECTED_NETWORKS))])
}

pub(super) async fn create_vault(v: &mut Visit, _: &Target) -> Answer<Next> {
    match v.typed("do") {
        "new-group" => return new_group(v).await,
        "create" => {}
        _ => return Ok(Next::Again),
    }
    let (group, name) = (required(v, "group")?, required(v, "name")?);
    let (location, sku) = (given(v, "location", "eastus"), given(v, "sku", "standard"));
    let (retention, model) = (given(v, "retention", "90"), given(v, "model", "policies"));
    let purge = given(v, "purge", "true") == "true";
    let days = retention.parse::<i64>().map(Value::from).unwrap_or_else(|_| json!(retention));
    let mut properties = json!({
        "tenantId": tenant(), "sku": {"family": "A", "name": sku}, "softDeleteRetentionInDays": days,
        "enableRbacAuthorization": model == "rbac", "accessPolicies": [],
        "networkAcls": {"defaultAction": given(v, "network", "Allow"), "bypass": "AzureServices"},
    });
    if purge {
        properties["enablePurgeProtection"] = json!(true);
    }
    if model != "rbac" {
        // As az and Azure's portal do: whoever makes a vault may use it.
        properties["accessPolicies"] = json!([{"tenantId": tenant(), "objectId": v.who.object_id,
            "permissions": {"keys": ["all", "purge", "rotate", "getrotationpolicy", "setrotationpolicy"], "secrets": ["all", "purge"], "certificates": ["all"]}}]);
    }
    let id = format!("{}/providers/Microsoft.KeyVault/vaults/{}", group_id(&group), segment(&name));
    let body = json!({"location": location, "properties": properties});
    v.arm("PUT", &id, body).await.map_err(|r| r.about(&ABOUT, "name"))?;
    let (group, name) = (word(&group), word(&name));
    let purge = if purge { " --enable-purge-protection" } else { "" };
    v.az(format!(
        "az keyvault create --resource-group {group} --name {name} --location {location} --sku {sku} --retention-days {} --enable-rbac-authorization {} --default-action {}{purge}",
        word(&retention), model == "rbac", given(v, "network", "Allow")
    ));
    Ok(Next::To(to(&id, "overview")))
}
