//! `importImage` (acr.md A.5).
//! Must not know: how images are copied.

use serde_json::json;

use super::long::accepted;
use super::registry_of;
use crate::app::{imports, operations};
use crate::domain::error::RequestError;
use crate::domain::{Error, Result};
use crate::http::arm::Arm;
use crate::http::arm::dialect;
use crate::http::arm::wire::Answer;

/// `POST …/importImage`: what the import itself meets is the operation's outcome; a body that asks for
/// nothing that could be done is refused at once.
pub(super) async fn answer(arm: &mut Arm, group: &str, at: usize) -> Result<Answer> {
    let registry = registry_of(arm, group, at, "importImage/action").await?;
    let wanted = imports::Wanted::read(&arm.object().await?)?;
    let operation = format!("registries-{}", uuid::Uuid::new_v4());
    let outcome = match imports::run(&arm.app, &arm.caller, &registry, &wanted, &operation).await {
        Ok(()) => json!({"status": "Succeeded"}),
        Err(error @ (Error::Internal(_) | Error::Request(RequestError::NotEmulated(_)))) => return Err(error),
        Err(error) => {
            let status = dialect::status(&error).as_u16();
            json!({"status": "Failed", "error": dialect::code_and_message(&error), "http": status})
        }
    };
    let mut cx = arm.app.write(arm.caller.clone()).await?;
    operations::record(&mut cx, &operation, &outcome).await?;
    cx.commit().await?;
    Ok(accepted(arm, &registry.location.to_ascii_uppercase(), &operation))
}
