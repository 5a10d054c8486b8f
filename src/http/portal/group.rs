//! A resource group: what is in it, and its end.
//! Must not know: what the resources are.

use maud::{Markup, html};
use serde_json::Value;

use super::blade::{Next, Target};
use super::form;
use super::home::{kind, link};
use super::labels as l;
use super::refusal::Refusal;
use super::visit::{Answer, Visit, items, text, word};

pub(super) async fn overview(v: &mut Visit, target: &Target) -> Answer<Markup> {
    v.az(format!("az resource list --resource-group {} --output table", word(&target.group)));
    let group = v.arm("GET", &target.id, Value::Null).await?;
    let resources = v.page(&format!("{}/resources?$top={}", target.id, form::PAGE)).await?;
    let rows: Vec<Vec<Markup>> = items(&resources)
        .map(|r| vec![link(r), html! { (kind(v, text(r, "/type"))) }, html! { (text(r, "/location")) }])
        .collect();
    Ok(html! {
        (form::facts(v, &[
            (l::LOCATION, html! { (text(&group, "/location")) }),
            (l::RESOURCE_ID, html! { code { (text(&group, "/id")) } }),
        ]))
        h2 { (v.t(l::RESOURCES)) }
        (form::table(v, l::RESOURCES, &[l::NAME, l::TYPE, l::LOCATION], &rows))
        (form::onwards(v, resources["nextLink"].as_str()))
        (form::delete(v, &target.group))
    })
}

/// Deletes a group or a resource whose name was typed.
pub(super) async fn delete(v: &mut Visit, target: &Target) -> Answer<Next> {
    if v.typed("confirm") != target.name {
        return Err(Refusal::of_form("confirm", v.t(l::TYPE_NAME_TO_DELETE)));
    }
    v.arm("DELETE", &target.id, Value::Null).await.map_err(|r| r.beside("confirm"))?;
    let is_group = target.id.eq_ignore_ascii_case(&super::visit::group_id(&target.group));
    v.az(match is_group {
        true => format!("az group delete --name {} --yes", word(&target.group)),
        false => format!("az resource delete --ids {}", word(&target.id)),
    });
    Ok(Next::To("/portal/".to_owned()))
}
