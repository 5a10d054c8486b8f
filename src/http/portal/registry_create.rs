//! Creating a registry, tab by tab: checked as resource management checks, then deployed by a template.
//! Must not know: how a deployment is carried out.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target, to};
use super::create::{self, given, required};
use super::encryption;
use super::form;
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{API, Answer, Visit, group_id, segment, subscription, word};
use super::wizard::{self, REVIEW, Tab};

const TABS: [Tab; 3] = [
    Tab { id: "basics", label: l::BASICS, fields: &["group", "new_group", "name", "location", "sku"] },
    Tab { id: "networking", label: l::NETWORKING, fields: &["network"] },
    Tab {
        id: "encryption",
        label: l::ENCRYPTION,
        fields: &["cmk", "identity", "how", "key", "new_key_vault", "new_key", "uri"],
    },
];

const ABOUT: [(&str, &str); 5] = [
    ("resourcegroup", "group"),
    ("resource group", "group"),
    ("location", "location"),
    ("sku", "sku"),
    ("network", "network"),
];

pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    if v.posted && v.problem.is_none() && wizard::current(v, &TABS) == REVIEW {
        v.problem = check(v).await.err();
    }
    let body = match wizard::current(v, &TABS) {
        "basics" => {
            let offered = create::offered(v).await?;
            let skus = form::options(&[("Basic", "Basic"), ("Standard", "Standard"), ("Premium", "Premium")]);
            html! { (create::basics(v, &offered)) (form::select(v, "sku", l::SKU, &skus, "Standard", v.t(l::SKU_HINT))) }
        }
        "networking" => {
            let from = form::options(&[("Enabled", v.t(l::ALL_NETWORKS)), ("Disabled", v.t(l::NO_PUBLIC_ACCESS))]);
            form::radios(v, "network", l::PUBLIC_NETWORK_ACCESS, &from, "Enabled")
        }
        "encryption" => {
            let keys = encryption::keys(v).await?;
            let identities = encryption::identities(v).await?;
            let offered: form::Options = identities.into_iter().map(|(_, name, id)| (id, name)).collect();
            let on_off = form::options(&[("enabled", v.t(l::ENABLED)), ("disabled", v.t(l::DISABLED))]);
            html! {
                (form::radios(v, "cmk", l::CUSTOMER_MANAGED_KEY, &on_off, "disabled"))
                (form::select(v, "identity", l::IDENTITY, &offered, "", ""))
                (encryption::choice(v, &keys))
            }
        }
        _ => html! {
            p.passed { (v.t(l::VALIDATION_PASSED)) }
            (wizard::review(v, &reviewed(v)))
        },
    };
    Ok(wizard::show(v, &TABS, &body))
}

fn reviewed(v: &Visit) -> Vec<(l::Label, String)> {
    let mut all = create::basics_review(v);
    all.push((l::SKU, given(v, "sku", "Standard")));
    all.push((l::PUBLIC_NETWORK_ACCESS, given(v, "network", "Enabled")));
    let on = v.typed("cmk") == "enabled";
    all.push((l::CUSTOMER_MANAGED_KEY, v.t(if on { l::ENABLED } else { l::DISABLED }).to_owned()));
    if on {
        all.push((l::IDENTITY, v.typed("identity").rsplit('/').next().unwrap_or_default().to_owned()));
        all.push((l::KEY, encryption::chosen(v).unwrap_or_default()));
    }
    all
}

/// A value that a template takes as it is: one that begins with a bracket would be an expression.
fn literal(text: &str) -> String {
    if text.starts_with('[') { format!("[{text}") } else { text.to_owned() }
}

/// The registry as typed, and the line of az that creates the same.
async fn wanted(v: &mut Visit) -> Answer<(Value, String)> {
    let (name, group) = (required(v, "name")?, required(v, "group")?);
    let (location, sku) = (given(v, "location", "eastus"), given(v, "sku", "Standard"));
    let network = given(v, "network", "Enabled");
    let mut registry = json!({
        "type": "Microsoft.ContainerRegistry/registries", "apiVersion": API, "name": literal(&name),
        "location": literal(&location), "sku": {"name": literal(&sku)}, "properties": {"publicNetworkAccess": literal(&network)},
    });
    let mut line = format!(
        "az acr create --resource-group {} --name {} --location {location} --sku {}",
        word(&group),
        word(&name),
        word(&sku)
    );
    if network == "Disabled" {
        line.push_str(" --public-network-enabled false");
    }
    if v.typed("cmk") == "enabled" {
        let (identity, key) = (required(v, "identity")?, encryption::chosen(v)?);
        let all = encryption::identities(v).await?;
        let client = all.into_iter().find(|(.., id)| *id == identity).map(|(client, ..)| client);
        let client = client.ok_or_else(|| Refusal::of_form("identity", v.t(l::REQUIRED)))?;
        registry["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": {identity.as_str(): {}}});
        registry["properties"]["encryption"] = json!({
            "status": "enabled", "keyVaultProperties": {"keyIdentifier": literal(&key), "identity": client},
        });
        line.push_str(&format!(" --identity {} --key-encryption-key {}", word(&identity), word(&key)));
    }
    Ok((registry, line))
}

fn deployment(registry: &Value) -> Value {
    json!({"properties": {"mode": "Incremental", "template": {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": [registry],
    }}})
}

fn refused(v: &Visit, refusal: Refusal) -> Refusal {
    let said = refusal.message.to_ascii_lowercase();
    match v.typed("cmk") == "enabled" && ["key", "identity", "encryption"].iter().any(|word| said.contains(word)) {
        true => encryption::about(refusal, v.typed("how")),
        false => refusal.about(&ABOUT, "name"),
    }
}

/// As resource management checks before anything is made.
async fn check(v: &mut Visit) -> Answer<()> {
    let (registry, _) = wanted(v).await?;
    let name = v.typed("name").to_owned();
    let path = format!("{}/providers/Microsoft.ContainerRegistry/checkNameAvailability", subscription());
    let body = json!({"name": name, "type": "Microsoft.ContainerRegistry/registries"});
    let available = v.arm("POST", &path, body).await.map_err(|r| r.beside("name"))?;
    if available["nameAvailable"] == false {
        let text = |name: &str| available[name].as_str().unwrap_or_default().to_owned();
        return Err(Refusal::new(409, &text("reason"), text("message")).beside("name"));
    }
    let path = format!("{}/validate", deployment_path(v));
    v.arm("POST", &path, deployment(&registry)).await.map_err(|r| refused(v, r))?;
    Ok(())
}

fn deployment_path(v: &Visit) -> String {
    let name = format!("Microsoft.ContainerRegistry-{}", segment(v.typed("name")));
    format!("{}/providers/Microsoft.Resources/deployments/{name}", group_id(v.typed("group")))
}

pub(super) async fn act(v: &mut Visit, _: &Target) -> Answer<Next> {
    match v.typed("do") {
        "new-group" => return create::new_group(v).await,
        "new-key" => return encryption::new_key(v).await,
        "create" => {}
        _ => return Ok(Next::Again),
    }
    check(v).await?;
    v.exchanges.clear();
    let (registry, line) = wanted(v).await?;
    let path = deployment_path(v);
    v.arm("PUT", &path, deployment(&registry)).await.map_err(|r| refused(v, r))?;
    v.az(line);
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(Next::To(to(&group_id(v.typed("group")), &format!("deployment/{name}"))))
}
