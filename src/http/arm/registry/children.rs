//! Children of a registry: what can be asked of any kind of them, and how they are shown. A kind is a file that says in
//! [`ChildType`] what is its own, and a row.
//! Must not know: any kind.

use std::future::Future;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::long::{begun, deleting, status};
use super::{found, versions};
use crate::app::Cx;
use crate::app::registry::children::{self, Asked};
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::registry::child::{Child, Kind};
use crate::domain::world::typed::{self, Object};
use crate::domain::world::well_known::TENANT_ID;
use crate::domain::{Result, Timestamp};
use crate::http::arm::table::{Operation, Place, Request, Supported, Type, handler};
use crate::http::arm::wire::{Answer, system_data};

/// What is a kind's own.
pub(super) trait ChildType: 'static {
    const KIND: Kind;
    const SUPPORTED: Supported = versions::all;
    /// What only this kind can be asked.
    const OPERATIONS: &'static [Operation] = &[];
    /// Whether a write is a long operation, which is Azure's choice for each kind [recorded] (acr.md A.5).
    const LONG: bool = true;
    /// Whether tags are shown where there are none.
    const EMPTY_TAGS: bool = true;

    /// Carries out a PUT or a PATCH. `true`: the child is new.
    fn write(cx: &mut Cx, registry: &Registry, request: &Request)
    -> impl Future<Output = Result<(Child, bool)>> + Send;

    /// Its `properties`. The order of keys is Azure's [recorded].
    fn properties(
        _: &mut Cx,
        _: &Registry,
        child: &Child,
        state: &str,
    ) -> impl Future<Output = Result<Map<String, Value>>> + Send {
        let mut shown = Shown::default();
        for (name, value) in &child.properties {
            shown.put(name, value.clone());
        }
        shown.put("provisioningState", json!(state));
        async { Ok(shown.0) }
    }

    fn identity(_: &mut Cx, child: &Child) -> impl Future<Output = Result<Option<Value>>> + Send {
        let shown = |id| json!({"principalId": id, "tenantId": TENANT_ID, "type": "systemAssigned"});
        let identity = child.principal.as_ref().map(shown);
        async { Ok(identity) }
    }

    /// Deletes one. `None`: there was none.
    fn remove(cx: &mut Cx, registry: &Registry, name: &str) -> impl Future<Output = Result<Option<Child>>> + Send {
        children::remove(cx, registry, Self::KIND, name)
    }

    /// The location of a deletion's result, of kinds whose deletion is a long operation.
    fn result_of_deletion(_registry: &Registry, _gone: &Child) -> Option<String> {
        None
    }
}

/// Properties that are shown where they have a value.
#[derive(Default)]
pub(super) struct Shown(pub(super) Map<String, Value>);

impl Shown {
    pub(super) fn put(&mut self, name: &str, value: Value) {
        if !value.is_null() {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// A property as it is kept.
    pub(super) fn own(&mut self, child: &Child, name: &str) {
        self.put(name, child.properties.get(name).cloned().unwrap_or_default());
    }
}

/// The row of a kind.
pub(super) const fn row<K: ChildType>() -> Type {
    Type {
        name: K::KIND.name,
        supported: K::SUPPORTED,
        statuses: Some(handler!(status)),
        operations: const {
            &[
                Operation::list(handler!(list::<K>)),
                Operation::get(handler!(get::<K>)),
                Operation::put(handler!(write::<K>)),
                Operation::patch(handler!(write::<K>)),
                Operation::delete(handler!(delete::<K>)),
            ]
        },
        own: K::OPERATIONS,
        ..Type::new(Place::Group, versions::VERSIONS)
    }
}

/// A child with its `provisioningState`. The order of keys is Azure's [recorded].
pub(super) async fn shown<K: ChildType>(cx: &mut Cx, registry: &Registry, child: &Child, state: &str) -> Result<Value> {
    let mut value = json!({"type": K::KIND.name});
    if let Some(identity) = K::identity(cx, child).await? {
        value["identity"] = identity;
    }
    value["id"] = json!(child.arm_id(registry));
    value["name"] = json!(child.name);
    if let Some(location) = &child.location {
        value["location"] = json!(location);
        if K::EMPTY_TAGS || child.tags.as_object().is_some_and(|tags| !tags.is_empty()) {
            value["tags"] = child.tags.clone();
        }
    }
    value["systemData"] =
        system_data(&child.created_by, child.created_at, &child.modified_by, child.modified_at, Timestamp::offset7);
    value["properties"] = Value::Object(K::properties(cx, registry, child, state).await?);
    Ok(value)
}

/// The registry of the path and its child.
pub(super) async fn named<K: ChildType>(cx: &mut Cx, request: &Request) -> Result<(Registry, Child)> {
    let registry = found(cx, request).await?;
    let child = children::get(cx, &registry, K::KIND, request.name()).await?;
    Ok((registry, child))
}

async fn list<K: ChildType>(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let mut items = Vec::new();
    for child in children::list(cx, &registry, K::KIND).await? {
        items.push(shown::<K>(cx, &registry, &child, "Succeeded").await?);
    }
    Ok(Answer::list(items))
}

pub(super) async fn get<K: ChildType>(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (registry, child) = named::<K>(cx, request).await?;
    shown::<K>(cx, &registry, &child, "Succeeded").await.map(Answer::ok)
}

async fn write<K: ChildType>(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    if request.is_patch() {
        children::get(cx, &registry, K::KIND, request.name()).await?;
    }
    let (child, new) = K::write(cx, &registry, request).await?;
    let state = match (K::LONG, new) {
        (false, _) => "Succeeded",
        (true, true) => "Creating",
        (true, false) => "Updating",
    };
    let body = shown::<K>(cx, &registry, &child, state).await?;
    match K::LONG {
        true => begun(cx, request, &child.arm_id(&registry), &K::KIND.operation(), body).await,
        false => Ok(Answer::ok(body)),
    }
}

async fn delete<K: ChildType>(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let registry = found(cx, request).await?;
    let Some(gone) = K::remove(cx, &registry, request.name()).await? else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    match K::result_of_deletion(&registry, &gone) {
        Some(location) => deleting(cx, request, &K::KIND.operation(), &location).await,
        None => Ok(Answer::empty(StatusCode::OK)),
    }
}

/// Where results of deletions are asked for, of most kinds: in capitals [recorded; of agent pools: spec].
pub(super) fn in_capitals(registry: &Registry) -> Option<String> {
    Some(registry.location.to_ascii_uppercase())
}

/// The body of a PUT or a PATCH. What a kind does not know is passed over, and what is of a wrong type is refused by its
/// name. [inferred: the text]
pub(super) fn asked<P: DeserializeOwned + Default>(request: &Request) -> Result<Asked<P>> {
    #[derive(Deserialize)]
    struct Body<P> {
        location: Option<String>,
        tags: Option<Map<String, Value>>,
        properties: Option<Object<P>>,
    }
    let body: Body<P> = typed::read(&request.body).map_err(|property| RequestError::InvalidValue {
        property,
        message: "its value is of a wrong type".to_owned(),
    })?;
    Ok(Asked { location: body.location, tags: body.tags, properties: body.properties.unwrap_or_default().0 })
}
