//! What stands above resource groups: subscriptions, tenants, locations, providers, the list of all
//! resources, and the description of the cloud.
//! Must not know: which kinds of resources there are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::provider_operations;
use crate::app::resources::{providers as registrations, tags};
use crate::app::{Cx, access};
use crate::domain::Result;
use crate::domain::access::{Plane, allowed};
use crate::domain::error::{NeighbourError, ResourceError};
use crate::domain::resources::listing::Part;
use crate::domain::resources::region;
use crate::domain::world::name::{self, ResourceId};
use crate::domain::world::well_known::{SUBSCRIPTION_ID, SUBSCRIPTION_NAME, TENANT_DOMAIN, TENANT_ID};
use crate::http::arm::wire::Answer;
use crate::http::arm::{Arm, TYPES};
use crate::http::arm::{query, table};
use crate::http::odata::{Filter, Language};

/// What is no row of the table yet.
const OTHERS: &[(&str, &[&str])] = &[("Microsoft.Resources", &["deployments", "subscriptions", "tenants"])];

/// Providers that every subscription has, and keeps [docs].
const FREE: [&str; 2] = ["Microsoft.Authorization", "Microsoft.Resources"];

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
    let taken = if path.last() == Some(&"resources") { query::FILTERED } else { &[] };
    query::check(&arm.call.query, taken)?;
    match path {
        ["subscriptions", _, "providers", namespace, word @ ("register" | "unregister")] if !reads => {
            register(arm, namespace, word).await
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
            let tags = tags::of_subscription(&mut arm.read().await?).await?;
            let mut shown = subscription();
            if tags.as_object().is_some_and(|tags| !tags.is_empty()) {
                shown["tags"] = tags;
            }
            Ok(Answer::ok(shown))
        }
        ["subscriptions", _, "locations"] => {
            Ok(Answer::list(region::ALL.iter().map(|(n, d)| location(n, d)).collect()))
        }
        ["subscriptions", _, "resources"] => {
            // Who holds roles below the subscription only sees what they let it see; who holds none is refused
            // [inferred]. az looks for every registry this way.
            let (action, scope) = ("Microsoft.Resources/subscriptions/resources/read", name::subscription_id());
            let mut cx = arm.app.read(arm.caller.clone()).await?;
            if access::grants(&mut cx).await?.is_empty() {
                access::require(&mut cx, action, &scope).await?;
            }
            let call = &arm.call;
            let asked = query::Asked { host: &call.authority, path: &call.path, query: &call.query };
            resources(&mut cx, None, asked).await
        }
        ["subscriptions", _, "providers"] | ["providers"] => {
            let mut cx = arm.read().await?;
            let mut all = Vec::new();
            for namespace in providers().keys() {
                all.push(provider(&mut cx, namespace).await?);
            }
            Ok(Answer::list(all))
        }
        ["providers", namespace, "operations"] => operations(namespace),
        ["subscriptions", _, "providers", namespace] | ["providers", namespace] => {
            provider(&mut arm.read().await?, namespace).await.map(Answer::ok)
        }
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

/// Registering a provider is what Terraform and az do before first use; here all are registered from the start.
async fn register(arm: &mut Arm, namespace: &str, word: &str) -> Result<Answer> {
    let action = format!("Microsoft.Resources/subscriptions/providers/{word}/action");
    arm.require(&action, &name::subscription_id()).await?;
    let mut cx = arm.write().await?;
    provider(&mut cx, namespace).await?;
    // Resource management's own need no registration.
    if FREE.iter().any(|free| free.eq_ignore_ascii_case(namespace)) {
        return provider(&mut cx, namespace).await.map(Answer::ok);
    }
    let registers = word == "register";
    if !registers {
        let of = format!("{}/", namespace.to_ascii_lowercase());
        let used = |item: &Value| item["type"].as_str().is_some_and(|kind| kind.to_ascii_lowercase().starts_with(&of));
        if all(&mut cx, None).await?.iter().any(used) {
            return Err(NeighbourError::ProviderInUse(namespace.to_owned()).into());
        }
    }
    registrations::set(&mut cx, namespace, registers).await?;
    let shown = provider(&mut cx, namespace).await?;
    cx.commit().await?;
    Ok(Answer::ok(shown))
}

async fn provider(cx: &mut Cx, namespace: &str) -> Result<Value> {
    let (name, types) = providers()
        .into_iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(namespace))
        .ok_or_else(|| ResourceError::ProviderNotFound(namespace.to_owned()))?;
    let registered = registrations::is_registered(cx, name).await?;
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
        "registrationState": if registered { "Registered" } else { "Unregistered" },
        "registrationPolicy": if FREE.contains(&name) { "RegistrationFree" } else { "RegistrationRequired" },
    }))
}

/// What roles can give of a provider: the actions of its rows.
fn operations(namespace: &str) -> Result<Answer> {
    if !is_provider(namespace) {
        return Err(ResourceError::ProviderNotFound(namespace.to_owned()).into());
    }
    let rows = table::rows(TYPES).filter(|row| row.namespace().eq_ignore_ascii_case(namespace));
    let mut all: Vec<Value> = Vec::new();
    for row in rows {
        for action in provider_operations::actions(row) {
            if !all.iter().any(|known| known["name"] == action) {
                all.push(provider_operations::shown(&action, row.namespace()));
            }
        }
    }
    Ok(Answer::list(all))
}

/// The page that is asked for of all resources of a group or of the subscription.
pub(super) async fn resources(cx: &mut Cx, group: Option<&str>, asked: query::Asked<'_>) -> Result<Answer> {
    /// Resources read at a time where not all of them are wanted.
    const STEP: usize = 500;
    let filter = query::filter(asked.query, RESOURCES)?;
    let names = |name: &&str| filter.as_ref().is_some_and(|filter| filter.names(name));
    if TAGS.iter().any(&names) && RESOURCES.properties.iter().any(|n| !TAGS.contains(n) && names(n)) {
        // Tags are asked for by themselves [issue].
        return Err(query::invalid("$filter", "tagName, tagValue and other properties"));
    }
    let (most, after) = asked.page(query::RESOURCES_PAGE)?;
    let step = if filter.is_none() { most + 1 } else { STEP };
    let (grants, known) = (access::grants(cx).await?, access::environment(cx));
    let wanted = |item: &Value| {
        let id = item["id"].as_str().unwrap_or_default();
        let shown = json!({
            "resourceType": item["type"], "name": item["name"], "location": item["location"],
            "resourceGroup": id.split('/').nth(4),
        });
        let action = format!("{}/read", item["type"].as_str().unwrap_or_default());
        filter.as_ref().is_none_or(|filter| has_tag(filter, &shown, &item["tags"]))
            && allowed(&grants, Plane::Control, &action, id, &known)
    };
    let mut rows = table::rows(TYPES).filter_map(|row| row.in_groups.as_ref().map(|kind| (row.name, kind)));
    let mut place = Default::default();
    let mut row = rows.next();
    if let Some(id) = after {
        row = row.filter(|(name, _)| name.eq_ignore_ascii_case(&id.kind));
        row = row.or_else(|| rows.find(|(name, _)| name.eq_ignore_ascii_case(&id.kind)));
        place = (id.name, id.group);
    }
    let only = filter.as_ref().and_then(|filter| filter.equal("resourceType"));
    let mut found = Vec::new();
    while let Some((name, kind)) = row {
        let skipped = only.is_some_and(|only| !only.eq_ignore_ascii_case(name));
        let mut part = Part { group, after: std::mem::take(&mut place), most: step };
        let mut more = !skipped;
        while more {
            let items = (kind.listed)(cx, &part).await?;
            more = items.len() == step;
            if let Some(id) = items.last().and_then(|item| item["id"].as_str()).and_then(ResourceId::parse) {
                part.after = (id.name, id.group);
            }
            found.extend(items.into_iter().filter(&wanted));
            if found.len() > most {
                found.truncate(most);
                return Ok(asked.answer(found, true));
            }
        }
        row = rows.next();
    }
    Ok(asked.answer(found, false))
}

/// All resources of a group or of the subscription.
pub(super) async fn all(cx: &mut Cx, group: Option<&str>) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    for kind in table::rows(TYPES).filter_map(|row| row.in_groups.as_ref()) {
        items.extend((kind.listed)(cx, &Part::whole(group)).await?);
    }
    Ok(items)
}

/// What filters may ask of tags.
pub(super) const TAGS: &[&str] = &["tagName", "tagValue"];
/// What filters of resources may ask for [docs: resources/list].
pub(in crate::http::arm) const RESOURCES: Language<'_> = Language {
    properties: &["resourceType", "name", "location", "resourceGroup", "tagName", "tagValue"],
    words: &["or", "ne", "startswith", "substringof"],
};

/// Whether a filter holds for an object with one of its tags: name and value are those of the same tag.
pub(super) fn has_tag(filter: &Filter, object: &Value, tags: &Value) -> bool {
    if !TAGS.iter().any(|name| filter.names(name)) {
        return filter.holds(object);
    }
    tags.as_object().into_iter().flatten().any(|(name, value)| {
        let mut tagged = object.clone();
        tagged["tagName"] = json!(name);
        tagged["tagValue"] = value.clone();
        filter.holds(&tagged)
    })
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
