//! `federatedIdentityCredentials` of user-assigned identities: whose tokens sign in as the identity.
//! Must not know: how such a token is checked.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::directory::{federated_credentials, identities};
use crate::domain::Result;
use crate::domain::directory::applications::FederatedCredential;
use crate::domain::directory::identity::Identity;
use crate::domain::error::ResourceError;
use crate::domain::world::name::{self, IDENTITIES};
use crate::http::arm::Arm;
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

/// `at` is the index of the segment `userAssignedIdentities`.
pub(in crate::http::arm) async fn answer(arm: &mut Arm, group: &str, at: usize, rest: &[&str]) -> Result<Answer> {
    let identity = arm.segments[at + 1].clone();
    let scope = arm.scope(at + 2);
    let action = |verb: &str| format!("{IDENTITIES}/federatedIdentityCredentials/{verb}");
    let verb = match arm.method {
        Method::GET => "read",
        Method::PUT => "write",
        Method::DELETE => "delete",
        _ => return Err(arm.wrong_method()),
    };
    if rest.len() > 1 {
        return Err(arm.unknown_route());
    }
    if rest.is_empty() && arm.method != Method::GET {
        return Err(arm.wrong_method());
    }
    arm.require(&action(verb), &scope).await?;
    let name = rest.first().map(|_| arm.segments[at + 3].clone()).unwrap_or_default();
    if arm.method == Method::GET {
        let mut cx = arm.app.read(arm.caller.clone()).await?;
        let identity = identities::get(&mut cx, group, &identity).await?;
        let all = federated_credentials::list(&mut cx, &identity.client_id).await?;
        if rest.is_empty() {
            return Ok(Answer::list(all.iter().map(|c| shown(&identity, c)).collect()));
        }
        let one = all.iter().find(|c| c.name.eq_ignore_ascii_case(&name));
        let missing = || ResourceError::NotFound {
            resource: format!("{IDENTITIES}/{}/federatedIdentityCredentials/{name}", identity.name),
            group: group.to_owned(),
        };
        return Ok(Answer::ok(shown(&identity, one.ok_or_else(missing)?)));
    }
    let body = if arm.method == Method::PUT { arm.object().await? } else { Value::Null };
    let mut cx = arm.write().await?;
    let identity = identities::get(&mut cx, group, &identity).await?;
    if arm.method == Method::DELETE {
        let gone = federated_credentials::delete(&mut cx, &identity.client_id, &name).await?;
        cx.commit().await?;
        return Ok(Answer::empty(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }));
    }
    let text = |name: &str| body["properties"][name].as_str().unwrap_or_default().to_owned();
    let audiences = body["properties"]["audiences"].as_array().into_iter().flatten();
    let credential = FederatedCredential {
        id: String::new(),
        app_id: identity.client_id.clone(),
        name,
        issuer: text("issuer"),
        subject: text("subject"),
        audiences: audiences.filter_map(Value::as_str).map(str::to_owned).collect(),
        description: None,
    };
    let (kept, new) = federated_credentials::put(&mut cx, credential).await?;
    cx.commit().await?;
    Ok(Answer::new(if new { StatusCode::CREATED } else { StatusCode::OK }, shown(&identity, &kept)))
}
