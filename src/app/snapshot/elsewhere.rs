//! Snapshots that go elsewhere and come from there: as one file, and as the world that a new instance begins with.
//! Must not know: HTTP, what is in an archive.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ABOUT, Refusal, Result, SNAPSHOTS, Snapshot, blocking, check_name, folder, show};
use crate::app::App;
use crate::app::world::clock::Start;
use crate::domain::Error;
use crate::store;

/// Where a snapshot lies, to be written as an archive by [`write`].
pub async fn export(app: &Arc<App>, name: &str) -> Result<PathBuf> {
    show(app, name).await?;
    folder(app, name)
}

/// Writes an archive. Blocks.
pub fn write(app: &App, snapshot: &Path, to: impl Write) -> io::Result<()> {
    store::archive::write(snapshot, app.data_dir(), to)
}

/// Takes an archive in under a name.
pub async fn import(app: &Arc<App>, name: &str, archive: impl Read + Send + 'static) -> Result<Snapshot> {
    let place = folder(app, name)?;
    let _alone = app.snapshots.alone.lock().await;
    if place.exists() {
        return Err(Refusal::Exists(name.to_owned()));
    }
    let draft = app.data_dir().join(SNAPSHOTS).join(format!(".tmp-{name}"));
    store::snapshot::remove_if_there(&draft);
    let taken = take_in(app, name, draft.clone(), archive).await;
    match taken {
        Ok(()) => {
            blocking(move || store::snapshot::name_folder(&draft, &place)).await?;
            show(app, name).await
        }
        Err(refusal) => {
            store::snapshot::remove_if_there(&draft);
            Err(refusal)
        }
    }
}

async fn take_in(app: &Arc<App>, name: &str, draft: PathBuf, archive: impl Read + Send + 'static) -> Result<()> {
    let to = draft.clone();
    let read = blocking(move || store::archive::read(archive, &to)).await?;
    let damaged = |why: String| Refusal::Damaged { name: name.to_owned(), why };
    read.map_err(damaged)?;
    let from = draft.clone();
    let key = blocking(move || store::archive::take_key(&from)).await?;
    let key =
        key.ok_or_else(|| Refusal::Damaged { name: name.to_owned(), why: "it is not a whole snapshot".to_owned() })?;
    if key != app.master.as_slice() {
        return Err(Refusal::Foreign(name.to_owned()));
    }
    about(&draft, name).map(|_| ())
}

fn about(folder: &Path, name: &str) -> Result<Snapshot> {
    let read = store::snapshot::read_file(&folder.join(ABOUT))?;
    super::read_about(name, &read)
}

/// Begins a new world in a data folder with a snapshot: the file of one, or the name of one in another data folder. The
/// clock goes on from when it was saved.
pub async fn begin_with(source: &Path, other: &Path, dir: &Path) -> Result<Start> {
    let unpacked = dir.join(SNAPSHOTS).join(".tmp-begin");
    let (snapshot, key) = if source.is_file() {
        let file = std::fs::File::open(source).map_err(Error::internal)?;
        let name = source.display().to_string();
        store::archive::read(file, &unpacked)?.map_err(|why| Refusal::Damaged { name, why })?;
        (unpacked.clone(), unpacked.clone())
    } else {
        let name = source.to_string_lossy().into_owned();
        check_name(&name).map_err(|_| Refusal::Unknown(name.clone()))?;
        let place = other.join(SNAPSHOTS).join(&name);
        if !place.is_dir() {
            return Err(Refusal::Unknown(name));
        }
        (place, other.to_owned())
    };
    let begun = about(&snapshot, &source.to_string_lossy());
    let begun = match begun {
        Ok(about) if about.schema > store::schema_version() => {
            Err(Refusal::Newer { name: about.name, acrite: about.acrite })
        }
        Ok(about) => store::snapshot::lay_out(&snapshot, &key, dir).await.map(|()| about).map_err(Refusal::from),
        Err(refusal) => Err(refusal),
    };
    store::snapshot::remove_if_there(&unpacked);
    let clock = begun?.clock;
    Ok(Start { at: Some(clock.simulated), rate: clock.rate, frozen: clock.frozen })
}
