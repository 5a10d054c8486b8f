//! `Microsoft.Authorization` over ARM: role assignments and definitions at any scope (keyvault.md E.2).
//! Must not know: what roles open.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::query;
use super::table::{Asks, On, Operation, Place, Request, Run, Type, handler};
use super::wire::Answer;
use crate::app::access::roles::{self, Asked, Assignment, Definition, Filter};
use crate::app::{Cx, access as gate};
use crate::domain::access::condition::Source;
use crate::domain::access::role::{Permissions, Role};
use crate::domain::error::{RequestError, ResourceError};
use crate::domain::world::name;
use crate::domain::{Error, Result};
use crate::http::odata::{self, Language};

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";

/// A role definition as it is seen from a scope: in the subscription, or in the tenant [docs].
fn definition_id(scope: &str, role_id: &str) -> String {
    let above = if scope.trim_matches('/').is_empty() { String::new() } else { name::subscription_id() };
    format!("{above}/providers/{DEFINITIONS}/{role_id}")
}

/// `createdBy` is null in the answer to the PUT, and the caller's object id later [recorded].
fn shown_assignment(a: &Assignment, just_made: bool) -> Value {
    let text = |name: &str| a.doc.get(name).cloned().unwrap_or(Value::Null);
    let scope = if a.scope.is_empty() { "/" } else { &a.scope };
    json!({
        "properties": {
            "roleDefinitionId": definition_id(&a.scope, &a.role_id), "principalId": a.principal_id, "principalType": a.principal_type,
            "scope": scope, "condition": text("condition"), "conditionVersion": text("conditionVersion"),
            "createdOn": a.created_at.zulu7(), "updatedOn": a.updated_at.zulu7(),
            "createdBy": if just_made { Value::Null } else { json!(a.created_by) }, "updatedBy": a.created_by,
            "delegatedManagedIdentityResourceId": text("delegatedManagedIdentityResourceId"), "description": text("description"),
        },
        "id": format!("{}/providers/{ASSIGNMENTS}/{}", a.scope, a.name), "type": ASSIGNMENTS, "name": a.name,
    })
}

/// The first version that shows the conditions of built-in roles [spec].
const SHOWS_CONDITIONS: &str = "2022-05-01-preview";
/// The only version that does not know of data [spec].
const WITHOUT_DATA: &str = "2015-07-01";

fn shown_permissions(role: &Role, version: &str) -> Vec<Value> {
    let one = |p: &Permissions| {
        let mut shown = json!({"actions": p.actions, "notActions": p.not_actions});
        if version != WITHOUT_DATA {
            shown["dataActions"] = json!(p.data_actions);
            shown["notDataActions"] = json!(p.not_data_actions);
        }
        if let Some(condition) = p.condition.as_ref().filter(|_| version >= SHOWS_CONDITIONS) {
            shown["condition"] = json!(condition);
            shown["conditionVersion"] = json!(p.condition_version);
        }
        shown
    };
    role.permissions.iter().map(one).collect()
}

fn shown_definition(definition: &Definition, request: &Request) -> Value {
    let (role, mut properties) = match definition {
        Definition::BuiltIn(role) => {
            let properties = json!({
                "roleName": role.name, "type": "BuiltInRole", "description": role.description,
                "assignableScopes": ["/"], "createdOn": "2015-02-02T21:55:09.8806423Z",
                "updatedOn": "2021-11-11T20:13:39.6573851Z", "createdBy": null, "updatedBy": null,
            });
            (&**role, properties)
        }
        Definition::Custom(custom) => {
            let properties = json!({
                "roleName": custom.role.name, "type": "CustomRole", "description": custom.role.description,
                "assignableScopes": custom.scopes, "createdOn": custom.created_at.zulu7(),
                "updatedOn": custom.updated_at.zulu7(), "createdBy": custom.created_by, "updatedBy": custom.created_by,
            });
            (&custom.role, properties)
        }
    };
    properties["permissions"] = json!(shown_permissions(role, &request.api_version));
    let id = definition_id(&request.scope, &role.id);
    json!({"properties": properties, "id": id, "type": DEFINITIONS, "name": role.id})
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
            Operation::list(handler!(list_assignments)).taking(query::FILTER),
            Operation::get(handler!(get_assignment)),
            Operation::new("PUT", On::One, Asks::InHandler, Run::Change(handler!(assign))).with_body(),
            Operation::new("DELETE", On::One, Asks::InHandler, Run::Change(handler!(unassign))),
        ],
        ..TYPE
    },
    Type {
        name: DEFINITIONS,
        versions: &["2022-05-01-preview", "2022-04-01", "2018-01-01-preview", "2015-07-01"],
        operations: &[
            Operation::new("GET", On::All, Asks::InHandler, Run::Read(handler!(list_definitions)))
                .taking(query::FILTER),
            Operation::new("GET", On::One, Asks::InHandler, Run::Read(handler!(get_definition))),
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
    Ok(Answer::list(held.flat_map(|g| shown_permissions(&g.role, &request.api_version)).collect()))
}

async fn list_assignments(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let filter = assignment_filter(request.filter(ASSIGNMENT_FILTER)?)
        .ok_or_else(|| query::invalid("$filter", &request.query("$filter").unwrap_or_default()))?;
    let found = roles::list(cx, &request.scope, &filter).await?;
    Ok(Answer::list(found.iter().map(|a| shown_assignment(a, false)).collect()))
}

/// The forms that the service takes: `atScope()`, `principalId eq`, `assignedTo()`, and the first with the last.
fn assignment_filter(filter: Option<odata::Filter>) -> Option<Filter> {
    use odata::Filter as F;
    match filter {
        None => Some(Filter::All),
        Some(F::Call("atScope", None)) => Some(Filter::AtScope),
        Some(F::Call("assignedTo", Some(id))) => Some(Filter::AssignedTo(id.to_ascii_lowercase())),
        Some(F::Equal(_, Value::String(id))) => Some(Filter::Principal(id.to_ascii_lowercase())),
        Some(F::All(parts)) => match parts.as_slice() {
            [F::Call("atScope", None), F::Call("assignedTo", Some(id))] => {
                Some(Filter::AtScopeAssignedTo(id.to_ascii_lowercase()))
            }
            _ => None,
        },
        Some(_) => None,
    }
}

const ASSIGNMENT_FILTER: Language<'_> = Language { properties: &["principalId"], words: &["atScope", "assignedTo"] };
/// All definitions can be assigned at the scope or below it, so `atScopeAndBelow()` takes none away.
const DEFINITION_FILTER: Language<'_> = Language { properties: &["roleName", "type"], words: &["atScopeAndBelow"] };

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

/// What the tenant has is everybody's to read; in a subscription it takes a role.
async fn require_definitions(cx: &mut Cx, request: &Request) -> Result<()> {
    if request.scope.trim_matches('/').is_empty() {
        return Ok(());
    }
    gate::require(cx, &format!("{DEFINITIONS}/read"), &request.scope).await
}

async fn list_definitions(cx: &mut Cx, request: &Request) -> Result<Answer> {
    require_definitions(cx, request).await?;
    let filter = request.filter(DEFINITION_FILTER)?;
    let mut all: Vec<Value> = roles::definitions(cx).await?.iter().map(|d| shown_definition(d, request)).collect();
    all.retain(|shown| filter.as_ref().is_none_or(|filter| filter.holds(&shown["properties"])));
    Ok(Answer::list(all))
}

async fn get_definition(cx: &mut Cx, request: &Request) -> Result<Answer> {
    require_definitions(cx, request).await?;
    Ok(Answer::ok(shown_definition(&roles::definition(cx, request.name()).await?, request)))
}

/// What a PUT of a role definition says. A member that is null is one that is not there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Definitions {
    role_name: Option<String>,
    description: Option<String>,
    assignable_scopes: Option<Vec<String>>,
    permissions: Option<Vec<Lists>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Lists {
    actions: Option<Vec<String>>,
    not_actions: Option<Vec<String>>,
    data_actions: Option<Vec<String>>,
    not_data_actions: Option<Vec<String>>,
}

async fn define(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let asked = Option::<Definitions>::deserialize(&request.body["properties"]);
    let asked = asked.map_err(|why| RequestError::Malformed(why.to_string()))?.unwrap_or_default();
    let element = |lists: Lists| Permissions {
        actions: lists.actions.unwrap_or_default(),
        not_actions: lists.not_actions.unwrap_or_default(),
        data_actions: lists.data_actions.unwrap_or_default(),
        not_data_actions: lists.not_data_actions.unwrap_or_default(),
        ..Permissions::default()
    };
    let role = Role {
        id: request.name().to_ascii_lowercase(),
        name: asked.role_name.unwrap_or_default(),
        description: asked.description,
        permissions: asked.permissions.unwrap_or_default().into_iter().map(element).collect(),
    };
    let made = roles::define(cx, role, asked.assignable_scopes.unwrap_or_default()).await?;
    Ok(Answer::new(StatusCode::CREATED, shown_definition(&Definition::Custom(Box::new(made)), request)))
}

async fn undefine(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let gone = roles::undefine(cx, &request.name().to_ascii_lowercase()).await?;
    let shown = gone.map(|role| shown_definition(&Definition::Custom(Box::new(role)), request));
    Ok(shown.map_or_else(|| Answer::empty(StatusCode::NO_CONTENT), Answer::ok))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_the_service_takes() {
        let read = |text: &str| assignment_filter(Some(odata::Filter::parse(text, ASSIGNMENT_FILTER)?));
        assert_eq!(assignment_filter(None), Some(Filter::All));
        assert_eq!(read("atScope()"), Some(Filter::AtScope));
        assert_eq!(read("principalId eq 'X'"), Some(Filter::Principal("x".into())));
        assert_eq!(read("assignedTo('X')"), Some(Filter::AssignedTo("x".into())));
        assert_eq!(read("atScope() and assignedTo('X')"), Some(Filter::AtScopeAssignedTo("x".into())));
        for wrong in ["atScope() and principalId eq 'x'", "assignedTo()", "atScope('x')", "principalId eq true", "x()"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
