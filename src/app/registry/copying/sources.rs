//! Where content is copied from: a registry of this emulator, entered as its clients enter it, or one elsewhere.
//! And the copying, by the verbs that a push uses, so under the target's key.
//! Must not know: HTTP, why something is copied.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};

use super::upstream::{Credential, Upstream};
use crate::app::App;
use crate::app::registry::content::{Inside, blobs, entry, manifests, uploads};
use crate::app::registry::credentials::{self, Presented, TOKEN_USER};
use crate::app::registry::rights::Need;
use crate::app::registry::sign_in;
use crate::app::registry::{registries, replications};
use crate::domain::access::Caller;
use crate::domain::error::{ContentError, RegistryError, SourceError};
use crate::domain::registry::Registry;
use crate::domain::registry::cache_rule::login_server;
use crate::domain::registry::content::{Digest, Manifest, Reference};
use crate::domain::{Error, Result};

/// The most manifests that an image to import may have [docs; inferred: beside the index that names them all; the
/// refusal's words are ours].
const MOST_MANIFESTS: usize = 50;

/// A repository to copy from.
pub struct Source {
    /// `host/repository`.
    place: String,
    from: Origin,
    /// What a registry of this emulator refuses is told as if one elsewhere had answered so.
    told_as_elsewhere: bool,
}

enum Origin {
    Here { app: Arc<App>, inside: Box<Inside>, repository: String },
    Elsewhere(Box<Upstream>),
}

/// What is shown to a registry: a user and a password, or a token alone.
#[derive(Clone)]
pub struct Shown {
    pub user: Option<String>,
    /// The password, or the token.
    pub password: zeroize::Zeroizing<String>,
}

/// A repository of a login server. `caller`: whose address a registry of this emulator sees; `asker`: from where came
/// who wants what lies there.
pub async fn open(
    app: &Arc<App>,
    caller: &Caller,
    asker: IpAddr,
    host: &str,
    repository: &str,
    shown: Option<Shown>,
) -> Result<Source> {
    let place = format!("{host}/{repository}");
    let host = login_server(host);
    let Some(name) = host.strip_suffix(".azurecr.io") else {
        // A token alone goes with the user that registries take for such.
        let credential =
            shown.map(|s| Credential { user: s.user.unwrap_or(TOKEN_USER.to_owned()), password: s.password });
        let upstream = Upstream::new(app, &host, repository, credential, asker);
        let upstream = upstream.map_err(|why| failed(&place, why))?;
        return Ok(Source { place, from: Origin::Elsewhere(Box::new(upstream)), told_as_elsewhere: false });
    };
    let mut cx = app.read(caller.clone()).await?;
    let name = match name.strip_suffix(".geo") {
        // The login server of one region.
        Some(region) => {
            replications::require_endpoint(&mut cx, &host).await?;
            region.split('.').next().unwrap_or_default()
        }
        None => name,
    };
    let registry = registries::by_name(&mut cx, name).await?;
    drop(cx);
    let presented = present(app, &registry, shown, caller).await?;
    let mut cx = app.read(caller.clone()).await?;
    let presented = match presented {
        Presented::Nothing if registry.settings().anonymous_pull() => credentials::anonymous(&registry),
        other => other,
    };
    let inside = entry::enter_with(&mut cx, registry, presented, &Need::pull(repository)).await?;
    Ok(here(app, inside, repository))
}

/// A repository of a registry of this emulator that the caller was let into.
pub fn here(app: &Arc<App>, inside: Inside, repository: &str) -> Source {
    let place = format!("{}/{repository}", inside.registry.login_server());
    let from = Origin::Here { app: app.clone(), inside: Box::new(inside), repository: repository.to_owned() };
    Source { place, from, told_as_elsewhere: false }
}

/// The credential as the login server of a registry of this emulator would meet it.
async fn present(app: &Arc<App>, registry: &Registry, shown: Option<Shown>, caller: &Caller) -> Result<Presented> {
    let Some(Shown { user, password }) = shown else { return Ok(Presented::Nothing) };
    let token = user.is_none();
    let user = user.unwrap_or(TOKEN_USER.to_owned());
    let presented = credentials::present_password(app, &registry.name, user, password.as_str().to_owned()).await?;
    if !token || !matches!(presented, Presented::Wrong) {
        return Ok(presented);
    }
    let refresh = sign_in::exchange(app, &registry.name, Some(&password), caller.address).await?.token;
    credentials::present_refresh(app, &registry.name, &refresh).await
}

impl Source {
    /// The registry, where it is one of this emulator.
    #[must_use]
    pub fn registry(&self) -> Option<&Registry> {
        match &self.from {
            Origin::Here { inside, .. } => Some(&inside.registry),
            Origin::Elsewhere(_) => None,
        }
    }

    /// The same, for cache rules: what a registry of this emulator refuses is told as if one elsewhere had answered
    /// so. What the target refuses never is.
    #[must_use]
    pub fn told_as_elsewhere(self) -> Self {
        Self { told_as_elsewhere: true, ..self }
    }

    fn failed(&self, why: SourceError) -> Error {
        failed(&self.place, why)
    }

    /// An error that the source is to blame for.
    fn its(&self, error: Error) -> Error {
        if self.told_as_elsewhere { as_elsewhere(&self.place, error) } else { error }
    }

    /// Reads what the source sent as a manifest.
    pub fn read(&self, bytes: &[u8], media_type: &str) -> Result<Manifest> {
        Manifest::read(bytes, Some(media_type)).map_err(|error| self.its(error))
    }

    /// The digest that a manifest has now.
    pub async fn digest(&self, reference: &Reference) -> Result<Digest> {
        match &self.from {
            Origin::Here { .. } => Ok(self.manifest(reference).await?.2),
            Origin::Elsewhere(upstream) => upstream.digest(reference).await.map_err(|why| self.failed(why)),
        }
    }

    /// A manifest: bytes, media type and digest, which the bytes were found to have.
    pub async fn manifest(&self, reference: &Reference) -> Result<(Bytes, String, Digest)> {
        match &self.from {
            Origin::Here { app, inside, repository } => {
                let found = async {
                    let (mut cx, inside) = inside.read(app).await?;
                    let found = manifests::find(&mut cx, &inside, repository, reference).await?;
                    let bytes = found.open(&inside)?;
                    let digest = Digest::parse(&found.digest)?;
                    Ok((bytes, found.media_type, digest))
                };
                found.await.map_err(|error| self.its(error))
            }
            Origin::Elsewhere(upstream) => upstream.manifest(reference).await.map_err(|why| self.failed(why)),
        }
    }

    async fn blob(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes>>> {
        match &self.from {
            Origin::Here { app, inside, repository } => {
                let body = async {
                    let (mut cx, inside) = inside.read(app).await?;
                    let blob = blobs::find(&mut cx, &inside, repository, digest).await?;
                    drop(cx);
                    Ok(blobs::read(app, &inside, &blob, 0..blob.size).await?.boxed())
                };
                body.await.map_err(|error| self.its(error))
            }
            Origin::Elsewhere(upstream) => {
                let body = upstream.blob(digest).await.map_err(|why| self.failed(why))?;
                let place = self.place.clone();
                Ok(body.map(move |part| part.map_err(|why| failed(&place, why))).boxed())
            }
        }
    }

    /// Copies a blob, in pieces of bounded size, unless it is there. What has another digest is not kept.
    pub async fn copy_blob(&self, app: &Arc<App>, target: &Inside, repository: &str, digest: &Digest) -> Result<()> {
        let (mut cx, inside) = target.read(app).await?;
        if blobs::find(&mut cx, &inside, repository, digest).await.is_ok() {
            return Ok(());
        }
        drop(cx);
        // Asked before a session begins: what is not to be had leaves none behind.
        let body = match &self.from {
            Origin::Here { inside, repository: from, .. } if inside.registry.id == target.registry.id => {
                inside.still(app).await?;
                let mut writing = target.write(app).await?;
                if blobs::mount(&mut writing, repository, from, digest).await? {
                    return writing.commit().await;
                }
                return Err(self.its(ContentError::BlobUnknown(digest.to_string()).into()));
            }
            _ => self.blob(digest).await?,
        };
        let mut writing = target.write(app).await?;
        let upload = uploads::start(&mut writing, repository).await?;
        writing.commit().await?;
        let copied = uploads::finish(app, target, repository, &upload.uuid, digest, None, body).await;
        if let Err(error) = copied {
            // A wrong digest has ended the session already.
            let _ = uploads::abandon(app, &upload.uuid).await;
            return Err(match error {
                Error::Content(ContentError::DigestInvalid(_)) => {
                    self.failed(SourceError::Wrong(format!("what it sent as blob {digest} has another digest")))
                }
                other => other,
            });
        }
        Ok(())
    }

    /// Copies an image with all it names.
    pub async fn copy_image(
        &self,
        app: &Arc<App>,
        reference: &Reference,
        target: &Inside,
        repository: &str,
        tag: Option<&Reference>,
    ) -> Result<()> {
        let copy = Copy { app, source: self, target, repository };
        copy.whole(reference.clone(), tag, &mut BTreeSet::new()).await
    }
}

struct Copy<'a> {
    app: &'a Arc<App>,
    source: &'a Source,
    target: &'a Inside,
    repository: &'a str,
}

impl Copy<'_> {
    /// Copies what a manifest names, then the manifest: an index comes after its manifests. What is in `done`
    /// was begun before, the first manifest aside.
    fn whole<'b>(
        &'b self,
        reference: Reference,
        target: Option<&'b Reference>,
        done: &'b mut BTreeSet<String>,
    ) -> BoxFuture<'b, Result<()>> {
        async move {
            let (bytes, media_type, digest) = self.source.manifest(&reference).await?;
            let read = self.source.read(&bytes, &media_type)?;
            let new: BTreeSet<&str> = read.manifests.iter().map(Digest::as_str).collect();
            if done.len() + new.iter().filter(|child| !done.contains(**child)).count() > MOST_MANIFESTS {
                let why =
                    format!("The image has more than {MOST_MANIFESTS} manifests, which is the most that is imported.");
                return Err(RegistryError::Invalid(why).into());
            }
            for child in read.manifests {
                if done.insert(child.as_str().to_owned()) {
                    self.whole(Reference::Digest(child), None, done).await?;
                }
            }
            for blob in &read.blobs {
                self.source.copy_blob(self.app, self.target, self.repository, blob).await?;
            }
            let by_digest = Reference::Digest(digest);
            let reference = target.unwrap_or(&by_digest);
            manifests::put(self.app, self.target, self.repository, reference, Some(&media_type), &bytes).await?;
            Ok(())
        }
        .boxed()
    }
}

fn failed(place: &str, why: SourceError) -> Error {
    ContentError::Source { place: place.to_owned(), rule: None, why }.into()
}

/// What the source `host/repository` refuses, told as if a registry elsewhere had answered so.
pub fn as_elsewhere(place: &str, error: Error) -> Error {
    as_answered(error).map_or_else(|error| error, |why| failed(place, why))
}

/// What a registry of this emulator refuses, as a registry elsewhere would have answered. Any other error stays one.
fn as_answered(error: Error) -> Result<SourceError> {
    let refused = |status, error: &Error| SourceError::Refused { status, body: error.to_string() };
    match &error {
        Error::Content(content) => match content {
            ContentError::Source { why, .. } => Ok(why.clone()),
            ContentError::Unauthorized { .. } => Ok(refused(401, &error)),
            ContentError::KeyForbidden | ContentError::IdentityInactive | ContentError::Address(_) => {
                Ok(refused(403, &error))
            }
            ContentError::Locked | ContentError::Quarantined => Ok(refused(405, &error)),
            ContentError::ManifestUnknown(_)
            | ContentError::NameUnknown(_)
            | ContentError::TagUnknown(_)
            | ContentError::BlobUnknown(_) => Ok(refused(404, &error)),
            ContentError::ManifestInvalid(why) => Ok(SourceError::Wrong(why.clone())),
            _ => Err(error),
        },
        Error::Token(_) => Ok(refused(401, &error)),
        Error::Registry(RegistryError::Unknown(name)) => {
            Ok(SourceError::Unreachable(format!("registry {name}.azurecr.io is not known")))
        }
        _ => Err(error),
    }
}
