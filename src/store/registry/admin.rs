//! The admin user's passwords, sealed.
//! Must not know: what a sealed password holds.

use crate::domain::Result;
use crate::store::Tx;

/// The admin user's password of this name, sealed.
pub async fn password(tx: &mut Tx, registry: i64, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT sealed FROM admin_passwords WHERE registry = ? AND name = ?")
        .bind(registry)
        .bind(name)
        .fetch_optional(tx.conn())
        .await?)
}

/// Sets the admin user's password of this name.
pub async fn set_password(tx: &mut Tx, registry: i64, name: &str, sealed: &[u8]) -> Result<()> {
    sqlx::query("INSERT OR REPLACE INTO admin_passwords (registry, name, sealed) VALUES (?, ?, ?)")
        .bind(registry)
        .bind(name)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}
