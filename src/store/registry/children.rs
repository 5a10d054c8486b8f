//! Child resources of registries, the passwords of tokens, and what webhooks sent.
//! Must not know: what a kind's document means.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::name;
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// What a child is called where rows are noted.
fn key(registry: i64, kind: &str, name: &str) -> String {
    format!("{registry}/{kind}/{}", name.to_ascii_lowercase())
}

fn child(tx: &mut Tx, kind: Kind, row: &SqliteRow) -> Result<Child> {
    let noted = key(row.cell("registry")?, kind.segment(), row.cell("name")?);
    tx.saw("registry_children", noted);
    Ok(Child {
        id: row.cell("id")?,
        registry: row.cell("registry")?,
        kind,
        name: row.cell("name")?,
        location: row.cell("location")?,
        tags: row.json("tags")?,
        properties: row.json("properties")?,
        principal: row.cell("principal")?,
        sealed: row.cell("sealed")?,
        created_by: row.cell("created_by")?,
        created_at: row.time("created_at")?,
        modified_by: row.cell("modified_by")?,
        modified_at: row.time("modified_at")?,
    })
}

/// A child by name, case aside.
pub async fn find(tx: &mut Tx, registry: i64, kind: Kind, name: &str) -> Result<Option<Child>> {
    tx.saw("registry_children", key(registry, kind.segment(), name));
    let row = sqlx::query("SELECT * FROM registry_children WHERE registry = ? AND kind = ? AND name = ?")
        .bind(registry)
        .bind(kind.segment())
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| child(tx, kind, row)).transpose()
}

/// A child of any registry by its row id.
pub async fn by_id(tx: &mut Tx, kind: Kind, id: i64) -> Result<Option<Child>> {
    let row = sqlx::query("SELECT * FROM registry_children WHERE kind = ? AND id = ?")
        .bind(kind.segment())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| child(tx, kind, row)).transpose()
}

/// A child by row id.
pub async fn find_by_id(tx: &mut Tx, registry: i64, kind: Kind, id: i64) -> Result<Option<Child>> {
    let row = sqlx::query("SELECT * FROM registry_children WHERE registry = ? AND kind = ? AND id = ?")
        .bind(registry)
        .bind(kind.segment())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| child(tx, kind, row)).transpose()
}

/// A registry's children of a kind, by name.
pub async fn list(tx: &mut Tx, registry: i64, kind: Kind) -> Result<Vec<Child>> {
    let rows = sqlx::query("SELECT * FROM registry_children WHERE registry = ? AND kind = ? ORDER BY name")
        .bind(registry)
        .bind(kind.segment())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| child(tx, kind, row)).collect()
}

/// The children of a kind, of all registries.
pub async fn all_of(tx: &mut Tx, kind: Kind) -> Result<Vec<Child>> {
    let rows = sqlx::query("SELECT * FROM registry_children WHERE kind = ? ORDER BY id")
        .bind(kind.segment())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| child(tx, kind, row)).collect()
}

/// The principals that a registry's children are, of all kinds.
pub async fn principals(tx: &mut Tx, registry: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT principal FROM registry_children WHERE registry = ? AND principal IS NOT NULL")
        .bind(registry)
        .fetch_all(tx.conn())
        .await?)
}

/// How many children of a kind a registry has.
pub async fn count(tx: &mut Tx, registry: i64, kind: Kind) -> Result<usize> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM registry_children WHERE registry = ? AND kind = ?")
        .bind(registry)
        .bind(kind.segment())
        .fetch_one(tx.conn())
        .await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Adds a child, or changes the one with this registry, kind and name. Returns the row id.
pub async fn put(tx: &mut Tx, c: &Child) -> Result<i64> {
    tx.require_seen("registry_children", key(c.registry, c.kind.segment(), &c.name))?;
    let id = sqlx::query_scalar(
        "INSERT INTO registry_children (registry, kind, name, location, tags, properties, principal, sealed,
           created_by, created_at, modified_by, modified_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (registry, kind, name) DO UPDATE SET location = excluded.location, tags = excluded.tags,
           properties = excluded.properties, principal = excluded.principal, sealed = excluded.sealed,
           modified_by = excluded.modified_by, modified_at = excluded.modified_at
         RETURNING id",
    )
    .bind(c.registry)
    .bind(c.kind.segment())
    .bind(&c.name)
    .bind(&c.location)
    .bind(c.tags.to_string())
    .bind(Value::Object(c.properties.clone()).to_string())
    .bind(&c.principal)
    .bind(&c.sealed)
    .bind(&c.created_by)
    .bind(c.created_at.0)
    .bind(&c.modified_by)
    .bind(c.modified_at.0)
    .fetch_one(tx.conn())
    .await?;
    Ok(id)
}

/// Has a registry's children name it, or what lies in it, by another id.
pub async fn rename(tx: &mut Tx, registry: i64, from: &str, to: &str) -> Result<()> {
    let rows = sqlx::query("SELECT id, properties FROM registry_children WHERE registry = ?")
        .bind(registry)
        .fetch_all(tx.conn())
        .await?;
    for row in &rows {
        let (id, properties): (i64, Value) = (row.cell("id")?, row.document("properties")?);
        let renamed = name::renamed(&properties, from, to);
        if renamed != properties {
            sqlx::query("UPDATE registry_children SET properties = ? WHERE id = ?")
                .bind(renamed.to_string())
                .bind(id)
                .execute(tx.conn())
                .await?;
        }
    }
    Ok(())
}

/// Removes a child.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM registry_children WHERE id = ?").bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// A token's password, of which only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// `password1` or `password2`.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    pub created_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
}

/// A token's passwords, by name.
pub async fn passwords(tx: &mut Tx, token: i64) -> Result<Vec<Password>> {
    let rows = sqlx::query("SELECT * FROM token_passwords WHERE token = ? ORDER BY name")
        .bind(token)
        .fetch_all(tx.conn())
        .await?;
    let password = |row: &SqliteRow| {
        Ok(Password {
            name: row.cell("name")?,
            hash: row.cell("hash")?,
            created_at: row.time("created_at")?,
            expires_at: row.optional_time("expires_at")?,
        })
    };
    rows.iter().map(password).collect()
}

/// Gives a token a password in place of the one with this name.
pub async fn set_password(tx: &mut Tx, token: i64, password: &Password) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO token_passwords (token, name, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(token)
    .bind(&password.name)
    .bind(&password.hash)
    .bind(password.created_at.0)
    .bind(password.expires_at.map(|t| t.0))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a password from a token.
pub async fn delete_password(tx: &mut Tx, token: i64, name: &str) -> Result<()> {
    sqlx::query("DELETE FROM token_passwords WHERE token = ? AND name = ?")
        .bind(token)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps what a webhook sent, and of its older events only the newest `most`.
pub async fn add_event(tx: &mut Tx, webhook: i64, sealed: &[u8], most: i64) -> Result<()> {
    // The webhook may have been deleted while its event was on the way.
    sqlx::query(
        "INSERT INTO webhook_events (webhook, sealed) SELECT id, ? FROM registry_children WHERE id = ? AND kind = 'webhooks'",
    )
    .bind(sealed)
    .bind(webhook)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "DELETE FROM webhook_events WHERE webhook = ?1 AND id NOT IN
           (SELECT id FROM webhook_events WHERE webhook = ?1 ORDER BY id DESC LIMIT ?2)",
    )
    .bind(webhook)
    .bind(most)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The ids of what a webhook sent, newest first.
pub async fn event_ids(tx: &mut Tx, webhook: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar("SELECT id FROM webhook_events WHERE webhook = ? ORDER BY id DESC")
        .bind(webhook)
        .fetch_all(tx.conn())
        .await?)
}

/// One thing that a webhook sent, sealed.
pub async fn event(tx: &mut Tx, id: i64) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT sealed FROM webhook_events WHERE id = ?").bind(id).fetch_optional(tx.conn()).await?)
}
