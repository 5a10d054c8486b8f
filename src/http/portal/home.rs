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
    let (q, of_kind, of_group) = (v.asked("q").to_lowercase(), v.asked("type").to_owned(), v.asked("group").to_owned());
    let groups = v.arm("GET", &format!("{}/resourcegroups", subscription()), Value::Null).await?;
    let only_groups = of_kind.eq_ignore_ascii_case(KINDS[0].0);
    // Groups stand before resources; resources are looked for by their service.
    let no_groups = !v.asked("after").is_empty() || (!of_kind.is_empty() && !only_groups);
    let found: Vec<&Value> = items(&groups)
        .filter(|group| {
            let name = text(group, "/name");
            !no_groups
                && (q.is_empty() || name.to_lowercase().contains(&q))
                && (of_group.is_empty() || name.eq_ignore_ascii_case(&of_group))
        })
        .collect();
    let (groups_shown, group_pages) = form::paged(v, &found);
    let resources = match only_groups || groups_shown.len() == form::PAGE {
        true => json!({}),
        false => v.page(&format!("{}/resources?{}", subscription(), looking(&q, &of_kind, &of_group))).await?,
    };
    let of_groups = groups_shown.iter().map(|group| (*group, KINDS[0].0));
    let of_resources = items(&resources).map(|resource| (resource, text(resource, "/type")));
    let rows: Vec<Vec<Markup>> = of_groups
        .chain(of_resources)
        .map(|(r, of_kind)| {
            let group = group_of(text(r, "/id"));
            let of = html! { a href=(to(&super::visit::group_id(group), "overview")) { (group) } };
            vec![link(r), html! { (kind(v, of_kind)) }, of, html! { (text(r, "/location")) }]
        })
        .collect();
    let names: Vec<String> = items(&groups).map(|g| text(g, "/name").to_owned()).collect();
    Ok(html! {
        (filters(v, &names))
        (form::table(v, l::ALL_RESOURCES, &[l::NAME, l::TYPE, l::RESOURCE_GROUP, l::LOCATION], &rows))
        (group_pages)
        (form::onwards(v, resources["nextLink"].as_str()))
        @if names.is_empty() { p { (v.t(l::EMPTY_WORLD)) " " a href="/portal/create" { (v.t(l::CREATE_RESOURCE)) } } }
    })
}

/// The query of a search for resources: by a part of their name or of their group's.
fn looking(q: &str, kind: &str, group: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut all = Vec::new();
    if !kind.is_empty() {
        all.push(format!("resourceType eq {}", quoted(kind)));
    }
    if !group.is_empty() {
        all.push(format!("resourceGroup eq {}", quoted(group)));
    }
    if !q.is_empty() {
        all.push(format!("(substringof({0},name) or substringof({0},resourceGroup))", quoted(q)));
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("$top", &form::PAGE.to_string());
    if !all.is_empty() {
        query.append_pair("$filter", &all.join(" and "));
    }
    query.finish()
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
