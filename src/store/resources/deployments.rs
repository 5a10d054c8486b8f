//! Deployments of templates, as they ended.
//! Must not know: what a template says, how it was deployed.

use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::domain::{Result, Timestamp};
use crate::store::{Tx, json};

/// A deployment that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The id of the subscription or resource group that it was for.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// As ARM shows it.
    pub shown: Value,
    /// What was deployed.
    pub template: Value,
    /// What was done for each resource, as ARM shows it.
    pub operations: Value,
    /// When it ended.
    pub ended_at: Timestamp,
}

fn deployment(row: &SqliteRow) -> Deployment {
    Deployment {
        scope: row.get("scope"),
        name: row.get("name"),
        shown: json(row.get("shown")),
        template: json(row.get("template")),
        operations: json(row.get("operations")),
        ended_at: Timestamp(row.get("ended_at")),
    }
}

/// A deployment by scope and name, case aside.
pub async fn find(tx: &mut Tx, scope: &str, name: &str) -> Result<Option<Deployment>> {
    let row = sqlx::query("SELECT * FROM deployments WHERE scope = ? AND name = ?")
        .bind(scope)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.as_ref().map(deployment))
}

/// The deployments of a scope, the newest first.
pub async fn list(tx: &mut Tx, scope: &str) -> Result<Vec<Deployment>> {
    let rows = sqlx::query("SELECT * FROM deployments WHERE scope = ? ORDER BY ended_at DESC, name")
        .bind(scope)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.iter().map(deployment).collect())
}

/// Keeps a deployment in place of the one with its name.
pub async fn save(tx: &mut Tx, d: &Deployment) -> Result<()> {
    sqlx::query(
        "INSERT INTO deployments (scope, name, shown, template, operations, ended_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (scope, name) DO UPDATE SET shown = excluded.shown, template = excluded.template,
           operations = excluded.operations, ended_at = excluded.ended_at",
    )
    .bind(&d.scope)
    .bind(&d.name)
    .bind(d.shown.to_string())
    .bind(d.template.to_string())
    .bind(d.operations.to_string())
    .bind(d.ended_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets a deployment. `false`: there was none.
pub async fn delete(tx: &mut Tx, scope: &str, name: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM deployments WHERE scope = ? AND name = ?")
        .bind(scope)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets all deployments of a scope.
pub async fn delete_all(tx: &mut Tx, scope: &str) -> Result<()> {
    sqlx::query("DELETE FROM deployments WHERE scope = ?").bind(scope).execute(tx.conn()).await?;
    Ok(())
}
