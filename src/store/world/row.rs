//! Reading rows: what a column holds that cannot stand there is an error, and never a panic nor something else in its
//! place. A document that is not readable must not pass for an empty one: rights, conditions and firewalls stand in
//! documents.
//! Must not know: any table.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

use crate::domain::{Error, Result, Timestamp};

fn damaged(column: &str, why: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the database is damaged: column {column}: {why}"))
}

/// The cells of a row.
pub trait Cells {
    /// What a column holds.
    fn cell<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&'r self, column: &str) -> Result<T>;

    /// A point in time.
    fn time(&self, column: &str) -> Result<Timestamp> {
        self.cell(column).map(Timestamp)
    }

    /// A point in time, or none.
    fn optional_time(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.cell::<Option<i64>>(column)?.map(Timestamp))
    }

    /// A number of bytes.
    fn bytes(&self, column: &str) -> Result<u64> {
        u64::try_from(self.cell::<i64>(column)?).map_err(|why| damaged(column, why))
    }

    /// JSON of a certain shape.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.cell(column)?).map_err(|why| damaged(column, why))
    }

    /// JSON that stays text: it may be large.
    fn json_text(&self, column: &str) -> Result<String> {
        self.json::<IgnoredAny>(column)?;
        self.cell(column)
    }

    /// JSON of a certain shape, or none.
    fn optional_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text = self.cell::<Option<&str>>(column)?;
        text.map(|text| serde_json::from_str(text).map_err(|why| damaged(column, why))).transpose()
    }

    /// A document: a JSON object.
    fn document(&self, column: &str) -> Result<Value> {
        self.json::<Map<String, Value>>(column).map(Value::Object)
    }

    /// A document, or none.
    fn optional_document(&self, column: &str) -> Result<Option<Value>> {
        Ok(self.optional_json::<Map<String, Value>>(column)?.map(Value::Object))
    }

    /// One of a few words.
    fn word<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let word = self.cell(column)?;
        parse(word).ok_or_else(|| damaged(column, format!("{word:?} is none of its words")))
    }
}

/// The rows that can be read, for what the emulator does by itself: a damaged one must not stop it for all others.
pub fn readable<T>(rows: &[SqliteRow], mut read: impl FnMut(&SqliteRow) -> Result<T>) -> Vec<T> {
    let said = |row| read(row).inspect_err(|damage| tracing::error!("passed over: {damage}")).ok();
    rows.iter().filter_map(said).collect()
}

impl Cells for SqliteRow {
    fn cell<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&'r self, column: &str) -> Result<T> {
        self.try_get(column).map_err(|why| damaged(column, why))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

    use super::*;

    async fn row(columns: &str) -> SqliteRow {
        let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query(AssertSqlSafe(format!("SELECT {columns}"))).fetch_one(&mut database).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_whole_is_read() {
        let row = row("'a' AS text, 7 AS number, '{\"a\":1}' AS doc, '[\"x\"]' AS list, NULL AS empty").await;
        assert_eq!(row.cell::<String>("text").unwrap(), "a");
        assert_eq!(row.time("number").unwrap(), Timestamp(7));
        assert_eq!(row.bytes("number").unwrap(), 7);
        assert_eq!(row.document("doc").unwrap(), serde_json::json!({"a": 1}));
        assert_eq!(row.json::<Vec<String>>("list").unwrap(), ["x"]);
        assert_eq!(row.json_text("list").unwrap(), "[\"x\"]");
        assert_eq!(row.optional_time("empty").unwrap(), None);
        assert_eq!(row.optional_document("empty").unwrap(), None);
        assert_eq!(row.word("text", |word| (word == "a").then_some(1)).unwrap(), 1);
    }

    #[tokio::test]
    async fn what_is_damaged_is_an_error_and_nothing_else() {
        let row = row("CAST(x'fffe' AS TEXT) AS text, -1 AS number, '[]' AS list, '{' AS half, NULL AS empty").await;
        assert!(row.cell::<String>("text").is_err());
        assert!(row.cell::<i64>("text").is_err());
        assert!(row.cell::<String>("no such column").is_err());
        assert!(row.bytes("number").is_err());
        for damaged in ["text", "list", "half", "empty"] {
            assert!(row.document(damaged).is_err(), "{damaged}");
        }
        assert!(row.json::<Vec<String>>("half").is_err());
        assert!(row.json_text("half").is_err());
        assert!(row.optional_document("list").is_err());
        assert!(row.word("half", |word| (word == "a").then_some(1)).is_err());
        assert_eq!(readable(&[row], |row| row.document("half")), Vec::<Value>::new());
    }
}
