//! Importing images from another registry of this emulator: through the same content verbs that clients
//! meet, so under both registries' keys.
//! Must not know: HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::content::{self, Inside, blobs, manifests, repositories, uploads};
use super::registry_tokens::{self, Need, Presented, TOKEN_USER};
use super::{App, access, registries};
use crate::domain::access::Caller;
use crate::domain::content::{Digest, Manifest, Reference, is_repository};
use crate::domain::error::{ContentError, RegistryError, RequestError};
use crate::domain::name::{REGISTRIES, ResourceId};
use crate::domain::registry::Registry;
use crate::domain::{Error, Result};

/// What an import asks for.
#[derive(Debug)]
pub struct Wanted {
    source: Source,
    repository: String,
    reference: Reference,
    targets: Vec<(String, Option<Reference>)>,
    force: bool,
}

#[derive(Debug)]
enum Source {
    /// A registry by ARM id: read with the caller's own rights.
    Resource(String),
    /// A login server, with what signs in there.
    Server { host: String, user: Option<String>, password: Option<String> },
}

fn wrong(property: &str, message: impl Into<String>) -> Error {
    RequestError::InvalidValue { property: property.to_owned(), message: message.into() }.into()
}

/// `repository`, `repository:tag`, `repository@digest`.
fn image(text: &str, property: &str) -> Result<(String, Reference)> {
    let (repository, reference) = match (text.split_once('@'), text.rsplit_once(':')) {
        (Some((repository, digest)), _) => (repository, Reference::Digest(Digest::parse(digest)?)),
        (None, Some((repository, tag))) => (repository, Reference::parse(tag)?),
        (None, None) => (text, Reference::Tag("latest".to_owned())),
    };
    if !is_repository(repository) {
        return Err(wrong(property, format!("'{text}' does not name an image")));
    }
    Ok((repository.to_owned(), reference))
}

impl Wanted {
    /// Reads the body of `importImage`.
    pub fn read(body: &Value) -> Result<Self> {
        let source = &body["source"];
        let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(str::to_owned);
        let named = text(&source["sourceImage"]).ok_or_else(|| wrong("source.sourceImage", "it is required"))?;
        let from = match (text(&source["resourceId"]), text(&source["registryUri"])) {
            (Some(id), _) => Source::Resource(id),
            (None, Some(uri)) => {
                let host = uri.trim_start_matches("https://").trim_end_matches('/').to_ascii_lowercase();
                let credentials = &source["credentials"];
                Source::Server { host, user: text(&credentials["username"]), password: text(&credentials["password"]) }
            }
            (None, None) => return Err(wrong("source", "it names no registry: resourceId or registryUri is required")),
        };
        let (repository, reference) = image(&named, "source.sourceImage")?;
        let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
        let mut targets = Vec::new();
        for target in list("targetTags") {
            let (repository, reference) = image(target.as_str().unwrap_or_default(), "targetTags")?;
            targets.push((repository, Some(reference)));
        }
        for target in list("untaggedTargetRepositories") {
            let (repository, _) = image(target.as_str().unwrap_or_default(), "untaggedTargetRepositories")?;
            targets.push((repository, None));
        }
        if targets.is_empty() {
            targets.push((repository.clone(), matches!(reference, Reference::Tag(_)).then(|| reference.clone())));
        }
        let force = body["mode"].as_str().is_some_and(|m| m.eq_ignore_ascii_case("Force"));
        Ok(Self { source: from, repository, reference, targets, force })
    }
}

/// Imports. A refusal is the import's outcome; `operation` is its name, as the text about tags wants it.
pub async fn run(app: &Arc<App>, caller: &Caller, target: &Registry, wanted: &Wanted, operation: &str) -> Result<()> {
    let source = enter_source(app, caller, wanted).await?;
    let mut cx = app.read(caller.clone()).await?;
    let inside = content::enter_for_import(&mut cx, target.clone()).await?;
    for (repository, reference) in &wanted.targets {
        let Some(Reference::Tag(tag)) = reference else { continue };
        let there = match repositories::tag(&mut cx, &inside, repository, tag).await {
            Ok(_) => true,
            Err(Error::Content(ContentError::NameUnknown(_) | ContentError::TagUnknown(_))) => false,
            Err(error) => return Err(error),
        };
        if there && !wanted.force {
            return Err(RegistryError::TagExists {
                operation: operation.to_owned(),
                registry: target.arm_id(),
                image: format!("{repository}:{tag}"),
            }
            .into());
        }
    }
    drop(cx);
    let copy = Copy { app, source: &source, target: &inside, from: &wanted.repository };
    for (repository, reference) in &wanted.targets {
        copy.image(repository, &wanted.reference, reference.as_ref()).await?;
    }
    Ok(())
}

async fn enter_source(app: &Arc<App>, caller: &Caller, wanted: &Wanted) -> Result<Inside> {
    match &wanted.source {
        Source::Resource(id) => {
            let parsed = ResourceId::parse(id).filter(|p| p.is(REGISTRIES));
            let parsed = parsed.ok_or_else(|| wrong("source.resourceId", format!("'{id}' is not a registry's id")))?;
            let mut cx = app.read(caller.clone()).await?;
            let registry = registries::get(&mut cx, &parsed.group, &parsed.name).await?;
            access::require(&mut cx, &format!("{REGISTRIES}/pull/read"), &registry.arm_id()).await?;
            content::enter_for_import(&mut cx, registry).await
        }
        Source::Server { host, user, password } => {
            let Some(name) = host.strip_suffix(".azurecr.io") else {
                return Err(RequestError::NotEmulated(format!("Importing from {host}")).into());
            };
            let mut cx = app.read(caller.clone()).await?;
            let registry = registries::by_name(&mut cx, name).await?;
            drop(cx);
            let presented = present(app, &registry, user.as_deref(), password.as_deref(), caller).await?;
            let mut cx = app.read(caller.clone()).await?;
            if matches!(presented, Presented::Nothing) && registry.flag("anonymousPullEnabled") {
                registry_tokens::admit(&registry, caller.address)?;
                return content::enter_for_import(&mut cx, registry).await;
            }
            let need = Need { kind: "repository", name: &wanted.repository, challenge: "pull", any: &["pull"] };
            content::enter_with(&mut cx, name, &presented, &need).await
        }
    }
}

/// The credential as the source's login server would meet it: user and password, or a token alone.
async fn present(
    app: &Arc<App>,
    registry: &Registry,
    user: Option<&str>,
    password: Option<&str>,
    caller: &Caller,
) -> Result<Presented> {
    match (user, password) {
        (_, None) => Ok(Presented::Nothing),
        (Some(user), Some(password)) => {
            registry_tokens::present_password(app, &registry.name, user.to_owned(), password.to_owned()).await
        }
        (None, Some(token)) => {
            let shown =
                registry_tokens::present_password(app, &registry.name, TOKEN_USER.to_owned(), token.to_owned()).await?;
            if !matches!(shown, Presented::Wrong) {
                return Ok(shown);
            }
            let refresh = registry_tokens::exchange(app, &registry.name, Some(token), caller.address).await?;
            registry_tokens::present_refresh(app, &registry.name, &refresh).await
        }
    }
}

struct Copy<'a> {
    app: &'a Arc<App>,
    source: &'a Inside,
    target: &'a Inside,
    from: &'a str,
}

impl Copy<'_> {
    /// Copies an image with all it names.
    async fn image(&self, repository: &str, reference: &Reference, target: Option<&Reference>) -> Result<()> {
        self.whole(repository, reference.clone(), target, &mut BTreeSet::new()).await
    }

    /// Copies what a manifest names, then the manifest: an index comes after its manifests. What is in
    /// `done` was copied before.
    fn whole<'b>(
        &'b self,
        repository: &'b str,
        reference: Reference,
        target: Option<&'b Reference>,
        done: &'b mut BTreeSet<String>,
    ) -> BoxFuture<'b, Result<()>> {
        async move {
            let (bytes, media_type, digest) = self.manifest(&reference).await?;
            let read = Manifest::read(&bytes, Some(&media_type))?;
            for child in read.manifests {
                if !done.contains(child.as_str()) {
                    self.whole(repository, Reference::Digest(child), None, done).await?;
                }
            }
            for blob in &read.blobs {
                self.blob(repository, blob).await?;
            }
            done.insert(digest.as_str().to_owned());
            let by_digest = Reference::Digest(digest);
            let reference = target.unwrap_or(&by_digest);
            manifests::put(self.app, self.target, repository, reference, Some(&media_type), &bytes).await?;
            Ok(())
        }
        .boxed()
    }

    async fn manifest(&self, reference: &Reference) -> Result<(bytes::Bytes, String, Digest)> {
        let mut cx = self.app.read(Caller::system()).await?;
        let found = manifests::find(&mut cx, self.source, self.from, reference).await?;
        let bytes = found.open(self.source)?;
        let digest = Digest::parse(&found.digest)?;
        Ok((bytes, found.media_type, digest))
    }

    async fn blob(&self, repository: &str, digest: &Digest) -> Result<()> {
        let mut cx = self.app.read(Caller::system()).await?;
        let blob = blobs::find(&mut cx, self.source, self.from, digest).await?;
        if blobs::find(&mut cx, self.target, repository, digest).await.is_ok() {
            return Ok(());
        }
        drop(cx);
        let mut cx = self.app.write(Caller::system()).await?;
        if self.source.registry.id == self.target.registry.id
            && blobs::mount(&mut cx, self.target, repository, self.from, digest).await?
        {
            return cx.commit().await;
        }
        let upload = uploads::start(&mut cx, self.target, repository).await?;
        cx.commit().await?;
        let body = Box::pin(blobs::read(self.app, self.source, &blob, 0..blob.size).await?);
        uploads::finish(self.app, self.target, repository, &upload.uuid, digest, None, body).await
    }
}
