//! A user-assigned managed identity.
//! Must not know: what it is used for.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::blade::Target;
use super::form;
use super::frame::copied;
use super::labels as l;
use super::visit::{Answer, Visit, items, text, word};

pub(super) async fn overview(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az identity show --resource-group {} --name {}", word(&target.group), word(&target.name)));
    let identity = v.arm("GET", &target.id, Value::Null).await?;
    let used = v.arm("POST", &format!("{}/listAssociatedResources", target.id), json!({})).await;
    let used: Vec<Vec<Markup>> = match &used {
        Ok(used) => items(used).map(|r| vec![super::home::link(r), html! { (text(r, "/type")) }]).collect(),
        Err(_) => Vec::new(),
    };
    Ok(html! {
        (form::facts(v, &[
            (l::RESOURCE_GROUP, html! { (target.group) }),
            (l::LOCATION, html! { (text(&identity, "/location")) }),
        ]))
        (copied(v, "client", v.t(l::CLIENT_ID), text(&identity, "/properties/clientId")))
        (copied(v, "principal", v.t(l::OBJECT_ID), text(&identity, "/properties/principalId")))
        (copied(v, "id", v.t(l::RESOURCE_ID), text(&identity, "/id")))
        h2 { (v.t(l::USED_BY)) }
        (form::table(v, l::USED_BY, &[l::NAME, l::TYPE], &used))
        (form::delete(v, &target.name))
    })
}
