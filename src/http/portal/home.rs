//! All resources by type and group, with search; and what can be created.
//! Must not know: what a resource holds.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Target, to};
use super::form;
use super::labels::{self as l, Label};
use super::visit::{Answer, Visit, items, subscription, text};

/// The types that have pages.
const KINDS: [(&str, Label); 4] = [
    ("Microsoft.Resources/resourceGroups", l::RESOURCE_GROUP),
    ("Microsoft.ContainerRegistry/registries", l::CONTAINER_REGISTRY),
    ("Microsoft.KeyVault/vaults", l::KEY_VAULT),
    ("Microsoft.ManagedIdentity/userAssignedIdentities", l::MANAGED_IDENTITY),
];

pub(super) fn has_pages(kind: &str) -> bool {
    KINDS.iter().any(|(known, _)| known.eq_ignore_ascii_case(kind))
}

/// A type in words; as it is where there are none.
pub(super) fn kind<'a>(v: &Visit, kind: &'a str) -> &'a str {
    let known = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
    known.map_or(kind, |(_, label)| v.t(*label))
}

/// A resource's name as a link to it, where it has pages.
pub(super) fn link(resource: &Value) -> Markup {
    let (id, name) = (text(resource, "/id"), text(resource, "/name"));
    html! { a href=(to(id, "overview")) { (name) } }
}

fn group_of(id: &str) -> &str {
    id.split('/').nth(4).unwrap_or_default()
}

pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    v.az("az resource list --output table");
    let groups = v.arm("GET", &format!("{}/resourcegroups", subscription()), Value::Null).await?;
    let resources = v.arm("GET", &format!("{}/resources", subscription()), Value::Null).await?;
    let (q, of_kind, of_group) = (v.asked("q").to_lowercase(), v.asked("type").to_owned(), v.asked("group").to_owned());
    let mut all: Vec<Value> = items(&groups).cloned().collect();
    for group in &mut all {
        group["type"] = json!(KINDS[0].0);
    }
    all.extend(items(&resources).cloned());
    let names: Vec<String> = items(&groups).map(|g| text(g, "/name").to_owned()).collect();
    let found: Vec<&Value> = all
        .iter()
        .filter(|r| {
            let (name, kind, id) = (text(r, "/name"), text(r, "/type"), text(r, "/id"));
            let said = format!("{name} {kind} {}", group_of(id)).to_lowercase();
            (q.is_empty() || said.contains(&q))
                && (of_kind.is_empty() || kind.eq_ignore_ascii_case(&of_kind))
                && (of_group.is_empty() || group_of(id).eq_ignore_ascii_case(&of_group))
        })
        .collect();
    let (page, pages) = form::paged(v, &found);
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|r| {
            let group = group_of(text(r, "/id"));
            let of = html! { a href=(to(&super::visit::group_id(group), "overview")) { (group) } };
            vec![link(r), html! { (kind(v, text(r, "/type"))) }, of, html! { (text(r, "/location")) }]
        })
        .collect();
    Ok(html! {
        (filters(v, &names))
        (form::table(v, l::ALL_RESOURCES, &[l::NAME, l::TYPE, l::RESOURCE_GROUP, l::LOCATION], &rows))
        (pages)
        @if all.is_empty() { p { (v.t(l::EMPTY_WORLD)) " " a href="/portal/create" { (v.t(l::CREATE_RESOURCE)) } } }
    })
}

fn filters(v: &Visit, groups: &[String]) -> Markup {
    let every = |label: Label| (String::new(), v.t(label).to_owned());
    let kinds = KINDS.iter().map(|(name, label)| ((*name).to_owned(), v.t(*label).to_owned()));
    let kinds: form::Options = [every(l::ALL_TYPES)].into_iter().chain(kinds).collect();
    let named = groups.iter().map(|name| (name.clone(), name.clone()));
    let groups: form::Options = [every(l::ALL_GROUPS)].into_iter().chain(named).collect();
    html! {
        form.filters method="get" action="/portal/" {
            @if !v.asked("q").is_empty() { input type="hidden" name="q" value=(v.asked("q")); }
            (form::select(v, "type", l::TYPE, &kinds, "", ""))
            (form::select(v, "group", l::RESOURCE_GROUP, &groups, "", ""))
            button type="submit" { (v.t(l::FILTER)) }
        }
    }
}

pub(super) async fn create(v: &mut Visit, _: &Target) -> Answer<Markup> {
    let all: [(Label, &[(Label, &str)]); 4] = [
        (l::CONTAINERS, &[(l::CONTAINER_REGISTRY, "/portal/create-registry")]),
        (
            l::IDENTITY_SECURITY,
            &[(l::MANAGED_IDENTITY, "/portal/create-identity"), (l::KEY_VAULT, "/portal/create-vault")],
        ),
        (l::GENERAL, &[(l::RESOURCE_GROUP, "/portal/create-group")]),
        (l::TEMPLATES, &[(l::DEPLOY_TEMPLATE, "/portal/create-deployment")]),
    ];
    Ok(html! {
        @for (category, kinds) in all {
            section { h2 { (v.t(category)) } ul { @for (label, url) in kinds { li { a href=(url) { (v.t(*label)) } } } } }
        }
    })
}
