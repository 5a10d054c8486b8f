//! What applications and service principals have in common: secrets, owners, federated credentials.
//! Must not know: how they are kept.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};

use super::wire::{self, Query};
use super::{Request, directory_objects, plain, time};
use crate::app::directory::federated_credentials::{self, Change};
use crate::app::directory::{self, Holder, NewPassword};
use crate::domain::Result;
use crate::domain::directory::applications::FederatedCredential;

/// `addPassword` and `removePassword`.
pub(super) async fn password(request: &mut Request<'_>, action: &str, holder: Holder, id: &str) -> Result<Response> {
    let body = wire::body(request.call).await?;
    if action == "removePassword" {
        let key_id = wire::text(&body, "keyId")?;
        let mut cx = request.write().await?;
        directory::remove_password(&mut cx, holder, id, &key_id).await?;
        cx.commit().await?;
        return Ok(wire::done());
    }
    let none = Map::new();
    let asked = body.get("passwordCredential").and_then(Value::as_object).unwrap_or(&none);
    let new = NewPassword {
        display_name: asked.get("displayName").and_then(Value::as_str).map(str::to_owned),
        starts_at: time(asked, "startDateTime")?,
        ends_at: time(asked, "endDateTime")?,
    };
    let mut cx = request.write().await?;
    let (made, secret) = directory::add_password(&mut cx, holder, id, new).await?;
    cx.commit().await?;
    Ok(plain("microsoft.graph.passwordCredential", &wire::password(&made, Some(&secret))))
}

/// `owners`, `owners/$ref`, `owners/{id}/$ref`.
pub(super) async fn owners(request: &mut Request<'_>, owned: Holder, id: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::read(request.call, &[])?;
            let mut cx = request.read().await?;
            let found = directory::owners(&mut cx, owned, id).await?;
            Ok(query.list("directoryObjects", directory_objects::shown(&mut cx, found).await?))
        }
        (["$ref"], Method::POST) => {
            let owner = wire::reference(&wire::text(&wire::body(request.call).await?, "@odata.id")?);
            let mut cx = request.write().await?;
            directory::add_owner(&mut cx, owned, id, &owner).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([owner, "$ref"], Method::DELETE) => {
            let mut cx = request.write().await?;
            directory::remove_owner(&mut cx, owned, id, owner).await?;
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

/// `federatedIdentityCredentials` of an application and one of them, by id or name.
pub(super) async fn federated(request: &mut Request<'_>, of: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    let noun = format!("applications('{of}')/federatedIdentityCredentials");
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::read(request.call, &["id", "name", "issuer", "subject"])?;
            let mut cx = request.read().await?;
            let app_id = directory::application(&mut cx, of).await?.app_id;
            let found = federated_credentials::list(&mut cx, &app_id).await?;
            Ok(query.list(&noun, found.iter().map(wire::federated_credential).collect()))
        }
        ([], Method::POST) => {
            let body = wire::body(request.call).await?;
            let credential = FederatedCredential {
                id: String::new(),
                app_id: String::new(),
                name: wire::text(&body, "name")?,
                issuer: wire::text(&body, "issuer")?,
                subject: wire::text(&body, "subject")?,
                audiences: wire::texts(&body, "audiences")?,
                description: body.get("description").and_then(Value::as_str).map(str::to_owned),
            };
            let mut cx = request.write().await?;
            let made = federated_credentials::add_to_application(&mut cx, of, credential).await?;
            cx.commit().await?;
            Ok(wire::one(StatusCode::CREATED, &format!("{noun}/$entity"), &wire::federated_credential(&made)))
        }
        ([key], Method::GET) => {
            let mut cx = request.read().await?;
            let app_id = directory::application(&mut cx, of).await?.app_id;
            let found = federated_credentials::get(&mut cx, &app_id, key).await?;
            Ok(plain(&format!("{noun}/$entity"), &wire::federated_credential(&found)))
        }
        ([key], Method::PATCH) => {
            let body = wire::body(request.call).await?;
            let text = |name: &str| body.contains_key(name).then(|| wire::text(&body, name)).transpose();
            let change = Change {
                issuer: text("issuer")?,
                subject: text("subject")?,
                audiences: body.contains_key("audiences").then(|| wire::texts(&body, "audiences")).transpose()?,
                description: body.get("description").map(|d| d.as_str().map(str::to_owned)),
            };
            let mut cx = request.write().await?;
            federated_credentials::change_of_application(&mut cx, of, key, change).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([key], Method::DELETE) => {
            let mut cx = request.write().await?;
            federated_credentials::delete_of_application(&mut cx, of, key).await?;
            cx.commit().await?;
            Ok(wire::done())
        }
        ([] | [_], _) => Err(request.wrong_method()),
        _ => Err(request.unknown()),
    }
}
