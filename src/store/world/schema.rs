//! The schema: migrations, run when a data folder is opened.
//! Must not know: what the tables are for.

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqlitePool;

use crate::domain::{Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Runs the migrations that are new to a data folder: all of them or none, which also spares a new folder waiting for
/// the disk after each. Foreign keys are off meanwhile: a migration that makes a table anew drops the old one, and that
/// would take the rows of other tables with it.
pub async fn bring_up_to_date(writer: &SqlitePool) -> Result<()> {
    let mut connection = writer.acquire().await?;
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *connection).await?;
    let mut all = connection.begin().await?;
    MIGRATIONS.run(&mut *all).await.map_err(Error::internal)?;
    all.commit().await?;
    sqlx::query("PRAGMA foreign_keys = ON").execute(&mut *connection).await?;
    Ok(())
}

/// The newest version.
pub fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::store::Store;

    async fn pool(dir: &std::path::Path) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(dir.join("acrite.db")).create_if_missing(true);
        SqlitePoolOptions::new().max_connections(1).connect_with(options.foreign_keys(true)).await.unwrap()
    }

    /// A data folder as it was before migration `version`, with `rows` in it.
    async fn before(version: i64, rows: &'static str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let pool = pool(dir.path()).await;
        let old = MIGRATIONS.iter().filter(|m| m.version < version).cloned().collect();
        Migrator::with_migrations(old).run(&pool).await.unwrap();
        sqlx::raw_sql(rows).execute(&pool).await.unwrap();
        pool.close().await;
        dir
    }

    async fn number(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
    }

    /// A row in every table that migration 60 makes anew, and in all that hang on them.
    const WORLD: &str = "
        INSERT INTO vaults (id, name, resource_group, location, properties, created_by, created_at, modified_by, modified_at)
            VALUES (3, 'v', 'g', 'l', '{}', 'd', 1, 'd', 1);
        INSERT INTO keys (id, vault, name, near_expiry_at) VALUES (4, 3, 'k', 77);
        INSERT INTO key_versions (id, key, version, kty, public_jwk, private_key, key_ops, enabled, created_at, updated_at)
            VALUES (5, 4, 'ab', 'RSA', '{}', x'01', '[]', 1, 1, 1);
        INSERT INTO secrets (id, vault, name) VALUES (6, 3, 's');
        INSERT INTO secret_versions (id, secret, version, sealed, enabled, created_at, updated_at) VALUES (7, 6, 'cd', x'02', 1, 1, 1);
        INSERT INTO registries (id, name, resource_group, location, sku, properties, wrapped_dek, created_by, created_at, modified_by, modified_at)
            VALUES (8, 'r', 'g', 'l', 'Premium', '{\"policies\":{\"retentionPolicy\":{\"status\":\"enabled\"}}}', x'03', 'd', 1, 'd', 1);
        INSERT INTO admin_passwords (registry, name, sealed) VALUES (8, 'password', x'04');
        INSERT INTO registry_children (id, registry, kind, name, properties, created_by, created_at, modified_by, modified_at)
            VALUES (9, 8, 'tokens', 't', '{}', 'd', 1, 'd', 1);
        INSERT INTO token_passwords (token, name, hash, created_at) VALUES (9, 'password1', x'05', 1);
        INSERT INTO webhook_events (id, webhook, sealed) VALUES (10, 9, x'06');
        INSERT INTO repositories (id, registry, name, created_at, updated_at, gone) VALUES (11, 8, 'app', 1, 1, 1);
        INSERT INTO blobs (id, registry, digest, size, file, created_at) VALUES (12, 8, 'sha256:b', 7, 'f', 1);
        INSERT INTO repository_blobs (repository, blob, idle_since) VALUES (11, 12, 5);
        INSERT INTO manifests (id, repository, digest, media_type, size, image_size, sealed, about, created_at, updated_at, untagged_at, quarantine)
            VALUES (13, 11, 'sha256:m', 'm', 1, 1, x'07', x'08', 1, 1, 6, 'Failed');
        INSERT INTO manifest_references (manifest, digest) VALUES (13, 'sha256:b');
        INSERT INTO tags (repository, name, manifest, created_at, updated_at) VALUES (11, 'v1', 13, 1, 1);
        INSERT INTO deleted_manifests (id, repository, digest, media_type, size, image_size, sealed, about, named, created_at, deleted_at)
            VALUES (14, 11, 'sha256:d', 'm', 1, 1, x'09', x'0a', '[]', 1, 1);
        INSERT INTO deleted_tags (repository, name, digest, deleted_at) VALUES (11, 'v0', 'sha256:d', 1);
        INSERT INTO uploads (uuid, registry, repository, started_at) VALUES ('u', 8, 'app', 1);";

    /// The tables of [`WORLD`]; without upload sessions, which migration 61 ends.
    const TABLES: [&str; 18] = [
        "vaults",
        "keys",
        "key_versions",
        "secrets",
        "secret_versions",
        "registries",
        "admin_passwords",
        "registry_children",
        "token_passwords",
        "webhook_events",
        "repositories",
        "blobs",
        "repository_blobs",
        "manifests",
        "manifest_references",
        "tags",
        "deleted_manifests",
        "deleted_tags",
    ];

    #[tokio::test]
    async fn an_old_data_folder_keeps_its_rows_and_gives_no_id_twice() {
        let dir = before(60, WORLD).await;
        Store::open(dir.path(), true).await.unwrap().close().await;
        let pool = pool(dir.path()).await;
        let mut connection = pool.acquire().await.unwrap();
        let c = &mut *connection;
        for table in TABLES {
            let count = format!("SELECT count(*) FROM {table}");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut *c).await.unwrap();
            assert_eq!(count, 1, "{table} keeps its row");
        }
        // Columns that came after their table came along.
        assert_eq!(number(c, "SELECT near_expiry_at FROM keys").await, 77);
        assert_eq!(number(c, "SELECT gone FROM repositories").await, 1);
        assert_eq!(number(c, "SELECT untagged_at FROM manifests WHERE quarantine = 'Failed'").await, 6);
        assert_eq!(number(c, "SELECT count(*) FROM pragma_foreign_key_check").await, 0);
        // Deleting still reaches all below, and a file without a row is still doomed.
        c.transaction(|tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM registries").execute(&mut **tx).await?;
                sqlx::query("DELETE FROM vaults").execute(&mut **tx).await
            })
        })
        .await
        .unwrap();
        for table in TABLES {
            let count = format!("SELECT count(*) FROM {table}");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut *c).await.unwrap();
            assert_eq!(count, 0, "{table} is emptied");
        }
        assert_eq!(number(c, "SELECT count(*) FROM doomed_files WHERE path = 'blobs/f'").await, 1);
        let again = "INSERT INTO vaults (name, resource_group, location, properties, created_by, created_at, modified_by, modified_at)
            VALUES ('v', 'g', 'l', '{}', 'd', 1, 'd', 1) RETURNING id";
        assert_eq!(number(c, again).await, 4, "the id of the vault that is gone was 3");
    }

    #[tokio::test]
    async fn every_id_is_given_once() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path(), false).await.unwrap().close().await;
        let pool = pool(dir.path()).await;
        // A key that is another table's id is given there.
        let reusing: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%INTEGER PRIMARY KEY%'
               AND sql NOT LIKE '%INTEGER PRIMARY KEY AUTOINCREMENT%'
               AND sql NOT LIKE '%INTEGER PRIMARY KEY REFERENCES%ON DELETE CASCADE%'",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(reusing, Vec::<String>::new());
        // The connection that migrated goes on to write: its foreign keys are on again.
        let store = Store::open(dir.path(), false).await.unwrap();
        let mut tx = store.write().await.unwrap();
        assert_eq!(number(tx.conn(), "PRAGMA foreign_keys").await, 1);
    }
}
