//! Blobs, once they are whole: find, read, mount, delete.
//! Must not know: how they came to be (see uploads).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};

use super::{Inside, Writing, blocking, sweep};
use crate::app::registry::rights::Need;
use crate::app::{App, Cx};
use crate::domain::error::ContentError;
use crate::domain::registry::content::Digest;
use crate::domain::registry::envelope::{Attempts, BlobKey, CHUNK, HEADER, chunk_offset, sealed_size};
use crate::domain::world::time::HOUR;
use crate::domain::{Error, Result, Timestamp};
use crate::store;
use crate::store::registry::blobs::Stored;

/// Chunks that are read and opened at a time: 512 KiB.
const BATCH: u64 = 8;

/// A blob as its repository sees it.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Its size in bytes.
    pub size: u64,
    /// The row id of the repository.
    pub(super) repository: i64,
    id: i64,
    file: String,
    attempts: Attempts,
    idle_since: Option<Timestamp>,
}

/// A blob of a repository.
pub async fn find(cx: &mut Cx, inside: &Inside, repository: &str, digest: &Digest) -> Result<Blob> {
    let found =
        store::registry::content::find_blob(&mut cx.tx, inside.registry.id, repository, digest.as_str()).await?;
    let found = found.ok_or_else(|| ContentError::BlobUnknown(digest.to_string()))?;
    if !found.readable {
        return Err(ContentError::Locked.into());
    }
    let store::registry::content::Blob { id, repository, size, file, attempts, idle_since, .. } = found;
    Ok(Blob { size, repository, id, file, attempts, idle_since })
}

/// Whoever asks whether a blob is there may be about to push a manifest that names it: where none does so far,
/// its time begins anew.
pub async fn expect_use(app: &Arc<App>, inside: &Inside, blob: &Blob) -> Result<()> {
    // Not at each question: an hour's difference is nothing to a day.
    if blob.idle_since.is_none_or(|since| app.now() < since.plus(HOUR)) {
        return Ok(());
    }
    let mut writing = inside.write(app).await?;
    let cx = &mut writing.cx;
    store::registry::ageing::touch_idle(&mut cx.tx, blob.id, cx.now).await?;
    writing.commit().await
}

/// A blob being read: where the next batch begins.
struct Reading {
    key: BlobKey,
    file: Stored,
    size: u64,
    wanted: Range<u64>,
}

impl Reading {
    fn open(
        blobs: &store::registry::blobs::Blobs,
        inside_dek: &crate::domain::registry::envelope::Dek,
        blob: &Blob,
        wanted: Range<u64>,
    ) -> Result<Self> {
        let file = blobs.read(&blob.file)?;
        let key = BlobKey::read(inside_dek, &blob.file, &file.read_at(0, HEADER)?, blob.attempts.clone())?;
        Ok(Self { key, file, size: blob.size, wanted })
    }

    /// The next bytes wanted: those of at most [`BATCH`] chunks.
    fn next(&mut self) -> Result<Bytes> {
        let chunk = CHUNK as u64;
        let first = self.wanted.start / chunk;
        let last_of_blob = self.size / chunk;
        let end = (self.wanted.end.saturating_sub(1) / chunk + 1).min(first + BATCH);
        let ends = end > last_of_blob;
        let from = chunk_offset(first);
        let until = if ends { sealed_size(self.size) } else { chunk_offset(end) };
        let length = usize::try_from(until - from).map_err(Error::internal)?;
        let opened = self.key.open(first, &self.file.read_at(from, length)?, ends)?;
        let opened = Bytes::from(opened);
        let skip = usize::try_from(self.wanted.start - first * chunk).map_err(Error::internal)?;
        let until = self.wanted.end.min(end * chunk);
        let take = usize::try_from(until - self.wanted.start).map_err(Error::internal)?;
        self.wanted.start = until;
        Ok(opened.slice(skip..skip + take))
    }

    fn done(&self) -> bool {
        self.wanted.is_empty()
    }
}

/// Reads `wanted` of a blob, batch by batch, one batch ahead of the reader. The first batch is opened
/// before this returns: what is broken from the start is an error and not a broken body. Where something was written
/// since the batch before, all is asked again before the next one goes out: so a revocation ends what is running too.
pub async fn read(
    app: &Arc<App>,
    inside: &Inside,
    blob: &Blob,
    wanted: Range<u64>,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
    let inside = inside.still(app).await?;
    let (blobs, dek, blob) = (app.blobs.clone(), inside.dek.clone(), blob.clone());
    let first = blocking(move || {
        let mut reading = Reading::open(&blobs, &dek, &blob, wanted)?;
        let bytes = reading.next()?;
        Ok((reading, bytes))
    })
    .await?;
    let ahead = |mut reading: Reading| {
        (!reading.done()).then(|| {
            tokio::task::spawn_blocking(move || {
                let bytes = reading.next()?;
                Ok::<_, Error>((reading, bytes))
            })
        })
    };
    let (reading, bytes) = first;
    let app = app.clone();
    let rest = stream::try_unfold((ahead(reading), inside), move |(next, inside)| {
        let app = app.clone();
        async move {
            let Some(next) = next else { return Ok(None) };
            let (reading, bytes) = next.await.map_err(Error::internal)??;
            let inside = inside.still(&app).await?;
            Ok(Some((bytes, (ahead(reading), inside))))
        }
    });
    Ok(stream::iter([Ok(bytes)]).chain(rest))
}

/// Reads a small blob whole.
pub(super) async fn read_whole(app: &Arc<App>, inside: &Inside, blob: &Blob) -> Result<Vec<u8>> {
    let mut parts = Box::pin(read(app, inside, blob, 0..blob.size).await?);
    let mut whole = Vec::new();
    while let Some(part) = parts.next().await {
        whole.extend_from_slice(&part?);
    }
    Ok(whole)
}

/// Lets `repository` see a blob of the repository `from`. `false`: there is none, or the caller may not read it.
pub async fn mount(writing: &mut Writing, repository: &str, from: &str, digest: &Digest) -> Result<bool> {
    let Writing { cx, inside } = writing;
    inside.check_writable(repository)?;
    if !inside.may(&Need::pull(from)) {
        return Ok(false);
    }
    let registry = inside.registry.id;
    let found = store::registry::content::find_blob(&mut cx.tx, registry, from, digest.as_str()).await?;
    let Some(blob) = found.filter(|b| b.readable) else { return Ok(false) };
    let repository = store::registry::content::ensure_repository(&mut cx.tx, registry, repository, cx.now).await?;
    if !repository.attributes.write {
        return Err(ContentError::Locked.into());
    }
    store::registry::content::show_blob(&mut cx.tx, repository.id, blob.id, cx.now).await?;
    Ok(true)
}

/// Takes a blob out of a repository.
pub async fn delete(app: &Arc<App>, mut writing: Writing, repository: &str, digest: &Digest) -> Result<()> {
    let Writing { cx, inside } = &mut writing;
    let registry = inside.registry.id;
    let unknown = || ContentError::BlobUnknown(digest.to_string());
    let found =
        store::registry::content::find_repository(&mut cx.tx, registry, repository).await?.ok_or_else(unknown)?;
    let blob = store::registry::content::find_blob(&mut cx.tx, registry, repository, digest.as_str())
        .await?
        .ok_or_else(unknown)?;
    if !found.attributes.deletable() {
        return Err(ContentError::Locked.into());
    }
    store::registry::content::hide_blob(&mut cx.tx, found.id, blob.id).await?;
    writing.commit().await?;
    sweep(app).await
}
