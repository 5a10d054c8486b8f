//! Whom the visitor acts as, and the principals that a page may name.
//! Must not know: what a principal may do.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::Target;
use super::form::{self, Options};
use super::labels as l;
use super::visit::{Answer, Visit, Who, items, text};
use crate::domain::world::well_known::DEVELOPER_OBJECT_ID;

/// Principals that are offered at once.
const OFFERED: usize = 100;

pub(super) async fn show(v: &mut Visit, _: &Target) -> Answer<Markup> {
    // Whoever may see nothing must still find the way back: this list is the developer's.
    let other = Who { object_id: DEVELOPER_OBJECT_ID.to_owned(), name: String::new() };
    let mut developer = Visit::new(v.app.clone(), v.lang, other, v.form_token.clone(), v.clock);
    let path = match v.asked("after") {
        "" => format!("servicePrincipals?$top={OFFERED}"),
        // Graph's own link, of which only the query is kept.
        after => format!("servicePrincipals?{}", after.split('?').nth(1).unwrap_or_default()),
    };
    let list = developer.graph("GET", &path, Value::Null).await?;
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|p| {
            let (id, name) = (text(p, "/id"), text(p, "/displayName"));
            let act = match id == v.who.object_id {
                true => html! { strong { (v.t(l::THIS_IS_YOU)) } },
                false => html! {
                    form.inline method="post" action="/portal/act-as" {
                        (form::hidden(v)) input type="hidden" name="who" value=(id);
                        button type="submit" { (v.t(l::ACT_AS)) span.hidden { " " (name) } }
                    }
                },
            };
            vec![html! { (name) }, html! { (kind(v, p)) }, html! { code { (id) } }, act]
        })
        .collect();
    Ok(html! {
        p { (v.t(l::ACT_AS_HINT)) }
        (form::table(v, l::PRINCIPALS, &[l::NAME, l::TYPE, l::OBJECT_ID, l::ACTION], &rows))
        (form::onwards(v, list["@odata.nextLink"].as_str()))
    })
}

/// What a principal is, in words.
fn kind(v: &Visit, principal: &Value) -> &'static str {
    let names = || principal["alternativeNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let user_assigned = || names().any(|name| name.to_ascii_lowercase().contains("/userassignedidentities/"));
    v.t(match text(principal, "/servicePrincipalType") {
        "ManagedIdentity" if user_assigned() => l::USER_ASSIGNED_MI,
        "ManagedIdentity" => l::SYSTEM_ASSIGNED_MI,
        _ => l::SERVICE_PRINCIPAL,
    })
}

/// Principals to choose from: those whose name begins with what is searched for, or the one with that object id.
pub(super) async fn offered(v: &mut Visit, search: &str) -> Answer<Options> {
    let quoted = search.replace('\'', "''");
    let filter = match search {
        "" => String::new(),
        _ if uuid::Uuid::parse_str(search).is_ok() => format!("id eq '{quoted}'"),
        _ => format!("startswith(displayName,'{quoted}')"),
    };
    let all = [("$top", OFFERED.to_string()), ("$filter", filter)];
    let all = all.iter().filter(|(_, value)| !value.is_empty());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
    let list = v.graph("GET", &format!("servicePrincipals?{query}"), Value::Null).await?;
    Ok(items(&list)
        .map(|p| {
            let (id, name) = (text(p, "/id"), text(p, "/displayName"));
            (id.to_owned(), format!("{name} ({}, {id})", kind(v, p)))
        })
        .collect())
}

/// The names of principals by object id, as far as the directory tells them.
pub(super) async fn names(v: &mut Visit, ids: &[String]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    if ids.is_empty() {
        return names;
    }
    let body = json!({"ids": ids.iter().take(1000).collect::<Vec<_>>()});
    // Whoever may not ask sees ids.
    if let Ok(found) = v.graph("POST", "directoryObjects/getByIds", body).await {
        for object in items(&found) {
            names.insert(text(object, "/id").to_owned(), text(object, "/displayName").to_owned());
        }
    }
    names
}
