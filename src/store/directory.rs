//! Principals, groups, app registrations and their secrets.
//! Must not know: tokens, rights.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Tx, json};
use crate::domain::identity::{Principal, PrincipalKind};
use crate::domain::{Result, Timestamp};

fn principal(row: &SqliteRow) -> Principal {
    Principal {
        object_id: row.get("object_id"),
        app_id: row.get("app_id"),
        kind: PrincipalKind::parse(row.get("kind")).unwrap_or(PrincipalKind::Application),
        display_name: row.get("display_name"),
        resource_id: row.get("resource_id"),
        created_at: Timestamp(row.get("created_at")),
        doc: json(row.get("doc")),
    }
}

/// Adds a principal.
pub async fn insert(tx: &mut Tx, p: &Principal) -> Result<()> {
    sqlx::query(
        "INSERT INTO principals (object_id, app_id, kind, display_name, resource_id, created_at, doc)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&p.object_id)
    .bind(&p.app_id)
    .bind(p.kind.as_str())
    .bind(&p.display_name)
    .bind(&p.resource_id)
    .bind(p.created_at.0)
    .bind(p.doc.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A principal by object id.
pub async fn by_object(tx: &mut Tx, object_id: &str) -> Result<Option<Principal>> {
    let row = sqlx::query("SELECT * FROM principals WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.as_ref().map(principal))
}

/// A principal by application id.
pub async fn by_app(tx: &mut Tx, app_id: &str) -> Result<Option<Principal>> {
    let row = sqlx::query("SELECT * FROM principals WHERE app_id = ?")
        .bind(app_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.as_ref().map(principal))
}

/// All principals, oldest first.
pub async fn all(tx: &mut Tx) -> Result<Vec<Principal>> {
    let rows = sqlx::query("SELECT * FROM principals ORDER BY created_at, object_id").fetch_all(tx.conn()).await?;
    Ok(rows.iter().map(principal).collect())
}

/// Removes a principal. Its tokens stop working at once.
pub async fn delete(tx: &mut Tx, object_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM principals WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Ids of the groups a principal is in.
pub async fn groups_of(tx: &mut Tx, object_id: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT group_id FROM group_members WHERE member_id = ?")
        .bind(object_id)
        .fetch_all(tx.conn())
        .await?)
}

/// A client secret's digest and time, as kept.
#[derive(Debug, Clone)]
pub struct Password {
    /// GUID.
    pub key_id: String,
    /// The application it belongs to.
    pub app_id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// Its first three characters.
    pub hint: String,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// Good from.
    pub starts_at: Timestamp,
    /// Good until.
    pub ends_at: Timestamp,
}

/// Adds a client secret.
pub async fn add_password(tx: &mut Tx, p: &Password) -> Result<()> {
    sqlx::query(
        "INSERT INTO passwords (key_id, app_id, display_name, hint, hash, starts_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&p.key_id)
    .bind(&p.app_id)
    .bind(&p.display_name)
    .bind(&p.hint)
    .bind(&p.hash)
    .bind(p.starts_at.0)
    .bind(p.ends_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The client secrets of an application.
pub async fn passwords(tx: &mut Tx, app_id: &str) -> Result<Vec<Password>> {
    let rows = sqlx::query("SELECT * FROM passwords WHERE app_id = ? ORDER BY starts_at")
        .bind(app_id.to_ascii_lowercase())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows
        .iter()
        .map(|row| Password {
            key_id: row.get("key_id"),
            app_id: row.get("app_id"),
            display_name: row.get("display_name"),
            hint: row.get("hint"),
            hash: row.get("hash"),
            starts_at: Timestamp(row.get("starts_at")),
            ends_at: Timestamp(row.get("ends_at")),
        })
        .collect())
}

/// Removes a client secret.
pub async fn remove_password(tx: &mut Tx, app_id: &str, key_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM passwords WHERE app_id = ? AND key_id = ?")
        .bind(app_id)
        .bind(key_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}
