//! The one storage account that tasks use: sources come here, logs are read here. Every request shows a signed link, and
//! what it names is sealed under its registry's data key: while that cannot be used, nothing is read or kept.
//! Must not know: HTTP, what a run does.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use rand::Rng as _;
use serde_json::{Map, Value};

use crate::app::registry::cmk;
use crate::app::{App, Cx, rng};
use crate::domain::Error;
use crate::domain::access::Caller;
use crate::domain::error::ContentError;
use crate::domain::registry::Registry;
use crate::domain::registry::envelope::{Dek, Sealed};
use crate::domain::registry::tasks::sas::{self, Unsigned};
use crate::domain::world::crypto::mac;
use crate::domain::world::time::{DAY, HOUR};
use crate::store;
pub use crate::store::registry::tasks::blobs::Blob;
use crate::store::registry::tasks::blobs::{self as rows, Chunk};

/// Bytes that are sealed together.
const CHUNK: usize = 1024 * 1024;
/// Bytes of a blob at most, waiting blocks included. [inferred: a bound of the emulator's own]
pub const LIMIT: u64 = 1024 * 1024 * 1024;
/// Blocks of a blob at most [docs].
const BLOCKS: usize = 50_000;
/// How long links last, to put a source and to read a log. [inferred]
const TO_PUT: i64 = HOUR;
const TO_READ: i64 = DAY;

/// A refusal of the account.
#[derive(Debug)]
pub enum Refusal {
    Unsigned(Unsigned),
    ContainerNotFound,
    BlobNotFound,
    /// A block in a list that was not put.
    InvalidBlockList,
    /// The id of a block is none, or differs in length from the others'.
    InvalidBlockId,
    TooLarge,
    /// The blob is of the other kind.
    WrongKind,
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

/// What a request names, and shows for itself.
#[derive(Debug, Clone)]
pub struct Place {
    pub container: String,
    pub name: String,
    pub query: Vec<(String, String)>,
}

/// Which of a blob's blocks a list means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    Committed,
    Uncommitted,
    Latest,
}

fn account_key(app: &App) -> Vec<u8> {
    mac::sign(app.master.as_slice(), b"key of the storage account of tasks")
}

/// A link to put a source, and its path in the container.
pub fn upload_link(cx: &Cx, registry: &Registry) -> (String, String) {
    let stamp: String = cx.now.zulu().chars().filter(char::is_ascii_digit).collect();
    let mut id = [0; 16];
    cx.rng().fill_bytes(&mut id);
    let path = format!("source/{stamp}/{}.tar.gz", crate::domain::world::crypto::hex(&id));
    (link(cx, registry, &path, "cw", TO_PUT), path)
}

/// A link to read a blob.
pub fn read_link(cx: &Cx, registry: &Registry, name: &str) -> String {
    link(cx, registry, name, "r", TO_READ)
}

fn link(cx: &Cx, registry: &Registry, name: &str, permissions: &str, lifetime: i64) -> String {
    let resource = format!("{}/{name}", sas::container(registry.id));
    sas::link(&account_key(&cx.app), &resource, permissions, cx.now, lifetime)
}

impl Place {
    /// The registry whose container it is, if the link gives any of the permissions now.
    pub(super) async fn admit(&self, cx: &mut Cx, any: &str) -> Result<Registry> {
        let resource = format!("{}/{}", self.container, self.name);
        sas::check(&account_key(&cx.app), &resource, &self.query, any, cx.now).map_err(Refusal::Unsigned)?;
        let id = sas::registry_of(&self.container).ok_or(Refusal::ContainerNotFound)?;
        store::registry::registries::by_id(&mut cx.tx, id).await?.ok_or(Refusal::ContainerNotFound)
    }

    /// A context that writes, in which all that lets in was asked again.
    async fn write(&self, app: &Arc<App>) -> Result<(Cx, Registry, Dek)> {
        let mut cx = app.write(Caller::system()).await?;
        let registry = self.admit(&mut cx, "cw").await?;
        let dek = cmk::open(&mut cx, &registry).await?;
        Ok((cx, registry, dek))
    }
}

/// What binds a chunk to its place.
fn context(blob: i64, chunk: Chunk) -> String {
    format!("blob {blob} of tasks, block {}, chunk {}", chunk.block, chunk.number)
}

/// Seals a chunk of a block.
async fn keep(cx: &mut Cx, dek: &Dek, blob: i64, block: i64, number: i64, bytes: &[u8]) -> Result<()> {
    let chunk = Chunk { block, number, size: bytes.len() as u64 };
    let sealed = dek.seal(&context(blob, chunk), bytes, &mut rng())?;
    match rows::add_chunk(&mut cx.tx, block, number, bytes.len(), &sealed).await? {
        true => Ok(()),
        false => Err(Refusal::BlobNotFound),
    }
}

/// The place of a block blob, made where there is none.
async fn block_blob(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Blob> {
    let found = match rows::find(&mut cx.tx, registry.id, name).await? {
        Some(found) => found,
        None => rows::add(&mut cx.tx, registry.id, name, "BlockBlob", None, cx.now).await?,
    };
    if found.kind == "BlockBlob" { Ok(found) } else { Err(Refusal::WrongKind) }
}

/// Takes in the body of a block, chunk by chunk, each kept before the next is awaited. Returns blob and block.
async fn take_in(
    app: &Arc<App>,
    place: &Place,
    block: &str,
    body: &mut (impl Stream<Item = crate::domain::Result<Bytes>> + Unpin),
) -> Result<(i64, i64)> {
    let (mut cx, registry, _) = place.write(app).await?;
    let blob = block_blob(&mut cx, &registry, &place.name).await?.id;
    let id = rows::begin_block(&mut cx.tx, blob, block).await?;
    cx.commit().await?;
    let taken = chunks_of(app, place, (blob, id), body).await;
    if taken.is_err() {
        let mut cx = app.write(Caller::system()).await?;
        rows::delete_block(&mut cx.tx, id).await?;
        cx.commit().await?;
    }
    taken.map(|()| (blob, id))
}

async fn chunks_of(
    app: &Arc<App>,
    place: &Place,
    (blob, block): (i64, i64),
    body: &mut (impl Stream<Item = crate::domain::Result<Bytes>> + Unpin),
) -> Result<()> {
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        let frame = body.next().await.transpose()?;
        let ended = frame.is_none();
        buffer.extend_from_slice(&frame.unwrap_or_default());
        while buffer.len() >= CHUNK || (ended && !buffer.is_empty()) {
            let rest = buffer.split_off(buffer.len().min(CHUNK));
            let (mut cx, _, dek) = place.write(app).await?;
            if rows::waiting_size(&mut cx.tx, blob).await? + buffer.len() as u64 > LIMIT {
                return Err(Refusal::TooLarge);
            }
            keep(&mut cx, &dek, blob, block, number, &buffer).await?;
            cx.commit().await?;
            number += 1;
            buffer = rest;
        }
        if ended {
            return Ok(());
        }
    }
}

/// Puts a whole blob.
pub async fn put(
    app: &Arc<App>,
    place: &Place,
    headers: Map<String, Value>,
    mut body: impl Stream<Item = crate::domain::Result<Bytes>> + Unpin,
) -> Result<Blob> {
    let (_, block) = take_in(app, place, "", &mut body).await?;
    let (mut cx, registry, _) = place.write(app).await?;
    let blob = block_blob(&mut cx, &registry, &place.name).await?;
    finish(cx, blob, headers, &[block]).await
}

async fn finish(mut cx: Cx, mut blob: Blob, headers: Map<String, Value>, blocks: &[i64]) -> Result<Blob> {
    rows::commit_blocks(&mut cx.tx, blob.id, blocks).await?;
    blob.headers = headers;
    rows::save(&mut cx.tx, &blob, cx.now).await?;
    let saved = rows::find(&mut cx.tx, blob.registry, &blob.name).await?.ok_or(Refusal::BlobNotFound)?;
    cx.commit().await?;
    Ok(saved)
}

/// Puts a block that waits for its list.
pub async fn put_block(
    app: &Arc<App>,
    place: &Place,
    name: &str,
    mut body: impl Stream<Item = crate::domain::Result<Bytes>> + Unpin,
) -> Result<()> {
    if !is_block_id(name) {
        return Err(Refusal::InvalidBlockId);
    }
    let (blob, block) = take_in(app, place, name, &mut body).await?;
    let (mut cx, ..) = place.write(app).await?;
    rows::end_block(&mut cx.tx, blob, block, name).await?;
    Ok(cx.commit().await?)
}

/// Ids of blocks are base64 of at most 64 bytes [docs].
fn is_block_id(name: &str) -> bool {
    crate::domain::world::crypto::from_base64(name).is_some_and(|bytes| (1..=64).contains(&bytes.len()))
}

/// Makes a blob of blocks.
pub async fn put_list(
    app: &Arc<App>,
    place: &Place,
    headers: Map<String, Value>,
    list: &[(Listed, String)],
) -> Result<Blob> {
    if list.len() > BLOCKS {
        return Err(Refusal::InvalidBlockList);
    }
    let (mut cx, registry, _) = place.write(app).await?;
    let blob = block_blob(&mut cx, &registry, &place.name).await?;
    let mut blocks = Vec::new();
    for (from, name) in list {
        let waiting = match from {
            Listed::Committed => Some(false),
            Listed::Uncommitted => Some(true),
            Listed::Latest => None,
        };
        let found = rows::whole_block(&mut cx.tx, blob.id, name, waiting).await?;
        let found = found.ok_or(Refusal::InvalidBlockList)?;
        // A block is in one place of its blob.
        if blocks.contains(&found) {
            return Err(Refusal::InvalidBlockList);
        }
        blocks.push(found);
    }
    finish(cx, blob, headers, &blocks).await
}

/// A blob, as it is read.
#[derive(Debug, Clone)]
pub struct Found {
    pub blob: Blob,
    pub size: u64,
    registry: i64,
    chunks: Vec<Chunk>,
}

/// A blob that a link may read.
pub async fn find(app: &Arc<App>, place: &Place) -> Result<Found> {
    let mut cx = app.read(Caller::system()).await?;
    let registry = place.admit(&mut cx, "r").await?;
    // Whoever may not open it may not know of it either.
    cmk::open(&mut cx, &registry).await?;
    find_in(&mut cx, &registry, &place.name).await
}

async fn find_in(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Found> {
    let blob = rows::find(&mut cx.tx, registry.id, name).await?.filter(|b| b.committed);
    let blob = blob.ok_or(Refusal::BlobNotFound)?;
    let chunks = rows::chunks(&mut cx.tx, blob.id).await?;
    let size = chunks.iter().map(|c| c.size).sum();
    Ok(Found { blob, size, registry: registry.id, chunks })
}

/// A source of a registry, for its own run.
pub(super) async fn source(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Found> {
    find_in(cx, registry, name).await
}

/// Reads a part of a blob, chunk by chunk. Before each it is asked whether the registry's key may still be used.
pub fn read(
    app: &Arc<App>,
    found: &Found,
    (first, end): (u64, u64),
) -> impl Stream<Item = crate::domain::Result<Bytes>> + Send + use<> {
    let mut at = 0;
    let mut wanted = Vec::new();
    for chunk in &found.chunks {
        let (from, until) = (first.max(at), end.min(at + chunk.size));
        if from < until {
            wanted.push((*chunk, from - at, until - at));
        }
        at += chunk.size;
    }
    let (app, blob, registry) = (app.clone(), found.blob.id, found.registry);
    stream::iter(wanted).then(move |(chunk, from, until)| {
        let app = app.clone();
        async move {
            let mut cx = app.read(Caller::system()).await?;
            let gone = || Error::from(ContentError::BlobUnknown(String::new()));
            let registry = store::registry::registries::by_id(&mut cx.tx, registry).await?.ok_or_else(gone)?;
            let dek = cmk::open(&mut cx, &registry).await?;
            let sealed: Sealed = rows::chunk(&mut cx.tx, chunk).await?.ok_or_else(gone)?;
            let opened = Bytes::from(dek.open(&context(blob, chunk), &sealed)?.to_vec());
            let index = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(opened.len());
            Ok(opened.slice(index(from)..index(until)))
        }
    })
}

/// Puts text at the end of a run's log, and makes the log where there is none. `done`: what its metadata is to say, for
/// whoever follows it.
pub(super) async fn append_log(
    cx: &mut Cx,
    registry: &Registry,
    run: &crate::domain::registry::tasks::run::Run,
    text: &[u8],
    done: Option<&str>,
) -> crate::domain::Result<()> {
    let dek = cmk::open(cx, registry).await?;
    let mut blob = match rows::of_run(&mut cx.tx, run.id).await? {
        Some(blob) => blob,
        None => rows::add(&mut cx.tx, registry.id, &run.log_name(), "AppendBlob", Some(run.id), cx.now).await?,
    };
    if !text.is_empty() {
        let block = rows::begin_block(&mut cx.tx, blob.id, "").await?;
        for (number, part) in (0..).zip(text.chunks(CHUNK)) {
            keep(cx, &dek, blob.id, block, number, part).await.map_err(|refusal| match refusal {
                Refusal::Failed(error) => error,
                _ => Error::Internal("the block of a log was lost".to_owned()),
            })?;
        }
        rows::append_block(&mut cx.tx, blob.id, block).await?;
    }
    blob.headers.insert("Content-Type".to_owned(), "text/plain; charset=utf-8".into());
    if let Some(done) = done {
        blob.headers.insert("metadata".to_owned(), serde_json::json!({ "Complete": done }));
    }
    rows::save(&mut cx.tx, &blob, cx.now).await
}
