//! What the tables of keys have of their own, and which keys are due to rotate. Private keys are sealed.
//! Must not know: what a sealed private key holds, what a key may do.

use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;

use super::object::{Bound, Stored, object};
use crate::domain::vault::key::{Content, Key, Keys, Rotation};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

impl Stored for Keys {
    const OBJECTS: &'static str = "keys";
    const PARENT: &'static str = "key";
    const VERSIONS_OF: &'static str = "key_versions WHERE key";
    const UPDATE: &'static str = "UPDATE keys SET deleted_at = ?2, purge_at = ?3, rotation_policy = ?4, rotate_at = ?5,
        near_expiry_at = ?6 WHERE id = ?1";
    const INSERT_VERSION: &'static str = "INSERT INTO key_versions (key, version, created_at, enabled, not_before,
        expires, tags, updated_at, key_ops, doc, kty, public_jwk, private_key)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const UPDATE_VERSION: &'static str =
        "UPDATE key_versions SET enabled = ?2, not_before = ?3, expires = ?4, tags = ?5,
        updated_at = ?6, key_ops = ?7, doc = ?8 WHERE id = ?1";

    fn whole(row: &SqliteRow) -> Result<Rotation> {
        Ok(Rotation {
            policy: row.optional_json("rotation_policy")?,
            rotate_at: row.optional_time("rotate_at")?,
            near_expiry_at: row.optional_time("near_expiry_at")?,
        })
    }

    fn content(row: &SqliteRow) -> Result<Content> {
        Ok(Content {
            kty: row.cell("kty")?,
            public_jwk: row.document("public_jwk")?,
            private_key: row.cell("private_key")?,
            key_ops: row.json("key_ops")?,
            doc: row.document("doc")?,
        })
    }

    fn bind_whole<'q>(query: Bound<'q>, whole: &'q Rotation) -> Bound<'q> {
        let query = query.bind(whole.policy.as_ref().map(Value::to_string));
        query.bind(whole.rotate_at.map(|at| at.0)).bind(whole.near_expiry_at.map(|at| at.0))
    }

    fn bind_changing<'q>(query: Bound<'q>, content: &'q Content) -> Bound<'q> {
        query.bind(json!(content.key_ops).to_string()).bind(content.doc.to_string())
    }

    fn bind_fixed<'q>(query: Bound<'q>, content: &'q Content) -> Bound<'q> {
        query.bind(&content.kty).bind(content.public_jwk.to_string()).bind(&content.private_key)
    }
}

/// Lets nothing be due for a vault's keys before `now`.
pub async fn hold_back(tx: &mut Tx, vault: i64, now: Timestamp) -> Result<()> {
    // max() of a NULL and a number is NULL.
    sqlx::query(
        "UPDATE keys SET rotate_at = max(rotate_at, ?2), near_expiry_at = max(near_expiry_at, ?2) WHERE vault = ?1",
    )
    .bind(vault)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The living keys of living vaults whose rotation policy acts at `until` or before, in that order, `most` at the most.
pub async fn rotating(tx: &mut Tx, until: Timestamp, most: i64) -> Result<Vec<Key>> {
    due(tx, "rotate_at", until, most).await
}

/// The living keys of living vaults whose end is told as near at `until` or before, in that order, `most` at the most.
pub async fn ending(tx: &mut Tx, until: Timestamp, most: i64) -> Result<Vec<Key>> {
    due(tx, "near_expiry_at", until, most).await
}

async fn due(tx: &mut Tx, column: &'static str, until: Timestamp, most: i64) -> Result<Vec<Key>> {
    let sql = format!(
        "SELECT keys.* FROM keys JOIN vaults ON vaults.id = keys.vault
         WHERE keys.{column} <= ? AND keys.deleted_at IS NULL AND vaults.deleted_at IS NULL
         ORDER BY keys.{column}, keys.id LIMIT ?"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(until.0).bind(most).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| object(tx, row)).collect()
}

/// When the next living key of a living vault rotates by its policy, or its end is told as near.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let rotating = due(tx, "rotate_at", Timestamp(i64::MAX), 1).await?.first().and_then(|key| key.own.rotate_at);
    let ending =
        due(tx, "near_expiry_at", Timestamp(i64::MAX), 1).await?.first().and_then(|key| key.own.near_expiry_at);
    Ok([rotating, ending].into_iter().flatten().min())
}
