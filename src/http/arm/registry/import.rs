//! `importImage` (acr.md A.5).
//! Must not know: how images are copied.

use serde_json::json;

use super::found;
use super::long::accepted;
use crate::app::registry::copying::imports;
use crate::app::resources::operations;
use crate::domain::Result;
use crate::http::arm::Arm;
use crate::http::arm::dialect;
use crate::http::arm::table::Request;
use crate::http::arm::wire::Answer;

/// `POST …/importImage`: what the import itself meets is the operation's outcome; a body that asks for
/// nothing that could be done is refused at once.
pub(super) async fn import(arm: &mut Arm, request: &Request) -> Result<Answer> {
    let registry = found(&mut arm.read().await?, request).await?;
    let wanted = imports::Wanted::read(&registry, &request.body)?;
    let operation = format!("registries-{}", uuid::Uuid::new_v4());
    let (app, caller, target, own) = (arm.app.clone(), arm.caller.clone(), registry.clone(), operation.clone());
    let work = async move {
        match imports::run(&app, &caller, &target, &wanted, &own).await {
            Ok(()) => json!({"status": "Succeeded"}),
            Err(error) => {
                if error.is_failure() {
                    tracing::error!("an import failed: {error}");
                }
                let status = dialect::status(&error).as_u16();
                json!({"status": "Failed", "error": dialect::code_and_message(&error), "http": status})
            }
        }
    };
    operations::carry_out(&arm.app, &operation, work).await;
    Ok(accepted(request, &registry.location.to_ascii_uppercase(), &operation))
}
