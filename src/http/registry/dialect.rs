//! How a refusal is said on a login server: the OCI envelope with Azure's codes and texts (acr.md C.1, B.2).
//! Must not know: routes, verbs.

#![deny(clippy::wildcard_enum_match_arm)]

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::wire;
use crate::domain::Error;
use crate::domain::error::{ContentError, INTERNAL, RegistryError, RequestError, SourceError, Unavailable};
use crate::http::call::Code;
use crate::http::faults;

/// Said when the key encryption key cannot be used (acr.md B.2) [docs]. Status and code are decided here,
/// because Azure does not publish them.
const KEY_FORBIDDEN: (StatusCode, &str, &str) = (
    StatusCode::FORBIDDEN,
    "DENIED",
    "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk",
);

/// Said when the identity for the key has expired: status and text [docs], the code decided here too.
const IDENTITY_INACTIVE: (StatusCode, &str, &str) = (
    StatusCode::FORBIDDEN,
    "DENIED",
    "The identity associated with the registry is inactive. This could be due to attempted removal of the identity. Reassign the identity manually",
);

/// [recorded]
const UNAUTHORIZED: &str = "authentication required, visit https://aka.ms/acr/authorization for more information.";

/// Quoted by users [issue].
const LOCKED: &str = "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation";

fn said(status: StatusCode, code: &str, message: &str, detail: Option<Value>) -> Response {
    let mut error = json!({"code": code, "message": message});
    if let Some(detail) = detail {
        error["detail"] = detail;
    }
    let mut answer = wire::json(status, &json!({"errors": [error]}));
    answer.extensions_mut().insert(Code(code.to_owned()));
    answer
}

/// A refusal as an answer. `correlation` is the request's id, which some texts name.
pub fn refusal(error: &Error, correlation: &str) -> Response {
    match error {
        Error::Request(error) => request(error),
        // Only sign-in meets these: a token of Entra ID, or a credential that is worth nothing here.
        Error::Token(_) | Error::SignIn(_) => {
            let message = format!("{UNAUTHORIZED} CorrelationId: {correlation}");
            said(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", &message, None)
        }
        Error::Content(error) => content(error, correlation),
        Error::Registry(RegistryError::Unknown(name)) => {
            // On Azure the name would not resolve.
            let message = format!("registry {name}.azurecr.io is not known");
            said(StatusCode::NOT_FOUND, "NAME_UNKNOWN", &message, None)
        }
        // Refusals of other protocols, which no route here leads to.
        Error::Access(_)
        | Error::Resource(_)
        | Error::Neighbour(_)
        | Error::Directory(_)
        | Error::Vault(_)
        | Error::Key(_)
        | Error::Registry(_) => said(StatusCode::FORBIDDEN, "DENIED", &error.to_string(), None),
        Error::Unavailable(why) => unavailable(*why),
        Error::Internal(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", INTERNAL, None),
    }
}

/// Codes and texts of the distribution registry, on which Azure's is built.
fn unavailable(why: Unavailable) -> Response {
    let status = faults::status_of(why);
    let (code, message) = match why {
        Unavailable::Fault(401) => ("UNAUTHORIZED", UNAUTHORIZED),
        Unavailable::Fault(403) => ("DENIED", "requested access to the resource is denied"),
        Unavailable::Fault(404) => ("NAME_UNKNOWN", "repository name not known to registry"),
        Unavailable::Fault(429) => ("TOOMANYREQUESTS", "too many requests"),
        Unavailable::Fault(503) => ("UNAVAILABLE", "service unavailable"),
        Unavailable::Fault(_) => ("UNKNOWN", "unknown error"),
        other @ (Unavailable::Full
        | Unavailable::ReadOnly
        | Unavailable::Gone
        | Unavailable::Busy
        | Unavailable::Failed
        | Unavailable::Vault) => return said(status, "UNAVAILABLE", &other.to_string(), None),
    };
    said(status, code, message, None)
}

fn request(error: &RequestError) -> Response {
    let bad = StatusCode::BAD_REQUEST;
    match error {
        // [recorded]: a path that is no route, as is one with a repository in upper case.
        RequestError::RouteUnknown(_) => wire::text(StatusCode::NOT_FOUND, "404 page not found\n"),
        RequestError::MethodNotAllowed { method, .. } => {
            let message = format!("The operation is unsupported: {method}.");
            said(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", &message, None)
        }
        RequestError::Malformed(why) => said(bad, "BAD_REQUEST", why, None),
        RequestError::InvalidValue { property, message } if property == "n" => {
            said(bad, "PAGINATION_NUMBER_INVALID", message, None)
        }
        RequestError::InvalidValue { property, message } => {
            said(bad, "BAD_REQUEST", &format!("{property}: {message}"), None)
        }
        RequestError::TooLarge { .. } => {
            said(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", "http: request body too large", None)
        }
        RequestError::CutOff => said(bad, "BLOB_UPLOAD_INVALID", "the body ended too early", None),
        RequestError::ApiVersionMissing | RequestError::ApiVersionInvalid(_) => {
            said(bad, "BAD_REQUEST", "api-version is missing", None)
        }
        RequestError::NotEmulated(what) => {
            said(StatusCode::NOT_IMPLEMENTED, "UNSUPPORTED", &format!("The operation is unsupported: {what}."), None)
        }
    }
}

/// Why a cache rule's source did not give what was asked for: texts by users' reports, and 424 with the last of
/// them [issue]; the other statuses are those that the codes have elsewhere [inferred].
fn source(place: &str, rule: &str, why: &SourceError, correlation: &str) -> Response {
    let (status, code, message) = match why {
        SourceError::Refused { status: 401, .. } => (
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            format!("authentication required with source registry for cache rule '{rule}'"),
        ),
        SourceError::Refused { status: 403, .. } => (
            StatusCode::FORBIDDEN,
            "DENIED",
            format!("requested access to pull from source '{place}' for cache rule '{rule}' has been denied"),
        ),
        SourceError::Refused { status: 429, .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "TOOMANYREQUESTS",
            format!("too many requests to source registry for cache rule '{rule}'"),
        ),
        SourceError::Refused { status, .. } => (
            StatusCode::FAILED_DEPENDENCY,
            "UNKNOWN",
            format!("request to pull from source '{place}' for cache rule '{rule}' returned status code {status}"),
        ),
        SourceError::Unreachable(_) | SourceError::Wrong(_) => (
            StatusCode::FAILED_DEPENDENCY,
            "UNKNOWN",
            format!("request to pull from source '{place}' for cache rule '{rule}' has failed"),
        ),
    };
    // What Azure does not say, and whoever runs the source on this machine wants to know.
    let detail = match why {
        SourceError::Unreachable(why) | SourceError::Wrong(why) => Some(json!(why)),
        SourceError::Refused { .. } => None,
    };
    let help = "For more information, please visit https://aka.ms/acr/cache.";
    said(status, code, &format!("{message}. CorrelationId: {correlation}. {help}"), detail)
}

fn manifest_invalid(status: StatusCode, detail: Value) -> Response {
    said(status, "MANIFEST_INVALID", "manifest invalid", Some(detail))
}

/// The reason is for the log: Azure says none [recorded Apr 2024].
fn manifest_refused(why: &str) -> Response {
    tracing::info!(why, "a manifest is invalid");
    manifest_invalid(StatusCode::BAD_REQUEST, json!({"Reason": {}}))
}

fn content(error: &ContentError, correlation: &str) -> Response {
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    match error {
        ContentError::Unauthorized { service, kind, name, actions, fault } => {
            challenge(service, kind, name, actions, *fault)
        }
        // The code is Azure Storage's, which answers there; its body would be XML.
        ContentError::LinkInvalid => {
            let message = "Server failed to authenticate the request. Make sure the value of the signature is formed correctly and has not expired.";
            said(StatusCode::FORBIDDEN, "AuthenticationFailed", message, None)
        }
        ContentError::KeyForbidden => said(KEY_FORBIDDEN.0, KEY_FORBIDDEN.1, KEY_FORBIDDEN.2, None),
        ContentError::IdentityInactive => said(IDENTITY_INACTIVE.0, IDENTITY_INACTIVE.1, IDENTITY_INACTIVE.2, None),
        ContentError::NameInvalid(name) => {
            said(bad, "NAME_INVALID", "invalid repository name", Some(json!({"name": name})))
        }
        ContentError::NameUnknown(name) => {
            said(missing, "NAME_UNKNOWN", "repository name not known to registry", Some(json!({"name": name})))
        }
        ContentError::TagUnknown(tag) => {
            said(missing, "TAG_UNKNOWN", "the specified tag does not exist", Some(json!({"tag": tag})))
        }
        ContentError::TagInvalid(tag) => {
            said(bad, "TAG_INVALID", "manifest tag did not match URI", Some(json!({"tag": tag})))
        }
        ContentError::ManifestUnknown(message) => said(missing, "MANIFEST_UNKNOWN", message, None),
        ContentError::ManifestInvalid(why) => manifest_refused(why),
        ContentError::LengthMissing => said(bad, "CONTENT_LENGTH_INVALID", "content length invalid", Some(json!({}))),
        ContentError::ManifestBlobUnknown(digest) => {
            said(bad, "MANIFEST_BLOB_UNKNOWN", "manifest blob unknown to registry", Some(json!({"digest": digest})))
        }
        ContentError::BlobUnknown(digest) => {
            said(missing, "BLOB_UNKNOWN", "blob unknown to registry", Some(json!({"digest": digest})))
        }
        ContentError::UploadUnknown(_) => said(missing, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", None),
        ContentError::UploadInvalid(why) => said(bad, "BLOB_UPLOAD_INVALID", "blob upload invalid", Some(json!(why))),
        ContentError::RangeWrong { location, size } => {
            let mut answer = said(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", "invalid content range", None);
            wire::put(&mut answer, header::LOCATION.as_str(), location);
            wire::put(&mut answer, "range", &wire::received(*size));
            answer
        }
        ContentError::RangeUnsatisfiable { size } => {
            let mut answer = said(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", "invalid content range", None);
            wire::put(&mut answer, header::CONTENT_RANGE.as_str(), &format!("bytes */{size}"));
            answer
        }
        ContentError::DigestInvalid(digest) => said(
            bad,
            "DIGEST_INVALID",
            "provided digest did not match uploaded content",
            Some(json!({"digest": digest})),
        ),
        ContentError::TooLarge => {
            manifest_invalid(StatusCode::PAYLOAD_TOO_LARGE, json!("http: request body too large"))
        }
        ContentError::Locked => {
            said(StatusCode::METHOD_NOT_ALLOWED, "REGISTRY_DISALLOWED_OPERATION", LOCKED, Some(json!({})))
        }
        // [issue: code and text; inferred: the status]
        ContentError::Quarantined => {
            said(StatusCode::METHOD_NOT_ALLOWED, "IMAGE_QUARANTINED", "The image is quarantined.", Some(json!({})))
        }
        ContentError::Denied => {
            said(StatusCode::FORBIDDEN, "DENIED", "requested access to the resource is denied", None)
        }
        ContentError::Source { place, rule, why } => {
            source(place, rule.as_deref().unwrap_or_default(), why, correlation)
        }
        ContentError::Address(address) => {
            let message = format!(
                "client with IP '{address}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
            );
            said(StatusCode::FORBIDDEN, "DENIED", &message, None)
        }
        ContentError::Unsupported(what) => {
            said(missing, "UNSUPPORTED", &format!("The operation is unsupported: {what}."), None)
        }
    }
}

/// 401 with the challenge. No blank after the commas: az splits the header on blanks (acr.md C.1).
fn challenge(service: &str, kind: &str, name: &str, actions: &str, fault: Option<&str>) -> Response {
    let mut detail = None;
    let mut header = format!("Bearer realm=\"https://{service}/oauth2/token\",service=\"{service}\"");
    if !actions.is_empty() {
        header.push_str(&format!(",scope=\"{kind}:{name}:{actions}\""));
        let each = actions.split(',').map(|action| json!({"Type": kind, "Name": name, "Action": action}));
        detail = Some(Value::Array(each.collect()));
    }
    if let Some(fault) = fault {
        header.push_str(&format!(",error=\"{fault}\""));
    }
    let mut answer = said(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", UNAUTHORIZED, detail);
    if let Ok(value) = HeaderValue::from_str(&header) {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_written_as_az_reads_it() {
        let answer = challenge("x.azurecr.io", "repository", "r", "metadata_read", Some("invalid_token"));
        let header = answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert_eq!(
            header,
            r#"Bearer realm="https://x.azurecr.io/oauth2/token",service="x.azurecr.io",scope="repository:r:metadata_read",error="invalid_token""#
        );
        assert_eq!(header.split(' ').count(), 2);
    }
}
