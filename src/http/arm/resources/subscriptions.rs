//! What stands above resource groups: subscriptions, tenants, locations, providers, the list of all
//! resources, and the description of the cloud.
//! Must not know: which kinds of resources there are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app::{Cx, access};
use crate::domain::Result;
use crate::domain::access::{Plane, allowed};
use crate::domain::error::ResourceError;
use crate::domain::resources::region;
use crate::domain::world::name;
use crate::domain::world::well_known::{SUBSCRIPTION_ID, SUBSCRIPTION_NAME, TENANT_DOMAIN, TENANT_ID};
use crate::http::arm::wire::Answer;
use crate::http::arm::{Arm, TYPES};
use crate::http::arm::{filter, table};

/// What is no row of the table yet.
const OTHERS: &[(&str, &[&str])] = &[("Microsoft.Resources", &["deployments", "subscriptions", "tenants"])];

/// The providers by name, each with its types and their versions.
fn providers() -> BTreeMap<&'static str, Vec<(&'static str, &'static [&'static str])>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in table::rows(TYPES) {
        let (namespace, kind) = row.name.split_once('/').unwrap_or((row.name, ""));
        all.entry(namespace).or_default().push((kind, row.versions));
    }
    for (namespace, kinds) in OTHERS {
        all.entry(namespace).or_default().extend(kinds.iter().map(|kind| (*kind, ["2025-11-01"].as_slice())));
    }
    all
}

pub(in crate::http::arm) async fn answer(arm: &mut Arm, path: &[&str]) -> Result<Answer> {
    let reads = arm.method == axum::http::Method::GET;
    match path {
        // Registering a provider is what Terraform and az do before first use; here all are registered.
        ["subscriptions", _, "providers", namespace, "register"] if !reads => {
            arm.require("Microsoft.Resources/subscriptions/providers/register/action", &name::subscription_id())
                .await?;
            provider(namespace).map(Answer::ok)
        }
        _ if !reads => Err(arm.wrong_method()),
        ["subscriptions"] => {
            let mut cx = arm.app.read(arm.caller.clone()).await?;
            // Who holds no role sees no subscription.
            let any = !access::grants(&mut cx).await?.is_empty();
            let items = if any { vec![subscription()] } else { Vec::new() };
            Ok(Answer::ok(json!({"value": items, "count": {"type": "Total", "value": items.len()}})))
        }
        ["tenants"] => Ok(Answer::list(vec![json!({
            "id": format!("/tenants/{TENANT_ID}"), "tenantId": TENANT_ID, "countryCode": "US", "displayName": SUBSCRIPTION_NAME,
            "domains": [TENANT_DOMAIN], "tenantCategory": "Home", "defaultDomain": TENANT_DOMAIN, "tenantType": "AAD",
        })])),
        ["subscriptions", _] => {
            arm.require("Microsoft.Resources/subscriptions/read", &name::subscription_id()).await?;
            Ok(Answer::ok(subscription()))
        }
        ["subscriptions", _, "locations"] => {
            Ok(Answer::list(region::ALL.iter().map(|(n, d)| location(n, d)).collect()))
        }
        ["subscriptions", _, "tagnames"] => Ok(Answer::list(Vec::new())),
        ["subscriptions", _, "resources"] => {
            // Who holds roles below the subscription only sees what they let it see; who holds none is refused
            // [inferred]. az looks for every registry this way.
            let (action, scope) = ("Microsoft.Resources/subscriptions/resources/read", name::subscription_id());
            let mut cx = arm.app.read(arm.caller.clone()).await?;
            if access::grants(&mut cx).await?.is_empty() {
                access::require(&mut cx, action, &scope).await?;
            }
            resources(&mut cx, None, &arm.call.query("$filter").unwrap_or_default()).await
        }
        ["subscriptions", _, "providers"] | ["providers"] => {
            Ok(Answer::list(providers().keys().filter_map(|n| provider(n).ok()).collect()))
        }
        ["subscriptions", _, "providers", namespace] | ["providers", namespace] => provider(namespace).map(Answer::ok),
        _ => Err(arm.unknown_route()),
    }
}

fn subscription() -> Value {
    json!({
        "id": name::subscription_id(), "authorizationSource": "RoleBased", "managedByTenants": [],
        "subscriptionId": SUBSCRIPTION_ID, "tenantId": TENANT_ID, "displayName": SUBSCRIPTION_NAME, "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
    })
}

fn location(name: &str, display: &str) -> Value {
    json!({
        "id": format!("{}/locations/{name}", name::subscription_id()), "name": name, "type": "Region",
        "displayName": display, "regionalDisplayName": display,
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    })
}

/// Whether there is anything of this provider.
pub(in crate::http::arm) fn is_provider(namespace: &str) -> bool {
    providers().keys().any(|n| n.eq_ignore_ascii_case(namespace))
}

fn provider(namespace: &str) -> Result<Value> {
    let (name, types) = providers()
        .into_iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(namespace))
        .ok_or_else(|| ResourceError::ProviderNotFound(namespace.to_owned()))?;
    let locations: Vec<&str> = region::ALL.iter().map(|(_, d)| *d).collect();
    let types: Vec<Value> = types
        .into_iter()
        .map(|(kind, versions)| {
            // The newest first [recorded].
            let versions: Vec<&str> = versions.iter().rev().copied().collect();
            json!({"resourceType": kind, "locations": locations, "apiVersions": versions, "capabilities": "None"})
        })
        .collect();
    Ok(json!({
        "id": format!("{}/providers/{name}", name::subscription_id()), "namespace": name, "resourceTypes": types,
        "registrationState": "Registered", "registrationPolicy": "RegistrationRequired",
    }))
}

/// All resources, of a group or of the subscription, after `$filter`.
pub(super) async fn resources(cx: &mut Cx, group: Option<&str>, filter: &str) -> Result<Answer> {
    let wanted = parse_filter(filter)?;
    let mut items = Vec::new();
    for kind in table::rows(TYPES).filter_map(|row| row.in_groups.as_ref()) {
        items.extend((kind.listed)(cx, group).await?);
    }
    items.retain(|item| {
        wanted.iter().all(|(field, value)| {
            let found = match field.as_str() {
                "resourcetype" => item["type"].as_str(),
                "name" => item["name"].as_str(),
                "location" => item["location"].as_str(),
                "resourcegroup" => item["id"].as_str().and_then(|id| id.split('/').nth(4)),
                _ => None,
            };
            found.is_some_and(|f| f.eq_ignore_ascii_case(value))
        })
    });
    let (grants, known) = (access::grants(cx).await?, access::environment(cx));
    let mut seen = Vec::new();
    for item in items {
        let action = format!("{}/read", item["type"].as_str().unwrap_or_default());
        if allowed(&grants, Plane::Control, &action, item["id"].as_str().unwrap_or_default(), &known) {
            seen.push(item);
        }
    }
    Ok(Answer::list(seen))
}

/// What a filter of resources wants of which field.
fn parse_filter(filter: &str) -> Result<Vec<(String, String)>> {
    let fields = ["resourcetype", "name", "location", "resourcegroup"];
    let clauses = filter::clauses(filter).filter(|all| all.iter().all(|(f, _)| fields.contains(&f.as_str())));
    clauses.ok_or_else(|| filter::unsupported(filter))
}

/// `/metadata/endpoints`: what Terraform and az read when told of a cloud by its ARM endpoint.
pub(in crate::http::arm) fn cloud_metadata() -> Answer {
    Answer::ok(environment())
}

/// The cloud, as `/metadata/endpoints` and templates' `environment()` tell it.
pub(in crate::http::arm) fn environment() -> Value {
    json!({
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com", "tenant": "common", "identityProvider": "AAD",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        },
        "graph": "https://graph.windows.net/", "graphAudience": "https://graph.windows.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "name": "AzureCloud", "resourceManager": "https://management.azure.com/",
        "activeDirectoryDataLake": "https://datalake.azure.net/", "media": "https://rest.media.azure.net",
        "gallery": "https://gallery.azure.com/", "batch": "https://batch.core.windows.net/",
        "suffixes": {
            "acrLoginServer": "azurecr.io", "keyVaultDns": "vault.azure.net", "storage": "core.windows.net",
            "sqlServerHostname": "database.windows.net", "mhsmDns": "managedhsm.azure.net",
        },
    })
}
