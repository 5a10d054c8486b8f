//! Objects of the directory that were deleted and can be restored, each kept whole.
//! Must not know: what they are.

use crate::domain::directory::deleted::Deleted;
use crate::domain::{Error, Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// Keeps a deleted object.
pub async fn insert(tx: &mut Tx, deleted: &Deleted) -> Result<()> {
    sqlx::query("INSERT INTO deleted_objects (object_id, kind, kept, deleted_at, purge_at) VALUES (?, ?, ?, ?, ?)")
        .bind(deleted.object_id())
        .bind(deleted.kind())
        .bind(serde_json::to_string(deleted).map_err(Error::internal)?)
        .bind(deleted.deleted_at.0)
        .bind(deleted.purge_at().0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A deleted object by object id.
pub async fn find(tx: &mut Tx, object_id: &str) -> Result<Option<Deleted>> {
    let kept: Option<String> = sqlx::query_scalar("SELECT kept FROM deleted_objects WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    kept.map(|kept| serde_json::from_str(&kept).map_err(Error::internal)).transpose()
}

/// The deleted objects of a kind, the first deleted first.
pub async fn list(tx: &mut Tx, kind: &str) -> Result<Vec<Deleted>> {
    let rows = sqlx::query("SELECT kept FROM deleted_objects WHERE kind = ? ORDER BY deleted_at, object_id")
        .bind(kind)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| row.json("kept")).collect()
}

/// Removes a deleted object. `false`: there was none.
pub async fn remove(tx: &mut Tx, object_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM deleted_objects WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// When the next one goes for good.
pub async fn next_purge(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar("SELECT min(purge_at) FROM deleted_objects").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// Removes those whose time has come.
pub async fn purge_due(tx: &mut Tx, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM deleted_objects WHERE purge_at <= ?").bind(now.0).execute(tx.conn()).await?;
    Ok(())
}
