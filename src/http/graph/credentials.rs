//! What applications and service principals have in common: secrets, owners, federated credentials.
//! Must not know: how they are kept.

use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::body::{self, AddPassword, Federated, Reference, RemovePassword};
use super::query::Query;
use super::schema::{APPLICATION, DIRECTORY_OBJECT, Entity, FEDERATED_CREDENTIAL, SERVICE_PRINCIPAL};
use super::{Request, directory_objects, shapes, wire};
use crate::app::directory::federated_credentials::{self, Change};
use crate::app::directory::{self, Holder};
use crate::domain::Result;
use crate::domain::directory::applications::FederatedCredential;

/// `addPassword` and `removePassword`.
pub(super) async fn password(request: &mut Request<'_>, action: &str, holder: Holder, id: &str) -> Result<Response> {
    if action == "removePassword" {
        let asked: RemovePassword = body::read(request.call).await?;
        let key_id = body::needed("keyId", asked.key_id)?;
        let mut cx = request.write().await?;
        directory::remove_password(&mut cx, holder, id, &key_id).await?;
        cx.commit().await?;
        return Ok(wire::done());
    }
    let asked: AddPassword = body::read(request.call).await?;
    let new = asked.password_credential.unwrap_or_default().into_asked()?;
    let mut cx = request.write().await?;
    let (made, secret) = directory::add_password(&mut cx, holder, id, new).await?;
    cx.commit().await?;
    let answer = request.one("microsoft.graph.passwordCredential", &shapes::password(&made, Some(&secret)));
    let entity: &Entity = if holder == Holder::Application { &APPLICATION } else { &SERVICE_PRINCIPAL };
    Ok(wire::located(answer, &format!("{}/addPassword", wire::address(entity, id))))
}

/// `owners`, `owners/$ref`, `owners/{id}/$ref`.
pub(super) async fn owners(request: &mut Request<'_>, owned: Holder, id: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::list(request.call, &DIRECTORY_OBJECT)?;
            let mut cx = request.read().await?;
            let found = directory::owners(&mut cx, owned, id).await?;
            Ok(query.page("directoryObjects", directory_objects::shown(&mut cx, found).await?))
        }
        (["$ref"], Method::POST) => {
            let reference: Reference = body::read(request.call).await?;
            let owner = reference.object()?;
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

/// `federatedIdentityCredentials` of an application and one of them, by id or name.
pub(super) async fn federated(request: &mut Request<'_>, of: &str, rest: &[&str]) -> Result<Response> {
    let method = request.call.method.clone();
    let noun = format!("applications('{of}')/federatedIdentityCredentials");
    match (rest, method) {
        ([], Method::GET) => {
            let query = Query::list(request.call, &FEDERATED_CREDENTIAL)?;
            let mut cx = request.read().await?;
            let app_id = directory::application(&mut cx, of).await?.app_id;
            let found = federated_credentials::list(&mut cx, &app_id).await?;
            Ok(query.page(&noun, found.iter().map(shapes::federated_credential).collect()))
        }
        ([], Method::POST) => {
            let sent: Federated = body::read(request.call).await?;
            let credential = FederatedCredential {
                id: String::new(),
                app_id: String::new(),
                name: body::needed("name", sent.name)?,
                issuer: body::needed("issuer", sent.issuer)?,
                subject: body::needed("subject", sent.subject)?,
                audiences: body::listed("audiences", sent.audiences)?,
                description: sent.description.flatten(),
            };
            let mut cx = request.write().await?;
            let made = federated_credentials::add_to_application(&mut cx, of, credential).await?;
            cx.commit().await?;
            Ok(wire::one(
                StatusCode::CREATED,
                request.beta,
                &format!("{noun}/$entity"),
                &shapes::federated_credential(&made),
            ))
        }
        ([key], Method::GET) => {
            let query = Query::one(request.call, &FEDERATED_CREDENTIAL)?;
            let mut cx = request.read().await?;
            let app_id = directory::application(&mut cx, of).await?.app_id;
            let found = federated_credentials::get(&mut cx, &app_id, key).await?;
            Ok(request.one(&format!("{noun}/$entity"), &query.shown(shapes::federated_credential(&found))))
        }
        ([key], Method::PATCH) => {
            let sent: Federated = body::read(request.call).await?;
            let text = |name, sent: Option<String>| sent.map(|text| body::needed(name, Some(text))).transpose();
            let change = Change {
                issuer: text("issuer", sent.issuer)?,
                subject: text("subject", sent.subject)?,
                audiences: sent.audiences,
                description: sent.description,
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
