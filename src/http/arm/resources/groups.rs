//! Resource groups over ARM.
//! Must not know: what lies in them.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::subscriptions;
use crate::app::cascade;
use crate::app::registry::content;
use crate::app::resources::groups::{self, Group};
use crate::app::resources::operations;
use crate::domain::Result;
use crate::domain::error::RequestError;
use crate::domain::resources::region;
use crate::domain::world::name;
use crate::http::arm::Arm;
use crate::http::arm::wire::{Answer, tags};

fn shown(group: &Group) -> Value {
    let mut value = json!({
        "id": name::group_id(&group.name), "name": group.name, "type": "Microsoft.Resources/resourceGroups",
        "location": group.location, "properties": {"provisioningState": "Succeeded"},
    });
    if !group.tags.is_null() {
        value["tags"] = group.tags.clone();
    }
    value
}

pub(in crate::http::arm) async fn answer(arm: &mut Arm, path: &[&str]) -> Result<Answer> {
    const TYPE: &str = "Microsoft.Resources/subscriptions/resourceGroups";
    let caller = arm.caller.clone();
    match path {
        [_, _, _] if arm.method == Method::GET => {
            arm.require(&format!("{TYPE}/read"), &name::subscription_id()).await?;
            let mut cx = arm.app.read(caller).await?;
            Ok(Answer::list(groups::list(&mut cx).await?.iter().map(shown).collect()))
        }
        [_, _, _, _] => {
            let group = arm.segments[3].clone();
            let scope = name::group_id(&group);
            match arm.method {
                Method::GET => {
                    arm.require(&format!("{TYPE}/read"), &scope).await?;
                    let mut cx = arm.app.read(caller).await?;
                    groups::get(&mut cx, &group).await.map(|g| Answer::ok(shown(&g)))
                }
                Method::HEAD => {
                    arm.require(&format!("{TYPE}/read"), &scope).await?;
                    let mut cx = arm.app.read(caller).await?;
                    let there = groups::get(&mut cx, &group).await.is_ok();
                    Ok(Answer::empty(if there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }))
                }
                Method::PUT | Method::PATCH => {
                    arm.require(&format!("{TYPE}/write"), &scope).await?;
                    let body = arm.object().await?;
                    arm.require_region(&body, region::GROUPS)?;
                    let mut cx = arm.write().await?;
                    if arm.method == Method::PATCH {
                        groups::get(&mut cx, &group).await?;
                    }
                    let (saved, new) = groups::put(&mut cx, &group, body["location"].as_str(), tags(&body)).await?;
                    cx.commit().await?;
                    Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown(&saved)))
                }
                Method::DELETE => {
                    arm.require(&format!("{TYPE}/delete"), &scope).await?;
                    let mut cx = arm.write().await?;
                    cascade::delete_group(&mut cx, &group).await?;
                    let operation = operations::succeeded(&mut cx, "group").await?;
                    cx.commit().await?;
                    content::sweep(&arm.app).await?;
                    let location = format!(
                        "https://{}{}/operationresults/{operation}?api-version={}",
                        arm.call.authority,
                        name::subscription_id(),
                        arm.api_version
                    );
                    Ok(Answer::empty(StatusCode::ACCEPTED).with("location", location))
                }
                _ => Err(arm.wrong_method()),
            }
        }
        [_, _, _, _, "resources"] if arm.method == Method::GET => {
            let group = arm.segments[3].clone();
            arm.require("Microsoft.Resources/subscriptions/resourceGroups/resources/read", &name::group_id(&group))
                .await?;
            subscriptions::group_resources(arm, &group).await
        }
        [_, _, _, _, "exporttemplate"] => Err(RequestError::NotEmulated("Exporting a template".to_owned()).into()),
        _ => Err(arm.unknown_route()),
    }
}
