//! `Microsoft.Authorization` over ARM: role assignments and definitions at any scope (keyvault.md E.2).
//! Must not know: what roles open.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Arm;
use super::wire::Answer;
use crate::app::access::roles::{self, Asked, Assignment, CustomRole, Definition, Filter};
use crate::app::{Cx, access as gate};
use crate::domain::Result;
use crate::domain::access::condition::Source;
use crate::domain::access::role::Role;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::world::name;

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";

fn definition_id(role_id: &str) -> String {
    format!("{}/providers/{DEFINITIONS}/{role_id}", name::subscription_id())
}

/// `createdBy` is null in the answer to the PUT, and the caller's object id later [recorded].
fn shown_assignment(a: &Assignment, just_made: bool) -> Value {
    let text = |name: &str| a.doc.get(name).cloned().unwrap_or(Value::Null);
    let scope = if a.scope.is_empty() { "/" } else { &a.scope };
    json!({
        "properties": {
            "roleDefinitionId": definition_id(&a.role_id), "principalId": a.principal_id, "principalType": a.principal_type,
            "scope": scope, "condition": text("condition"), "conditionVersion": text("conditionVersion"),
            "createdOn": a.created_at.zulu7(), "updatedOn": a.updated_at.zulu7(),
            "createdBy": if just_made { Value::Null } else { json!(a.created_by) }, "updatedBy": a.created_by,
            "delegatedManagedIdentityResourceId": text("delegatedManagedIdentityResourceId"), "description": text("description"),
        },
        "id": format!("{}/providers/{ASSIGNMENTS}/{}", a.scope, a.name), "type": ASSIGNMENTS, "name": a.name,
    })
}

fn permissions(role: &Role) -> Value {
    json!([{
        "actions": role.actions, "notActions": role.not_actions,
        "dataActions": role.data_actions, "notDataActions": role.not_data_actions,
    }])
}

fn shown_definition(definition: &Definition) -> Value {
    match definition {
        Definition::BuiltIn(role) => json!({
            "properties": {
                "roleName": role.name, "type": "BuiltInRole", "description": role.description, "assignableScopes": ["/"],
                "permissions": permissions(role), "createdOn": "2015-02-02T21:55:09.8806423Z", "updatedOn": "2021-11-11T20:13:39.6573851Z",
                "createdBy": null, "updatedBy": null,
            },
            "id": definition_id(&role.id), "type": DEFINITIONS, "name": role.id,
        }),
        Definition::Custom(custom) => shown_custom(custom),
    }
}

fn shown_custom(custom: &CustomRole) -> Value {
    json!({
        "properties": {
            "roleName": custom.role.name, "type": "CustomRole", "description": custom.role.description,
            "assignableScopes": custom.scopes, "permissions": permissions(&custom.role),
            "createdOn": custom.created_at.zulu7(), "updatedOn": custom.updated_at.zulu7(),
            "createdBy": custom.created_by, "updatedBy": custom.created_by,
        },
        "id": definition_id(&custom.role.id), "type": DEFINITIONS, "name": custom.role.id,
    })
}

/// `at` is the index of the segment `providers` before `Microsoft.Authorization`.
pub(super) async fn answer(arm: &mut Arm, at: usize) -> Result<Answer> {
    let scope = if at == 0 { String::new() } else { arm.scope(at) };
    let rest: Vec<String> = arm.lower[at + 2..].to_vec();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["roleassignments"] if arm.method == Method::GET => list_assignments(arm, &scope).await,
        ["roleassignments", _] => assignment(arm, &scope, at + 3).await,
        ["roledefinitions"] if arm.method == Method::GET => list_definitions(arm, &scope).await,
        ["roledefinitions", _] => definition(arm, &scope, at + 3).await,
        ["permissions"] if arm.method == Method::GET => {
            let mut cx = arm.app.read(arm.caller.clone()).await?;
            let grants = gate::grants(&mut cx).await?;
            let held = grants.iter().filter(|g| crate::domain::access::covers(&g.scope, &scope));
            Ok(Answer::list(held.map(|g| permissions(&g.role)[0].clone()).collect()))
        }
        ["locks" | "policyassignments" | "denyassignments" | "roleeligibilityscheduleinstances", ..]
            if arm.method == Method::GET && rest.len() == 1 =>
        {
            // None can be made here, so there are none.
            Ok(Answer::list(Vec::new()))
        }
        _ => Err(ResourceError::TypeNotFound {
            namespace: "Microsoft.Authorization".to_owned(),
            kind: arm.segments.get(at + 2).cloned().unwrap_or_default(),
        }
        .into()),
    }
}

async fn list_assignments(arm: &mut Arm, scope: &str) -> Result<Answer> {
    let filter = assignment_filter(&arm.call.query("$filter").unwrap_or_default())?;
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    gate::require(&mut cx, &format!("{ASSIGNMENTS}/read"), scope).await?;
    let found = roles::list(&mut cx, scope, &filter).await?;
    Ok(Answer::list(found.iter().map(|a| shown_assignment(a, false)).collect()))
}

/// The forms that the service takes: `atScope()`, `principalId eq`, `assignedTo()`, and the first with the last.
fn assignment_filter(text: &str) -> Result<Filter> {
    let wrong =
        || RequestError::InvalidValue { property: "$filter".to_owned(), message: format!("'{text}' is not supported") };
    let quoted = |s: &str| s.trim().trim_matches('\'').to_owned();
    let lower = text.to_ascii_lowercase();
    let assigned = |part: &str| {
        let inner = part.trim().strip_prefix("assignedto(")?.strip_suffix(')')?;
        Some(quoted(inner))
    };
    match lower.split_once(" and ") {
        None if lower.trim().is_empty() => Ok(Filter::All),
        None if lower.trim() == "atscope()" => Ok(Filter::AtScope),
        None => match (lower.split_once(" eq "), assigned(&lower)) {
            (Some((field, value)), _) if field.trim() == "principalid" => Ok(Filter::Principal(quoted(value))),
            (_, Some(id)) => Ok(Filter::AssignedTo(id)),
            _ => Err(wrong().into()),
        },
        Some((a, b)) if a.trim() == "atscope()" => {
            assigned(b).map(Filter::AtScopeAssignedTo).ok_or_else(|| wrong().into())
        }
        Some(_) => Err(wrong().into()),
    }
}

/// What conditions may ask of an assignment that is made or taken away: delegation with limits [docs].
async fn require_for(
    cx: &mut Cx,
    (verb, source): (&str, Source),
    scope: &str,
    (role, principal, kind): (&str, &str, Option<&str>),
) -> Result<()> {
    let named = |name: &str| format!("{ASSIGNMENTS}:{name}");
    let mut known = gate::environment(cx).text(source, &named("RoleDefinitionId"), &roles::guid_of(role)).text(
        source,
        &named("PrincipalId"),
        principal,
    );
    if let Some(kind) = kind {
        known = known.text(source, &named("PrincipalType"), kind);
    }
    gate::require_knowing(cx, &format!("{ASSIGNMENTS}/{verb}"), scope, &known).await
}

async fn assignment(arm: &mut Arm, scope: &str, at: usize) -> Result<Answer> {
    let name = arm.segments[at].clone();
    let caller = arm.caller.clone();
    let missing = || ResourceError::ChildNotFound(format!("role assignment '{name}'"));
    match arm.method {
        Method::GET => {
            arm.require(&format!("{ASSIGNMENTS}/read"), scope).await?;
            let mut cx = arm.app.read(caller).await?;
            let found = roles::find(&mut cx, scope, &name).await?.ok_or_else(missing)?;
            Ok(Answer::ok(shown_assignment(&found, false)))
        }
        Method::PUT => {
            if uuid::Uuid::try_parse(&name).is_err() {
                let message =
                    format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.");
                return Err(RequestError::InvalidValue { property: "roleAssignmentName".to_owned(), message }.into());
            }
            let body = arm.object().await?;
            let mut doc = body["properties"].as_object().cloned().unwrap_or_default();
            let mut take = |name: &str| doc.shift_remove(name).and_then(|v| v.as_str().map(str::to_owned));
            let (role, principal, principal_type) =
                (take("roleDefinitionId"), take("principalId"), take("principalType"));
            let missing = |property: &str| RequestError::InvalidValue {
                property: property.to_owned(),
                message: "it is required".to_owned(),
            };
            let asked = Asked {
                scope: scope.to_owned(),
                name,
                role: role.ok_or_else(|| missing("roleDefinitionId"))?,
                principal_id: principal.ok_or_else(|| missing("principalId"))?,
                principal_type,
                doc,
            };
            let mut cx = arm.write().await?;
            let what = (asked.role.as_str(), asked.principal_id.as_str(), asked.principal_type.as_deref());
            require_for(&mut cx, ("write", Source::Request), scope, what).await?;
            let (made, new) = roles::assign(&mut cx, asked).await?;
            cx.commit().await?;
            Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown_assignment(&made, new)))
        }
        Method::DELETE => {
            let mut cx = arm.write().await?;
            match roles::find(&mut cx, scope, &name).await? {
                Some(a) => {
                    let what = (a.role_id.as_str(), a.principal_id.as_str(), Some(a.principal_type.as_str()));
                    require_for(&mut cx, ("delete", Source::Resource), scope, what).await?;
                }
                None => gate::require(&mut cx, &format!("{ASSIGNMENTS}/delete"), scope).await?,
            }
            let gone = roles::unassign(&mut cx, scope, &name).await?;
            cx.commit().await?;
            Ok(gone.map_or_else(|| Answer::empty(StatusCode::NO_CONTENT), |a| Answer::ok(shown_assignment(&a, false))))
        }
        _ => Err(arm.wrong_method()),
    }
}

async fn list_definitions(arm: &mut Arm, scope: &str) -> Result<Answer> {
    let filter = arm.call.query("$filter").unwrap_or_default();
    let mut cx = arm.app.read(arm.caller.clone()).await?;
    gate::require(&mut cx, &format!("{DEFINITIONS}/read"), scope).await?;
    let wanted = |field: &str| {
        filter.split(" and ").find_map(|clause| {
            let (name, value) = clause.split_once(" eq ")?;
            name.trim().eq_ignore_ascii_case(field).then(|| value.trim().trim_matches('\'').to_owned())
        })
    };
    let (role_name, kind) = (wanted("roleName"), wanted("type"));
    let matches = |shown: &Value, field: &str, wanted: &Option<String>| {
        let found = shown["properties"][field].as_str().unwrap_or_default();
        wanted.as_ref().is_none_or(|w| found.eq_ignore_ascii_case(w))
    };
    let mut all: Vec<Value> = roles::definitions(&mut cx).await?.iter().map(shown_definition).collect();
    all.retain(|shown| matches(shown, "roleName", &role_name) && matches(shown, "type", &kind));
    Ok(Answer::list(all))
}

async fn definition(arm: &mut Arm, scope: &str, at: usize) -> Result<Answer> {
    let id = arm.segments[at].to_ascii_lowercase();
    let caller = arm.caller.clone();
    match arm.method {
        Method::GET => {
            arm.require(&format!("{DEFINITIONS}/read"), scope).await?;
            let mut cx = arm.app.read(caller).await?;
            let all: Vec<Value> = roles::definitions(&mut cx).await?.iter().map(shown_definition).collect();
            let found = all.into_iter().find(|d| d["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(&id)));
            Ok(Answer::ok(found.ok_or(ResourceError::RoleNotFound(id))?))
        }
        Method::PUT => {
            arm.require(&format!("{DEFINITIONS}/write"), scope).await?;
            let body = arm.object().await?;
            let properties = &body["properties"];
            let list = |at: &Value| -> Vec<String> {
                at.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let all = |name: &str| -> Vec<String> {
                properties["permissions"].as_array().into_iter().flatten().flat_map(|p| list(&p[name])).collect()
            };
            let role = Role {
                id,
                name: properties["roleName"].as_str().unwrap_or_default().to_owned(),
                description: properties["description"].as_str().unwrap_or_default().to_owned(),
                actions: all("actions"),
                not_actions: all("notActions"),
                data_actions: all("dataActions"),
                not_data_actions: all("notDataActions"),
            };
            let mut cx = arm.write().await?;
            let made = roles::define(&mut cx, role, list(&properties["assignableScopes"])).await?;
            cx.commit().await?;
            Ok(Answer::new(StatusCode::CREATED, shown_custom(&made)))
        }
        Method::DELETE => {
            arm.require(&format!("{DEFINITIONS}/delete"), scope).await?;
            let mut cx = arm.write().await?;
            let gone = roles::undefine(&mut cx, &id).await?;
            cx.commit().await?;
            Ok(gone.map_or_else(|| Answer::empty(StatusCode::NO_CONTENT), |r| Answer::ok(shown_custom(&r))))
        }
        _ => Err(arm.wrong_method()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_the_service_takes() {
        assert_eq!(assignment_filter("").unwrap(), Filter::All);
        assert_eq!(assignment_filter("atScope()").unwrap(), Filter::AtScope);
        assert_eq!(assignment_filter("principalId eq 'X'").unwrap(), Filter::Principal("x".into()));
        assert_eq!(assignment_filter("assignedTo('X')").unwrap(), Filter::AssignedTo("x".into()));
        assert_eq!(assignment_filter("atScope() and assignedTo('X')").unwrap(), Filter::AtScopeAssignedTo("x".into()));
        assert!(assignment_filter("atScope() and principalId eq 'x'").is_err());
    }
}
