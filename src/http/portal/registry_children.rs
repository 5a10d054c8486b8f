//! What hangs on a registry: webhooks and their events, replications, locks.
//! Must not know: when an event is sent.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::{Next, Target};
use super::create::{enabled_or_not, required};
use super::form;
use super::labels as l;
use super::visit::{Answer, Visit, items, segment, subscription, text, word};

pub(super) async fn webhooks(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr webhook list --registry {} --output table", word(&target.name)));
    let list = v.arm("GET", &format!("{}/webhooks", target.id), Value::Null).await?;
    let all: Vec<&Value> = items(&list).collect();
    let (page, pages) = form::paged(v, &all);
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|w| {
            let (name, actions) = (text(w, "/name"), &w["properties"]["actions"]);
            let actions: Vec<&str> = actions.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let url = target.to(&format!("webhook/{}", segment(name)));
            vec![
                html! { a href=(url) { (name) } },
                html! { (text(w, "/properties/status")) },
                html! { (text(w, "/properties/scope")) },
                html! { (actions.join(", ")) },
            ]
        })
        .collect();
    let actions = form::options(&[
        ("push", "push"),
        ("delete", "delete"),
        ("quarantine", "quarantine"),
        ("chart_push", "chart_push"),
        ("chart_delete", "chart_delete"),
    ]);
    let fields = html! {
        (form::text(v, "name", l::NAME, "", ""))
        (form::text(v, "uri", l::SERVICE_URI, "", "https://"))
        (form::checks(v, "actions", l::ACTIONS, &actions, &["push".to_owned()]))
        (form::text(v, "scope", l::SCOPE, "", v.t(l::SCOPE_HINT)))
        (form::radios(v, "enabled", l::STATUS, &enabled_or_not(v), "true"))
    };
    Ok(html! {
        (form::table(v, l::WEBHOOKS, &[l::NAME, l::STATUS, l::SCOPE, l::ACTIONS], &rows))
        (pages)
        h2 { (v.t(l::ADD_WEBHOOK)) }
        (form::form(v, "create", l::CREATE, &fields))
    })
}

pub(super) async fn create_webhook(v: &mut Visit, target: &Target) -> Answer<Next> {
    let name = required(v, "name")?;
    let registry = v.arm("GET", &target.id, Value::Null).await?;
    let status = if v.typed("enabled") == "true" { "enabled" } else { "disabled" };
    let (uri, scope, actions) = (v.typed("uri").to_owned(), v.typed("scope").to_owned(), v.typed_all("actions"));
    let line = format!(
        "az acr webhook create --registry {} --name {} --uri {} --actions {} --scope {} --status {status}",
        word(&target.name),
        word(&name),
        word(&uri),
        actions.join(" "),
        word(&scope)
    );
    let body = json!({"location": registry["location"], "properties": {"serviceUri": uri, "actions": actions, "scope": scope, "status": status}});
    let put = v.arm("PUT", &format!("{}/webhooks/{}", target.id, segment(&name)), body).await;
    put.map_err(|r| r.about(&[("uri", "uri"), ("action", "actions"), ("scope", "scope")], "name"))?;
    v.az(line);
    Ok(Next::To(target.to("webhooks")))
}

fn webhook_id(target: &Target) -> String {
    format!("{}/webhooks/{}", target.id, segment(target.rest(0)))
}

pub(super) async fn webhook(v: &mut Visit, target: &Target) -> Answer<Markup> {
    let (registry, name) = (word(&target.name), word(target.rest(0)));
    v.az(format!("az acr webhook list-events --registry {registry} --name {name}"));
    let id = webhook_id(target);
    let shown = v.arm("GET", &id, Value::Null).await?;
    let events = v.arm("POST", &format!("{id}/listEvents"), json!({})).await?;
    let all: Vec<&Value> = items(&events).collect();
    let (page, pages) = form::paged(v, &all);
    let rows: Vec<Vec<Markup>> = page
        .iter()
        .map(|e| {
            let target = &e["eventRequestMessage"]["content"];
            let about = format!("{}:{}", text(target, "/target/repository"), text(target, "/target/tag"));
            vec![
                html! { (text(target, "/timestamp")) },
                html! { (text(target, "/action")) },
                html! { (about.trim_end_matches(':')) },
                html! { (text(e, "/eventResponseMessage/statusCode")) },
            ]
        })
        .collect();
    Ok(html! {
        (form::facts(v, &[
            (l::STATUS, html! { (text(&shown, "/properties/status")) }),
            (l::SCOPE, html! { (text(&shown, "/properties/scope")) }),
            (l::PROVISIONING_STATE, html! { (text(&shown, "/properties/provisioningState")) }),
        ]))
        (form::button(v, "ping", l::PING, target.rest(0), &[]))
        h2 { (v.t(l::EVENTS)) }
        (form::table(v, l::EVENTS, &[l::TIME, l::ACTION, l::TARGET, l::STATUS], &rows))
        (pages)
        (form::delete(v, target.rest(0)))
    })
}

pub(super) async fn act_on_webhook(v: &mut Visit, target: &Target) -> Answer<Next> {
    let (id, registry, name) = (webhook_id(target), word(&target.name), word(target.rest(0)));
    if v.typed("do") == "ping" {
        v.arm("POST", &format!("{id}/ping"), json!({})).await?;
        v.az(format!("az acr webhook ping --registry {registry} --name {name}"));
        return Ok(Next::To(v.here.clone()));
    }
    if v.typed("confirm") != target.rest(0) {
        return Err(super::refusal::Refusal::of_form("confirm", v.t(l::TYPE_NAME_TO_DELETE)));
    }
    v.arm("DELETE", &id, Value::Null).await?;
    v.az(format!("az acr webhook delete --registry {registry} --name {name}"));
    Ok(Next::To(target.to("webhooks")))
}

pub(super) async fn replications(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az acr replication list --registry {} --output table", word(&target.name)));
    let list = v.arm("GET", &format!("{}/replications", target.id), Value::Null).await?;
    let regions = v.arm("GET", &format!("{}/locations", subscription()), Value::Null).await?;
    let regions: form::Options =
        items(&regions).map(|r| (text(r, "/name").to_owned(), text(r, "/displayName").to_owned())).collect();
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|r| {
            let name = text(r, "/name");
            vec![
                html! { (name) },
                html! { (text(r, "/location")) },
                html! { (text(r, "/properties/provisioningState")) },
                form::button(v, "delete", l::DELETE, name, &[("replication", name)]),
            ]
        })
        .collect();
    Ok(html! {
        (form::table(v, l::REPLICATIONS, &[l::NAME, l::LOCATION, l::STATUS, l::ACTION], &rows))
        h2 { (v.t(l::ADD)) }
        (form::form(v, "create", l::CREATE, &form::select(v, "location", l::REGION, &regions, "", "")))
    })
}

pub(super) async fn act_on_replications(v: &mut Visit, target: &Target) -> Answer<Next> {
    let registry = word(&target.name);
    if v.typed("do") == "delete" {
        let name = v.typed("replication").to_owned();
        v.arm("DELETE", &format!("{}/replications/{}", target.id, segment(&name)), Value::Null).await?;
        v.az(format!("az acr replication delete --registry {registry} --name {}", word(&name)));
    } else {
        let location = required(v, "location")?;
        let path = format!("{}/replications/{}", target.id, segment(&location));
        v.arm("PUT", &path, json!({"location": location})).await.map_err(|r| r.beside("location"))?;
        v.az(format!("az acr replication create --registry {registry} --location {}", word(&location)));
    }
    Ok(Next::To(target.to("replications")))
}

const LOCKS: &str = "providers/Microsoft.Authorization/locks";

pub(super) async fn locks(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az lock list --resource {}", word(&target.id)));
    let list = v.arm("GET", &format!("{}/{LOCKS}", target.id), Value::Null).await?;
    let rows: Vec<Vec<Markup>> = items(&list)
        .map(|lock| {
            let name = text(lock, "/name");
            vec![
                html! { (name) },
                html! { (text(lock, "/properties/level")) },
                form::button(v, "delete", l::DELETE, name, &[("lock", name)]),
            ]
        })
        .collect();
    let levels = form::options(&[("CanNotDelete", v.t(l::LOCK_DELETE)), ("ReadOnly", v.t(l::LOCK_READ_ONLY))]);
    let fields = html! {
        (form::text(v, "name", l::NAME, "", ""))
        (form::select(v, "level", l::LOCK_TYPE, &levels, "CanNotDelete", ""))
    };
    Ok(html! {
        (form::table(v, l::LOCKS, &[l::NAME, l::LOCK_TYPE, l::ACTION], &rows))
        h2 { (v.t(l::ADD)) }
        (form::form(v, "create", l::ADD, &fields))
    })
}

pub(super) async fn act_on_locks(v: &mut Visit, target: &Target) -> Answer<Next> {
    let resource = word(&target.id);
    if v.typed("do") == "delete" {
        let name = v.typed("lock").to_owned();
        v.arm("DELETE", &format!("{}/{LOCKS}/{}", target.id, segment(&name)), Value::Null).await?;
        v.az(format!("az lock delete --name {} --resource {resource}", word(&name)));
    } else {
        let (name, level) = (required(v, "name")?, v.typed("level").to_owned());
        let path = format!("{}/{LOCKS}/{}", target.id, segment(&name));
        v.arm("PUT", &path, json!({"properties": {"level": level}}))
            .await
            .map_err(|r| r.about(&[("level", "level")], "name"))?;
        v.az(format!("az lock create --name {} --lock-type {} --resource {resource}", word(&name), word(&level)));
    }
    Ok(Next::To(target.to("locks")))
}
