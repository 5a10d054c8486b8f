//! A refusal as pages show it: Azure's code and message, out of the shapes in which its services say them.
//! Must not know: who asked, or how a page looks.

use serde_json::Value;

use crate::domain::Error;
use crate::domain::error::{INTERNAL, RequestError};

/// What was refused, and beside which field of a form that is said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// Empty: about no field.
    pub(super) field: &'static str,
}

/// Codes that only wrap what is said inside.
const WRAPPERS: [&str; 5] = [
    "InvalidTemplateDeployment",
    "DeploymentFailed",
    "ResourceDeploymentFailure",
    "MultipleErrorsOccurred",
    "PreflightValidationCheckFailed",
];

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), field: "" }
    }

    /// What a form lacks or has wrong, before anybody was asked.
    pub(super) fn of_form(field: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message).beside(field)
    }

    /// Reads the answer of a service.
    pub(super) fn read(status: u16, body: &Value) -> Self {
        let error = if body["error"].is_object() { &body["error"] } else { body };
        let first = body["errors"].get(0).unwrap_or(error);
        let inner = innermost(first);
        let text = |name: &str| inner[name].as_str().map(str::to_owned);
        let code = text("code").unwrap_or_else(|| status.to_string());
        // Of vaults: the code that says why stands inside.
        let code = inner["innererror"]["code"].as_str().map_or(code.clone(), |inner| format!("{code} ({inner})"));
        let message = text("message").unwrap_or_else(|| format!("The service answered {status}."));
        Self::new(status, &code, message)
    }

    pub(super) fn beside(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }

    /// Beside the first field of which a word stands in the code or the message; else beside `other`.
    pub(super) fn about(self, words: &[(&str, &'static str)], other: &'static str) -> Self {
        let said = format!("{} {}", self.code, self.message).to_ascii_lowercase();
        let field = words.iter().find(|(word, _)| said.contains(word)).map_or(other, |(_, field)| field);
        self.beside(field)
    }
}

fn innermost(error: &Value) -> &Value {
    let wraps = error["code"].as_str().is_some_and(|code| WRAPPERS.contains(&code));
    match error["details"].get(0) {
        Some(detail) if wraps && detail.is_object() => innermost(detail),
        _ => error,
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Request(RequestError::InvalidValue { message, .. }) => Self::new(400, "BadRequest", message),
            Error::Request(RequestError::TooLarge { .. }) => Self::new(413, "TooLarge", error.to_string()),
            Error::Unavailable(_) => Self::new(503, "Unavailable", error.to_string()),
            Error::Internal(text) => {
                tracing::error!("the portal failed: {text}");
                Self::new(500, "Internal", INTERNAL)
            }
            other => Self::new(400, "BadRequest", other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_service_is_understood() {
        let arm = json!({"error": {"code": "ResourceNotFound", "message": "none"}});
        let registry = json!({"errors": [{"code": "DENIED", "message": "blocked"}]});
        let vault = json!({"error": {"code": "Forbidden", "message": "no", "innererror": {"code": "ForbiddenByRbac"}}});
        let deployment = json!({"error": {"code": "DeploymentFailed", "message": "at least one", "details": [
            {"code": "AlreadyInUse", "message": "taken"}]}});
        for (body, code, message) in [
            (arm, "ResourceNotFound", "none"),
            (registry, "DENIED", "blocked"),
            (vault, "Forbidden (ForbiddenByRbac)", "no"),
            (deployment, "AlreadyInUse", "taken"),
            (json!("<html>"), "502", "The service answered 502."),
        ] {
            let read = Refusal::read(502, &body);
            assert_eq!((read.code.as_str(), read.message.as_str()), (code, message));
        }
    }

    #[test]
    fn a_refusal_stands_beside_the_field_it_names() {
        let about = |code: &str| Refusal::new(400, code, "x").about(&[("sku", "sku"), ("name", "name")], "group").field;
        assert_eq!((about("InvalidSku"), about("NameInvalid"), about("Conflict")), ("sku", "name", "group"));
    }
}
