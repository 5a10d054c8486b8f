//! Saves the world under a name and loads it again, while requests go on: what was answered by then is wholly in a
//! snapshot, and what is answered after a load belongs to the world that was loaded.
//! Must not know: what a table or a file holds.

mod diff;
pub mod elsewhere;

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::app::registry::{content, tasks};
use crate::app::world::clock;
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::error::Unavailable;
use crate::domain::world::crypto;
use crate::domain::world::time::ClockSetting;
use crate::domain::{Error, Timestamp};
use crate::store;
use crate::store::archive::ABOUT;
use crate::store::snapshot::{DATABASE, SNAPSHOTS};

/// The format of a snapshot's folder. Raised when a version could no longer read what an older one saved.
const FORMAT: u32 = 1;
/// The snapshot of a world as it was seeded, for `reset`.
pub const START: &str = "start";
/// Letters of a name at most.
const LONGEST: usize = 64;

/// Who saves, loads or removes a snapshot does it alone, and no file of a blob is removed meanwhile.
#[derive(Debug, Default)]
pub struct Turn {
    alone: Mutex<()>,
    pub(in crate::app) sweeping: Mutex<()>,
}

/// What is known of a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    pub name: String,
    /// Machine time, RFC 3339.
    pub saved_at: String,
    /// The emulator's time when it was saved.
    pub time: String,
    /// The version of acrite that saved it.
    pub acrite: String,
    pub format: u32,
    /// The version of the database's schema.
    pub schema: i64,
    pub blobs: usize,
    /// Bytes of the blobs, before they were sealed.
    pub bytes: i64,
    /// What the clock showed.
    #[schemars(with = "serde_json::Value")]
    clock: ClockSetting,
}

/// Why a snapshot is not saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("there is no snapshot {0}")]
    Unknown(String),
    #[error("there is a snapshot {0} already: delete it first, or choose another name")]
    Exists(String),
    #[error("a snapshot's name has 1 to {LONGEST} letters, digits, '-', '_' or '.', and begins with a letter or digit")]
    Name,
    #[error("snapshot {name} was saved by acrite {acrite}, which is newer than this one ({}): use that version", env!("CARGO_PKG_VERSION"))]
    Newer { name: String, acrite: String },
    #[error("snapshot {0} is of a world with another master key: only `acrite exec --snapshot` can start from it")]
    Foreign(String),
    #[error("snapshot {name} is damaged: {why}")]
    Damaged { name: String, why: String },
    #[error(transparent)]
    Failed(#[from] Error),
}

type Result<T> = std::result::Result<T, Refusal>;

fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good =
        name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain);
    if good { Ok(()) } else { Err(Refusal::Name) }
}

fn folder(app: &App, name: &str) -> Result<PathBuf> {
    check_name(name)?;
    Ok(app.data_dir().join(SNAPSHOTS).join(name))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> crate::domain::Result<T> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(Error::internal)??)
}

/// Does on a thread of its own what is no part of a request: opening databases and emulators.
async fn aside<T, F>(make: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = crate::domain::Result<T>>,
{
    let runtime = tokio::runtime::Handle::current();
    Ok(tokio::task::spawn_blocking(move || runtime.block_on(make())).await.map_err(Error::internal)??)
}

/// Saves the world as it is.
pub async fn save(app: &Arc<App>, name: &str) -> Result<Snapshot> {
    let place = folder(app, name)?;
    let _alone = app.snapshots.alone.lock().await;
    if place.exists() {
        return Err(Refusal::Exists(name.to_owned()));
    }
    let all = app.data_dir().join(SNAPSHOTS);
    store::snapshot::make_folder(&all)?;
    let draft = all.join(format!(".tmp-{name}"));
    store::snapshot::remove_if_there(&draft);
    let saved = save_into(app, name, draft.clone()).await;
    match saved {
        Ok(saved) => blocking(move || store::snapshot::name_folder(&draft, &place)).await.map(|()| saved),
        Err(refusal) => {
            store::snapshot::remove_if_there(&draft);
            Err(refusal)
        }
    }
}

async fn save_into(app: &Arc<App>, name: &str, draft: PathBuf) -> Result<Snapshot> {
    store::snapshot::make_folder(&draft)?;
    // Nobody else writes from here on, so the copy and the files are of one state.
    let mut cx = app.write(Caller::system()).await?;
    app.store.copy_into(&draft.join(DATABASE)).await?;
    let (files, bytes) = store::snapshot::blob_files(&mut cx.tx).await?;
    let (blobs, from, to) = (files.len(), app.data_dir().to_owned(), draft.clone());
    blocking(move || store::snapshot::link_blobs(&from, &to, &files)).await?;
    let machine = clock::machine();
    let setting = app.clock.setting();
    drop(cx);
    let database = draft.join(DATABASE);
    let schema = aside(move || async move { store::snapshot::schema_of(&database).await }).await?;
    let about = Snapshot {
        name: name.to_owned(),
        saved_at: machine.zulu3(),
        time: setting.at(machine).zulu3(),
        acrite: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT,
        schema,
        blobs,
        bytes,
        clock: setting.showing(setting.at(machine), machine),
    };
    let text = serde_json::to_vec_pretty(&about).map_err(Error::internal)?;
    blocking(move || store::snapshot::write_file(&draft.join(ABOUT), &text)).await?;
    Ok(about)
}

/// What is known of a snapshot.
pub async fn show(app: &Arc<App>, name: &str) -> Result<Snapshot> {
    let place = folder(app, name)?;
    if !place.is_dir() {
        return Err(Refusal::Unknown(name.to_owned()));
    }
    let read = blocking(move || store::snapshot::read_file(&place.join(ABOUT))).await?;
    read_about(name, &read)
}

/// What a snapshot tells of itself.
fn read_about(name: &str, read: &[u8]) -> Result<Snapshot> {
    let damaged = |why: String| Refusal::Damaged { name: name.to_owned(), why };
    let document: serde_json::Value = serde_json::from_slice(read).map_err(|error| damaged(error.to_string()))?;
    // Of a newer format only this much is known.
    if document["format"].as_u64() > Some(u64::from(FORMAT)) {
        let acrite = document["acrite"].as_str().unwrap_or("of an unknown version").to_owned();
        return Err(Refusal::Newer { name: name.to_owned(), acrite });
    }
    let about: Snapshot = serde_json::from_value(document).map_err(|error| damaged(error.to_string()))?;
    Ok(Snapshot { name: name.to_owned(), ..about })
}

/// All snapshots, by name. Those that cannot be read are left out.
pub async fn list(app: &Arc<App>) -> Result<Vec<Snapshot>> {
    let all = app.data_dir().join(SNAPSHOTS);
    let mut names = blocking(move || Ok(store::snapshot::folders(&all))).await?;
    names.sort();
    let mut found = Vec::new();
    for name in names {
        match show(app, &name).await {
            Ok(snapshot) => found.push(snapshot),
            Err(refusal) => tracing::warn!("{refusal}"),
        }
    }
    Ok(found)
}

/// Deletes a snapshot.
pub async fn delete(app: &Arc<App>, name: &str) -> Result<()> {
    let place = folder(app, name)?;
    let _alone = app.snapshots.alone.lock().await;
    if !place.is_dir() {
        return Err(Refusal::Unknown(name.to_owned()));
    }
    // First out of sight, so that nobody finds half of it.
    let gone = app.data_dir().join(SNAPSHOTS).join(format!(".tmp-gone-{name}"));
    blocking(move || {
        store::snapshot::name_folder(&place, &gone)?;
        store::snapshot::remove_if_there(&gone);
        Ok(())
    })
    .await
}

/// What differs between a snapshot and the world as it is now, or another snapshot: a sentence for each difference.
pub async fn differences(app: &Arc<App>, name: &str, with: Option<&str>) -> Result<Vec<String>> {
    let _alone = app.snapshots.alone.lock().await;
    let before = diff::of_snapshot(app, name).await?;
    let after = match with {
        Some(with) => diff::of_snapshot(app, with).await?,
        None => diff::of_world(app).await?,
    };
    Ok(diff::sentences(&before, &after))
}

/// Puts a snapshot in the place of the world.
pub async fn load(app: &Arc<App>, name: &str) -> Result<Snapshot> {
    let place = folder(app, name)?;
    let alone = app.snapshots.alone.lock().await;
    let about = show(app, name).await?;
    if !place.join(DATABASE).is_file() {
        return Err(Refusal::Damaged { name: name.to_owned(), why: "its database is missing".to_owned() });
    }
    let ours = store::schema_version();
    if about.schema > ours {
        return Err(Refusal::Newer { name: name.to_owned(), acrite: about.acrite });
    }
    if about.schema < ours {
        let old = place.clone();
        aside(move || async move { store::snapshot::update(&old).await }).await?;
    }
    let clock = about.clock;
    put_in_place(app, &alone, &about.name, place, clock).await?;
    drop(alone);
    // Runs that were under way when it was saved are so no more.
    tasks::runner::settle_in(app).await?;
    content::sweep(app).await?;
    Ok(about)
}

/// Puts the world back as it began: as it was seeded, or else empty.
pub async fn reset(app: &Arc<App>) -> Result<()> {
    match load(app, START).await {
        Err(Refusal::Unknown(_)) => {}
        other => return other.map(|_| ()),
    }
    let alone = app.snapshots.alone.lock().await;
    let all = app.data_dir().join(SNAPSHOTS);
    store::snapshot::make_folder(&all)?;
    let draft = all.join(".tmp-reset");
    store::snapshot::remove_if_there(&draft);
    store::snapshot::make_folder(&draft.join(store::registry::blobs::BLOBS))?;
    let empty = draft.clone();
    aside(move || async move { store::snapshot::update(&empty).await }).await?;
    let done = put_in_place(app, &alone, "", draft.clone(), ClockSetting::real(clock::machine())).await;
    store::snapshot::remove_if_there(&draft);
    done?;
    drop(alone);
    let settling = app.clone();
    aside(move || async move { crate::app::directory::identities::settle_in(&settling).await }).await?;
    content::sweep(app).await?;
    Ok(())
}

/// The one transaction that makes the world another one. `name` is empty for one that was never saved.
async fn put_in_place(
    app: &Arc<App>,
    _alone: &MutexGuard<'_, ()>,
    name: &str,
    place: PathBuf,
    setting: ClockSetting,
) -> Result<()> {
    // A jump of the clock ends first, and no file goes that is about to be named again.
    let _changing = app.poll.changing.lock().await;
    let _sweeping = app.snapshots.sweeping.lock().await;
    let mut tx = app.begin_beside(&place.join(DATABASE)).await?;
    let damaged = |why: Error| match why {
        Error::Internal(_) | Error::Unavailable(Unavailable::Failed) => {
            tracing::warn!("snapshot {name} is damaged: {why}");
            let why = "a file of it is missing or cannot be read".to_owned();
            Refusal::Damaged { name: name.to_owned(), why }
        }
        other => other.into(),
    };
    if !name.is_empty() {
        let seal = store::snapshot::value(&mut tx, "seal").await.map_err(damaged)?.unwrap_or_default();
        crypto::open(&app.master, b"world", &seal).map_err(|_| Refusal::Foreign(name.to_owned()))?;
    }
    let files = store::snapshot::blob_files_beside(&mut tx).await.map_err(damaged)?;
    let to = app.data_dir().to_owned();
    let linked = tokio::task::spawn_blocking(move || store::snapshot::link_blobs(&place, &to, &files)).await;
    linked.map_err(Error::internal)?.map_err(damaged)?;
    store::snapshot::take_over(&mut tx).await.map_err(damaged)?;
    let machine = clock::machine();
    app.clock.set(&mut tx, setting.showing(setting.simulated, machine)).await?;
    let forgetful = app.clone();
    tx.then(move || forgetful.uploads.forget_all());
    let mut cx = Cx::new(app, tx, Caller::system());
    cx.note(&loaded(name, setting.simulated));
    cx.commit().await?;
    Ok(())
}

/// What the audit log is told: what comes after it belongs to another world than what came before.
fn loaded(name: &str, at: Timestamp) -> serde_json::Value {
    let (operation, id) = if name.is_empty() { ("SnapshotReset", "an empty world") } else { ("SnapshotLoad", name) };
    json!({
        "time": at.zulu7(), "category": "Administrative", "operationName": operation, "resultType": "Success",
        "correlationId": super::guid(), "callerIpAddress": "127.0.0.1", "identity": {}, "properties": {"id": id},
        "resourceId": "", "resultSignature": "OK",
    })
}
