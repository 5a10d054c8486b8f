//! Principals, groups, app registrations and their secrets.
//! Must not know: tokens, rights.

pub mod deleted;
pub mod identities;

use sqlx::sqlite::SqliteRow;

use crate::domain::Result;
use crate::domain::directory::applications::{Application, FederatedCredential, Password};
use crate::domain::directory::identity::{Principal, PrincipalKind, Standing};
use crate::store::Tx;
use crate::store::world::row::Cells as _;

fn principal(tx: &mut Tx, row: &SqliteRow) -> Result<Principal> {
    tx.saw("principals", row.cell::<&str>("object_id")?);
    Ok(Principal {
        object_id: row.cell("object_id")?,
        app_id: row.cell("app_id")?,
        kind: row.word("kind", PrincipalKind::parse)?,
        display_name: row.cell("display_name")?,
        resource_id: row.cell("resource_id")?,
        created_at: row.time("created_at")?,
        doc: row.document("doc")?,
    })
}

/// Adds a principal.
pub async fn insert(tx: &mut Tx, p: &Principal) -> Result<()> {
    sqlx::query(
        "INSERT INTO principals (object_id, app_id, kind, display_name, resource_id, created_at, doc)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&p.object_id)
    .bind(&p.app_id)
    .bind(p.kind.as_str())
    .bind(&p.display_name)
    .bind(&p.resource_id)
    .bind(p.created_at.0)
    .bind(p.doc.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A principal by object id.
pub async fn by_object(tx: &mut Tx, object_id: &str) -> Result<Option<Principal>> {
    let row = sqlx::query("SELECT * FROM principals WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| principal(tx, row)).transpose()
}

/// A principal by application id.
pub async fn by_app(tx: &mut Tx, app_id: &str) -> Result<Option<Principal>> {
    let row = sqlx::query("SELECT * FROM principals WHERE app_id = ?")
        .bind(app_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| principal(tx, row)).transpose()
}

/// Whom of the directory is meant.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// By object id.
    Object(&'a str),
    /// By application id.
    App(&'a str),
}

/// A principal as it stands now.
pub async fn standing(tx: &mut Tx, who: Who<'_>) -> Result<Option<Standing>> {
    let (column, id) = match who {
        Who::Object(id) => ("object_id", id),
        Who::App(id) => ("app_id", id),
    };
    let sql = format!(
        "WITH RECURSIVE own AS (SELECT * FROM principals WHERE {column} = ?),
           up (id) AS (
             SELECT group_id FROM group_members WHERE member_id = (SELECT object_id FROM own)
             UNION SELECT g.group_id FROM group_members g JOIN up ON g.member_id = up.id)
         SELECT own.*, a.doc AS application, (SELECT json_group_array(id) FROM up) AS groups
         FROM own LEFT JOIN applications a ON a.app_id = own.app_id"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_ascii_lowercase()).fetch_optional(tx.conn()).await?;
    let Some(row) = row else { return Ok(None) };
    let (groups, application) = (row.json("groups")?, row.optional_document("application")?);
    Ok(Some(Standing { principal: principal(tx, &row)?, groups, application }))
}

/// All principals, oldest first.
pub async fn all(tx: &mut Tx) -> Result<Vec<Principal>> {
    let rows = sqlx::query("SELECT * FROM principals ORDER BY created_at, object_id").fetch_all(tx.conn()).await?;
    rows.iter().map(|row| principal(tx, row)).collect()
}

/// The principals of one kind, oldest first.
pub async fn of_kind(tx: &mut Tx, kind: PrincipalKind) -> Result<Vec<Principal>> {
    let rows = sqlx::query("SELECT * FROM principals WHERE kind = ? ORDER BY created_at, object_id")
        .bind(kind.as_str())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| principal(tx, row)).collect()
}

/// Keeps a principal's new name and document.
pub async fn update(tx: &mut Tx, p: &Principal) -> Result<()> {
    tx.require_seen("principals", &p.object_id)?;
    sqlx::query("UPDATE principals SET display_name = ?, doc = ? WHERE object_id = ?")
        .bind(&p.display_name)
        .bind(p.doc.to_string())
        .bind(&p.object_id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a principal. Its tokens stop working at once.
pub async fn delete(tx: &mut Tx, object_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM principals WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Ids of the groups a principal is in, by itself or through groups that are in groups.
pub async fn groups_of(tx: &mut Tx, object_id: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "WITH RECURSIVE up (id) AS (
           SELECT group_id FROM group_members WHERE member_id = ?
           UNION SELECT g.group_id FROM group_members g JOIN up ON g.member_id = up.id)
         SELECT id FROM up",
    )
    .bind(object_id)
    .fetch_all(tx.conn())
    .await?)
}

/// Ids of the groups a principal is in by itself.
pub async fn direct_groups_of(tx: &mut Tx, object_id: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT group_id FROM group_members WHERE member_id = ?")
        .bind(object_id)
        .fetch_all(tx.conn())
        .await?)
}

/// The direct members of a group.
pub async fn members(tx: &mut Tx, group_id: &str) -> Result<Vec<Principal>> {
    let rows = sqlx::query(
        "SELECT p.* FROM principals p JOIN group_members m ON m.member_id = p.object_id WHERE m.group_id = ?
         ORDER BY p.created_at, p.object_id",
    )
    .bind(group_id)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| principal(tx, row)).collect()
}

/// Puts a principal into a group. `false`: it was there.
pub async fn add_member(tx: &mut Tx, group_id: &str, member_id: &str) -> Result<bool> {
    let done = sqlx::query("INSERT OR IGNORE INTO group_members (group_id, member_id) VALUES (?, ?)")
        .bind(group_id)
        .bind(member_id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes a principal out of a group. `false`: it was not there.
pub async fn remove_member(tx: &mut Tx, group_id: &str, member_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM group_members WHERE group_id = ? AND member_id = ?")
        .bind(group_id)
        .bind(member_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The owners of an application, service principal or group.
pub async fn owners(tx: &mut Tx, owned_id: &str) -> Result<Vec<Principal>> {
    let rows = sqlx::query(
        "SELECT p.* FROM principals p JOIN owners o ON o.owner_id = p.object_id WHERE o.owned_id = ?
         ORDER BY p.created_at, p.object_id",
    )
    .bind(owned_id)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| principal(tx, row)).collect()
}

/// Adds an owner. `false`: it was one.
pub async fn add_owner(tx: &mut Tx, owned_id: &str, owner_id: &str) -> Result<bool> {
    let done = sqlx::query("INSERT OR IGNORE INTO owners (owned_id, owner_id) VALUES (?, ?)")
        .bind(owned_id)
        .bind(owner_id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes an owner. `false`: it was none.
pub async fn remove_owner(tx: &mut Tx, owned_id: &str, owner_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM owners WHERE owned_id = ? AND owner_id = ?")
        .bind(owned_id)
        .bind(owner_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets who owned something.
pub async fn remove_owners_of(tx: &mut Tx, owned_id: &str) -> Result<()> {
    sqlx::query("DELETE FROM owners WHERE owned_id = ?").bind(owned_id).execute(tx.conn()).await?;
    Ok(())
}

fn application(tx: &mut Tx, row: &SqliteRow) -> Result<Application> {
    tx.saw("applications", row.cell::<&str>("object_id")?);
    Ok(Application {
        object_id: row.cell("object_id")?,
        app_id: row.cell("app_id")?,
        display_name: row.cell("display_name")?,
        created_at: row.time("created_at")?,
        doc: row.document("doc")?,
    })
}

/// Adds an app registration.
pub async fn insert_application(tx: &mut Tx, a: &Application) -> Result<()> {
    sqlx::query("INSERT INTO applications (object_id, app_id, display_name, created_at, doc) VALUES (?, ?, ?, ?, ?)")
        .bind(&a.object_id)
        .bind(&a.app_id)
        .bind(&a.display_name)
        .bind(a.created_at.0)
        .bind(a.doc.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps an app registration's new name and document.
pub async fn update_application(tx: &mut Tx, a: &Application) -> Result<()> {
    tx.require_seen("applications", &a.object_id)?;
    sqlx::query("UPDATE applications SET display_name = ?, doc = ? WHERE object_id = ?")
        .bind(&a.display_name)
        .bind(a.doc.to_string())
        .bind(&a.object_id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// An app registration by object id.
pub async fn application_by_object(tx: &mut Tx, object_id: &str) -> Result<Option<Application>> {
    let row = sqlx::query("SELECT * FROM applications WHERE object_id = ?")
        .bind(object_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| application(tx, row)).transpose()
}

/// An app registration by application id.
pub async fn application_by_app(tx: &mut Tx, app_id: &str) -> Result<Option<Application>> {
    let row = sqlx::query("SELECT * FROM applications WHERE app_id = ?")
        .bind(app_id.to_ascii_lowercase())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| application(tx, row)).transpose()
}

/// All app registrations, oldest first.
pub async fn applications(tx: &mut Tx) -> Result<Vec<Application>> {
    let rows = sqlx::query("SELECT * FROM applications ORDER BY created_at, object_id").fetch_all(tx.conn()).await?;
    rows.iter().map(|row| application(tx, row)).collect()
}

/// Removes an app registration.
pub async fn delete_application(tx: &mut Tx, object_id: &str) -> Result<()> {
    sqlx::query("DELETE FROM applications WHERE object_id = ?").bind(object_id).execute(tx.conn()).await?;
    Ok(())
}

/// Adds a client secret.
pub async fn add_password(tx: &mut Tx, p: &Password) -> Result<()> {
    sqlx::query(
        "INSERT INTO passwords (key_id, app_id, holder, display_name, hint, hash, starts_at, ends_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&p.key_id)
    .bind(&p.app_id)
    .bind(&p.holder)
    .bind(&p.display_name)
    .bind(&p.hint)
    .bind(&p.hash)
    .bind(p.starts_at.0)
    .bind(p.ends_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn password(row: &SqliteRow) -> Result<Password> {
    Ok(Password {
        key_id: row.cell("key_id")?,
        app_id: row.cell("app_id")?,
        holder: row.cell("holder")?,
        display_name: row.cell("display_name")?,
        hint: row.cell("hint")?,
        hash: row.cell("hash")?,
        starts_at: row.time("starts_at")?,
        ends_at: row.time("ends_at")?,
    })
}

/// The client secrets that open an application, whether it or its service principal shows them. The newest first
/// [recorded].
pub async fn passwords(tx: &mut Tx, app_id: &str) -> Result<Vec<Password>> {
    let rows = sqlx::query("SELECT * FROM passwords WHERE app_id = ? ORDER BY rowid DESC")
        .bind(app_id.to_ascii_lowercase())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(password).collect()
}

/// Removes a client secret.
pub async fn remove_password(tx: &mut Tx, holder: &str, key_id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM passwords WHERE holder = ? AND key_id = ?")
        .bind(holder)
        .bind(key_id.to_ascii_lowercase())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes all client secrets that an application or service principal shows.
pub async fn remove_passwords_of(tx: &mut Tx, holder: &str) -> Result<()> {
    sqlx::query("DELETE FROM passwords WHERE holder = ?").bind(holder).execute(tx.conn()).await?;
    Ok(())
}

fn federated_credential(row: &SqliteRow) -> Result<FederatedCredential> {
    Ok(FederatedCredential {
        id: row.cell("id")?,
        app_id: row.cell("app_id")?,
        name: row.cell("name")?,
        issuer: row.cell("issuer")?,
        subject: row.cell("subject")?,
        audiences: row.json("audiences")?,
        description: row.cell("description")?,
    })
}

/// The federated credentials of an application or user-assigned identity, by name.
pub async fn federated_credentials(tx: &mut Tx, app_id: &str) -> Result<Vec<FederatedCredential>> {
    tx.saw("federated_credentials", app_id.to_ascii_lowercase());
    let rows = sqlx::query("SELECT * FROM federated_credentials WHERE app_id = ? ORDER BY name")
        .bind(app_id.to_ascii_lowercase())
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(federated_credential).collect()
}

/// Adds a federated credential, or replaces the one of this name.
pub async fn save_federated_credential(tx: &mut Tx, c: &FederatedCredential) -> Result<()> {
    tx.require_seen("federated_credentials", c.app_id.to_ascii_lowercase())?;
    sqlx::query(
        "INSERT INTO federated_credentials (id, app_id, name, issuer, subject, audiences, description)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (app_id, name) DO UPDATE SET issuer = excluded.issuer, subject = excluded.subject,
           audiences = excluded.audiences, description = excluded.description",
    )
    .bind(&c.id)
    .bind(&c.app_id)
    .bind(&c.name)
    .bind(&c.issuer)
    .bind(&c.subject)
    .bind(serde_json::json!(c.audiences).to_string())
    .bind(&c.description)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a federated credential. `false`: there was none.
pub async fn delete_federated_credential(tx: &mut Tx, app_id: &str, name: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM federated_credentials WHERE app_id = ? AND name = ?")
        .bind(app_id)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes all federated credentials of an application or identity.
pub async fn delete_federated_credentials(tx: &mut Tx, app_id: &str) -> Result<()> {
    sqlx::query("DELETE FROM federated_credentials WHERE app_id = ?").bind(app_id).execute(tx.conn()).await?;
    Ok(())
}

/// Has the principals of a resource, and of what lies in it, name it by another id.
pub async fn rename(tx: &mut Tx, from: &str, to: &str) -> Result<()> {
    sqlx::query(
        "UPDATE principals SET resource_id = ?2 || substr(resource_id, length(?1) + 1)
         WHERE lower(resource_id) = lower(?1) OR lower(substr(resource_id, 1, length(?1) + 1)) = lower(?1) || '/'",
    )
    .bind(from)
    .bind(to)
    .execute(tx.conn())
    .await?;
    Ok(())
}
