//! What the tables of secrets have of their own. Values are sealed.
//! Must not know: what a sealed value holds.

use sqlx::sqlite::SqliteRow;

use super::object::{Bound, Stored};
use crate::domain::Result;
use crate::domain::vault::secret::{Content, Secrets};
use crate::store::world::row::Cells as _;

impl Stored for Secrets {
    const OBJECTS: &'static str = "secrets";
    const PARENT: &'static str = "secret";
    const VERSIONS_OF: &'static str = "secret_versions WHERE secret";
    const UPDATE: &'static str = "UPDATE secrets SET deleted_at = ?2, purge_at = ?3 WHERE id = ?1";
    const INSERT_VERSION: &'static str =
        "INSERT INTO secret_versions (secret, version, created_at, enabled, not_before,
        expires, tags, updated_at, content_type, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const UPDATE_VERSION: &'static str = "UPDATE secret_versions SET enabled = ?2, not_before = ?3, expires = ?4,
        tags = ?5, updated_at = ?6, content_type = ?7 WHERE id = ?1";

    fn whole(_row: &SqliteRow) -> Result<()> {
        Ok(())
    }

    fn content(row: &SqliteRow) -> Result<Content> {
        Ok(Content { sealed: row.cell("sealed")?, content_type: row.cell("content_type")? })
    }

    fn bind_changing<'q>(query: Bound<'q>, content: &'q Content) -> Bound<'q> {
        query.bind(&content.content_type)
    }

    fn bind_fixed<'q>(query: Bound<'q>, content: &'q Content) -> Bound<'q> {
        query.bind(&content.sealed)
    }
}
