//! Pushes that other regions of a registry do not have yet.
//! Must not know: how long it takes, which regions there are.

use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A push that is to be kept from other regions.
#[derive(Debug)]
pub struct Push<'a> {
    /// A tag or a digest.
    pub reference: &'a str,
    /// Where it was pushed.
    pub region: &'a str,
    /// The digest that the tag had before.
    pub previous: Option<&'a str>,
    pub arrives_at: Timestamp,
}

/// Notes a push. What other regions have does not change by another push before the first arrived.
pub async fn add(tx: &mut Tx, repository: i64, push: &Push<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO unreplicated (repository, reference, region, previous, arrives_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (repository, reference) DO UPDATE SET region = excluded.region, arrives_at = excluded.arrives_at",
    )
    .bind(repository)
    .bind(push.reference)
    .bind(push.region)
    .bind(push.previous)
    .bind(push.arrives_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a region has of a reference that was pushed elsewhere and has not arrived: the digest that a tag had before, or
/// nothing. `None`: it has what all have.
pub async fn elsewhere(
    tx: &mut Tx,
    registry: i64,
    repository: &str,
    reference: &str,
    region: &str,
) -> Result<Option<Option<String>>> {
    let row = sqlx::query(
        "SELECT u.previous FROM repositories r JOIN unreplicated u ON u.repository = r.id
         WHERE r.registry = ? AND r.name = ? AND u.reference = ? AND u.region <> ?",
    )
    .bind(registry)
    .bind(repository)
    .bind(reference)
    .bind(region)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| row.cell("previous")).transpose()
}

/// When the next of them arrives.
pub async fn due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar("SELECT min(arrives_at) FROM unreplicated").fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}

/// All regions have what arrives by now. Returns how much that is.
pub async fn arrive(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let done = sqlx::query("DELETE FROM unreplicated WHERE arrives_at <= ?").bind(now.0).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
