//! Names and values of tags that were made by themselves.
//! Must not know: which resources have tags.

use crate::domain::Result;
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// All of them: a name without a value is the name itself.
pub async fn all(tx: &mut Tx) -> Result<Vec<(String, Option<String>)>> {
    let rows = sqlx::query("SELECT * FROM tag_names ORDER BY name, value").fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok((row.cell("name")?, row.cell("value")?))).collect()
}

/// Makes a name or a value.
pub async fn add(tx: &mut Tx, name: &str, value: Option<&str>) -> Result<()> {
    sqlx::query("INSERT INTO tag_names (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(value)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a value, or a name.
pub async fn delete(tx: &mut Tx, name: &str, value: Option<&str>) -> Result<()> {
    sqlx::query("DELETE FROM tag_names WHERE name = ? AND value IS ?")
        .bind(name)
        .bind(value)
        .execute(tx.conn())
        .await?;
    Ok(())
}
