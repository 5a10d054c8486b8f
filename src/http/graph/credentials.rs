//! What applications and service principals have in common: secrets, owners, federated credentials.
//! Must not know: how they are kept.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};

use super::wire::{self, Query};
use super::{Request, directory_objects, plain, time};
use crate::app::directory;
use crate::domain::Result;
use crate::domain::directory::{Application, FederatedCredential};
use crate::domain::error::DirectoryError;

/// `addPassword` and `removePassword`.
pub(super) async fn password(request: &mut Request<'_>, action: &str, app_id: &str, holder: &str) -> Result<Response> {
    let body = wire::body(request.call).await?;
    if action == "removePassword" {
        let key_id = wire::text(&body, "keyId")?;
        let mut cx = request.write().await?;
        directory::remove_password(&mut cx, holder, &key_id).await?;
        cx.commit().await?;
        return Ok(wire::done());
    }
    let none = Map::new();
    let asked = body.get("passwordCredential").and_then(Value::as_object).unwrap_or(&none);
    let name = asked.get("displayName").and_then(Value::as_str).map(str::to_owned);
    let (starts_at, ends_at) = (time(asked, "startDateTime")?, time(asked, "endDateTime")?);
    let mut cx = request.write().await?;
    let (made, secret) = directory::add_password(&mut cx, app_id, holder, name, starts_at, ends_at).await?;
    cx.commit().await?;
    Ok(plain("microsoft.graph.passwordCredential", &wire::password(&made, Some(&secret))))
}

/// `owners`, `owners/$ref`, `owners/{id}/$ref`.
pub(super) async fn owners(request: &mut Request<'_>, owned: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::read(request.call, &[])?;
            let mut cx = request.read().await?;
            let found = directory::owners(&mut cx, owned).await?;
            Ok(query.list("directoryObjects", directory_objects::shown(&mut cx, found).await?))
        }
        (["$ref"], Method::POST) => {
            let owner = wire::reference(&wire::text(&wire::body(request.call).await?, "@odata.id")?);
            let mut cx = request.write().await?;
            directory::add_owner(&mut cx, owned, &owner).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([owner, "$ref"], Method::DELETE) => {
            let mut cx = request.write().await?;
            directory::remove_owner(&mut cx, owned, owner).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([] | ["$ref"] | [_, "$ref"], _) => Err(request.wrong_method()),
        _ => Err(request.unknown()),
    }
}

/// Object ids named by an `…@odata.bind` member.
pub(super) fn bound(body: &Map<String, Value>, name: &str) -> Vec<String> {
    let all = body.get(name).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).map(wire::reference).collect()
}

/// `federatedIdentityCredentials` and one of them, by id or name.
pub(super) async fn federated(request: &mut Request<'_>, of: &Application, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    let noun = format!("applications('{}')/federatedIdentityCredentials", of.object_id);
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::read(request.call, &["id", "name", "issuer", "subject"])?;
            let mut cx = request.read().await?;
            let found = directory::federated_credentials(&mut cx, &of.app_id).await?;
            Ok(query.list(&noun, found.iter().map(wire::federated_credential).collect()))
        }
        ([], Method::POST) => {
            let body = wire::body(request.call).await?;
            let credential = FederatedCredential {
                id: String::new(),
                app_id: of.app_id.clone(),
                name: wire::text(&body, "name")?,
                issuer: wire::text(&body, "issuer")?,
                subject: wire::text(&body, "subject")?,
                audiences: wire::texts(&body, "audiences")?,
                description: body.get("description").and_then(Value::as_str).map(str::to_owned),
            };
            let mut cx = request.write().await?;
            directory::may_change_credentials(&cx)?;
            let there = directory::federated_credentials(&mut cx, &of.app_id).await?;
            if there.iter().any(|c| c.name.eq_ignore_ascii_case(&credential.name)) {
                return Err(DirectoryError::ValueTaken { property: "name" }.into());
            }
            let (made, _) = directory::put_federated_credential(&mut cx, credential).await?;
            cx.commit().await?;
            Ok(wire::one(StatusCode::CREATED, &format!("{noun}/$entity"), &wire::federated_credential(&made)))
        }
        ([key], Method::GET) => {
            let found = find(request, of, key).await?;
            Ok(plain(&format!("{noun}/$entity"), &wire::federated_credential(&found)))
        }
        ([key], Method::PATCH) => {
            let mut kept = find(request, of, key).await?;
            let body = wire::body(request.call).await?;
            for (name, member) in [("issuer", &mut kept.issuer), ("subject", &mut kept.subject)] {
                if body.contains_key(name) {
                    *member = wire::text(&body, name)?;
                }
            }
            if body.contains_key("audiences") {
                kept.audiences = wire::texts(&body, "audiences")?;
            }
            if let Some(description) = body.get("description") {
                kept.description = description.as_str().map(str::to_owned);
            }
            let mut cx = request.write().await?;
            directory::may_change_credentials(&cx)?;
            directory::put_federated_credential(&mut cx, kept).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([key], Method::DELETE) => {
            let found = find(request, of, key).await?;
            let mut cx = request.write().await?;
            directory::may_change_credentials(&cx)?;
            directory::delete_federated_credential(&mut cx, &of.app_id, &found.name).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([] | [_], _) => Err(request.wrong_method()),
        _ => Err(request.unknown()),
    }
}

async fn find(request: &mut Request<'_>, of: &Application, key: &str) -> Result<FederatedCredential> {
    let all = directory::federated_credentials(&mut request.read().await?, &of.app_id).await?;
    let found = all.into_iter().find(|c| c.id.eq_ignore_ascii_case(key) || c.name.eq_ignore_ascii_case(key));
    found.ok_or_else(|| DirectoryError::NotFound(key.to_owned()).into())
}
