//! `Microsoft.Authorization` over ARM: role assignments and definitions at any scope (keyvault.md E.2).
//! Must not know: what roles open.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::filter;
use super::table::{Asks, On, Operation, Place, Request, Run, Type, handler};
use super::wire::Answer;
use crate::app::access::roles::{self, Asked, Assignment, CustomRole, Definition, Filter};
use crate::app::{Cx, access as gate};
use crate::domain::access::condition::Source;
use crate::domain::access::role::Role;
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::world::name;
use crate::domain::{Error, Result};

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

const TYPE: Type = Type::new(Place::Anywhere, &["2022-04-01"]);

/// None of these can be made here, so there are none.
const EMPTY: Type =
    Type { operations: &[Operation::new("GET", On::All, Asks::Nothing, Run::Read(handler!(nothing)))], ..TYPE };

/// The rows of the provider.
pub(super) static TYPES: &[Type] = &[
    Type {
        name: ASSIGNMENTS,
        operations: &[
            Operation::list(handler!(list_assignments)),
            Operation::get(handler!(get_assignment)),
            Operation::new("PUT", On::One, Asks::InHandler, Run::Change(handler!(assign))).with_body(),
            Operation::new("DELETE", On::One, Asks::InHandler, Run::Change(handler!(unassign))),
        ],
        ..TYPE
    },
    Type {
        name: DEFINITIONS,
        operations: &[
            Operation::list(handler!(list_definitions)),
            Operation::get(handler!(get_definition)),
            Operation::put(handler!(define)),
            Operation::delete(handler!(undefine)),
        ],
        ..TYPE
    },
    Type {
        name: "Microsoft.Authorization/permissions",
        // Everybody may ask for their own.
        operations: &[Operation::new("GET", On::All, Asks::Nothing, Run::Read(handler!(list_permissions)))],
        ..TYPE
    },
    Type { name: "Microsoft.Authorization/locks", ..EMPTY },
    Type { name: "Microsoft.Authorization/policyAssignments", ..EMPTY },
    Type { name: "Microsoft.Authorization/denyAssignments", ..EMPTY },
    Type { name: "Microsoft.Authorization/roleEligibilityScheduleInstances", ..EMPTY },
];

async fn nothing(_: &mut Cx, _: &Request) -> Result<Answer> {
    Ok(Answer::list(Vec::new()))
}

async fn list_permissions(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let grants = gate::grants(cx).await?;
    let held = grants.iter().filter(|g| crate::domain::access::covers(&g.scope, &request.scope));
    Ok(Answer::list(held.map(|g| permissions(&g.role)[0].clone()).collect()))
}

async fn list_assignments(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let filter = assignment_filter(&request.query("$filter").unwrap_or_default())?;
    let found = roles::list(cx, &request.scope, &filter).await?;
    Ok(Answer::list(found.iter().map(|a| shown_assignment(a, false)).collect()))
}

/// The forms that the service takes: `atScope()`, `principalId eq`, `assignedTo()`, and the first with the last.
fn assignment_filter(text: &str) -> Result<Filter> {
    let wrong = || filter::unsupported(text);
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
            _ => Err(wrong()),
        },
        Some((a, b)) if a.trim() == "atscope()" => assigned(b).map(Filter::AtScopeAssignedTo).ok_or_else(wrong),
        Some(_) => Err(wrong()),
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

fn no_assignment(name: &str) -> Error {
    ResourceError::ChildNotFound(format!("role assignment '{name}'")).into()
}

async fn get_assignment(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let found = roles::find(cx, &request.scope, request.name()).await?;
    let found = found.ok_or_else(|| no_assignment(request.name()))?;
    Ok(Answer::ok(shown_assignment(&found, false)))
}

async fn assign(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (scope, name) = (request.scope.as_str(), request.name().to_owned());
    if uuid::Uuid::try_parse(&name).is_err() {
        let message = format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.");
        return Err(RequestError::InvalidValue { property: "roleAssignmentName".to_owned(), message }.into());
    }
    let mut doc = request.body["properties"].as_object().cloned().unwrap_or_default();
    let mut take = |name: &str| doc.shift_remove(name).and_then(|v| v.as_str().map(str::to_owned));
    let (role, principal, principal_type) = (take("roleDefinitionId"), take("principalId"), take("principalType"));
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
    let what = (asked.role.as_str(), asked.principal_id.as_str(), asked.principal_type.as_deref());
    require_for(cx, ("write", Source::Request), scope, what).await?;
    let (made, new) = roles::assign(cx, asked).await?;
    Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown_assignment(&made, new)))
}

async fn unassign(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (scope, name) = (request.scope.as_str(), request.name());
    match roles::find(cx, scope, name).await? {
        Some(a) => {
            let what = (a.role_id.as_str(), a.principal_id.as_str(), Some(a.principal_type.as_str()));
            require_for(cx, ("delete", Source::Resource), scope, what).await?;
        }
        None => gate::require(cx, &format!("{ASSIGNMENTS}/delete"), scope).await?,
    }
    let gone = roles::unassign(cx, scope, name).await?;
    Ok(gone.map_or_else(|| Answer::empty(StatusCode::NO_CONTENT), |a| Answer::ok(shown_assignment(&a, false))))
}

async fn list_definitions(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let filter = request.query("$filter").unwrap_or_default();
    let clauses = definition_filter(&filter)?;
    let matches = |shown: &Value| {
        clauses.iter().all(|(field, wanted)| {
            let found = match field.as_str() {
                "rolename" => &shown["properties"]["roleName"],
                "type" => &shown["properties"]["type"],
                _ => return true,
            };
            found.as_str().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        })
    };
    let mut all: Vec<Value> = roles::definitions(cx).await?.iter().map(shown_definition).collect();
    all.retain(matches);
    Ok(Answer::list(all))
}

/// All definitions can be assigned at the scope or below it, so `atScopeAndBelow()` takes none away.
fn definition_filter(text: &str) -> Result<Vec<(String, String)>> {
    let word = "atScopeAndBelow()";
    let clauses = match text.trim().split_at_checked(word.len()) {
        Some((first, "")) if first.eq_ignore_ascii_case(word) => return Ok(Vec::new()),
        Some((first, rest)) if first.eq_ignore_ascii_case(word) => rest.trim().strip_prefix("and "),
        _ => Some(text),
    };
    clauses.and_then(filter::clauses).ok_or_else(|| filter::unsupported(text))
}

async fn get_definition(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let id = request.name();
    let all: Vec<Value> = roles::definitions(cx).await?.iter().map(shown_definition).collect();
    let found = all.into_iter().find(|d| d["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(id)));
    Ok(Answer::ok(found.ok_or_else(|| ResourceError::RoleNotFound(id.to_ascii_lowercase()))?))
}

async fn define(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let properties = &request.body["properties"];
    let list = |at: &Value| -> Vec<String> {
        at.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let all = |name: &str| -> Vec<String> {
        properties["permissions"].as_array().into_iter().flatten().flat_map(|p| list(&p[name])).collect()
    };
    let role = Role {
        id: request.name().to_ascii_lowercase(),
        name: properties["roleName"].as_str().unwrap_or_default().to_owned(),
        description: properties["description"].as_str().unwrap_or_default().to_owned(),
        actions: all("actions"),
        not_actions: all("notActions"),
        data_actions: all("dataActions"),
        not_data_actions: all("notDataActions"),
    };
    let made = roles::define(cx, role, list(&properties["assignableScopes"])).await?;
    Ok(Answer::new(StatusCode::CREATED, shown_custom(&made)))
}

async fn undefine(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = roles::undefine(cx, &request.name().to_ascii_lowercase()).await?;
    Ok(gone.map_or_else(|| Answer::empty(StatusCode::NO_CONTENT), |r| Answer::ok(shown_custom(&r))))
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
