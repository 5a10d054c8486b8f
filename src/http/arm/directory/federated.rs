//! `federatedIdentityCredentials` of user-assigned identities: whose tokens sign in as the identity.
//! Must not know: how such a token is checked.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::Cx;
use crate::app::directory::{federated_credentials, identities};
use crate::domain::Result;
use crate::domain::directory::applications::FederatedCredential;
use crate::domain::directory::identity::Identity;
use crate::domain::error::ResourceError;
use crate::domain::world::name::{self, IDENTITIES};
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

fn shown(identity: &Identity, credential: &FederatedCredential) -> Value {
    let id = name::identity_id(&identity.group, &identity.name);
    json!({
        "id": format!("{id}/federatedIdentityCredentials/{}", credential.name), "name": credential.name,
        "type": format!("{IDENTITIES}/federatedIdentityCredentials"),
        "properties": {
            "issuer": credential.issuer, "subject": credential.subject, "audiences": credential.audiences,
        },
    })
}

async fn identity(cx: &mut Cx, request: &Request) -> Result<Identity> {
    identities::get(cx, request.group(), request.top()).await
}

pub(super) async fn list(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let identity = identity(cx, request).await?;
    let all = federated_credentials::list(cx, &identity.client_id).await?;
    Ok(Answer::list(all.iter().map(|c| shown(&identity, c)).collect()))
}

pub(super) async fn get(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let (identity, name) = (identity(cx, request).await?, request.name());
    let all = federated_credentials::list(cx, &identity.client_id).await?;
    let one = all.iter().find(|c| c.name.eq_ignore_ascii_case(name));
    let missing = || ResourceError::NotFound {
        resource: format!("{IDENTITIES}/{}/federatedIdentityCredentials/{name}", identity.name),
        group: request.group().to_owned(),
    };
    Ok(Answer::ok(shown(&identity, one.ok_or_else(missing)?)))
}

pub(super) async fn delete(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let identity = identity(cx, request).await?;
    let gone = federated_credentials::delete(cx, &identity.client_id, request.name()).await?;
    Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

pub(super) async fn put(cx: &mut Cx, request: &Request) -> Result<Answer> {
    let identity = identity(cx, request).await?;
    let properties = &request.body["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default().to_owned();
    let audiences = properties["audiences"].as_array().into_iter().flatten();
    let credential = FederatedCredential {
        id: String::new(),
        app_id: identity.client_id.clone(),
        name: request.name().to_owned(),
        issuer: text("issuer"),
        subject: text("subject"),
        audiences: audiences.filter_map(Value::as_str).map(str::to_owned).collect(),
        description: None,
    };
    let (kept, new) = federated_credentials::put(cx, credential).await?;
    let shown = shown(&identity, &kept);
    if !new {
        return Ok(Answer::ok(shown));
    }
    let id = shown["id"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::new(StatusCode::CREATED, shown).with("location", id))
}
