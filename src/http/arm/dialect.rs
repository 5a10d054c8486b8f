//! How resource management says no. Texts and codes: acr.md A.0, A.4; keyvault.md C.7.
//! Must not know: routes.

#![deny(clippy::wildcard_enum_match_arm)]

mod neighbour;
mod registry;
mod resource;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::wire::{Answer, GATEWAY};
use crate::domain::Error;
use crate::domain::error::{
    AccessError, ContentError, INTERNAL, KeyError, RequestError, SignInError, TokenError, VaultError,
};
use crate::domain::resources::template::clipped;
use crate::domain::world::well_known::TENANT_ID;
use crate::http::faults::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The container registry provider adds a top-level `"status":"Failed"` [recorded].
    ContainerRegistry,
    /// ARM itself and the others.
    Other,
}

struct Said {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Said by ARM's own front, before the provider saw the call.
    gateway: bool,
}

fn said(status: StatusCode, code: &'static str, message: impl Into<String>) -> Said {
    Said { status, code, message: message.into(), gateway: false }
}

fn gateway(status: StatusCode, code: &'static str, message: impl Into<String>) -> Said {
    Said { gateway: true, ..said(status, code, message) }
}

/// The versions of resource management itself, which its refusals name whatever the call was about.
const API_VERSIONS: &str = "2025-04-01,2025-03-01,2024-11-01,2024-07-01,2024-03-01,2023-07-01,2022-12-01,2022-09-01,2022-06-01,2022-05-01,2022-01-01,2021-04-01,2021-01-01,2020-10-01,2020-06-01,2020-01-01,2019-11-01,2019-08-01,2019-05-01,2018-05-01,2018-02-01,2017-05-10,2016-09-01,2016-06-01,2015-11-01,2015-01-01,2014-04-01,2014-01-01";

pub fn refusal(error: &Error, provider: Provider) -> Answer {
    let said = say(error);
    if error.is_trouble() {
        tracing::error!(%error, "resource management failed");
    }
    let mut body = json!({"error": {"code": said.code, "message": clipped(said.message)}});
    if provider == Provider::ContainerRegistry && !said.gateway {
        body["status"] = json!("Failed");
    }
    let answer = Answer::new(said.status, body);
    if let Error::Token(token) = error {
        answer.with("www-authenticate", challenge(token))
    } else if said.gateway {
        answer.with(GATEWAY.0, GATEWAY.1.to_owned())
    } else {
        answer
    }
}

#[must_use]
pub fn status(error: &Error) -> StatusCode {
    say(error).status
}

/// Error code and message, for answers that carry them inside (deployments, operations).
#[must_use]
pub fn code_and_message(error: &Error) -> Value {
    let said = say(error);
    json!({"code": said.code, "message": clipped(said.message)})
}

fn challenge(token: &TokenError) -> String {
    let text = if matches!(token, TokenError::Missing) {
        "The authentication failed because of missing 'Authorization' header."
    } else {
        "The access token is invalid."
    };
    format!(
        "Bearer authorization_uri=\"https://login.microsoftonline.com/{TENANT_ID}\", error=\"invalid_token\", error_description=\"{text}\""
    )
}

fn say(error: &Error) -> Said {
    use StatusCode as S;
    match error {
        Error::Request(e) => request(e),
        Error::Token(e) => match e {
            TokenError::Missing => gateway(
                S::UNAUTHORIZED,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ),
            TokenError::Audience { expected, found } => gateway(
                S::UNAUTHORIZED,
                "InvalidAuthenticationTokenAudience",
                format!(
                    "The access token has been obtained for wrong audience or resource '{found}'. It should exactly match with one of the allowed audiences '{expected}','https://management.core.windows.net/'."
                ),
            ),
            TokenError::Issuer { expected, found } => gateway(
                S::UNAUTHORIZED,
                "InvalidAuthenticationTokenTenant",
                format!(
                    "The access token is from the wrong issuer '{found}'. It must match the tenant '{expected}' associated with this subscription."
                ),
            ),
            TokenError::Expired => {
                gateway(S::UNAUTHORIZED, "ExpiredAuthenticationToken", "The access token expiry time is in the past.")
            }
            TokenError::Malformed(why) => {
                gateway(S::UNAUTHORIZED, "InvalidAuthenticationToken", format!("The access token is invalid: {why}."))
            }
            // [inferred] The code of every bad token, with the words of the challenge beside it.
            TokenError::Revoked => {
                gateway(S::UNAUTHORIZED, "InvalidAuthenticationToken", "The access token is invalid.")
            }
        },
        Error::SignIn(e) => sign_in(e),
        Error::Access(e) => access(e),
        Error::Resource(e) => resource::say(e),
        Error::Neighbour(e) => neighbour::say(e),
        Error::Directory(e) => said(S::BAD_REQUEST, "BadRequest", e.to_string()),
        Error::Vault(e) => vault(e),
        Error::Key(e) => key(e),
        Error::Registry(e) => registry::say(e),
        Error::Content(e) => content(e),
        Error::Unavailable(why) => {
            let (status, code, message) = words(*why);
            said(status, code, message)
        }
        Error::Internal(_) => said(S::INTERNAL_SERVER_ERROR, "InternalServerError", INTERNAL),
    }
}

/// What an import meets in its source or target. How Azure's operations say it is not published.
fn content(error: &ContentError) -> Said {
    use StatusCode as S;
    match error {
        ContentError::KeyForbidden => said(
            S::FORBIDDEN,
            "Forbidden",
            "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk",
        ),
        ContentError::IdentityInactive => said(
            S::FORBIDDEN,
            "Forbidden",
            "The identity associated with the registry is inactive. This could be due to attempted removal of the identity. Reassign the identity manually",
        ),
        ContentError::Unauthorized { service, name, .. } => {
            said(S::UNAUTHORIZED, "Unauthorized", format!("Authentication to {service} is required to pull {name}."))
        }
        ContentError::Locked => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The operation is disallowed on this registry, repository or image: it is locked, or filled by a cache rule.",
        ),
        ContentError::ManifestUnknown(text) | ContentError::TagUnknown(text) | ContentError::NameUnknown(text) => {
            said(S::NOT_FOUND, "NotFound", format!("The source image could not be found: {text}."))
        }
        other @ (ContentError::LengthMissing
        | ContentError::LinkInvalid
        | ContentError::NameInvalid(_)
        | ContentError::TagInvalid(_)
        | ContentError::ManifestInvalid(_)
        | ContentError::ManifestBlobUnknown(_)
        | ContentError::BlobUnknown(_)
        | ContentError::UploadUnknown(_)
        | ContentError::UploadInvalid(_)
        | ContentError::RangeWrong { .. }
        | ContentError::RangeUnsatisfiable { .. }
        | ContentError::DigestInvalid(_)
        | ContentError::TooLarge
        | ContentError::Quarantined
        | ContentError::Denied
        | ContentError::Address(_)
        | ContentError::Unsupported(_)
        | ContentError::Source { .. }) => said(S::BAD_REQUEST, "BadRequest", Error::from(other.clone()).to_string()),
    }
}

fn request(error: &RequestError) -> Said {
    use StatusCode as S;
    match error {
        RequestError::RouteUnknown(path) => gateway(
            S::NOT_FOUND,
            "InvalidResourceType",
            format!("No HTTP resource was found that matches the request URI '{path}'."),
        ),
        RequestError::MethodNotAllowed { method, path } => gateway(
            S::METHOD_NOT_ALLOWED,
            "HttpMethodNotSupported",
            format!("The http method '{method}' is not supported for the resource '{path}'."),
        ),
        RequestError::Malformed(why) => gateway(
            S::BAD_REQUEST,
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        ),
        // [issue] for filters; the codes of the others are made after theirs [inferred].
        RequestError::InvalidValue { property, message } if property.starts_with('$') => {
            let code = match property.to_ascii_lowercase().as_str() {
                "$filter" => "InvalidFilterInQueryString",
                "$top" => "InvalidTopInQueryString",
                "$skiptoken" => "InvalidSkipTokenInQueryString",
                _ => "InvalidOptionInQueryString",
            };
            gateway(S::BAD_REQUEST, code, format!("Invalid {property} '{message}' specified in the query string."))
        }
        RequestError::InvalidValue { property, message } => {
            said(S::BAD_REQUEST, "InvalidRequestContent", format!("The value of '{property}' is not valid: {message}"))
        }
        RequestError::TooLarge { limit } => gateway(
            S::PAYLOAD_TOO_LARGE,
            "RequestContentTooLarge",
            format!("The request content size exceeds the maximum size of {} MB.", limit / (1024 * 1024)), // [issue]
        ),
        RequestError::CutOff => {
            gateway(S::BAD_REQUEST, "InvalidRequestContent", "The request content ended before its announced length.")
        }
        RequestError::ApiVersionMissing => gateway(
            S::BAD_REQUEST,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ),
        RequestError::ApiVersionInvalid(version) => gateway(
            S::BAD_REQUEST,
            "InvalidApiVersionParameter",
            format!("The api-version '{version}' is invalid. The supported versions are '{API_VERSIONS}'."),
        ),
        RequestError::NotEmulated(what) => {
            tracing::warn!(%what, "not emulated");
            said(
                S::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("{what} is not emulated. See the table of limits in Acrite's README."),
            )
        }
    }
}

fn sign_in(error: &SignInError) -> Said {
    gateway(StatusCode::BAD_REQUEST, "BadRequest", error.to_string())
}

fn access(error: &AccessError) -> Said {
    match error {
        AccessError::Action { caller, action, scope } => gateway(
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                caller.app_id, caller.object_id
            ),
        ),
        AccessError::Policy { .. } | AccessError::Role { .. } => {
            said(StatusCode::FORBIDDEN, "Forbidden", error.to_string())
        }
        AccessError::Firewall { .. } | AccessError::PublicNetwork { .. } => {
            said(StatusCode::FORBIDDEN, "Forbidden", "Client address is not authorized.")
        }
    }
}

fn vault(error: &VaultError) -> Said {
    use StatusCode as S;
    match error {
        VaultError::Unknown(name) => said(S::NOT_FOUND, "VaultNotFound", format!("The vault '{name}' does not exist.")),
        VaultError::NameInvalid(_) => said(S::BAD_REQUEST, "VaultNameNotValid", error.to_string()),
        VaultError::NameInUse(_) => said(S::CONFLICT, "VaultAlreadyExists", error.to_string()),
        VaultError::SoftDeleted(_) => said(
            S::CONFLICT,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
        ),
        VaultError::DeletedNotFound(name) => {
            said(S::NOT_FOUND, "DeletedVaultNotFound", format!("The specified deleted vault '{name}' does not exist."))
        }
        VaultError::PurgeProtected(name) => said(
            S::BAD_REQUEST,
            "MethodNotAllowed",
            format!(
                "Operation 'DeletedVaultPurge' is not allowed: purge protection is enabled for the vault '{name}'."
            ),
        ),
        VaultError::PurgeProtectionIrreversible => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
        ),
        VaultError::SoftDeleteIrreversible => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.",
        ),
        VaultError::RetentionFixed => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.",
        ),
        VaultError::Invalid(message) => said(S::BAD_REQUEST, "BadRequest", message.clone()),
    }
}

fn key(error: &KeyError) -> Said {
    match error {
        KeyError::NotFound(kind, name) | KeyError::DeletedNotFound(kind, name) => {
            said(StatusCode::NOT_FOUND, kind.missing(), format!("The {} '{name}' was not found.", kind.noun()))
        }
        KeyError::BadParameter(message) => said(StatusCode::BAD_REQUEST, "BadParameter", message.clone()),
        KeyError::DeletedButRecoverable(..) | KeyError::Conflict(_) => {
            said(StatusCode::CONFLICT, "Conflict", error.to_string())
        }
        // Uses of keys go by the data plane alone.
        KeyError::Disabled(..)
        | KeyError::Expired(_)
        | KeyError::NotYetValid(_)
        | KeyError::OperationForbidden(_)
        | KeyError::PurgeProtected(_) => said(StatusCode::FORBIDDEN, "Forbidden", error.to_string()),
    }
}
