//! Objects of vaults and their versions: every kind has two tables of the same shape, and adds columns of its own.
//! Must not know: what sealed columns hold, what an object may do.

use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};

use crate::domain::vault::Deletion;
use crate::domain::vault::object::{Kind, Object, Version};
use crate::domain::{Result, Timestamp};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

/// A statement whose values are bound one by one.
pub type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Where a kind of object is kept. Columns of its own stand in its statements behind those that every kind has.
pub trait Stored: Kind {
    /// The table of its objects.
    const OBJECTS: &'static str;
    /// The column of their versions that holds the object's row id.
    const PARENT: &'static str;
    /// The table of their versions, up to that column in a condition.
    const VERSIONS_OF: &'static str;
    /// Changes an object: id, deleted_at, purge_at.
    const UPDATE: &'static str;
    /// Adds a version: object, version, created_at, then what can change, then what cannot.
    const INSERT_VERSION: &'static str;
    /// Changes a version: id, enabled, not_before, expires, tags, updated_at.
    const UPDATE_VERSION: &'static str;

    /// Reads the columns of an object that the kind adds.
    fn whole(row: &SqliteRow) -> Result<Self::Whole>;
    /// Reads the columns of a version that the kind adds.
    fn content(row: &SqliteRow) -> Result<Self::Content>;
    /// Binds the columns of an object that the kind adds.
    fn bind_whole<'q>(query: Bound<'q>, _whole: &'q Self::Whole) -> Bound<'q> {
        query
    }
    /// Binds the columns of a version that the kind adds and that can change.
    fn bind_changing<'q>(query: Bound<'q>, content: &'q Self::Content) -> Bound<'q>;
    /// Binds those that never change.
    fn bind_fixed<'q>(query: Bound<'q>, content: &'q Self::Content) -> Bound<'q>;
}

fn query<'q>(sql: String) -> Bound<'q> {
    sqlx::query(AssertSqlSafe(sql))
}

/// Reads the row of an object.
pub(super) fn object<K: Stored>(tx: &mut Tx, row: &SqliteRow) -> Result<Object<K>> {
    tx.saw(K::OBJECTS, row.cell::<i64>("id")?);
    let deleted_at = row.optional_time("deleted_at")?;
    let purge_at = row.optional_time("purge_at")?;
    Ok(Object {
        id: row.cell("id")?,
        vault: row.cell("vault")?,
        name: row.cell("name")?,
        deleted: deleted_at.zip(purge_at).map(|(at, purge_at)| Deletion { at, purge_at }),
        own: K::whole(row)?,
    })
}

fn version<K: Stored>(tx: &mut Tx, row: &SqliteRow) -> Result<Version<K>> {
    tx.saw(K::VERSIONS_OF, row.cell::<i64>("id")?);
    Ok(Version {
        id: row.cell("id")?,
        object: row.cell(K::PARENT)?,
        version: row.cell("version")?,
        enabled: row.cell("enabled")?,
        not_before: row.cell("not_before")?,
        expires: row.cell("expires")?,
        tags: row.optional_json("tags")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        own: K::content(row)?,
    })
}

/// Binds the columns of every version that can change.
fn bind_changing<'q, K: Stored>(query: Bound<'q>, v: &'q Version<K>) -> Bound<'q> {
    let tags = v.tags.as_ref().map(Value::to_string);
    let query = query.bind(v.enabled).bind(v.not_before).bind(v.expires).bind(tags).bind(v.updated_at.0);
    K::bind_changing(query, &v.own)
}

/// An object by name, living or deleted.
pub async fn find<K: Stored>(tx: &mut Tx, vault: i64, name: &str) -> Result<Option<Object<K>>> {
    let objects = K::OBJECTS;
    let sql = format!("SELECT * FROM {objects} WHERE vault = ? AND name = ?");
    let row = query(sql).bind(vault).bind(name).fetch_optional(tx.conn()).await?;
    row.as_ref().map(|row| object(tx, row)).transpose()
}

/// Adds an object.
pub async fn insert<K: Stored>(tx: &mut Tx, vault: i64, name: &str) -> Result<Object<K>> {
    let objects = K::OBJECTS;
    let sql = format!("INSERT INTO {objects} (vault, name) VALUES (?, ?)");
    let id = query(sql).bind(vault).bind(name).execute(tx.conn()).await?.last_insert_rowid();
    tx.saw(K::OBJECTS, id);
    Ok(Object { id, vault, name: name.to_owned(), deleted: None, own: K::Whole::default() })
}

/// Changes an object: its deletion, and what its kind adds.
pub async fn update<K: Stored>(tx: &mut Tx, o: &Object<K>) -> Result<()> {
    tx.require_seen(K::OBJECTS, o.id)?;
    let query = sqlx::query(K::UPDATE).bind(o.id);
    let query = query.bind(o.deleted.map(|d| d.at.0)).bind(o.deleted.map(|d| d.purge_at.0));
    K::bind_whole(query, &o.own).execute(tx.conn()).await?;
    Ok(())
}

/// Removes an object and its versions for good.
pub async fn purge<K: Stored>(tx: &mut Tx, id: i64) -> Result<()> {
    let objects = K::OBJECTS;
    query(format!("DELETE FROM {objects} WHERE id = ?")).bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// Adds a version; gives its row id.
pub async fn insert_version<K: Stored>(tx: &mut Tx, v: &Version<K>) -> Result<i64> {
    let query = sqlx::query(K::INSERT_VERSION).bind(v.object).bind(&v.version).bind(v.created_at.0);
    let query = K::bind_fixed(bind_changing(query, v), &v.own);
    Ok(query.execute(tx.conn()).await?.last_insert_rowid())
}

/// Changes a version's attributes. What it is made of never changes.
pub async fn update_version<K: Stored>(tx: &mut Tx, v: &Version<K>) -> Result<()> {
    tx.require_seen(K::VERSIONS_OF, v.id)?;
    bind_changing(sqlx::query(K::UPDATE_VERSION).bind(v.id), v).execute(tx.conn()).await?;
    Ok(())
}

/// A version of an object; `None`: the newest.
pub async fn find_version<K: Stored>(tx: &mut Tx, object: i64, wanted: Option<&str>) -> Result<Option<Version<K>>> {
    let versions_of = K::VERSIONS_OF;
    let query = match wanted {
        Some(wanted) => query(format!("SELECT * FROM {versions_of} = ? AND version = ?"))
            .bind(object)
            .bind(wanted.to_ascii_lowercase()),
        None => {
            query(format!("SELECT * FROM {versions_of} = ? ORDER BY created_at DESC, id DESC LIMIT 1")).bind(object)
        }
    };
    query.fetch_optional(tx.conn()).await?.as_ref().map(|row| version(tx, row)).transpose()
}

/// A vault's objects by name, the living or the deleted ones, from the name `from` on.
pub async fn list<K: Stored>(tx: &mut Tx, vault: i64, deleted: bool, from: &str, limit: i64) -> Result<Vec<Object<K>>> {
    let objects = K::OBJECTS;
    let sql = format!(
        "SELECT * FROM {objects} WHERE vault = ? AND (deleted_at IS NOT NULL) = ? AND name >= ? ORDER BY name LIMIT ?"
    );
    let rows = query(sql).bind(vault).bind(deleted).bind(from).bind(limit).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| object(tx, row)).collect()
}

/// An object's versions by version id, as Azure sorts them [recorded], from `from` on.
pub async fn versions<K: Stored>(tx: &mut Tx, object: i64, from: &str, limit: i64) -> Result<Vec<Version<K>>> {
    let versions_of = K::VERSIONS_OF;
    let sql = format!("SELECT * FROM {versions_of} = ? AND version >= ? ORDER BY version LIMIT ?");
    let rows = query(sql).bind(object).bind(from).bind(limit).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| version(tx, row)).collect()
}

/// Removes deleted objects whose time has come. Returns how many.
pub async fn purge_due<K: Stored>(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let objects = K::OBJECTS;
    let sql = format!("DELETE FROM {objects} WHERE purge_at <= ?");
    Ok(query(sql).bind(now.0).execute(tx.conn()).await?.rows_affected())
}

/// When the next deleted object is due to go.
pub async fn next_purge<K: Stored>(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let objects = K::OBJECTS;
    let sql = format!("SELECT min(purge_at) FROM {objects} WHERE purge_at IS NOT NULL");
    let at: Option<i64> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(tx.conn()).await?;
    Ok(at.map(Timestamp))
}
