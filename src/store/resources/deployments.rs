//! Deployments of templates, as they ended. What is kept of them is JSON, and stays text here: it may be large.
//! Must not know: what a template says, how it was deployed.

use crate::domain::{Error, Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A deployment that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The id of the subscription or resource group that it was for.
    pub scope: String,
    pub name: String,
    /// As ARM shows it.
    pub shown: String,
    /// What was deployed.
    pub template: String,
    /// What was done for each resource, as ARM shows it.
    pub operations: String,
    pub ended_at: Timestamp,
}

/// A part of what is kept of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// As ARM shows it.
    Shown,
    /// What was deployed.
    Template,
    /// What was done for each resource, as ARM shows it.
    Operations,
}

/// A part of a deployment by scope and name, case aside.
pub async fn find(tx: &mut Tx, scope: &str, name: &str, part: Part) -> Result<Option<String>> {
    let query = match part {
        Part::Shown => "SELECT shown AS part FROM deployments WHERE scope = ? AND name = ?",
        Part::Template => "SELECT template AS part FROM deployments WHERE scope = ? AND name = ?",
        Part::Operations => "SELECT operations AS part FROM deployments WHERE scope = ? AND name = ?",
    };
    let row = sqlx::query(query).bind(scope).bind(name).fetch_optional(tx.conn()).await?;
    row.map(|row| row.json_text("part")).transpose()
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub ended_at: Timestamp,
    /// Bytes of what ARM shows of it.
    pub size: usize,
}

/// The deployments of a scope, the newest first.
pub async fn list(tx: &mut Tx, scope: &str) -> Result<Vec<Row>> {
    let rows = sqlx::query(
        "SELECT name, ended_at, octet_length(shown) AS size FROM deployments WHERE scope = ? ORDER BY ended_at DESC, name",
    )
    .bind(scope)
    .fetch_all(tx.conn())
    .await?;
    let row = |row: &sqlx::sqlite::SqliteRow| {
        let size = usize::try_from(row.bytes("size")?).map_err(Error::internal)?;
        Ok(Row { name: row.cell("name")?, ended_at: row.time("ended_at")?, size })
    };
    rows.iter().map(row).collect()
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
    .bind(&d.shown)
    .bind(&d.template)
    .bind(&d.operations)
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
