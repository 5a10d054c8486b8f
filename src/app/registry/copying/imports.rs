//! Importing images from another registry, of this emulator or elsewhere: through the same content verbs that
//! clients meet, so under both registries' keys.
//! Must not know: HTTP, how a source is reached (see sources).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::sources::{self, Shown, Source};
use crate::app::App;
use crate::app::registry::content::{entry, repositories};
use crate::app::registry::registries;
use crate::domain::access::Caller;
use crate::domain::error::{ContentError, RegistryError, RequestError};
use crate::domain::registry::Registry;
use crate::domain::registry::cache_rule::is_registry_host;
use crate::domain::registry::content::{Digest, Reference, is_repository, is_tag};
use crate::domain::world::name::{REGISTRIES, ResourceId};
use crate::domain::world::typed::{self, Object};
use crate::domain::{Error, Result};

/// What an import asks for.
pub struct Wanted {
    from: Place,
    repository: String,
    reference: Reference,
    targets: Vec<(String, Option<Reference>)>,
    force: bool,
}

enum Place {
    /// A registry by ARM id: read with the caller's own rights.
    Resource(String),
    /// A login server, with what signs in there.
    Server { host: String, shown: Option<Shown> },
}

/// The body of `importImage`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    source: Option<Object<Named>>,
    target_tags: Option<Vec<String>>,
    untagged_target_repositories: Option<Vec<String>>,
    mode: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Named {
    source_image: Option<String>,
    resource_id: Option<String>,
    registry_uri: Option<String>,
    credentials: Option<Object<Credentials>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Credentials {
    username: Option<String>,
    password: Option<String>,
}

fn wrong_value(property: &str, message: &str) -> Error {
    RequestError::InvalidValue { property: property.to_owned(), message: message.to_owned() }.into()
}

/// `repository`, `repository:tag`, `repository@digest`. `None`: it is neither.
fn image(text: &str) -> Option<(String, Reference)> {
    let (repository, reference) = match (text.split_once('@'), text.rsplit_once(':')) {
        (Some((repository, digest)), _) => (repository, Reference::Digest(Digest::parse(digest).ok()?)),
        (None, Some((repository, tag))) if is_tag(tag) => (repository, Reference::Tag(tag.to_owned())),
        (None, Some(_)) => return None,
        (None, None) => (text, Reference::Tag("latest".to_owned())),
    };
    is_repository(repository).then(|| (repository.to_owned(), reference))
}

impl Wanted {
    /// Reads the body of `importImage` of a registry.
    pub fn read(registry: &Registry, body: &Value) -> Result<Self> {
        let wrong = |value: &str, property: &'static str| -> Error {
            RegistryError::ImportValue { value: value.to_owned(), property, registry: registry.name.clone() }.into()
        };
        let image = |text: &str, property: &'static str| image(text).ok_or_else(|| wrong(text, property));
        let body: Body = typed::read(body).map_err(|member| wrong_value(&member, "its value is of a wrong type"))?;
        let source = body.source.unwrap_or_default().0;
        let text = |value: Option<String>| value.filter(|text| !text.is_empty());
        let named = text(source.source_image).ok_or_else(|| wrong_value("source.sourceImage", "it is required"))?;
        let from = match (text(source.resource_id), text(source.registry_uri)) {
            (Some(id), _) => Place::Resource(id),
            (None, Some(uri)) => {
                let host = uri.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
                if !is_registry_host(host) {
                    return Err(wrong(&uri, "Source.RegistryUri"));
                }
                let Credentials { username, password } = source.credentials.unwrap_or_default().0;
                let user = text(username);
                let shown = text(password).map(|p| Shown { user, password: p.into() });
                Place::Server { host: host.to_ascii_lowercase(), shown }
            }
            (None, None) => {
                return Err(wrong_value("source", "it names no registry: resourceId or registryUri is required"));
            }
        };
        let (repository, reference) = image(&named, "Source.SourceImage")?;
        let mut targets = Vec::new();
        for target in body.target_tags.unwrap_or_default() {
            let (repository, reference) = image(&target, "TargetTags")?;
            targets.push((repository, Some(reference)));
        }
        for target in body.untagged_target_repositories.unwrap_or_default() {
            let (repository, _) = image(&target, "UntaggedTargetRepositories")?;
            targets.push((repository, None));
        }
        if targets.is_empty() {
            targets.push((repository.clone(), matches!(reference, Reference::Tag(_)).then(|| reference.clone())));
        }
        let force = body.mode.is_some_and(|m| m.eq_ignore_ascii_case("Force"));
        Ok(Self { from, repository, reference, targets, force })
    }
}

/// Imports. A refusal is the import's outcome; `operation` is its name, as Azure's texts want it.
pub async fn run(app: &Arc<App>, caller: &Caller, target: &Registry, wanted: &Wanted, operation: &str) -> Result<()> {
    copy(app, caller, target, wanted, operation).await.map_err(|error| match error {
        Error::Content(ContentError::Source { place, why, .. }) => {
            tracing::info!(%place, %why, "an import's source did not give the image");
            let (operation, registry) = (operation.to_owned(), target.arm_id());
            RegistryError::ImportSource { operation, registry, place, why }.into()
        }
        other => other,
    })
}

async fn copy(app: &Arc<App>, caller: &Caller, target: &Registry, wanted: &Wanted, operation: &str) -> Result<()> {
    let source = enter_source(app, caller, wanted).await?;
    if let Some(registry) = source.registry().filter(|registry| registry.settings().exports_disabled()) {
        // [docs] say that it is refused; the words are ours.
        let why = format!(
            "Importing from the registry '{}' is not supported because it has exports disabled.",
            registry.name
        );
        return Err(RegistryError::Invalid(why).into());
    }
    let mut cx = app.read(caller.clone()).await?;
    // The source took its time: the registry may have another key by now, or be another one.
    let registry = registries::get(&mut cx, &target.group, &target.name).await?;
    if registry.id != target.id {
        return Err(RegistryError::Unknown(registry.name).into());
    }
    let inside = entry::enter_to_import(&mut cx, registry).await?;
    let inside = if wanted.force { inside } else { inside.keeping_tags(operation) };
    // Asked before anything is copied, and again when the tag is set.
    for (repository, reference) in &wanted.targets {
        let Some(Reference::Tag(tag)) = reference else { continue };
        let there = match repositories::tag(&mut cx, &inside, repository, tag).await {
            Ok(_) => true,
            Err(Error::Content(ContentError::NameUnknown(_) | ContentError::TagUnknown(_))) => false,
            Err(error) => return Err(error),
        };
        if there {
            inside.check_tag_may_move(repository, tag)?;
        }
    }
    drop(cx);
    for (repository, tag) in &wanted.targets {
        source.copy_image(app, &wanted.reference, &inside, repository, tag.as_ref()).await?;
    }
    Ok(())
}

async fn enter_source(app: &Arc<App>, caller: &Caller, wanted: &Wanted) -> Result<Source> {
    match &wanted.from {
        Place::Resource(id) => {
            let parsed = ResourceId::parse(id).filter(|p| p.is(REGISTRIES));
            let parsed =
                parsed.ok_or_else(|| wrong_value("source.resourceId", &format!("'{id}' is not a registry's id")))?;
            let mut cx = app.read(caller.clone()).await?;
            let registry = registries::get(&mut cx, &parsed.group, &parsed.name).await?;
            let inside = entry::enter_to_export(&mut cx, registry, &wanted.repository).await?;
            Ok(sources::here(app, inside, &wanted.repository))
        }
        Place::Server { host, shown } => {
            sources::open(app, caller, caller.address, host, &wanted.repository, shown.clone()).await
        }
    }
}
