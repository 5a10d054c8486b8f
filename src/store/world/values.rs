//! Single values: clock setting, signing key, the master key's seal.
//! Must not know: what they mean.

use crate::domain::Result;
use crate::store::Tx;

/// A value by name.
pub async fn get(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT value FROM world WHERE name = ?").bind(name).fetch_optional(tx.conn()).await?)
}

/// Sets a value.
pub async fn set(tx: &mut Tx, name: &str, value: &[u8]) -> Result<()> {
    sqlx::query(
        "INSERT INTO world (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(tx.conn())
    .await?;
    Ok(())
}
