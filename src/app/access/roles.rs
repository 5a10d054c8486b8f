//! Role definitions and assignments.
//! Must not know: what the roles open.

use serde_json::{Map, Value};

use crate::app::{Cx, access};
use crate::domain::Result;
use crate::domain::access::condition::Condition;
use crate::domain::access::role::Role;
use crate::domain::access::{built_in, covers};
use crate::domain::error::AssignmentError;
use crate::domain::world::name;
use crate::store;
pub use crate::store::access::{Assignment, CustomRole};

/// What a PUT of a role assignment asks for.
#[derive(Debug)]
pub struct Asked {
    /// Scope, as sent; empty for the root.
    pub scope: String,
    /// The assignment's GUID.
    pub name: String,
    /// The role definition: its ARM id or GUID.
    pub role: String,
    pub principal_id: String,
    /// `principalType`, if sent. Then the directory is not asked.
    pub principal_type: Option<String>,
    /// Condition, description, …
    pub doc: Map<String, Value>,
}

/// The GUID at the end of a role definition's id.
#[must_use]
pub fn guid_of(role_definition_id: &str) -> String {
    role_definition_id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}

/// Requires that the condition of an assignment can be read; its version is 2.0, the only one there is [docs].
fn check_condition(doc: &mut Map<String, Value>) -> Result<()> {
    let condition = match doc.get("condition") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(()),
        Some(other) => other.as_str().ok_or_else(|| "it is no text".to_owned()),
    };
    let version = doc.get("conditionVersion").filter(|v| !v.is_null());
    let read = match version {
        None => condition.and_then(Condition::parse),
        Some(version) if *version == "2.0" => condition.and_then(Condition::parse),
        Some(version) => Err(format!("its version is {version}, not \"2.0\"")),
    };
    read.map_err(AssignmentError::Condition)?;
    doc.insert("conditionVersion".to_owned(), Value::from("2.0"));
    Ok(())
}

/// Assigns a role. `true`: it is new (keyvault.md E.2).
pub async fn assign(cx: &mut Cx, mut asked: Asked) -> Result<(Assignment, bool)> {
    check_condition(&mut asked.doc)?;
    let role_id = guid_of(&asked.role);
    if access::role_by_id(cx, &role_id).await?.is_none() {
        return Err(AssignmentError::RoleNotFound(role_id).into());
    }
    let principal_id = asked.principal_id.to_ascii_lowercase();
    let principal = store::directory::by_object(&mut cx.tx, &principal_id).await?;
    let principal_type = match (asked.principal_type, &principal) {
        // What conditions were told of the principal has to be true.
        (Some(given), Some(found)) if !given.eq_ignore_ascii_case(found.kind.principal_type()) => {
            let is = found.kind.principal_type();
            return Err(AssignmentError::PrincipalType { principal_id, is, given }.into());
        }
        (_, Some(found)) => found.kind.principal_type().to_owned(),
        (Some(given), None) => given,
        (None, None) => return Err(AssignmentError::PrincipalNotFound(principal_id).into()),
    };
    let scope = asked.scope.trim_end_matches('/').to_owned();
    if let Some(existing) = store::access::find(&mut cx.tx, &scope, &asked.name).await? {
        if existing.role_id != role_id || existing.principal_id != principal_id {
            return Err(AssignmentError::Fixed.into());
        }
        let changed = Assignment { doc: Value::Object(asked.doc), updated_at: cx.now, ..existing };
        store::access::save(&mut cx.tx, &changed).await?;
        return Ok((changed, false));
    }
    let twin = store::access::of_principal(&mut cx.tx, &principal_id).await?;
    if let Some(twin) = twin.into_iter().find(|a| a.role_id == role_id && a.scope.eq_ignore_ascii_case(&scope)) {
        return Err(AssignmentError::Exists { name: twin.name }.into());
    }
    let made = Assignment {
        name: asked.name.to_ascii_lowercase(),
        scope,
        role_id,
        principal_id,
        principal_type,
        created_by: cx.caller.object_id.clone(),
        created_at: cx.now,
        updated_at: cx.now,
        doc: Value::Object(asked.doc),
    };
    store::access::save(&mut cx.tx, &made).await?;
    Ok((made, true))
}

/// An assignment by scope and name.
pub async fn find(cx: &mut Cx, scope: &str, name: &str) -> Result<Option<Assignment>> {
    store::access::find(&mut cx.tx, scope, name).await
}

/// Takes a role away. The assignment that was, if it was.
pub async fn unassign(cx: &mut Cx, scope: &str, name: &str) -> Result<Option<Assignment>> {
    let found = find(cx, scope, name).await?;
    store::access::delete(&mut cx.tx, scope, name).await?;
    Ok(found)
}

/// Which assignments a list is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// At the scope, above and below it.
    All,
    /// At the scope and above it: `atScope()`.
    AtScope,
    /// Of a principal: `principalId eq '…'`.
    Principal(String),
    /// Of a principal, itself or by its groups: `assignedTo('…')`.
    AssignedTo(String),
    /// Both of the last with `atScope()`.
    AtScopeAssignedTo(String),
}

/// Lists assignments as seen from a scope (keyvault.md E.2).
pub async fn list(cx: &mut Cx, scope: &str, filter: &Filter) -> Result<Vec<Assignment>> {
    let mut principals = Vec::new();
    if let Filter::Principal(id) | Filter::AssignedTo(id) | Filter::AtScopeAssignedTo(id) = filter {
        principals.push(id.to_ascii_lowercase());
    }
    if let Filter::AssignedTo(id) | Filter::AtScopeAssignedTo(id) = filter {
        principals.extend(store::directory::groups_of(&mut cx.tx, &id.to_ascii_lowercase()).await?);
    }
    let above_only = matches!(filter, Filter::AtScope | Filter::AtScopeAssignedTo(_));
    let all = store::access::all(&mut cx.tx).await?;
    Ok(all
        .into_iter()
        .filter(|a| covers(&a.scope, scope) || (!above_only && covers(scope, &a.scope)))
        .filter(|a| principals.is_empty() || principals.contains(&a.principal_id))
        .collect())
}

/// A role definition as ARM shows it.
#[derive(Debug, Clone)]
pub enum Definition {
    BuiltIn(Box<Role>),
    Custom(Box<CustomRole>),
}

/// All role definitions, built in ones first.
pub async fn definitions(cx: &mut Cx) -> Result<Vec<Definition>> {
    let mut all: Vec<Definition> =
        built_in::all().into_iter().map(|role| Definition::BuiltIn(Box::new(role))).collect();
    all.extend(store::access::custom_roles(&mut cx.tx).await?.into_iter().map(|c| Definition::Custom(Box::new(c))));
    Ok(all)
}

/// A role definition by GUID.
pub async fn definition(cx: &mut Cx, id: &str) -> Result<Definition> {
    if let Some(role) = built_in::find(id) {
        return Ok(Definition::BuiltIn(Box::new(role)));
    }
    let custom = store::access::custom_role_by_id(&mut cx.tx, id).await?;
    let missing = || AssignmentError::RoleNotFound(id.to_ascii_lowercase());
    Ok(Definition::Custom(Box::new(custom.ok_or_else(missing)?)))
}

/// Creates or changes a custom role.
pub async fn define(cx: &mut Cx, role: Role, scopes: Vec<String>) -> Result<CustomRole> {
    let existing = store::access::custom_role_by_id(&mut cx.tx, &role.id).await?;
    let made = CustomRole {
        role,
        scopes: if scopes.is_empty() { vec![name::subscription_id()] } else { scopes },
        created_by: existing.as_ref().map_or_else(|| cx.caller.object_id.clone(), |e| e.created_by.clone()),
        created_at: existing.as_ref().map_or(cx.now, |e| e.created_at),
        updated_at: cx.now,
    };
    store::access::save_custom_role(&mut cx.tx, &made).await?;
    Ok(made)
}

/// Removes a custom role. What was removed, if anything.
pub async fn undefine(cx: &mut Cx, id: &str) -> Result<Option<CustomRole>> {
    let found = store::access::custom_role_by_id(&mut cx.tx, id).await?;
    store::access::delete_custom_role(&mut cx.tx, id).await?;
    Ok(found)
}
