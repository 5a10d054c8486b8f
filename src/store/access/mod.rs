//! Role assignments and custom role definitions.
//! Must not know: what a role permits.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::access::role::Role;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A role held by a principal at a scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// GUID.
    pub name: String,
    /// Scope, as sent, without a slash at its end; empty for the root.
    pub scope: String,
    /// GUID of the role definition.
    pub role_id: String,
    pub principal_id: String,
    /// `ServicePrincipal`, `User`, `Group`.
    pub principal_type: String,
    /// Who gave it.
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Condition, description, …
    pub doc: Value,
}

impl Assignment {
    /// Its condition, if it has one.
    #[must_use]
    pub fn condition(&self) -> Option<&str> {
        self.doc["condition"].as_str().filter(|text| !text.trim().is_empty())
    }
}

fn assignment(row: &SqliteRow) -> Result<Assignment> {
    Ok(Assignment {
        name: row.cell("name")?,
        scope: row.cell("scope")?,
        role_id: row.cell("role_id")?,
        principal_id: row.cell("principal_id")?,
        principal_type: row.cell("principal_type")?,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        doc: row.document("doc")?,
    })
}

fn scope_key(scope: &str) -> String {
    scope.trim_end_matches('/').to_ascii_lowercase()
}

/// Adds an assignment, or replaces the one of the same name at the same scope.
pub async fn save(tx: &mut Tx, a: &Assignment) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO role_assignments
           (name, scope, scope_key, role_id, principal_id, principal_type, created_by, created_at, updated_at, doc)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&a.name)
    .bind(&a.scope)
    .bind(scope_key(&a.scope))
    .bind(&a.role_id)
    .bind(&a.principal_id)
    .bind(&a.principal_type)
    .bind(&a.created_by)
    .bind(a.created_at.0)
    .bind(a.updated_at.0)
    .bind(a.doc.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An assignment by scope and name.
pub async fn find(tx: &mut Tx, scope: &str, name: &str) -> Result<Option<Assignment>> {
    let row = sqlx::query("SELECT * FROM role_assignments WHERE scope_key = ? AND name = ?")
        .bind(scope_key(scope))
        .bind(name.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(assignment).transpose()
}

/// All assignments, oldest first.
pub async fn all(tx: &mut Tx) -> Result<Vec<Assignment>> {
    let rows = sqlx::query("SELECT * FROM role_assignments ORDER BY created_at, name").fetch_all(tx.conn()).await?;
    rows.iter().map(assignment).collect()
}

/// The assignments of one principal.
pub async fn of_principal(tx: &mut Tx, principal_id: &str) -> Result<Vec<Assignment>> {
    let rows = sqlx::query("SELECT * FROM role_assignments WHERE principal_id = ?")
        .bind(principal_id.to_ascii_lowercase())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(assignment).collect()
}

/// Removes an assignment.
pub async fn delete(tx: &mut Tx, scope: &str, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM role_assignments WHERE scope_key = ? AND name = ?")
        .bind(scope_key(scope))
        .bind(name.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes all assignments at a scope and below it: they go with their resource [docs].
pub async fn delete_below(tx: &mut Tx, scope: &str) -> Result<()> {
    let key = scope_key(scope);
    sqlx::query("DELETE FROM role_assignments WHERE scope_key = ? OR substr(scope_key, 1, ?) = ?")
        .bind(&key)
        .bind(i64::try_from(key.chars().count() + 1).unwrap_or(i64::MAX))
        .bind(format!("{key}/"))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A custom role, and who made it when.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomRole {
    pub role: Role,
    /// `assignableScopes`.
    pub scopes: Vec<String>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A custom role's document.
#[derive(serde::Deserialize)]
struct Kept {
    role: Role,
    scopes: Vec<String>,
}

fn custom_role(row: &SqliteRow) -> Result<CustomRole> {
    let Kept { role, scopes } = row.json("doc")?;
    Ok(CustomRole {
        role,
        scopes,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Custom roles, oldest first.
pub async fn custom_roles(tx: &mut Tx) -> Result<Vec<CustomRole>> {
    let rows = sqlx::query("SELECT * FROM role_definitions ORDER BY created_at, name").fetch_all(tx.conn()).await?;
    rows.iter().map(custom_role).collect()
}

/// A custom role by GUID.
pub async fn custom_role_by_id(tx: &mut Tx, id: &str) -> Result<Option<CustomRole>> {
    let row = sqlx::query("SELECT * FROM role_definitions WHERE name = ?")
        .bind(id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(custom_role).transpose()
}

/// Creates or changes a custom role.
pub async fn save_custom_role(tx: &mut Tx, r: &CustomRole) -> Result<()> {
    let doc = serde_json::json!({"role": r.role, "scopes": r.scopes});
    sqlx::query(
        "INSERT OR REPLACE INTO role_definitions (name, role_name, doc, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(r.role.id.to_ascii_lowercase())
    .bind(&r.role.name)
    .bind(doc.to_string())
    .bind(&r.created_by)
    .bind(r.created_at.0)
    .bind(r.updated_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a custom role.
pub async fn delete_custom_role(tx: &mut Tx, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM role_definitions WHERE name = ?").bind(id.to_ascii_lowercase()).execute(tx.conn()).await?;
    Ok(())
}
