//! Pulling through: what a repository with a cache rule lacks is fetched from the rule's source, and stays. By tag
//! the source is asked each time what the tag is now; where it does not answer, what is here is served.
//! Must not know: HTTP, how a source is reached (see sources).

use std::net::IpAddr;
use std::sync::Arc;

use super::cache_rules;
use super::sources::{self, Shown, Source};
use crate::app::registry::cmk;
use crate::app::registry::content::blobs::{self, Blob};
use crate::app::registry::content::manifests::{self, Found};
use crate::app::registry::content::{CachedFrom, Inside};
use crate::app::{App, Cx};
use crate::domain::access::Caller;
use crate::domain::error::{ContentError, SourceError};
use crate::domain::registry::content::{Digest, MANIFEST_LIMIT, Reference};
use crate::domain::{Error, Result};

/// A manifest by tag or digest. `true`: it came from the source just now.
pub async fn manifest(
    app: &Arc<App>,
    mut cx: Cx,
    inside: &Inside,
    repository: &str,
    reference: &Reference,
) -> Result<(Found, bool)> {
    let here = manifests::find(&mut cx, inside, repository, reference).await;
    let Some(from) = inside.cached_from(repository) else { return here.map(|found| (found, false)) };
    let here = match (here, reference) {
        (Ok(found), Reference::Digest(_)) => return Ok((found, false)),
        (Ok(found), Reference::Tag(_)) => Some(found),
        (Err(Error::Content(ContentError::ManifestUnknown(_))), _) => None,
        (Err(error), _) => return Err(error),
    };
    // What waits in quarantine is here, whoever may see it: it need not come again.
    let known = known(&mut cx, inside, repository, reference).await?;
    let asker = cx.caller.address;
    drop(cx);
    let fetched = fetch(app, inside, &from, asker, repository, reference, known.as_deref()).await;
    let (mut cx, inside) = inside.read(app).await?;
    match (fetched, here) {
        (Ok(true), _) => Ok((manifests::find(&mut cx, &inside, repository, reference).await?, true)),
        (Ok(false), Some(found)) => Ok((found, false)),
        (Ok(false), None) => Err(manifests::unknown(reference).into()),
        // A tag that is locked stays what it is.
        (Err(Error::Content(ContentError::Locked)), Some(found)) => Ok((found, false)),
        (Err(error), here) => match (told(&from, error)?, here) {
            (_, Some(found)) => Ok((found, false)),
            (ContentError::Source { why: SourceError::Refused { status: 404, .. }, .. }, None) => {
                Err(manifests::unknown(reference).into())
            }
            // Hidden, it is no more here without its source than with it.
            (_, None) if known.is_some() => Err(manifests::unknown(reference).into()),
            (error, None) => Err(error.into()),
        },
    }
}

/// The digest that a tag has here.
async fn known(cx: &mut Cx, inside: &Inside, repository: &str, reference: &Reference) -> Result<Option<String>> {
    match reference {
        Reference::Tag(tag) => manifests::tagged(cx, inside, repository, tag).await,
        Reference::Digest(_) => Ok(None),
    }
}

/// A blob that may be read.
pub async fn blob(app: &Arc<App>, mut cx: Cx, inside: &Inside, repository: &str, digest: &Digest) -> Result<Blob> {
    let here = blobs::find(&mut cx, inside, repository, digest).await;
    let asker = cx.caller.address;
    drop(cx);
    let lacking = matches!(&here, Err(Error::Content(ContentError::BlobUnknown(_))));
    let Some(from) = inside.cached_from(repository).filter(|_| lacking) else { return here };
    let lease = app.turns.take(&format!("pull {} {repository} {digest}", inside.registry.id)).await;
    let (mut cx, now) = inside.read(app).await?;
    if let Ok(blob) = blobs::find(&mut cx, &now, repository, digest).await {
        return Ok(blob);
    }
    drop(cx);
    // A client that goes away does not end this: the next one finds the blob here.
    let task = {
        let (app, inside, from) = (app.clone(), inside.clone(), from.clone());
        let (repository, digest) = (repository.to_owned(), digest.clone());
        tokio::spawn(async move {
            let _lease = lease;
            let source = open(&app, &inside, &from, asker).await?;
            source.copy_blob(&app, &inside.to_fill(), &repository, &digest).await
        })
    };
    if let Err(error) = task.await.map_err(Error::internal)? {
        return match told(&from, error)? {
            ContentError::Source { why: SourceError::Refused { status: 404, .. }, .. } => here,
            error => Err(error.into()),
        };
    }
    let (mut cx, inside) = inside.read(app).await?;
    blobs::find(&mut cx, &inside, repository, digest).await
}

/// The source of a rule, signed in to as the rule says. `asker`: from where came who pulls.
async fn open(app: &Arc<App>, inside: &Inside, from: &CachedFrom, asker: IpAddr) -> Result<Source> {
    let caller = Caller::nobody(cmk::REGISTRY_ADDRESS);
    let (host, repository) = from.source.split_once('/').unwrap_or((&from.source, ""));
    let mut shown = None;
    if let Some(set) = &from.credentials {
        let mut cx = app.read(caller.clone()).await?;
        let read = cache_rules::secrets_of(&mut cx, &inside.registry, set, host).await;
        // Without what it wants to see, the source would say the same.
        let (user, password) = read.map_err(|error| match error {
            _ if error.is_failure() => error,
            refusal => {
                let body = format!("its credential set cannot be read: {}", cache_rules::said(&refusal).1);
                let why = SourceError::Refused { status: 401, body };
                ContentError::Source { place: from.source.clone(), rule: None, why }.into()
            }
        })?;
        shown = Some(Shown { user: Some(user.as_str().to_owned()), password });
    }
    let opened = sources::open(app, &caller, asker, host, repository, shown).await;
    opened.map(Source::told_as_elsewhere).map_err(|error| sources::as_elsewhere(&from.source, error))
}

/// Gets a manifest here. `false`: the source has what is known.
async fn fetch(
    app: &Arc<App>,
    inside: &Inside,
    from: &CachedFrom,
    asker: IpAddr,
    repository: &str,
    reference: &Reference,
    before: Option<&str>,
) -> Result<bool> {
    let source = open(app, inside, from, asker).await?;
    if let Some(known) = before
        && source.digest(reference).await?.as_str() == known
    {
        return Ok(false);
    }
    let name = match reference {
        Reference::Tag(tag) => tag.as_str(),
        Reference::Digest(digest) => digest.as_str(),
    };
    let lease = app.turns.take(&format!("pull {} {repository} manifest {name}", inside.registry.id)).await;
    // Somebody else may have got it meanwhile.
    let mut cx = app.read(inside.caller()).await?;
    let got = match reference {
        Reference::Tag(_) => {
            let now = known(&mut cx, inside, repository, reference).await?;
            now.is_some() && now.as_deref() != before
        }
        Reference::Digest(_) => manifests::find(&mut cx, inside, repository, reference).await.is_ok(),
    };
    drop(cx);
    if got {
        return Ok(true);
    }
    // A client that goes away does not end this: the next one finds the manifest here.
    let (app, inside, repository, reference) = (app.clone(), inside.clone(), repository.to_owned(), reference.clone());
    let task = tokio::spawn(async move {
        let _lease = lease;
        take_in(&app, &inside, &source, &repository, &reference).await
    });
    task.await.map_err(Error::internal)?.map(|()| true)
}

/// Takes a manifest in, with the config of an image, which is small and says what lists tell of it; layers come
/// when they are asked for.
async fn take_in(
    app: &Arc<App>,
    inside: &Inside,
    source: &Source,
    repository: &str,
    reference: &Reference,
) -> Result<()> {
    inside.still(app).await?;
    let (bytes, media_type, _) = source.manifest(reference).await?;
    let target = inside.to_fill();
    if let Some((config, size)) = source.read(&bytes, &media_type)?.config
        && size <= MANIFEST_LIMIT as u64
    {
        source.copy_blob(app, &target, repository, &config).await?;
    }
    manifests::put(app, &target, repository, reference, Some(&media_type), &bytes).await?;
    Ok(())
}

/// A failure of the source, with the rule that led there, told to the log. Failures of our own go on as they are.
fn told(from: &CachedFrom, error: Error) -> Result<ContentError> {
    let Error::Content(ContentError::Source { why, .. }) = error else { return Err(error) };
    let (rule, place) = (from.rule.clone(), from.source.clone());
    // That it does not have something is no trouble.
    if !matches!(why, SourceError::Refused { status: 404, .. }) {
        tracing::warn!(%rule, source = %place, %why, "a cache rule's source did not give what was asked for");
    }
    Ok(ContentError::Source { place, rule: Some(rule), why })
}
