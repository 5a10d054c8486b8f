//! Upload sessions: begin, append, finish, cancel. What was answered for survives a crash: whole chunks lie
//! synced in the session's file, the rest is sealed in its row. What came after the last answer is cut off
//! when the session goes on.
//! Must not know: HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::OwnedMutexGuard;

use super::{Inside, Writing, blocking, sweep};
use crate::app::registry::cmk::REGISTRY_ADDRESS;
use crate::app::world::turns::Turns;
use crate::app::{App, Cx, rng};
use crate::domain::access::Caller;
use crate::domain::error::ContentError;
use crate::domain::registry::content::Digest;
use crate::domain::registry::envelope::{Attempts, BlobKey, CHUNK, Dek, HEADER, SEALED_CHUNK, Sealed, chunk_offset};
use crate::domain::world::crypto::Hasher;
use crate::domain::{Error, Result};
use crate::store;
use crate::store::registry::blobs::{Blobs, Growing, Stored};
use crate::store::registry::content::{FileOwner, Upload};

/// Bytes that are hashed, sealed and written at a time, about.
const BATCH: usize = 512 * 1024;
/// Sessions whose running digest is kept in memory; of others it is computed anew from the file.
const KEPT: usize = 1024;
/// How long a second writer waits for the first, whose connection may just have broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// The digest of a session's bytes so far.
#[derive(Debug)]
pub(in crate::app) struct Progress {
    size: u64,
    hasher: Hasher,
}

/// The sessions in memory: who writes now, and digests so far.
pub(in crate::app) type Sessions = Turns<Option<Progress>>;

/// No session yet.
pub(in crate::app) fn sessions() -> Sessions {
    Turns::remembering(KEPT)
}

/// Waits to be the only writer of a session.
async fn lease(app: &App, uuid: &str) -> Result<OwnedMutexGuard<Option<Progress>>> {
    tokio::time::timeout(PATIENCE, app.uploads.take(uuid))
        .await
        .map_err(|_| ContentError::UploadInvalid("another request is writing to this upload".to_owned()).into())
}

/// The part of the blob that a body says it is: first and last byte, as `Content-Range` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub first: u64,
    /// Last byte.
    pub last: u64,
}

/// What is in an upload's tail, for the DEK's `context`.
fn tail_context(uuid: &str) -> String {
    format!("upload tail {uuid}")
}

/// Begins a session.
pub async fn start(writing: &mut Writing, repository: &str) -> Result<Upload> {
    let Writing { cx, inside } = writing;
    inside.check_writable(repository)?;
    let there = store::registry::content::find_repository(&mut cx.tx, inside.registry.id, repository).await?;
    if there.is_some_and(|r| !r.attributes.write) {
        return Err(ContentError::Locked.into());
    }
    let upload = Upload {
        uuid: cx.guid(),
        repository: repository.to_owned(),
        principal: inside.subject.to_string(),
        size: 0,
        tail: Sealed::from_stored(Vec::new()),
        attempts: Attempts::default(),
        started_at: cx.now,
    };
    store::registry::content::add_upload(&mut cx.tx, inside.registry.id, &upload).await?;
    Ok(upload)
}

/// A session by id. It belongs to whoever began it, and to the repository that it was begun in.
pub async fn find(cx: &mut Cx, inside: &Inside, repository: &str, uuid: &str) -> Result<Upload> {
    let found = store::registry::content::find_upload(&mut cx.tx, inside.registry.id, repository, uuid).await?;
    let own = found.filter(|upload| upload.principal == *inside.subject);
    own.ok_or_else(|| ContentError::UploadUnknown(uuid.to_owned()).into())
}

/// Cancels a session.
pub async fn cancel(app: &Arc<App>, inside: &Inside, repository: &str, uuid: &str) -> Result<()> {
    let lease = lease(app, uuid).await?;
    let mut writing = inside.write(app).await?;
    let Writing { cx, inside } = &mut writing;
    find(cx, inside, repository, uuid).await?;
    store::registry::content::delete_upload(&mut cx.tx, uuid).await?;
    writing.commit().await?;
    drop(lease);
    app.uploads.forget(uuid);
    sweep(app).await
}

/// Ends a session that its client never learned of, or that has failed for good. Nobody's right is needed to tidy up.
pub async fn abandon(app: &Arc<App>, uuid: &str) -> Result<()> {
    let lease = lease(app, uuid).await?;
    let mut cx = app.write(Caller::nobody(REGISTRY_ADDRESS)).await?;
    store::registry::content::delete_upload(&mut cx.tx, uuid).await?;
    cx.commit().await?;
    drop(lease);
    app.uploads.forget(uuid);
    sweep(app).await
}

/// A session's file and all that goes on with it.
struct Writer {
    /// Held here and not by the request: a client that goes away drops the request while a batch is still
    /// being written, and until that is done nobody else may write.
    lease: OwnedMutexGuard<Option<Progress>>,
    key: BlobKey,
    file: Growing,
    hasher: Hasher,
    /// Bytes that do not fill a chunk yet.
    tail: Vec<u8>,
    /// Whole chunks in the file.
    chunks: u64,
    /// Bytes taken in.
    size: u64,
}

impl Writer {
    /// Goes on where the session's row says it stands.
    fn open(blobs: &Blobs, dek: &Dek, upload: &Upload, mut lease: OwnedMutexGuard<Option<Progress>>) -> Result<Self> {
        let kept = lease.take();
        if upload.size == 0 {
            let (key, header) = BlobKey::create(dek, &upload.uuid, &mut rng())?;
            let file = blobs.begin(&upload.uuid, &header)?;
            return Ok(Self { lease, key, file, hasher: Hasher::sha256(), tail: Vec::new(), chunks: 0, size: 0 });
        }
        if !blobs.is_upload(&upload.uuid) {
            // A request that went away after the file had been moved and before that was committed.
            blobs.take_back(&upload.uuid)?;
        }
        let chunks = upload.size / CHUNK as u64;
        let stored = blobs.read_upload(&upload.uuid)?;
        let mut key = BlobKey::read(dek, &upload.uuid, &stored.read_at(0, HEADER)?, upload.attempts.clone())?;
        let tail = match upload.tail.as_bytes() {
            [] => Vec::new(),
            _ => dek.open(&tail_context(&upload.uuid), &upload.tail)?.to_vec(),
        };
        let hasher = match kept.filter(|k| k.size == upload.size) {
            Some(kept) => kept.hasher,
            // The attempt before this one broke off, or the process did.
            None => {
                let mut hasher = Hasher::sha256();
                hash_chunks(&key, &stored, chunks, &mut hasher)?;
                hasher.update(&tail);
                key.begin_again(chunks, &mut rng());
                hasher
            }
        };
        let file = blobs.resume(&upload.uuid, chunk_offset(chunks))?;
        Ok(Self { lease, key, file, hasher, tail, chunks, size: upload.size })
    }

    fn write(&mut self, frames: &[Bytes]) -> Result<()> {
        for frame in frames {
            self.hasher.update(frame);
            self.tail.extend_from_slice(frame);
            self.size += frame.len() as u64;
        }
        let whole = self.tail.len() / CHUNK * CHUNK;
        if whole > 0 {
            self.file.append(&self.key.seal_whole(self.chunks, &self.tail[..whole], &mut rng())?)?;
            self.chunks += (whole / CHUNK) as u64;
            self.tail.drain(..whole);
        }
        Ok(())
    }

    /// Writes the end, if the bytes are those of `digest`. `false`: they are not.
    fn finish(&mut self, blobs: &Blobs, uuid: &str, digest: &Digest) -> Result<bool> {
        let hasher = if digest.is_sha256() {
            self.hasher.clone()
        } else {
            let mut hasher = digest.hasher();
            hash_chunks(&self.key, &blobs.read_upload(uuid)?, self.chunks, &mut hasher)?;
            hasher.update(&self.tail);
            hasher
        };
        if !digest.is_of(hasher) {
            return Ok(false);
        }
        self.file.append(&self.key.seal_last(self.chunks, &self.tail, &mut rng())?)?;
        self.file.sync()?;
        blobs.keep(uuid)?;
        Ok(true)
    }
}

/// Takes the whole chunks of a file into a digest.
fn hash_chunks(key: &BlobKey, stored: &Stored, chunks: u64, hasher: &mut Hasher) -> Result<()> {
    for index in 0..chunks {
        let sealed = stored.read_at(chunk_offset(index), SEALED_CHUNK)?;
        hasher.update(&key.open(index, &sealed, false)?);
    }
    Ok(())
}

/// Takes a body into a writer: while one batch is hashed, sealed and written on a blocking thread, the next
/// is received. Never more than two batches are in memory.
async fn pump(writer: Writer, mut body: impl Stream<Item = Result<Bytes>> + Unpin) -> Result<Writer> {
    let write = |mut writer: Writer, frames: Vec<Bytes>| {
        tokio::task::spawn_blocking(move || writer.write(&frames).map(|()| writer))
    };
    let mut idle = Some(writer);
    let mut busy: Option<tokio::task::JoinHandle<Result<Writer>>> = None;
    let mut frames = Vec::new();
    let mut waiting = 0;
    loop {
        let frame = body.next().await.transpose()?;
        let end = frame.is_none();
        if let Some(frame) = frame {
            waiting += frame.len();
            frames.push(frame);
        }
        if end || waiting >= BATCH {
            if let Some(handle) = busy.take() {
                idle = Some(handle.await.map_err(Error::internal)??);
            }
            let writer = idle.take().ok_or_else(|| Error::Internal("the writer is lost".to_owned()))?;
            if end && frames.is_empty() {
                return Ok(writer);
            }
            let handle = write(writer, std::mem::take(&mut frames));
            waiting = 0;
            if end {
                return handle.await.map_err(Error::internal)?;
            }
            busy = Some(handle);
        }
    }
}

/// Takes a body into a session. Nothing of it counts until the caller has committed. Returns the writer, which
/// holds the session's lease, and the bytes that were there before.
async fn take_in(
    app: &Arc<App>,
    inside: &Inside,
    repository: &str,
    uuid: &str,
    part: Option<Part>,
    body: impl Stream<Item = Result<Bytes>> + Unpin,
) -> Result<(Writer, u64)> {
    let lease = lease(app, uuid).await?;
    let mut cx = app.read(inside.caller()).await?;
    let upload = find(&mut cx, inside, repository, uuid).await?;
    drop(cx);
    let before = upload.size;
    if part.is_some_and(|p| p.first != before) {
        return Err(ContentError::RangeWrong { location: uuid.to_owned(), size: before }.into());
    }
    let (blobs, dek) = (app.blobs.clone(), inside.dek.clone());
    let writer = blocking(move || Writer::open(&blobs, &dek, &upload, lease)).await?;
    let writer = pump(writer, body).await?;
    if let Some(part) = part
        && (part.last.checked_add(1)) != Some(writer.size)
    {
        return Err(ContentError::UploadInvalid("the body is not as long as Content-Range says".to_owned()).into());
    }
    // What is over already need not be written to its end.
    inside.still(app).await?;
    Ok((writer, before))
}

/// Appends a body to a session. Returns the bytes received so far; they are safe.
pub async fn append(
    app: &Arc<App>,
    inside: &Inside,
    repository: &str,
    uuid: &str,
    part: Option<Part>,
    body: impl Stream<Item = Result<Bytes>> + Unpin,
) -> Result<u64> {
    let done = async {
        let (mut writer, before) = take_in(app, inside, repository, uuid, part, body).await?;
        let dek = inside.dek.clone();
        let context = tail_context(uuid);
        let (mut writer, tail) = blocking(move || {
            writer.file.sync()?;
            let tail = match writer.tail.as_slice() {
                [] => Sealed::from_stored(Vec::new()),
                tail => dek.seal(&context, tail, &mut rng())?,
            };
            Ok((writer, tail))
        })
        .await?;
        let mut writing = inside.write(app).await?;
        let Writing { cx, inside } = &mut writing;
        find(cx, inside, repository, uuid).await?;
        let grown = (writer.size, &tail, writer.key.attempts());
        if !store::registry::content::grow_upload(&mut cx.tx, uuid, before, grown).await? {
            return Err(ContentError::UploadUnknown(uuid.to_owned()).into());
        }
        writing.commit().await?;
        *writer.lease = Some(Progress { size: writer.size, hasher: writer.hasher.clone() });
        Ok(writer.size)
    };
    settled(app, inside, repository, uuid, done.await).await
}

/// Takes the last of a session's bytes and makes the whole a blob of the repository. A wrong digest ends
/// the session: nothing is stored.
pub async fn finish(
    app: &Arc<App>,
    inside: &Inside,
    repository: &str,
    uuid: &str,
    digest: &Digest,
    part: Option<Part>,
    body: impl Stream<Item = Result<Bytes>> + Unpin,
) -> Result<()> {
    let done = async {
        let (mut writer, _) = take_in(app, inside, repository, uuid, part, body).await?;
        let size = writer.size;
        let (blobs, id, wanted) = (app.blobs.clone(), uuid.to_owned(), digest.clone());
        let (writer, good) = blocking(move || writer.finish(&blobs, &id, &wanted).map(|good| (writer, good))).await?;
        if !good {
            drop(writer);
            abandon(app, uuid).await?;
            return Err(ContentError::DigestInvalid(digest.to_string()).into());
        }
        let file = (uuid, writer.key.attempts());
        let new = match publish(app, inside, repository, file, digest, size).await {
            Ok(new) => new,
            Err(error) => {
                settle(app, uuid).await?;
                return Err(error);
            }
        };
        drop(writer);
        app.uploads.forget(uuid);
        Ok(new)
    };
    if settled(app, inside, repository, uuid, done.await).await? { Ok(()) } else { sweep(app).await }
}

/// What came of writing to a session. Where the session ended meanwhile, its file went with it: the refusal says so,
/// and not what its writer met then; and what the writer has left is removed.
async fn settled<T>(app: &Arc<App>, inside: &Inside, repository: &str, uuid: &str, done: Result<T>) -> Result<T> {
    let Err(error) = done else { return done };
    let mut cx = app.read(inside.caller()).await?;
    let owner = store::registry::content::owner_of_file(&mut cx.tx, uuid).await?;
    drop(cx);
    if owner == FileOwner::Nobody {
        let (blobs, uuid) = (app.blobs.clone(), uuid.to_owned());
        blocking(move || {
            [store::registry::blobs::UPLOADS, store::registry::blobs::BLOBS]
                .iter()
                .try_for_each(|f| blobs.remove(&format!("{f}/{uuid}")))
        })
        .await?;
    }
    if !error.is_failure() {
        return Err(error);
    }
    let (mut cx, inside) = inside.read(app).await?;
    find(&mut cx, &inside, repository, uuid).await?;
    Err(error)
}

/// After a commit that failed: puts the file where the rows say it belongs. Wants the session's lease.
async fn settle(app: &Arc<App>, uuid: &str) -> Result<()> {
    let mut cx = app.read(Caller::nobody(REGISTRY_ADDRESS)).await?;
    match store::registry::content::owner_of_file(&mut cx.tx, uuid).await? {
        // Committed after all.
        FileOwner::Blob => Ok(()),
        // It is an upload again, as before this call.
        FileOwner::Upload => app.blobs.take_back(uuid).map(|_| ()),
        // The session ended meanwhile: see `settled`.
        FileOwner::Nobody => Ok(()),
    }
}

/// The commit that turns a session into a blob. `false`: the registry had one of this digest.
async fn publish(
    app: &Arc<App>,
    inside: &Inside,
    repository: &str,
    (uuid, attempts): (&str, &Attempts),
    digest: &Digest,
    size: u64,
) -> Result<bool> {
    let mut writing = inside.write(app).await?;
    let Writing { cx, inside } = &mut writing;
    find(cx, inside, repository, uuid).await?;
    inside.check_writable(repository)?;
    store::registry::content::finish_upload(&mut cx.tx, uuid).await?;
    let registry = inside.registry.id;
    let repository = store::registry::content::ensure_repository(&mut cx.tx, registry, repository, cx.now).await?;
    if !repository.attributes.write {
        return Err(ContentError::Locked.into());
    }
    let file = (uuid, attempts);
    let (blob, new) =
        store::registry::content::add_blob(&mut cx.tx, registry, digest.as_str(), size, file, cx.now).await?;
    store::registry::content::show_blob(&mut cx.tx, repository.id, blob, cx.now).await?;
    writing.commit().await?;
    Ok(new)
}
